/*
 * A listener on the real net, in a thread of its own, with a resolver that
 * does what the test says. The test is a client with blocking sockets.
 *
 * The first octet after the header of a message tells the resolver what to do
 * with it (enum ask). Answers repeat the message with QR set.
 */
#ifndef TEST_LISTENER_FIXTURE_H
#define TEST_LISTENER_FIXTURE_H

#include "config/config.h"
#include "listener/listener.h"
#include "net/loop.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ask {
    ASK_NOW = 'n',      /* answered by resolver_ask() */
    ASK_CUT = 'c',      /* the same, with TC set */
    ASK_HOLD = 'h',     /* answered when the test releases it */
    ASK_HOLD_BIG = 'b', /* the same, with BIG_LEN octets */
    ASK_SOON_BIG = 's', /* BIG_LEN octets, at the end of the turn */
    ASK_NOTHING = 'd',  /* not a query: dropped */
};

enum { BIG_LEN = 60000, QUERY_LEN = 13 };

struct fixture {
    struct config config; /* change it before fixture_start() */
    struct addr listen;
    struct net_loop *loop;
    struct listener *listener; /* NULL once it was destroyed */
    struct addr addr;          /* where it listens */
    bool is_drained;           /* read it with fixture_is_drained() */
    pthread_t thread;
};

/* cmocka's setup and teardown; *state is a struct fixture with small, sane
 * bounds, not started. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

void fixture_start(struct fixture *f);

/* Destroy the listener with whatever is under way. */
void fixture_close_listener(struct fixture *f);

/* ---- what the loop's thread knows; each call waits for a turn of it ---- */

struct fixture_view {
    struct listener_stats stats;
    size_t clients, pending; /* of the listener */
    size_t held;             /* by the resolver */
    size_t cancelled;        /* by the listener, so far */
    bool is_drained;
};

void fixture_look(struct fixture *f, struct fixture_view *out);

/* Wait until the size_t or uint64_t (of 8 octets) at this offset of the view
 * is at least value, a failure after some seconds. */
void fixture_wait(struct fixture *f, size_t offset, uint64_t value);
#define WAIT_FOR(f, member, value) \
    fixture_wait(f, offsetof(struct fixture_view, member), value)
void fixture_wait_drained(struct fixture *f);

/* Answer the count oldest held queries (newest first: from the other end). */
void fixture_release(struct fixture *f, size_t count, bool newest_first);

/* Call listener_drain(). */
void fixture_drain(struct fixture *f);

/* ---- the client ---- */

/* A socket with a receive timeout; source NULL: any. */
int client_udp(struct fixture *f);
int client_tcp(struct fixture *f);
int client_tcp_from(struct fixture *f, const char *source, int recv_buffer);

/* A query of QUERY_LEN octets; with its length before it on a stream. */
void client_ask_udp(int fd, uint16_t id, enum ask ask);
void client_ask_tcp(int fd, uint16_t id, enum ask ask);
void client_send(int fd, const void *data, size_t len);

/* The ID of the next answer; fails the test when none comes. */
uint16_t client_answer_udp(int fd, uint8_t *flags);
uint16_t client_answer_tcp(int fd, size_t *len);

/* The peer has closed (or reset) the connection, after what was sent. */
void client_expect_end(int fd);

/* No datagram is there (the loop has had a turn). */
void client_expect_nothing(struct fixture *f, int fd);

#endif
