/*
 * What the files of this room share: the structs of pool, server and
 * connection, and the calls between them.
 *
 * Calls go down from pool to server to conn; events come back up, each as the
 * last act of the callback that saw it:
 *
 *   conn   conn_settle() > server_conn_ready() | server_conn_ended()
 *   pool   pool_answer() for each answer, pool_lost() for each request that a
 *          connection no longer holds, pool_retry_waiting()
 */
#ifndef UPSTREAM_INTERNAL_H
#define UPSTREAM_INTERNAL_H

#include "base/buf.h"
#include "base/rng.h"
#include "net/stream.h"
#include "tls/client.h"
#include "tls/session.h"
#include "upstream/upstream.h"

/* Not an index of a slot. */
#define CONN_NO_SLOT UINT32_MAX

enum {
    /* A server that failed so often in a row is down: queries that wait for it
     * alone fail when it fails once more. */
    SERVER_DOWN_AFTER = 3,
    SERVER_WHY_LEN = 192,
    /* SERVFAIL, REFUSED … from so many servers is believed. */
    ERROR_ANSWERS_MAX = 3,
    /* A request that so many fresh connections died with waits before it is
     * sent again: it may be what kills them. */
    LOSSES_BEFORE_WAIT = 4,
    LOSS_WAIT_MS = 50,
    /* Without queries for so long, connections that close stay closed. */
    WARM_FOR_MS = 10 * 60 * 1000,
    /* Suspended for longer than this, peers may have forgotten us. */
    SLEEP_MS = 1000,
    CONN_SLOTS_FIRST = 32,
    CONN_BACKLOG_MAX = 256 * 1024,
    CONN_INPUT_MAX = 256 * 1024,
    CONN_RECORD_MAX = 16384, /* octets that tls_session_send() takes */
    /* An answer that comes later than this is no longer expected. */
    CONN_ABANDON_MS = 10 * 1000
};

/* CONNECTING > HANDSHAKE > READY > CLOSED; all > CLOSED. */
enum conn_state { CONN_CONNECTING, CONN_HANDSHAKE, CONN_READY, CONN_CLOSED };

/* One query on its way over one connection. Its id is the slot's index with
 * the generation above it, so that a late answer to an earlier user of the
 * slot is not taken for this one's. */
struct conn_slot {
    struct upstream_request *req; /* NULL while in use: nobody waits any more */
    uint64_t sent_us;
    uint32_t next_free;
    uint16_t generation;
    bool is_used;
    bool is_probe; /* our own query; req is NULL */
};

struct upstream_conn {
    struct list node; /* in server->conns */
    struct upstream_server *server;
    struct net_stream *stream;
    struct tls_session *session;
    struct buf in; /* decrypted, not yet cut into messages */
    struct net_timer timer;
    struct net_turn turn; /* send what was encrypted; close if doomed */
    struct conn_slot *slots;
    uint32_t slot_count;  /* allocated */
    uint32_t outstanding; /* in use, abandoned ones included */
    uint32_t free_slot;   /* head of the free list, or CONN_NO_SLOT */
    enum conn_state state;
    bool is_suspect; /* ready, silent though queries wait */
    int doomed;      /* ERR_*: close at the end of the turn */
    uint64_t started_ms;
    uint64_t ready_ms;
    uint64_t quiet_since_ms; /* last answer, or first query after silence */
    uint64_t used_ms;        /* last query */
    uint64_t answers;
};

struct upstream_server {
    struct upstream_pool *pool;
    const struct config_server *config;
    struct tls_client *tls;
    struct list conns;
    struct net_timer retry;
    unsigned index;    /* in the order of the file */
    unsigned ready;    /* connections by state; suspect ones are in none */
    unsigned suspects; /* connections that are silent though queries wait */
    unsigned dialing;
    unsigned failures; /* in a row, until an answer comes */
    bool was_up;       /* for the log: the change is told, not the state */
    bool was_told_down;
    uint64_t dialed_ms;  /* last dial */
    uint64_t failed_at;  /* last failure, by the pool's count */
    uint64_t latency_us; /* of answers, moving average; 0: not known */
    int credit;          /* round_robin, see strategy.c */
    int last_err;
    char why[SERVER_WHY_LEN];
};

struct upstream_pool {
    struct net_loop *loop;
    const struct config *config;
    struct upstream_server *servers;
    size_t count;
    struct list waiting;  /* requests that no connection could take */
    struct net_turn turn; /* give up hopeless ones, warm up */
    struct rng rng;
    size_t pending;
    uint64_t asked_ms;  /* last upstream_ask() */
    uint64_t failures;  /* of servers, ever: orders them and the asking */
    uint64_t asleep_ms; /* how long the machine has been suspended in all */
    bool has_slept;     /* since the last review */
    bool is_closing;
    struct upstream_stats stats;
};

/* ---- conn.c ---- */

/* Start a connection to s. Returns 0 | ERR_*; then nothing was started. */
MUST_USE int conn_open(struct upstream_server *s);

/* May it take a query now? */
bool conn_has_room(const struct upstream_conn *c);

