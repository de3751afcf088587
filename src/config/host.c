/*
 * One host: address or name. The parsing is base's; what is here is the words
 * for what people get wrong.
 */
#include "config/host.h"

#include "base/err.h"
#include "config/diag.h"
#include "config/provider.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Why has room for every text here; a longer one is cut, not overrun. */
#define SAY(why, ...) ((void)snprintf((why), HOST_WHY_MAX, __VA_ARGS__))

static bool has_only(const char *text, const char *set)
{
    return text[strspn(text, set)] == '\0';
}

bool host_looks_like_name(const char *text)
{
    const char *dot = strchr(text, '.');

    if (dot == NULL || dot == text || has_only(text, "0123456789.")) {
        return false;
    }
    for (const char *p = text; *p != '\0'; p++) {
        if (!isalnum((unsigned char)*p) && strchr(".-", *p) == NULL) {
            return false;
        }
    }
    return true;
}

bool host_is_loopback(const struct addr *a)
{
    static const uint8_t one[16] = {[15] = 1};

    return a->family == 4 ? a->ip[0] == 127 : memcmp(a->ip, one, 16) == 0;
}

bool host_is_any(const struct addr *a)
{
    static const uint8_t zero[16];

    return memcmp(a->ip, zero, addr_ip_len(a)) == 0;
}

bool host_is_self(const struct addr *server, const struct addr *listen)
{
    if (server->port != listen->port) {
        return false;
    }
    return addr_ip_equal(server, listen) ||
           (server->family == listen->family && host_is_any(listen) &&
            host_is_loopback(server));
}

bool host_is_multicast(const struct addr *a)
{
    if (a->family == 6) {
        return a->ip[0] == 0xff;
    }
    return (a->ip[0] & 0xf0) == 0xe0 ||
           memcmp(a->ip, "\xff\xff\xff\xff", 4) == 0;
}

static bool is_ip(const char *text)
{
    struct addr unused;

    return addr_parse_ip(text, strlen(text), &unused) == 0;
}

/* A part of a dotted number. */
struct part {
    const char *text;
    size_t len;
    size_t zeros; /* before the number */
};

static struct part read_part(const char *text)
{
    struct part p = {.text = text, .len = strcspn(text, ".")};

    p.zeros = strspn(text, "0");
    p.zeros -= p.zeros > 0 && p.zeros == p.len;
    return p;
}

static bool is_too_large(const struct part *p)
{
    size_t digits = p->len - p->zeros;

    return digits > 3 ||
           (digits == 3 && strncmp(p->text + p->zeros, "255", 3) > 0);
}

/* A dotted number that is not an address: find the part that is odd, or count
 * the parts. */
static void explain_dotted(const char *text, char why[HOST_WHY_MAX])
{
    char fixed[64] = "";
    size_t used = 0;
    size_t count = 0;

    for (const char *p = text; p != NULL; count++) {
        struct part part = read_part(p);
        if (is_too_large(&part)) {
            SAY(why, "\"%s\" is not an IP address: %.*s is more than 255",
                diag_quote(text).text, part.len > 20 ? 20 : (int)part.len, p);
            return;
        }
        /* Four parts of three digits fit; more are no address anyway. */
        if (used < sizeof(fixed) - 8) {
            used +=
                (size_t)snprintf(fixed + used, sizeof(fixed) - used, "%s%.*s",
                                 count == 0 ? "" : ".",
                                 (int)(part.len - part.zeros), p + part.zeros);
        }
        p = p[part.len] == '.' ? p + part.len + 1 : NULL;
    }
    if (count == 4 && is_ip(fixed)) {
        SAY(why, "\"%s\" has a zero before a number; did you mean %s?",
            diag_quote(text).text, fixed);
    } else if (count == 4) {
        SAY(why, "\"%s\" is not an IP address: a part of it is empty",
            diag_quote(text).text);
    } else {
        SAY(why,
            "\"%s\" is not an IP address: it has %zu parts, an IPv4 address "
            "has 4",
            diag_quote(text).text, count);
    }
}

