/*
 * Words about certificates. Invariant: len < TLS_TEXT_MAX and data[len] is
 * NUL, whatever was appended.
 */
#include "tls/text.h"

#include "base/addr.h"

#include <mbedtls/base64.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SHOWN_OCTETS_MAX = 80, SHOWN_NAMES_MAX = 4, DN_TEXT_MAX = 256 };

void tls_text_add(struct tls_text *t, const char *fmt, ...)
{
    size_t room = sizeof(t->data) - t->len;
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(t->data + t->len, room, fmt, args);
    va_end(args);
    if (n < 0) {
        t->data[t->len] = '\0';
        return;
    }
    t->len += (size_t)n < room ? (size_t)n : room - 1;
}

void tls_text_add_escaped(struct tls_text *t, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (i == SHOWN_OCTETS_MAX) {
            tls_text_add(t, "...");
            return;
        }
        if (c < 0x20 || c > 0x7e || c == '"') {
            tls_text_add(t, "\\x%02x", c);
        } else {
            tls_text_add(t, "%c", c);
        }
    }
}

void tls_text_next(struct tls_text *t)
{
    if (t->len > 0) {
        tls_text_add(t, "; ");
    }
}

void tls_text_add_dn(struct tls_text *t, const mbedtls_x509_name *dn)
{
    char text[DN_TEXT_MAX];
    int n = mbedtls_x509_dn_gets(text, sizeof(text), dn);

    tls_text_add(t, "\"");
    if (n < 0) {
        tls_text_add(t, "(a name that cannot be shown)");
    } else {
        tls_text_add_escaped(t, span_of(text, (size_t)n));
    }
    tls_text_add(t, "\"");
}

/* One subject alternative name, when it is of a kind that counts. */
static bool add_san(struct tls_text *t, const mbedtls_x509_buf *san,
                    const char *separator)
{
    unsigned kind = san->tag & MBEDTLS_ASN1_TAG_VALUE_MASK;
    struct addr ip = {.family = san->len == 4 ? 4 : 6};
    char ip_text[ADDR_TEXT_MAX];

    if (kind == MBEDTLS_X509_SAN_DNS_NAME) {
        tls_text_add(t, "%s", separator);
        tls_text_add_escaped(t, span_of(san->p, san->len));
        return true;
    }
    if (kind == MBEDTLS_X509_SAN_IP_ADDRESS &&
        (san->len == 4 || san->len == 16)) {
        memcpy(ip.ip, san->p, san->len);
        tls_text_add(t, "%s%s", separator, addr_ip_text(&ip, ip_text));
        return true;
    }
    return false;
}

void tls_text_add_sans(struct tls_text *t, const mbedtls_x509_crt *crt)
{
    const mbedtls_x509_sequence *san = &crt->subject_alt_names;
    size_t shown = 0;

    tls_text_add(t, "\"");
    for (; san != NULL && shown < SHOWN_NAMES_MAX; san = san->next) {
        if (san->buf.p != NULL) {
            shown += add_san(t, &san->buf, shown == 0 ? "" : ", ");
        }
    }
    tls_text_add(t, san == NULL ? "\"" : ", ...\"");
}

void tls_text_add_time(struct tls_text *t, const mbedtls_x509_time *when)
{
    tls_text_add(t, "%04d-%02d-%02d %02d:%02d:%02d UTC", when->year, when->mon,
                 when->day, when->hour, when->min, when->sec);
}

void tls_text_add_now(struct tls_text *t)
{
    time_t now = time(NULL);
    struct tm tm;

    if (gmtime_r(&now, &tm) != NULL) {
        tls_text_add(t, "%04d-%02d-%02d %02d:%02d:%02d UTC", tm.tm_year + 1900,
                     tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                     tm.tm_sec);
    }
}

void tls_text_add_pin(struct tls_text *t, const uint8_t sha256[32])
{
    unsigned char base64[48];
    size_t len;

    if (mbedtls_base64_encode(base64, sizeof(base64), &len, sha256, 32) == 0) {
        tls_text_add(t, "sha256/%.*s", (int)len, (const char *)base64);
    }
}
