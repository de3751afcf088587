/*
 * PEM and base64. The text comes from files that the administrator named, yet
 * it may be anything: every block is cut out by its two marker lines first,
 * and whatever is not base64 between them makes it broken.
 */
#include "tls/pem.h"

#include "base/err.h"

#include <string.h>

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END   "-----END CERTIFICATE-----"

enum { PAD = 64, SPC = 65, BAD = 66 };

/* What each character of ASCII stands for: 0 to 63, or one of the above. */
/* clang-format off */
static const uint8_t sextets_of[128] = {
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, SPC, SPC, BAD, BAD, SPC, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    SPC, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD,  62, BAD, BAD, BAD,  63,
     52,  53,  54,  55,  56,  57,  58,  59,
     60,  61, BAD, BAD, BAD, PAD, BAD, BAD,
    BAD,   0,   1,   2,   3,   4,   5,   6,
      7,   8,   9,  10,  11,  12,  13,  14,
     15,  16,  17,  18,  19,  20,  21,  22,
     23,  24,  25, BAD, BAD, BAD, BAD, BAD,
    BAD,  26,  27,  28,  29,  30,  31,  32,
     33,  34,  35,  36,  37,  38,  39,  40,
     41,  42,  43,  44,  45,  46,  47,  48,
     49,  50,  51, BAD, BAD, BAD, BAD, BAD,
};
/* clang-format on */

/* The 24 bits of four sextets. */
static void put_group(uint32_t bits, uint8_t *out)
{
    out[0] = (uint8_t)(bits >> 16);
    out[1] = (uint8_t)(bits >> 8);
    out[2] = (uint8_t)bits;
}

/* The last group: 0, 2 or 3 sextets and the padding that completes it. */
static int finish_group(uint32_t bits, unsigned sextets, unsigned pads,
                        uint8_t *out, size_t *len)
{
    if (sextets == 0) {
        return pads == 0 ? 0 : ERR_INVAL;
    }
    if (sextets == 1 || sextets + pads != 4) {
        return ERR_INVAL;
    }
    bits <<= 6 * (4 - sextets);
    out[(*len)++] = (uint8_t)(bits >> 16);
    if (sextets == 3) {
        out[(*len)++] = (uint8_t)(bits >> 8);
    }
    return 0;
}

/* Four characters, all of the alphabet, to three octets. */
static bool decode_group(const uint8_t *in, uint8_t *out)
{
    uint32_t a, b, c, d;

    if ((in[0] | in[1] | in[2] | in[3]) >= 128) {
        return false;
    }
    a = sextets_of[in[0]];
    b = sextets_of[in[1]];
    c = sextets_of[in[2]];
    d = sextets_of[in[3]];
    if ((a | b | c | d) >= 64) {
        return false;
    }
    put_group(a << 18 | b << 12 | c << 6 | d, out);
    return true;
}

/* As many groups as text, which is not empty, starts with. Nearly all of a file
 * is read here: lines of PEM are whole groups. Returns how many there were. */
static size_t decode_groups(struct span text, uint8_t *out)
{
    const uint8_t *in = text.ptr;
    const uint8_t *end = in + text.len / 4 * 4;

    while (in < end && decode_group(in, out)) {
        in += 4;
        out += 3;
    }
    return (size_t)(in - text.ptr) / 4;
}

int tls_base64_decode(struct span text, uint8_t *out, size_t *out_len)
{
    uint32_t bits = 0;
    unsigned sextets = 0;
    unsigned pads = 0;
    size_t len = 0;

    while (text.len > 0) {
        size_t groups = sextets == 0 ? decode_groups(text, out + len) : 0;
        uint8_t v = BAD;

        if (groups > 0) {
            text = span_from(text, 4 * groups);
            len += 3 * groups;
            continue;
        }
        if (text.ptr[0] < 128) {
            v = sextets_of[text.ptr[0]];
        }
        text = span_from(text, 1);
        if (v == SPC) {
            continue;
        }
        if (v == BAD || (v != PAD && pads > 0)) {
            return ERR_INVAL;
        }
        if (v == PAD) {
            pads++;
            continue;
        }
        bits = bits << 6 | v;
        if (++sextets == 4) {
            put_group(bits, out + len);
            len += 3;
            bits = 0;
            sextets = 0;
        }
    }
    if (finish_group(bits, sextets, pads, out, &len) != 0) {
        return ERR_INVAL;
    }
    *out_len = len;
    return 0;
}

/* Offset of mark in text, or text.len. All marks begin with a dash, which
 * base64 never has: most of a file is passed over as fast as memory is read. */
static size_t find(struct span text, const char *mark)
{
    size_t mark_len = strlen(mark);
    struct span rest = text;
    const uint8_t *at;

    while (rest.len >= mark_len &&
           (at = memchr(rest.ptr, mark[0], rest.len - mark_len + 1)) != NULL) {
        if (memcmp(at, mark, mark_len) == 0) {
            return (size_t)(at - text.ptr);
        }
        rest = span_from(rest, (size_t)(at - rest.ptr) + 1);
    }
    return text.len;
}

bool tls_pem_is_pem(struct span text)
{
    return find(text, "-----BEGIN ") < text.len;
}

int tls_pem_next(struct span *text, uint8_t *out, size_t *out_len)
{
    struct span body =
        span_from(*text, find(*text, PEM_BEGIN) + strlen(PEM_BEGIN));
    size_t end = find(body, "-----");
    int err;

    if (body.len == 0) {
        *text = body;
        return ERR_NOTFOUND;
    }
    /* Go on behind the body, not behind the next END: when this block lacks
     * its own, the one that follows is not lost with it. */
    *text = span_from(body, end);
    if (text->len < strlen(PEM_END) ||
        memcmp(text->ptr, PEM_END, strlen(PEM_END)) != 0) {
        return ERR_INVAL;
    }
    err = tls_base64_decode(span_of(body.ptr, end), out, out_len);
    if (err == 0 && *out_len == 0) {
        err = ERR_INVAL;
    }
    return err;
}
