/*
 * What the files of the plain upstream share. A request is on its way as one
 * copy or several, each with a server, an ID and a socket or a connection of
 * its own:
 *
 *   plain.c       plain_copy_answered(), plain_copy_lost() hear of copies
 *   plain_udp.c   carries a copy on a socket with a port of its own
 *   plain_tcp.c   carries copies on the connection of their server
 *
 * A copy that is lost puts its request into plain.again, which is looked at in
 * the end of the turn: carriers never see a request end while they walk.
 */
#ifndef UPSTREAM_PLAIN_INTERNAL_H
#define UPSTREAM_PLAIN_INTERNAL_H

#include "base/buf.h"
#include "base/rng.h"
#include "base/slab.h"
#include "net/dgram.h"
#include "net/stream.h"
#include "upstream/latency.h"
#include "upstream/plain.h"

enum {
    /* Queries in flight over UDP that have a socket, and so a port, of their
     * own; beyond it they share. A server always gets one. */
    PLAIN_SOCKETS_MAX = 256,
    PLAIN_QUERY_MAX = 1232,    /* octets of a query; longer ones go over TCP */
    PLAIN_DATAGRAM_MAX = 4096, /* octets of an answer over UDP */
    PLAIN_INPUT_MAX = 192 * 1024,
    PLAIN_BACKLOG_MAX = 256 * 1024,

    PLAIN_WAIT_FIRST_MS = 400, /* for an answer over UDP, until measured */
    PLAIN_WAIT_MIN_MS = 100,
    PLAIN_WAIT_MAX_MS = 2000, /* before it is doubled for each round */
    PLAIN_DOUBLINGS_MAX = 3,
    PLAIN_TRIAL_MS = 2000,     /* for an answer that no request waits for */
    PLAIN_IDLE_MS = 10 * 1000, /* a connection is kept so long without use */

    /* A server that failed so often in a row is set back, … */
    PLAIN_SET_BACK_AFTER = 2,
    /* … and is down: it is told, and counts for plain_is_ready(). */
    PLAIN_DOWN_AFTER = 3,
    /* When no server takes a query, all are tried so many times. */
    PLAIN_VAIN_ROUNDS_MAX = 3,
    /* SERVFAIL, REFUSED … from so many servers is believed. */
    PLAIN_ERROR_ANSWERS_MAX = 3,
    /* So often a request is sent anew to a server that closed a connection
     * that worked. */
    PLAIN_LOSSES_MAX = 3,
    /* A server that did not understand OPT is not sent one for so long. */
    PLAIN_NO_EDNS_MS = 10 * 60 * 1000,

    PLAIN_FLIPS_LEN = (DNS_NAME_MAX + 7) / 8,
    PLAIN_DICE_LEN = 256,
    PLAIN_WHY_LEN = 96
};

/* ---- plain_message.c ---- */

/* How a query looks on the wire, and so what its answer must repeat. */
struct plain_look {
    uint16_t id;
    bool is_bare;  /* without OPT */
    bool has_case; /* the spelling is ours, and the answer must have it */
    uint8_t flips[PLAIN_FLIPS_LEN]; /* bit n: the case of octet n is changed */
};

/* Write query, whose question is q, as look has it; out has query.len octets.
 * Returns the length. */
size_t plain_message_write(const struct plain_look *look, struct span query,
                           const struct dns_question *q, uint8_t *out);

/*
 * Is msg the answer to what plain_message_write() wrote? Returns 0 and its
 * view in *out | ERR_DNS_*.
 */
MUST_USE int plain_message_judge(const struct plain_look *look,
                                 const struct dns_question *q, struct span msg,
                                 struct dns_response *out);

/*
 * The same for a datagram. On success *msg is a copy in octets, with the
 * spelling of q; of an answer that was cut (TC=1), header and question alone.
 */
MUST_USE int plain_message_accept(const struct plain_look *look,
                                  const struct dns_question *q,
                                  struct span datagram,
                                  uint8_t octets[PLAIN_DATAGRAM_MAX],
                                  struct span *msg, struct dns_response *out);

/* ---- the structs ---- */

struct plain_copy {
    struct list node;             /* in its request's copies */
    struct list mate;             /* on its socket or stream */
    struct upstream_request *req; /* NULL: its server's trial */
    const struct dns_question *question;
    struct plain_server *server;
    struct plain_socket *socket; /* one of the two */
    struct plain_stream *stream;
    uint64_t sent_us;
    bool is_late; /* no longer waited for; its answer is as welcome as ever */
    struct plain_look look;
};

struct plain_socket {
    struct list node; /* in its server's sockets */
    struct list copies;
    struct plain_server *server;
    struct net_dgram *dgram;
};

/* The connection to a server. */
struct plain_stream {
    struct plain_server *server;
    struct net_stream *stream;
    struct net_timer timer; /* connected, answered or closed by then */
    struct buf in;
    struct list copies;
    unsigned copy_count;
    uint64_t answers;
    int doomed; /* ERR_*: close at the end of the turn */
    bool is_connected;
};

