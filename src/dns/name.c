/*
 * Domain names. Length octets are at most 63 and ASCII letters start at 65:
 * a wire name can be folded or compared octet by octet without looking where
 * its labels begin.
 */
#include "dns/name.h"

#include "base/err.h"
#include "dns/labels.h"

#include <string.h>

int dns_name_skip(struct span msg, size_t at)
{
    int len = dns_labels_len(msg, at);
    int target;

    if (len < 0) {
        return len;
    }
    if (msg.ptr[at + (size_t)len] == 0) {
        return len + 1;
    }
    target = dns_pointer_target(msg, at + (size_t)len, at);
    return target < 0 ? target : len + DNS_POINTER_LEN;
}

int dns_name_read(struct span msg, size_t at, uint8_t out[DNS_NAME_MAX])
{
    uint8_t name[DNS_NAME_MAX];
    size_t used = 0;

    /* Every pointer leads to before the part that it ended: at falls with
     * each round, so there is a last one. */
    for (;;) {
        int len = dns_labels_len(msg, at);
        int target;

        if (len < 0) {
            return len;
        }
        if (used + (size_t)len >= DNS_NAME_MAX) {
            return ERR_DNS_NAME;
        }
        memcpy(name + used, msg.ptr + at, (size_t)len);
        used += (size_t)len;
        if (msg.ptr[at + (size_t)len] == 0) {
            break;
        }
        target = dns_pointer_target(msg, at + (size_t)len, at);
        if (target < 0) {
            return target;
        }
        at = (size_t)target;
    }
    name[used++] = 0;
    memcpy(out, name, used);
    return (int)used;
}

static uint8_t lower(uint8_t octet)
{
    return octet >= 'A' && octet <= 'Z' ? octet | 0x20 : octet;
}

bool dns_name_equal(struct span a, struct span b)
{
    if (a.len != b.len) {
        return false;
    }
    if (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0) {
        return true; /* most spell a name as it came */
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

void dns_name_lower(uint8_t *dst, const uint8_t *src, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        dst[i] = lower(src[i]);
    }
}

/* One octet of a label as text; returns where the next goes. */
static char *put_octet(char *p, uint8_t octet)
{
    if (octet < 33 || octet > 126) {
        *p++ = '\\';
        *p++ = (char)('0' + octet / 100);
        *p++ = (char)('0' + octet / 10 % 10);
        *p++ = (char)('0' + octet % 10);
        return p;
    }
    if (octet == '.' || octet == '\\') {
        *p++ = '\\';
    }
    *p++ = (char)octet;
    return p;
}

const char *dns_name_to_text(struct span name, char text[DNS_NAME_TEXT_MAX])
{
    size_t len = name.len < DNS_NAME_MAX ? name.len : DNS_NAME_MAX;
    size_t at = 0;
    char *p = text;

    while (at < len && name.ptr[at] != 0) {
        size_t end = at + 1 + name.ptr[at];
        for (at++; at < end && at < len; at++) {
            p = put_octet(p, name.ptr[at]);
        }
        *p++ = '.';
    }
    if (p == text) {
        *p++ = '.';
    }
    *p = '\0';
    return text;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The octet behind a backslash at text; *used is what its escape takes.
 * Returns it | ERR_INVAL. */
static int read_escape(const char *text, size_t len, size_t *used)
{
    int value;

    if (len < 2) {
        return ERR_INVAL;
    }
    if (!is_digit(text[1])) {
        *used = 2;
        return (uint8_t)text[1];
    }
    if (len < 4 || !is_digit(text[2]) || !is_digit(text[3])) {
        return ERR_INVAL;
    }
    value = (text[1] - '0') * 100 + (text[2] - '0') * 10 + (text[3] - '0');
    *used = 4;
    return value <= 255 ? value : ERR_INVAL;
}

/*
 * Read one label, up to its dot or the end, to label (64 octets, the first is
 * for its length). Returns the octets of text it took | ERR_INVAL.
 */
static int read_label(const char *text, size_t len, uint8_t *label)
{
    size_t at = 0;
    unsigned count = 0;

    while (at < len && text[at] != '.') {
        size_t used = 1;
        int octet = (uint8_t)text[at];

        if (octet == '\\') {
            octet = read_escape(text + at, len - at, &used);
        }
        if (octet < 0 || count == DNS_LABEL_MAX) {
            return ERR_INVAL;
        }
        label[++count] = (uint8_t)octet;
        at += used;
    }
    label[0] = (uint8_t)count;
    return count == 0 ? ERR_INVAL : (int)at;
}

int dns_name_from_text(const char *text, size_t len, uint8_t out[DNS_NAME_MAX])
{
    uint8_t name[DNS_NAME_MAX + DNS_LABEL_MAX + 1];
    size_t used = 0;
    size_t at = 0;

    if (len == 0) {
        return ERR_INVAL;
    }
    if (len == 1 && text[0] == '.') {
        out[0] = 0;
        return 1;
    }
    do {
        int took = read_label(text + at, len - at, name + used);
        if (took < 0) {
            return took;
        }
        used += 1u + name[used];
        if (used >= DNS_NAME_MAX) {
            return ERR_DNS_NAME;
        }
        at += (size_t)took + 1; /* and the dot, if there is one */
    } while (at < len);
    name[used++] = 0;
    memcpy(out, name, used);
    return (int)used;
}
