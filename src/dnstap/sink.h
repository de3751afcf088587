/*
 * Private to dnstap: where the octets of one stream go. libfstrm's thread calls
 * what is behind the writer; libfstrm has writers of its own, but those wait
 * for ever for a receiver that does not read, so that the process could not
 * end, and empty a file that is there.
 *
 * A receiver that is lost is looked for again; a file that cannot be written is
 * given up until the next reload, because a stream has one beginning.
 */
#ifndef DNSTAP_SINK_H
#define DNSTAP_SINK_H

#include "base/attr.h"
#include "config/tap.h"
#include "dnstap/library.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct dnstap_sink {
    struct config_tap target;
    const char *text; /* of target, borrowed */
    int fd;           /* -1: none */
    dev_t device;     /* of a file, as it was made */
    ino_t inode;
    bool was_opened;          /* a file, by its stream */
    bool is_told;             /* that there is no receiver */
    uint64_t taken;           /* messages written, and not asked for yet */
    uint64_t ending_since_ms; /* 0: not waited since is_ending */
    _Atomic bool is_broken;   /* nothing more can be written to fd */
    _Atomic bool is_ending;   /* set from outside: be quick */
};

/* text, target: as in the configuration; text and the path are borrowed. A file
 * is opened here; one that is there and not empty becomes FILE.1. Returns 0 |
 * ERR_IO (logged). */
MUST_USE int dnstap_sink_init(struct dnstap_sink *s, const char *text,
                              const struct config_tap *target);

/* Accepts one that was not opened. */
void dnstap_sink_finish(struct dnstap_sink *s);

/* A writer to s, which must outlive it. Returns 0 | ERR_NOMEM. */
MUST_USE int dnstap_sink_writer(struct dnstap_sink *s,
                                struct fstrm_writer **out);

/* In the writer's thread, once for each message that it is done with: was it
 * written? */
bool dnstap_sink_was_written(struct dnstap_sink *s);

/* Is the file still where it was made, and written to? True for others. From
 * any thread. */
bool dnstap_sink_is_in_place(const struct dnstap_sink *s);

#endif
