/*
 * One connection to one DoT server, for commands that look at servers: TCP,
 * TLS and framing, asked step by step. Each step runs the loop until it is
 * done or its time is over, so these commands read from top to bottom.
 */
#ifndef CLI_PROBE_H
#define CLI_PROBE_H

#include "base/addr.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"
#include "net/loop.h"
#include "tls/client.h"
#include "tls/session.h"

#include <stdbool.h>
#include <stdint.h>

enum { PROBE_WHY_LEN = 512 };

struct probe {
    struct net_loop *loop;
    struct net_stream *stream;
    struct tls_session *session;
    struct buf plain;        /* decrypted, not yet taken */
    size_t taken;            /* octets of plain to drop with the next step */
    struct net_timer timer;  /* of the step */
    bool is_connected;       /* TCP is up */
    bool is_late;            /* the step's time is over */
    int err;                 /* 0: the connection is good */
    char why[PROBE_WHY_LEN]; /* … or else this, for people */
    uint64_t began_us;       /* the dial */
    uint64_t connected_us;   /* TCP was up */
    uint64_t ready_us;       /* TLS was up */
    uint64_t ended_us;       /* err came */
    uint64_t active_us;      /* a message came last */
    struct tls_session_info info; /* once it is up */
};

/*
 * Connect, and shake hands; p->err says how it went. To be finished either
 * way.
 */
void probe_open(struct probe *p, struct net_loop *loop, const struct addr *addr,
                struct tls_client *client, unsigned timeout_ms);

/* Send a message. Returns 0 | ERR_*. */
MUST_USE int probe_send(struct probe *p, struct span message);

/* The next message, valid until the next call. Returns 0 | ERR_NET_TIMEOUT
 * (the connection is as it was) | ERR_*. */
MUST_USE int probe_receive(struct probe *p, unsigned timeout_ms,
                           struct span *out);

/* Close it, with a close_notify when it is up. A zeroed one may be finished. */
void probe_finish(struct probe *p);

#endif
