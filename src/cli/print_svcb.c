/*
 * A parameter is a key, a length and a value; those of known keys have a form
 * of their own, others are quoted octets.
 */
#include "cli/print_svcb.h"

#include "base/addr.h"
#include "base/attr.h"
#include "cli/print_rdata.h"
#include "dns/wire.h"

#include <string.h>

enum {
    KEY_MANDATORY,
    KEY_ALPN,
    KEY_NO_ALPN,
    KEY_PORT,
    KEY_IPV4,
    KEY_ECH,
    KEY_IPV6,
    KEY_OHTTP = 8
};

static const char *const names[] = {
    "mandatory", "alpn",     "no-default-alpn", "port",  "ipv4hint",
    "ech",       "ipv6hint", "dohpath",         "ohttp",
};

static void put_key(FILE *out, unsigned key)
{
    if (key < COUNT_OF(names)) {
        fputs(names[key], out);
    } else {
        fprintf(out, "key%u", key);
    }
}

static bool put_keys(FILE *out, struct span value)
{
    for (size_t i = 0; i + 1 < value.len; i += 2) {
        fputs(i == 0 ? "" : ",", out);
        put_key(out, dns_get16(value.ptr + i));
    }
    return value.len >= 2 && value.len % 2 == 0;
}

/* Protocols, each with its length before it. A comma inside of one, or what
 * does not print, is more than a list of words can hold. */
static bool put_protocols(FILE *out, struct span value)
{
    size_t at = 0;

    fputc('"', out);
    while (at < value.len) {
        size_t len = value.ptr[at];
        if (len == 0 || value.len - at - 1 < len) {
            return false;
        }
        fputs(at == 0 ? "" : ",", out);
        for (size_t i = at + 1; i <= at + len; i++) {
            uint8_t c = value.ptr[i];
            if (c <= 0x20 || c > 0x7e || strchr(",\"\\", c) != NULL) {
                return false;
            }
            fputc(c, out);
        }
        at += 1 + len;
    }
    fputc('"', out);
    return value.len > 0;
}

static bool put_addresses(FILE *out, struct span value, size_t each)
{
    for (size_t at = 0; value.len - at >= each; at += each) {
        struct addr addr = {.family = each == 4 ? 4 : 6};
        char text[ADDR_TEXT_MAX];

        memcpy(addr.ip, value.ptr + at, each);
        fprintf(out, "%s%s", at == 0 ? "" : ",", addr_ip_text(&addr, text));
    }
    return value.len >= each && value.len % each == 0;
}

static bool put_value(FILE *out, unsigned key, struct span value)
{
    switch (key) {
    case KEY_MANDATORY:
        return put_keys(out, value);
    case KEY_ALPN:
        return put_protocols(out, value);
    case KEY_PORT:
        if (value.len != 2) {
            return false;
        }
        fprintf(out, "%u", dns_get16(value.ptr));
        return true;
    case KEY_IPV4:
        return put_addresses(out, value, 4);
    case KEY_IPV6:
        return put_addresses(out, value, 16);
    case KEY_ECH:
        print_base64(out, value);
        return value.len > 0;
    default:
        print_quoted(out, value);
        return true;
    }
}

static bool has_no_value(unsigned key)
{
    return key == KEY_NO_ALPN || key == KEY_OHTTP;
}

bool print_svcb_params(FILE *out, struct span params)
{
    size_t at = 0;

    while (params.len - at >= 4) {
        unsigned key = dns_get16(params.ptr + at);
        size_t len = dns_get16(params.ptr + at + 2);
        struct span value = span_of(params.ptr + at + 4, len);

        if (params.len - at - 4 < len) {
            return false;
        }
        fputs(at == 0 ? "" : " ", out);
        put_key(out, key);
        if (has_no_value(key) && len > 0) {
            return false;
        }
        if (!has_no_value(key) && (len > 0 || key < COUNT_OF(names))) {
            fputc('=', out);
            if (!put_value(out, key, value)) {
                return false;
            }
        }
        at += 4 + len;
    }
    return at == params.len;
}
