/*
 * dnstap: copies of clients' queries and of the answers they get, for a
 * receiver at a socket, or in a file (Frame Streams, by libfstrm).
 *
 * One struct dnstap serves all workers. A thread of libfstrm's own writes; each
 * worker has a queue to it, without locks. A worker never waits: it allocates
 * one message, and what does not go in, or cannot be written, is dropped and
 * counted.
 *
 * Made by the main thread before the process locks itself in, for the library
 * is loaded then; started after that, so that the thread is locked in too, and
 * the file is the user's. By then the ports are bound: a second dotstub by
 * mistake has ended, and touched no file.
 */
#ifndef DNSTAP_DNSTAP_H
#define DNSTAP_DNSTAP_H

#include "base/addr.h"
#include "base/attr.h"
#include "base/span.h"
#include "config/config.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct dnstap;
struct dnstap_queue; /* of one worker */

/* Messages since the process started: written, and not. */
struct dnstap_counts {
    _Atomic uint64_t written;
    _Atomic uint64_t dropped;
};

/* config->dnstap is not NULL. version: text, copied. Nothing is borrowed but
 * counts. Returns 0 | ERR_NOMEM | ERR_NOTFOUND (no library) | ERR_CONFIG (built
 * without it); logged. */
MUST_USE int dnstap_create(const struct config *config, unsigned worker_count,
                           const char *version, struct dnstap_counts *counts,
                           struct dnstap **out);

/* Open the file and start the thread, unless that was done. Returns 0 |
 * ERR_NOMEM | ERR_IO (the file; logged). */
MUST_USE int dnstap_start(struct dnstap *d);

/* Does d do what config asks for? Not when its file was moved away. */
bool dnstap_suits(const struct dnstap *d, const struct config *config);

/* For another owner, in the same thread. Returns d. */
struct dnstap *dnstap_retain(struct dnstap *d);

/* By the last owner: writes what it has, if the receiver takes it within half a
 * second, and ends the thread; that takes a second or two. No worker may use it
 * any more. Accepts NULL. */
void dnstap_release(struct dnstap *d);

/* What sends the messages, with its version, or why nothing does; for people.
 */
const char *dnstap_library(void);

/* Of worker i; may be used when it was started. */
struct dnstap_queue *dnstap_queue_of(struct dnstap *d, unsigned i);

/* A message of a client, or for one. */
struct dnstap_event {
    bool is_tcp;
    struct addr client;
    struct addr local;    /* family 0: not known */
    uint64_t query_us;    /* since 1970; 0: not known */
    uint64_t response_us; /* of an answer */
    struct span message;
};

/* From the worker's thread. What is shorter than a header, or no query, is left
 * out. */
void dnstap_query(struct dnstap_queue *q, const struct dnstap_event *e);
void dnstap_response(struct dnstap_queue *q, const struct dnstap_event *e);

#endif
