/*
 * Hosts files, and the reverse names that addresses imply.
 */
#include "policy/local.h"

#include "base/addr.h"
#include "base/err.h"

#include <string.h>

/* ---- reverse names ---- */

static uint8_t *put_label(uint8_t *p, const char *text, size_t len)
{
    *p++ = (uint8_t)len;
    memcpy(p, text, len);
    return p + len;
}

/* An octet in decimal, as a label. */
static uint8_t *put_decimal(uint8_t *p, uint8_t octet)
{
    char digits[3];
    size_t len = 0;

    if (octet >= 100) {
        digits[len++] = (char)('0' + octet / 100);
    }
    if (octet >= 10) {
        digits[len++] = (char)('0' + octet / 10 % 10);
    }
    digits[len++] = (char)('0' + octet % 10);
    return put_label(p, digits, len);
}

size_t local_reverse_name(const uint8_t *ip, size_t ip_len,
                          uint8_t out[DNS_NAME_MAX])
{
    static const char hex[] = "0123456789abcdef";
    uint8_t *p = out;

    for (size_t i = ip_len; i-- > 0;) {
        if (ip_len == 4) {
            p = put_decimal(p, ip[i]);
        } else {
            p = put_label(p, &hex[ip[i] & 15], 1);
            p = put_label(p, &hex[ip[i] >> 4], 1);
        }
    }
    p = ip_len == 4 ? put_label(p, "in-addr", 7) : put_label(p, "ip6", 3);
    p = put_label(p, "arpa", 4);
    *p++ = 0;
    return (size_t)(p - out);
}

int local_add_reverse(struct names *t, const uint8_t *ip, size_t ip_len,
                      uint32_t ttl_s, const uint8_t *target, size_t target_len)
{
    static const uint8_t nobody[16];
    uint8_t name[DNS_NAME_MAX];
    struct names_node *node;
    int err;

    if (memcmp(ip, nobody, ip_len) == 0) {
        return 0;
    }
    err = names_add(t, name, local_reverse_name(ip, ip_len, name), &node);
    if (err != 0 || node->records != NULL) {
        return err;
    }
    return names_add_record(t, node, DNS_TYPE_PTR, ttl_s, target, target_len);
}

/* ---- files ---- */

/* Returns 0 | ERR_INVAL | ERR_NOMEM. */
static int add_host(struct names *t, const struct addr *a, const uint8_t *name,
                    size_t len, uint32_t ttl_s)
{
    uint16_t type = a->family == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
    struct names_node *node;
    int err = names_add(t, name, len, &node);

    if (err != 0) {
        return err;
    }
    err = names_add_record(t, node, type, ttl_s, a->ip, addr_ip_len(a));
    return err == 0 || err == ERR_NOMEM ? err : ERR_INVAL;
}

int local_hosts_line(struct names *t, struct span line, uint32_t ttl_s)
{
    struct span word;
    struct addr a;
    int result = 0;

    line = lines_without_comment(line);
    word = lines_word(&line);
    if (word.len == 0) {
        return 0;
    }
    if (!lines_address(word, &a) || line.len == 0) {
        return ERR_INVAL;
    }
    if (memchr(word.ptr, '%', word.len) != NULL) {
        return 0;
    }
    for (word = lines_word(&line); word.len > 0; word = lines_word(&line)) {
        uint8_t name[DNS_NAME_MAX];
        int len = names_from_host((const char *)word.ptr, word.len, name);
        int err =
            len < 0 ? ERR_INVAL : add_host(t, &a, name, (size_t)len, ttl_s);

        if (err == 0) { /* the first name takes it */
            err = local_add_reverse(t, a.ip, addr_ip_len(&a), ttl_s, name,
                                    (size_t)len);
        }
        if (err == ERR_NOMEM) {
            return err;
        }
        result = err == 0 ? result : err;
    }
    return result;
}

int local_read_hosts(struct names *t, struct lines *l, uint32_t ttl_s)
{
    struct span line;
    int more;

    for (more = lines_next(l, &line); more > 0; more = lines_next(l, &line)) {
        int err = local_hosts_line(t, line, ttl_s);

        if (err == ERR_NOMEM) {
            return err;
        }
        if (err != 0) {
            lines_bad(l);
        }
    }
    return more;
}
