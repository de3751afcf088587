/*
 * The lines of a file, read in pieces: however large the file and its lines
 * are, the memory is one buffer.
 */
#ifndef POLICY_LINES_H
#define POLICY_LINES_H

#include "base/addr.h"
#include "base/attr.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>

enum { LINES_BUFFER_LEN = 65536 };

struct lines {
    const char *path; /* the caller's */
    char *data;       /* owned; LINES_BUFFER_LEN octets */
    size_t head, tail;
    size_t left; /* octets of the file that may still be read */
    int file;
    bool is_at_end, is_inside_long;
    size_t number;    /* of the line cut last, from 1 on */
    size_t bad_count; /* lines that were too long or given to lines_bad() */
    size_t bad_first; /* number of the first of them */
};

/*
 * Open the file at path, of at most max octets. Returns 0 | ERR_NOTFOUND |
 * ERR_IO | ERR_CONFIG (not a regular file, or too large) | ERR_NOMEM; then why
 * says so, without the path.
 */
MUST_USE int lines_open(struct lines *l, const char *path, size_t max,
                        char *why, size_t why_len);

/* Close it; accepts one that could not be opened. One warning tells how many
 * lines were bad. */
void lines_close(struct lines *l);

/*
 * The next line without what ends it (LF or CRLF), without blanks around it
 * and, if it is the first, without a byte order mark; valid until the next
 * call. One longer than the buffer is passed over and counted as bad.
 * Returns 1 | 0 (the end) | ERR_IO.
 */
MUST_USE int lines_next(struct lines *l, struct span *out);

/* The line cut last is not understood. */
void lines_bad(struct lines *l);

/* The next run of octets without blanks of *line, which moves behind it; of
 * length 0 at the end. */
struct span lines_word(struct span *line);

/* The octets of line before a "#" that begins it or follows a blank. */
struct span lines_without_comment(struct span line);

/* Is the word an address? A scope ("%eth0") is dropped: interfaces have other
 * names elsewhere. */
bool lines_address(struct span word, struct addr *out);

#endif
