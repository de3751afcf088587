/*
 * IP addresses and their texts. An address is kept in a form that has one
 * spelling only (unused octets zero, scope only where it means something), so
 * that comparing is comparing octets.
 */
#include "base/addr.h"

#include "base/err.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

static bool is_link_local(const struct addr *a)
{
    return a->family == 6 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

/* An interface by number, or else by name: 0 when there is none. */
static uint32_t parse_scope(const char *text)
{
    uint64_t number = 0;

    for (const char *p = text; *p >= '0' && *p <= '9'; p++) {
        number = number * 10 + (uint64_t)(*p - '0');
        if (number > UINT32_MAX) {
            return 0;
        }
        if (p[1] == '\0') {
            return (uint32_t)number;
        }
    }
    return if_nametoindex(text);
}

int addr_parse_ip(const char *text, size_t len, struct addr *out)
{
    char copy[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
    struct addr a = {.family = 4};
    char *scope;

    if (len >= sizeof(copy) || memchr(text, '\0', len) != NULL) {
        return ERR_INVAL;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (inet_pton(AF_INET, copy, a.ip) == 1) {
        *out = a;
        return 0;
    }
    a = (struct addr){.family = 6};
    scope = strchr(copy, '%');
    if (scope != NULL) {
        *scope++ = '\0';
    }
    if (inet_pton(AF_INET6, copy, a.ip) != 1) {
        return ERR_INVAL;
    }
    if (scope != NULL) {
        a.scope_id = is_link_local(&a) ? parse_scope(scope) : 0;
        if (a.scope_id == 0) {
            return ERR_INVAL;
        }
    }
    *out = a;
    return 0;
}

const char *addr_ip_text(const struct addr *a, char text[ADDR_TEXT_MAX])
{
    int family = a->family == 4 ? AF_INET : AF_INET6;

    /* Cannot fail: the family is known and the buffer is long enough. */
    if (inet_ntop(family, a->ip, text, ADDR_TEXT_MAX) == NULL) {
        text[0] = '\0';
    }
    if (a->scope_id != 0) {
        size_t len = strlen(text);
        (void)snprintf(text + len, ADDR_TEXT_MAX - len, "%%%" PRIu32,
                       a->scope_id);
    }
    return text;
}

const char *addr_text(const struct addr *a, char text[ADDR_TEXT_MAX])
{
    char ip[ADDR_TEXT_MAX];
    const char *form = a->family == 4 ? "%.60s:%u" : "[%.60s]:%u";

    (void)addr_ip_text(a, ip);
    (void)snprintf(text, ADDR_TEXT_MAX, form, ip, (unsigned)a->port);
    return text;
}

bool addr_ip_equal(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && a->scope_id == b->scope_id &&
           memcmp(a->ip, b->ip, addr_ip_len(a)) == 0;
}

void addr_shorten(struct addr *a)
{
    size_t keep = a->family == 4 ? 3 : 6;

    memset(a->ip + keep, 0, sizeof(a->ip) - keep);
    a->scope_id = 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    return a->port == b->port && addr_ip_equal(a, b);
}
