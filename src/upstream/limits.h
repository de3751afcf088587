/*
 * What is known of when a server ends connections, and what is done before it
 * does.
 */
#ifndef UPSTREAM_LIMITS_H
#define UPSTREAM_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

struct upstream_conn;
struct upstream_server;

/* What was learnt of when a server ends connections; 0: nothing. */
struct limits {
    uint32_t told_idle_ms; /* edns-tcp-keepalive, the last one */
    unsigned untold;       /* answers since, on connections without any */
    uint32_t idle_ms;      /* seen: without queries for so long … */
    uint32_t age_ms;       /* … so old … */
    uint32_t count;        /* … after so many queries */
    uint32_t last_age_ms, last_idle_ms; /* of the last one that it closed */
    uint32_t last_count;
    unsigned uses; /* connections retired for idle_ms or age_ms since … */
    unsigned next_test;   /* … one was a test; so many, and one is again */
    unsigned count_uses;  /* connections that kept to count, in a row */
    unsigned count_every; /* after so many a few more queries are tried */
};

/* It has just become ready. */
void limits_begin(struct upstream_conn *c);

/* Its count of queries has reached count_mark. */
void limits_count(struct upstream_conn *c);

/* Open a successor and retire c where it is time for it. Returns when to look
 * again, in ms from now; UINT64_MAX: not before something happens. A c that
 * outlived what was learnt is left to close. */
uint64_t limits_check(struct upstream_conn *c);

/* Something changed that may let s have successors, or has given it one. */
void limits_wake(struct upstream_server *s);

/* A query leaves c, on which none was: it outlived a pause. */
void limits_used(struct upstream_conn *c);

/* Is a connection that waits for clients there long enough to be of use? */
bool limits_allow_warmth(const struct limits *l);

/* Did the server say that it is not? What was seen may have been chance. */
bool limits_forbid_warmth(const struct limits *l);

/* c can take queries, again or for the first time; it is retired if there are
 * enough without it. */
void limits_surplus(struct upstream_conn *c);

/* The server ended c by itself. */
void limits_learn(const struct upstream_conn *c);

/* An answer on c told the idle limit, in units of 100 ms (RFC 7828). */
void limits_told(struct upstream_conn *c, unsigned units);

/* None has on c. */
void limits_not_told(struct upstream_conn *c);

/* The shorter of what was told and seen; 0: not known. */
uint32_t limits_idle_ms(const struct limits *l);

/* … or the age, whichever ends a connection first that nobody uses. */
uint32_t limits_shortest_ms(const struct limits *l);

#endif