/* Letters and signs that stand where digits and dots should. */
static bool explain_lookalike(const char *text, char why[HOST_WHY_MAX])
{
    static const char from[] = "lIiOo,";
    static const char to[] = "11100.";
    char fixed[64];
    size_t len = strlen(text);

    if (len >= sizeof(fixed)) {
        return false;
    }
    for (size_t i = 0; i <= len; i++) {
        const char *p = text[i] == '\0' ? NULL : strchr(from, text[i]);
        fixed[i] = p == NULL ? text[i] : to[p - from];
    }
    if (strcmp(fixed, text) == 0 || !is_ip(fixed)) {
        return false;
    }
    SAY(why, "\"%s\" is not an IP address; did you mean %s?",
        diag_quote(text).text, fixed);
    return true;
}

static void explain_v6(const char *text, char why[HOST_WHY_MAX])
{
    struct diag_quote quote = diag_quote(text);
    const char *scope = strchr(text, '%');

    if (scope != NULL) {
        SAY(why,
            "\"%s\" is not an IPv6 address, or this machine has no "
            "interface \"%.20s\"",
            quote.text, scope + 1);
    } else if (strchr(text, '.') != NULL && strchr(text, ':') != NULL &&
               has_only(text, "0123456789.:")) {
        SAY(why, "\"%s\" is not an IP address with one port", quote.text);
    } else {
        SAY(why, "\"%s\" is not an IPv6 address%s", quote.text,
            strstr(text, "::") == NULL
                ? ": 8 groups are needed, or :: in place of groups of zeros"
                : "");
    }
}

static void explain_name(const char *text, char why[HOST_WHY_MAX])
{
    const struct provider *p = provider_of_name(text);

    if (p != NULL) {
        SAY(why,
            "\"%s\" is a name; an IP address is needed, because looking "
            "a name up takes the resolver that dotstub is. Did you mean %s, "
            "or %s#%s?",
            text, p->word, p->addresses[0], p->name);
    } else {
        SAY(why,
            "\"%s\" is a name; an IP address is needed, because looking "
            "a name up takes the resolver that dotstub is. Write "
            "ADDRESS#%.80s with its address",
            diag_quote(text).text, text);
    }
}

static void explain_ip(const char *text, char why[HOST_WHY_MAX])
{
    const char *slash = strchr(text, '/');

    if (*text == '\0') {
        SAY(why, "no IP address");
    } else if (slash != NULL) {
        SAY(why, "\"%s\" is not an IP address; did you mean %.*s?",
            diag_quote(text).text, slash - text > 60 ? 60 : (int)(slash - text),
            text);
    } else if (has_only(text, "0123456789.") && strchr(text, '.') != NULL) {
        explain_dotted(text, why);
    } else if (explain_lookalike(text, why)) {
        return;
    } else if (strchr(text, ':') != NULL) {
        explain_v6(text, why);
    } else if (host_looks_like_name(text)) {
        explain_name(text, why);
    } else {
        SAY(why, "\"%s\" is not an IP address", diag_quote(text).text);
    }
}

/* "::ffff:192.0.2.1" is the IPv4 address in another coat. */
static bool is_mapped_v4(const struct addr *a)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

    return a->family == 6 && memcmp(a->ip, prefix, sizeof(prefix)) == 0;
}

int host_parse_ip(const char *text, struct addr *out, char why[HOST_WHY_MAX])
{
    struct addr a;

    if (addr_parse_ip(text, strlen(text), &a) != 0) {
        explain_ip(text, why);
        return ERR_INVAL;
    }
    if (is_mapped_v4(&a)) {
        SAY(why,
            "\"%s\" is an IPv4 address in IPv6 form; did you mean "
            "%u.%u.%u.%u?",
            text, a.ip[12], a.ip[13], a.ip[14], a.ip[15]);
        return ERR_INVAL;
    }
    if (a.family == 6 && a.ip[0] == 0xfe && (a.ip[1] & 0xc0) == 0x80 &&
        a.scope_id == 0) {
        SAY(why,
            "\"%s\" is link-local and needs its interface; did you mean "
            "%s%%eth0, with the right name?",
            text, text);
        return ERR_INVAL;
    }
    *out = a;
    return 0;
}