/*
 * Send req over c (which has room), as one more attempt of it. A failure dooms
 * the connection: the attempt is then lost with it, at the end of the turn.
 * Returns 0 | ERR_NOMEM (nothing happened).
 */
MUST_USE int conn_send(struct upstream_conn *c, struct upstream_request *req);

/* Ask a question of our own over c (which is ready): an answer proves that the
 * server works, silence ends the connection like that to a client's query. */
void conn_probe(struct upstream_conn *c);

/* Nobody waits for the answer in slot any more. */
void conn_abandon(struct upstream_conn *c, uint32_t slot);

/*
 * Close c for the reason err and free it. Its requests are handed to
 * pool_lost(), after it is gone.
 */
void conn_close(struct upstream_conn *c, int err);

/* ---- quiet.c ---- */

/* It has just become ready. */
void conn_await_idle(struct upstream_conn *c);

/* A query left: silence counts from the first one on. */
void conn_used(struct upstream_conn *c);

/* An answer came. */
void conn_heard(struct upstream_conn *c);

/* Its timer went off. Closes c, perhaps. */
void conn_check_quiet(struct upstream_conn *c);

/* ---- slots.c ---- */

/* A slot for req (NULL: a query of our own), its index in *out. Returns 0 |
 * ERR_NOMEM. */
MUST_USE int conn_slot_take(struct upstream_conn *c,
                            struct upstream_request *req, uint32_t *out);

/* Its answer came. */
void conn_slot_free(struct upstream_conn *c, uint32_t slot);

/* The id on the wire. */
uint16_t conn_slot_id(const struct upstream_conn *c, uint32_t slot);

/* The slot that has this id, or had it last (then it is not in use), or
 * CONN_NO_SLOT. */
uint32_t conn_slot_find(const struct upstream_conn *c, uint16_t id);

/* Free the slots of answers that nobody waits for and that will not come. */
void conn_slots_sweep(struct upstream_conn *c);

/* ---- server.c ---- */

/* Fill in the server of config's entry index; opens nothing. Returns 0 |
 * ERR_NOMEM | ERR_TLS_SETUP | ERR_NOTFOUND (its ca_file; logged). */
MUST_USE int server_init(struct upstream_server *s, struct upstream_pool *p,
                         unsigned index, struct tls_trust *trust);
/* Close its connections. Accepts one that was not initialised. */
void server_finish(struct upstream_server *s);

/* Open one more connection to a server that has one, unless there are enough
 * or the last try was a moment ago. */
void server_dial_more(struct upstream_server *s);

/* Open one if there is none and its back-off allows it, or if clients wait
 * and the last dial is retry_min ago. */
void server_dial_if_due(struct upstream_server *s, bool clients_wait);

/* A connection that can take a query now, the least loaded; NULL: none. */
struct upstream_conn *server_conn(struct upstream_server *s);

/* The handshake of c is complete, and the server is who it should be. */
void server_conn_ready(struct upstream_server *s, struct upstream_conn *c);

/* c (already off the list) ended, from state before, for err; why is
 * NULL or more than err says. */
void server_conn_ended(struct upstream_server *s, const struct upstream_conn *c,
                       enum conn_state before, int err, const char *why);

/* An answer came; sent_us is when its query left. */
void server_answered(struct upstream_server *s, uint64_t sent_us);

/* ---- strategy.c ---- */

/* The server that should take a query next: has a connection with room, and
 * its bit is not in asked; one that failed and has not answered since only
 * when there is no other. NULL: none. */
struct upstream_server *strategy_pick(struct upstream_pool *p, uint64_t asked);

/* To how many servers a query goes at first. */
unsigned strategy_width(const struct upstream_pool *p);

/* Does the strategy want a connection of s to be kept ready? */
bool strategy_wants_warm(const struct upstream_pool *p,
                         const struct upstream_server *s);

/* ---- pool.c ---- */

/* An answer to req, from a connection that holds it no longer. */
void pool_answer(struct upstream_request *req, const struct upstream_server *s,
                 struct span message, const struct dns_response *response);

/* The attempt of req on conn is gone without an answer. */
void pool_detach(struct upstream_request *req, const struct upstream_conn *c);

/* Requests (their nodes) that lost a connection: send them elsewhere. */
void pool_lost(struct upstream_pool *p, struct list *requests);

/* A connection has become able to take queries. */
void pool_retry_waiting(struct upstream_pool *p);

/* Health changed: look, at the end of the turn, for requests that can no
 * longer be answered and for connections to open. */
void pool_review(struct upstream_pool *p);

/* Has any client asked lately? */
bool pool_is_warm(const struct upstream_pool *p);

/* ---- sleep.c ---- */

/* How long the machine has been suspended in all. */
uint64_t pool_asleep_ms(const struct upstream_pool *p);

/* See whether it was since the last look: pool_connect_anew() is then due at
 * the end of the turn. */
void pool_check_sleep(struct upstream_pool *p);

/* Close all connections; their requests move. */
void pool_connect_anew(struct upstream_pool *p);

#endif
