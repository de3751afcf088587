/*
 * PEM text of any kind: every call moves on, and nothing is written past what
 * the text can give. Base64 means the same with a space after each character,
 * which is read one by one, as without, where four are read at once.
 */
#include "tls/pem.h"

#include "../require.h"

#include "base/err.h"

#include <string.h>

static void check_spaced(struct span text, int want, struct span octets)
{
    char *spaced = malloc(2 * text.len + 1);
    uint8_t *out = malloc(tls_base64_max(2 * text.len));
    size_t len = 0;
    int err;

    REQUIRE(spaced != NULL && out != NULL);
    for (size_t i = 0; i < text.len; i++) {
        spaced[2 * i] = (char)text.ptr[i];
        spaced[2 * i + 1] = ' ';
    }
    err = tls_base64_decode(span_of(spaced, 2 * text.len), out, &len);
    REQUIRE(err == want);
    REQUIRE(err != 0 ||
            (len == octets.len && memcmp(out, octets.ptr, len) == 0));
    free(out);
    free(spaced);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct span text = span_of(octets, len);
    uint8_t *out = malloc(tls_base64_max(len));
    size_t out_len = 0;
    int err;

    REQUIRE(out != NULL);
    err = tls_base64_decode(text, out, &out_len);
    REQUIRE(err != 0 || out_len <= len / 4 * 3);
    check_spaced(text, err, span_of(out, out_len));
    err = 0;
    while (err != ERR_NOTFOUND) {
        size_t before = text.len;

        err = tls_pem_next(&text, out, &out_len);
        REQUIRE(err == 0 || err == ERR_INVAL || err == ERR_NOTFOUND);
        REQUIRE(err == ERR_NOTFOUND || text.len < before);
        REQUIRE(err != 0 || (out_len > 0 && out_len < len));
    }
    free(out);
    return 0;
}
