/*
 * The board: which questions are on their way in which worker, so that the
 * same question asked of two workers costs one query to the servers.
 *
 * A worker takes a seat. Who asks a question first leads; others that come
 * meanwhile follow: they wait for the leader's letter, which brings a copy of
 * the answer, or nothing when the leader got none. Letters are read in the
 * follower's own thread. Private to the resolver.
 */
#ifndef RESOLVER_BOARD_H
#define RESOLVER_BOARD_H

#include "base/attr.h"
#include "base/span.h"
#include "dns/message.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct board;
struct board_seat;

MUST_USE int board_create(struct board **out);

/* All seats must be free. Accepts NULL. */
void board_destroy(struct board *b);

/* A letter came: in the loop of the seat. message empty: no answer. */
typedef void board_letter_fn(void *arg, const struct dns_question *question,
                             bool has_do, bool has_cd, struct span message);

/* Returns 0 | ERR_NOMEM. Letters come in loop's thread, until board_rise(). */
MUST_USE int board_sit(struct board *b, struct net_loop *loop,
                       board_letter_fn *fn, void *arg, struct board_seat **out);

/* Leave the board, in the loop's thread. Accepts NULL. */
void board_rise(struct board_seat *seat);

enum board_role {
    BOARD_LEADS,   /* ask the servers, and call board_finish() */
    BOARD_FOLLOWS, /* a letter will come */
    BOARD_ALONE    /* out of memory: ask, tell nobody */
};

/* A question is about to be asked. hash: of the lower-cased question, the same
 * in all workers. */
enum board_role board_ask(struct board_seat *seat,
                          const struct dns_question *question, bool has_do,
                          bool has_cd, uint64_t hash);

/* The leader's question ended: with an answer, or (empty) without. */
void board_finish(struct board_seat *seat, const struct dns_question *question,
                  bool has_do, bool has_cd, uint64_t hash, struct span message);

#endif
