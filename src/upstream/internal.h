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
 *   hedge  hedge_overdue() from a connection's timer
 */
#ifndef UPSTREAM_INTERNAL_H
#define UPSTREAM_INTERNAL_H

#include "base/buf.h"
#include "base/rng.h"
#include "net/stream.h"
#include "tls/client.h"
#include "tls/session.h"
#include "upstream/demand.h"
#include "upstream/latency.h"
#include "upstream/limits.h"
#include "upstream/plain.h"
#include "upstream/sleep.h"
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
    /* Connections are not closed sooner than this for want of queries, however
     * short warm_for is. */
    WARM_LEAST_MS = 10 * 1000,
    /* Connections opened ahead of a limit while nobody asks, in a row, to a
     * server that waits for others to fail. */
    WARM_SPARE_TIMES = 60,
    /* A connection that lives shorter was not worth its handshake, unless it
     * served a client; so many, if there are others. (Not quite a second.) */
    BRIEF_MS = 900,
    BRIEF_ANSWERS = 8,
    /* So many of them in a row, and the server is not to be relied on. */
    BRIEF_TIMES = 2,
    /* An only server gets a second connection while clients ask so often; not
     * together with the first, or both might end at the same time. */
    SPARE_FOR_MS = 30 * 1000,
    SPARE_AFTER_MS = 500,
    SPARE_AFTER_QUERIES = 16,
    /* Suspended for longer than this, peers may have forgotten us. */
    SLEEP_MS = 1000,
    CONN_ADDRS_MAX = 8,      /* of one server */
    CONN_NEXT_ADDR_MS = 250, /* RFC 8305 section 5, Connection Attempt Delay */
    CONN_SLOTS_FIRST = 32,
    CONN_LATE_LOAD = 1 << 16, /* anything else is better than a stuck one */
    CONN_BACKLOG_MAX = 256 * 1024,
    CONN_INPUT_MAX = 256 * 1024,
    CONN_RECORD_MAX = 16384, /* octets that tls_session_send() takes */
    /* An answer that comes later than this is no longer expected. */
    CONN_ABANDON_MS = 10 * 1000,
    CONN_UNMEASURED_MAX = 16, /* answers in a row */
    /* Silence is suspect after so many times the 99th percentile of the
     * server's latency, but never sooner than the floor. */
    SUSPECT_TIMES = 3,
    SUSPECT_MIN_MS = 100,
    /* Hedges that may be saved up, and how many of them are kept for queries
     * that are late themselves, rather than stuck behind one. */
    HEDGE_BURST = 10,
    HEDGE_RESERVE = 3,
    HEDGE_COST = 100 /* a query pays in hedge_budget_percent of it */
};

/* CONNECTING > HANDSHAKE > READY > CLOSED; all > CLOSED. */
enum conn_state { CONN_CONNECTING, CONN_HANDSHAKE, CONN_READY, CONN_CLOSED };

/* Why a copy of a request was sent. */
enum attempt_reason {
    ATTEMPT_FIRST, /* the strategy says so … */
    ATTEMPT_NEXT,  /* … and that more are asked at once */
    ATTEMPT_HEDGE, /* an earlier copy is late */
    ATTEMPT_MOVED, /* an earlier one was lost with its connection */
    ATTEMPT_RETRY  /* an earlier one was answered with an error */
};

/* One query on its way over one connection. Its id is the slot's index with
 * the generation above it, so that a late answer to an earlier user of the
 * slot is not taken for this one's. */
struct conn_slot {
    struct upstream_request *req; /* NULL while in use: nobody waits any more */
    uint64_t sent_us;             /* 0: never used */
    uint32_t older, younger; /* in the order of sending; free: younger is the
                                next free one */
    uint32_t serial;         /* of all queries of the connection */
    uint16_t generation;
    bool is_used : 1;
    bool is_probe : 1;  /* our own query; req is NULL */
    bool is_hedged : 1; /* late, and what could be done about it was */
};

/* One address that is being connected to. */
struct conn_try {
    struct upstream_conn *conn;
    struct net_stream *stream; /* NULL: not, or no longer */
};

