/*
 * A simulated DoT server: a TLS listener that answers from the zone, and
 * misbehaves as it is told to.
 */
#ifndef SIM_SERVER_H
#define SIM_SERVER_H

#include "net_sim.h"
#include "tls_server.h"

/* How it behaves now; may be changed at any time. All zero: well. */
struct sim_manners {
    /* Of so many percent of the queries … */
    unsigned dropped;        /* … no answer comes */
    unsigned slow;           /* … the answer takes slow_us more */
    unsigned duplicated;     /* … the answer comes twice */
    unsigned unasked;        /* … another answer comes besides */
    unsigned wrong_id;       /* … the answer has another ID */
    unsigned wrong_question; /* … the answer is to another question */
    unsigned garbage;        /* … the answer is no DNS message */
    unsigned cut;            /* … the frame ends early, and the connection */
    unsigned refused;        /* … the answer is `rcode` */
    unsigned rcode;
    uint32_t slow_us;
    uint32_t idle_close_ms; /* connections are closed after so long; 0: no */
    bool tells_idle;        /* … and it says so (RFC 7828) */
    uint32_t age_close_ms;  /* … when they are so old; 0: no */
    uint32_t hang_up_ms;    /* … so long after the handshake; 0: no */
    unsigned close_after;   /* … after so many queries; 0: no */
    uint64_t die_after;     /* … after so many octets sent; 0: no */
    bool dies_by_reset;     /* instead of FIN */
    unsigned dribble;       /* octets sent a millisecond; 0: all at once */
    uint32_t handshake_us;  /* the flight comes so much later */
    bool is_mute;           /* connections are taken, nothing is said */
    bool is_deaf;           /* the handshake is done, no query answered */
};

enum sim_stop {
    SIM_STOP_POLITE, /* close_notify and FIN, then connections are refused */
    SIM_STOP_CRASH,  /* connections are reset, new ones refused */
    SIM_STOP_POWER   /* the machine is off: silence; after a start, resets */
};

struct sim_server_stats {
    uint64_t connections, handshakes, resumed, queries, answers;
    uint64_t bundled;     /* queries that shared a record with another */
    uint64_t early_data;  /* before the handshake's end */
    uint64_t leaked;      /* queries to a server that must not be trusted */
    uint64_t bad_queries; /* that no server could read */
    uint64_t strayed;     /* queries that only a plain server may see */
    uint64_t ended;       /* connections that it ended by a habit of its own */
};

struct sim_server {
    struct net_loop *loop;
    struct addr addr;
    struct sim_link *link;
    struct net_listener *listener; /* NULL: not running */
    struct tls_server_identity identity;
    bool is_impostor; /* clients must not trust the identity */
    uint32_t latency_us, latency_jitter_us;
    struct sim_manners manners;
    struct list conns;
    struct sim_server_stats stats;
};

/* Make one that is named name and start it. */
struct sim_server *sim_server_create(struct net_loop *loop,
                                     const struct addr *addr, const char *name);
void sim_server_destroy(struct sim_server *s);

/* Does nothing when it runs. */
void sim_server_start(struct sim_server *s);

/* Does nothing when it does not run. */
void sim_server_stop(struct sim_server *s, enum sim_stop how);

/* Close all connections and go on. */
void sim_server_close_all(struct sim_server *s, bool is_reset);

bool sim_server_is_running(const struct sim_server *s);

#endif
