/*
 * Messages on a stream: each is preceded by its length in two octets
 * (RFC 1035 section 4.2.2, RFC 7766 section 8). Cuts frames out of a buffer
 * that is filled in any pieces.
 */
#ifndef DNS_FRAME_H
#define DNS_FRAME_H

#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>

enum { DNS_FRAME_HEAD = 2 };

/*
 * The first whole message in the octets of in, if there is one. Sets
 * *message (inside in) and *used (octets to drop to go on). A frame of length
 * 0 is a message of 0 octets. Returns false when more octets are needed.
 */
bool dns_frame_cut(struct span in, struct span *message, size_t *used);

#endif