struct upstream_conn {
    struct list node; /* in server->conns */
    struct upstream_server *server;
    struct net_stream *stream; /* NULL while CONNECTING */
    struct tls_session *session;
    struct buf in; /* decrypted, not yet cut into messages */
    struct net_timer timer;
    struct net_turn turn; /* send what was encrypted; close if it must be */
    struct conn_slot *slots;
    uint32_t slot_count;     /* allocated */
    uint32_t outstanding;    /* in use, abandoned ones included */
    uint32_t free_slot;      /* head of the free list, or CONN_NO_SLOT */
    uint32_t oldest, newest; /* in use, or CONN_NO_SLOT */
    uint32_t sent;           /* queries, ever: the serial of the last */
    uint32_t answers;        /* ever */
    uint32_t count_limit;    /* queries that it may carry; 0: any */
    uint32_t count_mark;     /* limits_count() is due when sent gets there */
    uint32_t proven; /* serial: a query of ours that was sent after all up to
                          this one was answered: they are slow, not stalled */
    uint32_t unmeasured; /* answers in a row that were not measured */
    enum conn_state state;
    bool is_suspect : 1; /* ready, silent though queries wait */
    bool is_retired : 1; /* takes no more queries: near a limit of its server */
    bool is_lingering : 1; /* retired, and left for the server to close */
    bool is_aged : 1;      /* … because of its age, not of a pause */
    bool is_dropped : 1;   /* we end it, and it is nobody's fault */
    bool is_late : 1;    /* nothing came since a query that is late was sent */
    bool has_served : 1; /* a client's query was answered */
    bool is_told : 1;    /* an answer told the idle limit */
    uint8_t early;       /* how much sooner than others it is retired */
    int doomed;          /* ERR_*: close at the end of the turn */
    struct conn_try tries[CONN_ADDRS_MAX];
    unsigned tried;   /* addresses, so far */
    unsigned address; /* which of the server's is connected */
    struct addr local;
    uint64_t started_ms;
    uint64_t ready_ms;
    uint64_t used_ms;    /* last query */
    uint64_t heard_us;   /* last answer */
    uint64_t suspect_ms; /* since when it is */
    uint64_t linger_ms;  /* until when it does */
};

struct upstream_server {
    struct upstream_pool *pool;
    const struct config_server *config;
    struct tls_trust *trust; /* that vouches for it; NULL: its pins do */
    struct tls_client *tls;
    struct list conns;
    struct net_timer retry;
    unsigned index;    /* in the order of the file */
    unsigned bit;      /* in requests' masks: its own as long as it lives */
    unsigned ready;    /* connections that may be used; not … */
    unsigned suspects; /* … those that are silent though queries wait … */
    unsigned retired;  /* … nor those that are about to end */
    unsigned dialing;
    unsigned failures;      /* in a row, until an answer comes */
    unsigned offline;       /* dials in a row that our own network refused */
    unsigned brief;         /* connections in a row that it ended within a
                               moment, and that served nobody */
    unsigned first_address; /* the one that worked last */
    bool was_up;            /* at the last word of it; the log tells changes */
    bool was_told_down;
    bool is_extra;      /* the last dial was for a successor */
    uint32_t dial_ms;   /* how long a connection takes to be ready */
    uint64_t dialed_ms; /* last dial */
    uint64_t failed_at; /* last failure, by the pool's count */
    struct latency latency;
    struct limits limits;
    int credit; /* round_robin, see strategy.c */
    int last_err;
    char why[SERVER_WHY_LEN];
    uint64_t queries, answers, handshakes, resumed;
    const char *tls_version, *tls_cipher; /* static; NULL: never connected */
};

struct upstream_pool {
    struct net_loop *loop;
    const struct config *config;
    const struct config_pool *set;
    struct plain *plain;              /* not NULL: everything below is unused */
    struct upstream_server **servers; /* in the order of the file, owned */
    size_t count;
    struct list waiting;  /* requests that no connection could take */
    struct net_turn turn; /* give up hopeless ones, warm up */
    struct net_turn clock;
    struct net_timer cool; /* nobody asks any more */
    struct rng rng;
    size_t pending;
    uint64_t now_us;    /* of this turn; 0: not read yet */
    uint64_t asked_ms;  /* last upstream_ask() */
    uint64_t failures;  /* of servers, ever: orders them and the asking */
    uint64_t asleep_ms; /* how long the machine has been suspended in all */
    unsigned tokens;    /* for hedges, in hundredths */
    struct net_timer demand_timer; /* clients have waited for a while … */
    unsigned demand; /* … so often: that many more servers are dialled */
    bool has_slept;  /* since the last review */
    bool is_closing;
    struct upstream_stats stats;
};

/* ---- dial.c ---- */

/* How many addresses a server has. */
unsigned dial_address_count(const struct upstream_server *s);

/*
 * Connect to the next address of c's server, or to the one after it when that
 * fails at once. Returns 0 | ERR_*: none is left, and none is under way.
 */
MUST_USE int dial_next(struct upstream_conn *c);

