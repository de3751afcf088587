/*
 * Cutting length-prefixed messages out of a stream.
 */
#include "dns/frame.h"

#include "dns/wire.h"

bool dns_frame_cut(struct span in, struct span *message, size_t *used)
{
    size_t len;

    if (in.len < DNS_FRAME_HEAD) {
        return false;
    }
    len = dns_get16(in.ptr);
    if (in.len - DNS_FRAME_HEAD < len) {
        return false;
    }
    *message = span_of(in.ptr + DNS_FRAME_HEAD, len);
    *used = DNS_FRAME_HEAD + len;
    return true;
}
