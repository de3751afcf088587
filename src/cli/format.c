/*
 * Numbers for people: three digits that matter.
 */
#include "cli/format.h"

#include "base/attr.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

const char *format_duration(uint64_t s, char text[FORMAT_LEN])
{
    uint64_t days = s / 86400;
    unsigned rest = (unsigned)(s % 86400);
    char before[FORMAT_LEN] = "";

    if (days > 0) {
        (void)snprintf(before, sizeof(before), "%" PRIu64 "d ", days);
    }
    (void)snprintf(text, FORMAT_LEN, "%.20s%02u:%02u:%02u", before, rest / 3600,
                   rest / 60 % 60, rest % 60);
    return text;
}

const char *format_octets(uint64_t octets, char text[FORMAT_LEN])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double value = (double)octets / 1024;
    size_t unit = 0;

    if (octets < 1024) {
        (void)snprintf(text, FORMAT_LEN, "%u B", (unsigned)octets);
        return text;
    }
    while (value >= 1024 && unit + 1 < COUNT_OF(units)) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(text, FORMAT_LEN, "%.1f %s", value, units[unit]);
    return text;
}

const char *format_ms(uint64_t us, char text[FORMAT_LEN])
{
    double ms = (double)us / 1000;
    int digits = ms < 1 ? 3 : ms < 10 ? 2 : ms < 100 ? 1 : 0;

    (void)snprintf(text, FORMAT_LEN, us == 0 ? "-" : "%.*f", digits, ms);
    return text;
}

const char *format_rate(double per_s, char text[FORMAT_LEN])
{
    if (per_s >= 1e6) {
        (void)snprintf(text, FORMAT_LEN, "%.2fM", per_s / 1e6);
    } else if (per_s >= 1e4) {
        (void)snprintf(text, FORMAT_LEN, "%.1fk", per_s / 1e3);
    } else {
        (void)snprintf(text, FORMAT_LEN, per_s < 100 ? "%.1f" : "%.0f", per_s);
    }
    return text;
}

const char *format_share(uint64_t part, uint64_t whole, char text[FORMAT_LEN])
{
    if (whole == 0) {
        (void)snprintf(text, FORMAT_LEN, "-");
    } else {
        (void)snprintf(text, FORMAT_LEN, "%.1f %%",
                       100 * (double)part / (double)whole);
    }
    return text;
}

char *format_clean(const char *text, char *out, size_t cap)
{
    size_t len = 0;

    for (const char *p = text; *p != '\0' && len + 1 < cap; p++) {
        unsigned char c = (unsigned char)*p;
        unsigned char next = (unsigned char)p[1];
        bool is_c1 = c == 0xc2 && next >= 0x80 && next < 0xa0; /* in UTF-8 */
        out[len++] = c < 0x20 || c == 0x7f || is_c1 ? '?' : *p;
        p += is_c1;
    }
    out[len] = '\0';
    return out;
}

void format_print(FILE *out, const char *text)
{
    char clean[1024];

    fputs(format_clean(text, clean, sizeof(clean)), out);
}