/* c's timer went off while it is connecting. Returns as dial_next(). */
MUST_USE int dial_on_timer(struct upstream_conn *c);

/* Give up all that are under way. */
void dial_stop(struct upstream_conn *c);

/* ---- conn.c ---- */

/* Start a connection to s. Returns 0 | ERR_*; then nothing was started. */
MUST_USE int conn_open(struct upstream_server *s);

/* TCP is there (err 0: c->stream is set), or came to nothing. */
void conn_connected(struct upstream_conn *c, int err);

/* Octets, or the end, from c->stream. */
void conn_read(struct upstream_conn *c, int err, struct span in);

/* May it take a query now? */
bool conn_has_room(const struct upstream_conn *c);

/*
 * Send req over c (which has room), as one more attempt of it. A failure dooms
 * the connection: the attempt is then lost with it, at the end of the turn.
 * Returns 0 | ERR_NOMEM (nothing happened).
 */
MUST_USE int conn_send(struct upstream_conn *c, struct upstream_request *req,
                       enum attempt_reason reason);

/* Ask a question of our own over c (which is ready): an answer proves that the
 * server works, silence ends the connection like that to a client's query. */
void conn_probe(struct upstream_conn *c);

/* Nobody waits for the answer in slot any more. */
void conn_abandon(struct upstream_conn *c, uint32_t slot);

/* c, which is ready, becomes or ceases to be suspect or retired. */
void conn_mark(struct upstream_conn *c, bool is_suspect, bool is_retired);

/* Close c at the end of the turn: for err, or (0) when it is retired and
 * nothing waits any more. */
void conn_leave(struct upstream_conn *c, int err);

/*
 * Close c for the reason err and free it. Its requests are handed to
 * pool_lost(), after it is gone.
 */
void conn_close(struct upstream_conn *c, int err);

/* The same because our own network changed: it says nothing of the server. */
void conn_drop(struct upstream_conn *c);

/* ---- told.c ---- */

/* A copy of req leaves over c; it is among its attempts already. */
void told_sent(const struct upstream_conn *c,
               const struct upstream_request *req, enum attempt_reason reason);

/* An answer to req came from s, before it is judged. */
void told_answer(const struct upstream_request *req,
                 const struct upstream_server *s, enum attempt_reason reason,
                 const struct dns_response *response);

/* No connection can take req. */
void told_waiting(const struct upstream_request *req);

/* Why c ended with err, for the log and the client's extended error. */
void told_why(const struct upstream_conn *c, int err, char why[SERVER_WHY_LEN]);

/* ---- quiet.c ---- */

/* It has just become ready. */
void conn_begin_quiet(struct upstream_conn *c);

/* When its last query left, or its last answer came; else when it got ready. */
uint64_t conn_active_ms(const struct upstream_conn *c);

/* A query left: silence counts from now on, if it did not before. */
void conn_used(struct upstream_conn *c);

/* An answer came. */
void conn_heard(struct upstream_conn *c);

/* It takes no new queries, those on it are asked elsewhere too, and it is asked
 * whether it is there. Does nothing when it is suspect, or not ready. */
void conn_suspect(struct upstream_conn *c);

/* Its timer went off. Closes c, perhaps. */
void conn_check_quiet(struct upstream_conn *c);

/* See that its timer goes off within ms. */
void conn_wake_in(struct upstream_conn *c, uint64_t ms);

/* Silence is suspect after this. */
uint32_t server_suspect_ms(const struct upstream_server *s);

/* ---- hedge.c ---- */

/* A client asked: the budget grows. */
void hedge_refill(struct upstream_pool *p);

/* Is the second copy of a late query sent within the budget? */
bool hedge_is_on(const struct upstream_pool *p);

/* A query to s is late after this. */
uint32_t server_hedge_ms(const struct upstream_server *s);

/* Ask elsewhere for what is late on c, or stuck behind what is. Returns in how
 * many ms the next is late; UINT64_MAX: none is on its way. */
uint64_t hedge_overdue(struct upstream_conn *c);

/* Ask elsewhere for all that is on c, whatever the budget says. Returns whether
 * each of them is somewhere else now. */
bool hedge_all(struct upstream_conn *c);

/* A connection became ready: what could be asked nowhere else goes there. */
void hedge_relieve(struct upstream_pool *p);

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

/* The trust that vouches for the server: its own file's, or the common one; the
 * caller releases it. Returns 0 | ERR_NOMEM | ERR_TLS_SETUP | ERR_NOTFOUND (its
 * ca_file; logged). */
MUST_USE int server_trust(const struct config_server *entry,
                          struct tls_trust *common, struct tls_trust **out);

