/*
 * Reading where dnstap messages go. What has no prefix is a file, so nothing
 * but an address can be wrong here.
 */
#include "config/tap.h"

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Does text begin with prefix? Then *rest is what follows. */
static bool cut(const char *text, const char *prefix, const char **rest)
{
    size_t len = strlen(prefix);

    if (strncmp(text, prefix, len) != 0) {
        return false;
    }
    *rest = text + len;
    return true;
}

static int parse_port(const char *text, uint16_t *out)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || port == 0 ||
        port > UINT16_MAX) {
        return ERR_INVAL;
    }
    *out = (uint16_t)port;
    return 0;
}

/* "192.0.2.1:6000" or "[2001:db8::1]:6000" */
static int parse_addr(const char *text, struct addr *out)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - text);
    bool has_brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';

    if (len == 0 || (!has_brackets && memchr(text, ':', len) != NULL)) {
        return ERR_INVAL;
    }
    int err = addr_parse_ip(text + has_brackets, len - 2u * has_brackets, out);
    return err != 0 ? err : parse_port(colon + 1, &out->port);
}

int config_tap_parse(const char *text, struct config_tap *out)
{
    const char *rest;

    *out = (struct config_tap){.kind = CONFIG_TAP_FILE, .path = text};
    if (cut(text, "tcp://", &rest)) {
        *out = (struct config_tap){.kind = CONFIG_TAP_TCP};
        return parse_addr(rest, &out->addr);
    }
    if (cut(text, "unix:", &rest)) {
        out->kind = CONFIG_TAP_UNIX;
        out->path = strncmp(rest, "//", 2) == 0 ? rest + 2 : rest;
        return out->path[0] == '/' ? 0 : ERR_INVAL;
    }
    return 0;
}
