/*
 * A simulated TCP connection: two ends, and a flow of segments towards each.
 *
 *   net_stream.c  the ends, as net/stream.h shows them to their owners
 *   net_flow.c    segments under way, and what faults do to them
 *   net_listen.c  listeners, and connecting to them
 *
 * An end's kernel takes octets while what is under way and what the other end
 * has not read stay under its send buffer; the rest is the end's backlog.
 * A connection is freed when both ends are closed.
 */
#ifndef SIM_NET_CONN_H
#define SIM_NET_CONN_H

#include "base/buf.h"
#include "net_sim.h"

enum segment_kind { SEGMENT_DATA, SEGMENT_FIN, SEGMENT_RST };

struct segment {
    struct list node;
    uint64_t arrives_us;
    enum segment_kind kind;
    size_t len;
    uint8_t data[];
};

/* What is under way to one end, in order. */
struct flow {
    struct list segments;
    struct sim_event arrival; /* of the first */
    uint64_t last_us;         /* when the last one sent arrives */
    size_t under_way;         /* octets */
};

struct net_stream {
    struct sim_ready ready;
    struct sim_event window; /* the peer read: there is room to send */
    struct net_loop *loop;   /* NULL: not accepted yet */
    struct sim_conn *conn;
    struct addr addr; /* its own */
    const struct net_stream_events *events;
    void *arg;
    struct flow in;
    struct buf received; /* the kernel has it, the owner not yet */
    struct buf backlog;  /* written, and the kernel had no room */
    int connect_result;  /* told when has_connect_result */
    int broken;          /* ERR_NET_*: nothing comes or goes any more */
    bool has_connect_result;
    bool is_connected;
    bool is_reading;
    bool has_fin; /* the peer will send no more */
    bool is_fin_told, is_broken_told;
    bool is_shut; /* FIN is sent after the backlog */
    bool is_fin_sent;
    bool is_drained; /* on_drain is due */
    bool is_closed;
};

enum conn_fate {
    CONN_SOUND,
    CONN_VANISHED, /* no segment arrives any more */
    CONN_FORGOTTEN /* the machine of end `forgot` answers all by RST */
};

struct sim_conn {
    struct list node; /* in the world's conns */
    struct sim_world *world;
    struct sim_link *link[2];
    enum conn_fate fate;
    unsigned forgot;          /* which end, when CONN_FORGOTTEN */
    struct net_stream end[2]; /* 0 connects, 1 accepts */
    struct sim_event syn;     /* the next step of the handshake */
    unsigned syn_tries;
    bool is_syn_ack;    /* the listener's kernel has answered */
    struct list queued; /* in a listener's queue */
    struct sim_event reap;
};

static inline struct net_stream *sim_other_end(struct net_stream *s)
{
    return s == &s->conn->end[0] ? &s->conn->end[1] : &s->conn->end[0];
}

bool sim_conn_passes(const struct sim_conn *c);
uint64_t sim_conn_delay(struct sim_conn *c);

/* Put a segment on its way to end `to`. */
void sim_flow_send(struct net_stream *to, enum segment_kind kind,
                   struct span data);

/* Send what the kernel takes of data; returns how much that is. */
size_t sim_flow_push(struct net_stream *from, struct span data);

/* The owner of `by` has read: the other end may send more. */
void sim_flow_window(struct net_stream *by);

void sim_flow_init(struct flow *f);
void sim_flow_clear(struct net_stream *to);

/* Send backlog, and FIN after it when the owner is done. */
void sim_stream_advance(struct net_stream *s);

/* Something may have to be told to the owner. */
void sim_stream_notify(struct net_stream *s);

/* The end is broken: err is told to the owner, once. */
void sim_stream_break(struct net_stream *s, int err);

/* net/stream.h's close, also for an end nobody accepted. */
void sim_stream_end(struct net_stream *s, bool is_reset);

/* Start the handshake. */
void sim_conn_start(struct sim_conn *c);

/* Callback of conn.reap. */
void sim_conn_free(struct sim_event *e);

#endif
