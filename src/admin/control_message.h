/*
 * The lines on the control socket. Each is one JSON object. A request names
 * its command; it is answered by one line or more, of which the last has
 * "end": true, or "error" with what is wrong.
 *
 *   {"command":"stats"}             {"end":true,"report":{…}}
 *   {"command":"flush","name":"example.net","type":"AAAA","subtree":true}
 *                                   {"end":true,"removed":3}
 *   {"command":"reload"}            {"text":"…"} for each warning, then
 *                                   {"end":true,"text":"…"}
 *   {"command":"log-level","level":"debug"}
 *                                   {"end":true,"text":"…"}
 *   {"command":"explain","name":"example.net","type":"A"}
 *                                   {"at_us":12,"step":"…"} for each step, then
 *                                   {"end":true,"message":"…"}, the answer in
 *                                   hexadecimal
 */
#ifndef ADMIN_CONTROL_MESSAGE_H
#define ADMIN_CONTROL_MESSAGE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/span.h"
#include "dns/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CONTROL_LINE_MAX = 4096, /* octets of a request */
    CONTROL_ANSWER_MAX = 4 * 1024 * 1024,
    CONTROL_WHY_LEN = 256,
};

enum control_command {
    CONTROL_STATS,
    CONTROL_FLUSH,
    CONTROL_RELOAD,
    CONTROL_LOG_LEVEL,
    CONTROL_EXPLAIN,
};

struct control_request {
    enum control_command command;
    uint8_t name[DNS_NAME_MAX]; /* in wire form */
    uint16_t name_len;          /* 0: none; only flush may have none */
    uint16_t type;              /* 0: none */
    bool with_subtree;
    enum log_level level;
};

/* Read a line (without its end). Returns 0 | ERR_INVAL: why tells. */
MUST_USE int control_request_read(struct span line, struct control_request *out,
                                  char why[CONTROL_WHY_LEN]);

/* Append the line, with its end. Returns 0 | ERR_NOMEM | ERR_LIMIT. */
MUST_USE int control_request_write(const struct control_request *r,
                                   struct buf *out);

/* The words of requests, as the command line takes them too. Each returns 0 |
 * ERR_INVAL. */
MUST_USE int control_read_name(const char *text, struct control_request *out);
MUST_USE int control_read_type(const char *text, struct control_request *out);
MUST_USE int control_read_level(const char *text, struct control_request *out);

/* A line of an answer; texts may have control characters. */
struct control_answer {
    bool is_end;       /* the last line; an error is one too */
    const char *error; /* "": none, as all texts */
    const char *text;
    const char *step;
    uint64_t at_us;
    uint64_t removed;
    char *report;     /* JSON, for json_report_read(); owned; NULL: none */
    uint8_t *message; /* owned; NULL: none */
    size_t message_len;
    void *tree; /* owned; what the texts point into */
};

/* Returns 0 | ERR_INVAL | ERR_NOMEM. */
MUST_USE int control_answer_read(struct span line, struct control_answer *out);

/* Accepts a zeroed one. */
void control_answer_finish(struct control_answer *a);

#endif