/* A server of entry of the configuration, number index, with the bit `bit`;
 * opens nothing. Returns 0 | ERR_NOMEM | ERR_TLS_SETUP. */
MUST_USE int server_create(struct upstream_pool *p,
                           const struct config_server *entry,
                           struct tls_trust *trust,
                           struct upstream_server **out);
/* Close its connections: requests on them move. Accepts NULL. */
void server_destroy(struct upstream_server *s);

/* Open one more connection to a server that has one, unless there are enough
 * or the last try was a moment ago. */
void server_dial_more(struct upstream_server *s);

/* Open one that takes the place of another, even if there are enough. */
void server_dial_successor(struct upstream_server *s);

/* Open one if fewer than wanted are ready and its back-off allows it, or if
 * clients wait and the last dial is retry_min ago. */
void server_dial_if_due(struct upstream_server *s, unsigned wanted,
                        bool clients_wait);

/* The network is another one: failures that it may have caused are forgotten,
 * dials under way begin anew. */
void server_forgive(struct upstream_server *s);

/* Would it have been there for a client who came later? If in use: if old. */
bool conn_has_lasted(const struct upstream_conn *c);

/* Is nothing known against it? */
bool server_is_well(const struct upstream_server *s);

/* … and do its connections last? */
bool server_is_steady(const struct upstream_server *s);

/* Do they not, although it may be well? */
bool server_is_fleeting(const struct upstream_server *s);

/* A connection that can take a query now and does not hold req (may be NULL);
 * the first that is not much busier than others, and nothing is stuck on. NULL:
 * none. */
struct upstream_conn *server_conn(struct upstream_server *s,
                                  const struct upstream_request *req);

/* The handshake of c is complete, and the server is who it should be. */
void server_conn_ready(struct upstream_server *s, struct upstream_conn *c);

/* c (already off the list) ended, from state before, for err; why is
 * NULL or more than err says. */
void server_conn_ended(struct upstream_server *s, const struct upstream_conn *c,
                       enum conn_state before, int err, const char *why);

/* An answer came, took_us after its query left; 0: not measured. */
void server_answered(struct upstream_server *s, uint64_t took_us);

/* ---- strategy.c ---- */

/* Whom a strategy may pick. */
struct strategy_choice {
    const struct upstream_request *req; /* not connections that hold it */
    uint64_t asked;                     /* nor servers with these bits */
    bool is_lenient; /* but those that failed or are silent, too */
};

/* The server that should take a query next: one of its connections has room.
 * NULL: none. */
struct upstream_server *strategy_pick(struct upstream_pool *p,
                                      struct strategy_choice choice);

/* To how many servers a query goes at first. */
unsigned strategy_width(const struct upstream_pool *p);

/* Is it time for a client's query to give an only server, which has one
 * connection, another? */
bool strategy_wants_spare(const struct upstream_pool *p);

/* How many connections of s the strategy wants to be kept ready. */
unsigned strategy_wants_warm(const struct upstream_pool *p,
                             const struct upstream_server *s);

/* ---- pool.c ---- */

/* An answer to req, from a connection that holds it no longer; reason is why
 * it was sent there. */
void pool_answer(struct upstream_request *req, const struct upstream_server *s,
                 enum attempt_reason reason, struct span message,
                 const struct dns_response *response);

/* The attempt of req on conn is over. Returns why it was made. */
enum attempt_reason pool_detach(struct upstream_request *req,
                                const struct upstream_conn *c);

/* Is req on its way over c? */
bool pool_holds(const struct upstream_request *req,
                const struct upstream_conn *c);

/* Send one more copy of a late request, to a server that was not asked or over
 * another connection. false: there is none. */
bool pool_send_hedge(struct upstream_request *req);

/* Requests (their nodes) that lost a connection: send them elsewhere. */
void pool_lost(struct upstream_pool *p, struct list *requests);

/* A connection has become able to take queries. */
void pool_retry_waiting(struct upstream_pool *p);

/* Fail those that wait and can no longer be answered. */
void pool_fail_hopeless(struct upstream_pool *p);

/* ---- set.c ---- */

/* Health changed: look, at the end of the turn, for requests that can no
 * longer be answered and for connections to open. */
void pool_review(struct upstream_pool *p);

/* A client asks: what is to be ready while they do is made ready. */
void pool_wake(struct upstream_pool *p);

/* Has any client asked lately? */
bool pool_is_warm(const struct upstream_pool *p);

/* Monotonic microseconds, read once a turn. */
uint64_t pool_now_us(struct upstream_pool *p);

#endif