struct plain_server {
    struct plain *pool;
    const struct config_server *config;
    unsigned index;      /* in the order of the file */
    struct list sockets; /* struct plain_socket */
    struct plain_stream *stream;
    unsigned failures; /* in a row, until an answer comes */
    bool is_told_down;
    uint64_t failed_us;        /* last failure */
    uint64_t retry_ms;         /* set back until then */
    uint64_t no_edns_until_ms; /* queries have no OPT until then */
    uint64_t heard_us;         /* last answer */
    struct latency latency;
    uint64_t variance_us; /* of it, moving average */
    uint64_t queries, answers;
    uint32_t in_flight; /* copies */
    int credit;         /* round_robin */
    int last_err;
    char why[PLAIN_WHY_LEN];

    struct plain_copy *trial; /* whose request ended before; NULL: none */
    struct net_timer trial_timer;
    struct dns_question trial_question;
    uint8_t trial_name[DNS_NAME_MAX];
};

struct plain {
    struct net_loop *loop;
    const struct config *config;
    const struct config_pool *set;
    struct plain_server **servers; /* owned, each */
    size_t count;
    struct list requests; /* all under way, by plain.node */
    struct list again;    /* requests to go on with, by node */
    struct net_turn turn;
    struct slab copies;
    struct slab sockets;
    size_t pending;
    struct rng rng; /* jitter and choices; never IDs */
    uint8_t dice[PLAIN_DICE_LEN];
    size_t dice_left;
    struct upstream_stats stats;
};

/* ---- plain.c ---- */

/* An answer to c that was judged. The last act of who calls: the request may
 * end, and with it c. message is borrowed for the call. */
void plain_copy_answered(struct plain_copy *c, struct span message,
                         const struct dns_response *response);

/* No answer to c will come; it is gone afterwards. is_stale: its connection
 * had worked, so that the same server may be asked over another one. */
void plain_copy_lost(struct plain_copy *c, bool is_stale);

/* Take a copy off its carrier and its request. */
void plain_copy_drop(struct plain_copy *c);

/* Look at the requests in again at the end of the turn. */
void plain_review(struct plain *p);

/* Look now. */
void plain_go_on(struct plain *p);

/* ---- plain_pool.c ---- */

/* Octets that nobody can guess; len at most PLAIN_DICE_LEN. */
void plain_random(struct plain *p, void *out, size_t len);

/* An ID that no copy in the list has. */
uint16_t plain_fresh_id(struct plain *p, const struct list *copies);

/* The copy in the list that has the ID of message; NULL: none. */
struct plain_copy *plain_find(const struct list *copies, struct span message);

/* ---- plain_server.c ---- */

/* Returns NULL when out of memory. */
struct plain_server *plain_server_create(struct plain *p,
                                         const struct config_server *config);
/* It has no copies. Accepts NULL. */
void plain_server_destroy(struct plain_server *s);

static inline uint64_t plain_server_bit(const struct plain_server *s)
{
    return UINT64_C(1) << s->index;
}

/* The server to ask next, whose bit is not in asked; one that is set back only
 * when there is no other. NULL: all were asked. */
struct plain_server *plain_server_pick(struct plain *p, uint64_t asked);

/* Has it failed so often that others are asked as well? */
bool plain_server_is_doubtful(const struct plain_server *s);

/* Is there one that is not, and whose bit is not in asked? */
bool plain_server_has_sound(const struct plain *p, uint64_t asked);

/* How long to wait for its answer before another is asked. */
uint64_t plain_server_wait_ms(const struct plain_server *s, bool is_tcp,
                              unsigned round);

/* It answered c, whatever it said. */
void plain_server_answered(struct plain_server *s, const struct plain_copy *c);

/*
 * What was sent to it at sent_us failed; why: NULL, or what it was doing. What
 * left before the last failure was seen belongs to that one: a server that is
 * away for a moment has not failed a thousand times.
 */
void plain_server_failed(struct plain_server *s, uint64_t sent_us, int err,
                         const char *why);

/*
 * The request of c is ending: keep c, so that it is known whether the server
 * answers. One that is slower than others would never be heard otherwise.
 * Returns false (c is the request's still) when another is kept already.
 */
bool plain_server_keep_trial(struct plain_server *s, struct plain_copy *c);

/* ---- plain_udp.c, plain_tcp.c ---- */

/* Send c, whose request, server and look (but for the ID) are set. Returns 0,
 * and c is carried | ERR_LIMIT | ERR_NOMEM | ERR_NET_*. */
MUST_USE int plain_udp_send(struct plain_copy *c);
MUST_USE int plain_tcp_send(struct plain_copy *c);

/* Carry it no longer. */
void plain_udp_detach(struct plain_copy *c);
void plain_tcp_detach(struct plain_copy *c);

/* Close a connection for the reason err, and lose its copies. */
void plain_tcp_close(struct plain_stream *t, int err);

#endif
