/*
 * PEM text of any kind: every call moves on, and nothing is written past what
 * the text can give.
 */
#include "tls/pem.h"

#include "../require.h"

#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct span text = span_of(octets, len);
    uint8_t *out = malloc(tls_base64_max(len));
    size_t out_len = 0;
    int err = 0;

    REQUIRE(out != NULL);
    if (tls_base64_decode(text, out, &out_len) == 0) {
        REQUIRE(out_len <= len / 4 * 3);
    }
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