/* What is wrong with one label of a host name; NULL: nothing. more: what is
 * allowed in it beside letters, digits and '-'. */
static const char *label_fault(const char *label, size_t len, const char *more)
{
    if (len == 0) {
        return "it has an empty part";
    }
    if (len > 63) {
        return "a part of it has more than 63 characters";
    }
    if (label[0] == '-' || label[len - 1] == '-') {
        return "a part of it begins or ends with '-'";
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)label[i];
        if (c == '*') {
            return "a wildcard is for certificates, the server's own name is "
                   "needed";
        }
        if (c >= 0x80) {
            return "letters beyond ASCII are written in the xn-- form "
                   "(A-label)";
        }
        if (!isalnum(c) && c != '-' && strchr(more, c) == NULL) {
            return *more == '\0'
                       ? "only letters, digits, '-' and '.' are allowed"
                       : "only letters, digits, '-', '_' and '.' are allowed";
        }
    }
    return NULL;
}

static const char *name_fault(const char *name, size_t len, const char *more)
{
    if (len == 0) {
        return "it is empty";
    }
    if (len > HOST_NAME_MAX_LEN) {
        return "it has more than 253 characters";
    }
    for (size_t at = 0; at <= len;) {
        size_t label_len = strcspn(name + at, ".");
        label_len = at + label_len > len ? len - at : label_len;
        const char *fault = label_fault(name + at, label_len, more);
        if (fault != NULL) {
            return fault;
        }
        at += label_len + 1;
    }
    return NULL;
}

int host_parse_name(const char *text, char out[HOST_NAME_MAX_LEN + 1],
                    char why[HOST_WHY_MAX])
{
    size_t len = strlen(text);

    len -= len > 0 && text[len - 1] == '.';
    if (is_ip(text)) {
        SAY(why,
            "\"%s\" is an address; leave the name out and the "
            "certificate is checked for the IP address",
            text);
        return ERR_INVAL;
    }
    const char *fault = name_fault(text, len, "");
    if (fault == NULL && has_only(text, "0123456789.")) {
        fault = "a name does not consist of numbers only";
    }
    if (fault != NULL) {
        SAY(why, "\"%s\" is not a host name: %s", diag_quote(text).text, fault);
        return ERR_INVAL;
    }
    memcpy(out, text, len);
    out[len] = '\0';
    return 0;
}

/* "*.example.com" and ".example.com": what is below is meant anyway. */
static bool explain_below(const char *text, char why[HOST_WHY_MAX])
{
    size_t skip = strspn(text, "*.");
    size_t len = strcspn(text, " \t");

    if (skip == 0 || skip > 2 || text[skip] == '\0' ||
        name_fault(text + skip, len - skip, "_") != NULL) {
        return false;
    }
    SAY(why,
        "\"%s\": all names below a name are meant with it; did you mean "
        "%.80s?",
        diag_quote(text).text, text + skip);
    return true;
}

int host_parse_domain(const char *text, char out[HOST_NAME_MAX_LEN + 1],
                      char why[HOST_WHY_MAX])
{
    size_t len = strlen(text);

    len -= len > 0 && text[len - 1] == '.';
    if (strcmp(text, ".") == 0) {
        SAY(why, "\".\" is all names; a name is needed");
        return ERR_INVAL;
    }
    const char *fault = name_fault(text, len, "_");
    if (is_ip(text)) {
        SAY(why, "\"%s\" is an address; a name is needed", text);
        return ERR_INVAL;
    }
    if (fault != NULL) {
        if (!explain_below(text, why)) {
            SAY(why, "\"%s\" is not a name: %s", diag_quote(text).text, fault);
        }
        return ERR_INVAL;
    }
    for (size_t i = 0; i < len; i++) {
        out[i] = (char)tolower((unsigned char)text[i]);
    }
    out[len] = '\0';
    return 0;
}
