/*
 * Frames. The first octet chooses the pieces in which the rest, a stream,
 * arrives; in pieces it must give the same messages as in one.
 */
#include "base/buf.h"
#include "dns/frame.h"

#include "../require.h"

#include <string.h>

/* Cut what the queue holds; each frame must be the next one of whole. */
static void cut_all(struct buf *queue, struct span *whole)
{
    struct span got, want;
    size_t used, want_used;

    while (dns_frame_cut(buf_span(queue), &got, &used)) {
        REQUIRE(dns_frame_cut(*whole, &want, &want_used));
        REQUIRE(used == want_used && used == got.len + DNS_FRAME_HEAD);
        REQUIRE(got.len == want.len);
        REQUIRE(got.len == 0 || memcmp(got.ptr, want.ptr, got.len) == 0);
        buf_consume(queue, used);
        *whole = span_from(*whole, used);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct span stream = span_from(span_of(octets, len), 1);
    struct span whole = stream;
    size_t piece = len > 0 ? octets[0] % 16u + 1 : 1;
    struct span message;
    struct buf queue;
    size_t used;

    buf_init(&queue, DNS_FRAME_HEAD + 65535 + 16);
    while (stream.len > 0) {
        size_t step = piece < stream.len ? piece : stream.len;

        REQUIRE(buf_append(&queue, span_of(stream.ptr, step)) == 0);
        stream = span_from(stream, step);
        cut_all(&queue, &whole);
        piece = piece % 16 + 1;
    }
    REQUIRE(buf_len(&queue) == whole.len);
    REQUIRE(!dns_frame_cut(whole, &message, &used));
    buf_finish(&queue);
    return 0;
}
