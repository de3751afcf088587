/*
 * What can be learnt of one DoT server by asking it a little: a handful of
 * connections, queries one after another that any server answers from memory.
 */
#ifndef CLI_MEASURE_H
#define CLI_MEASURE_H

#include "base/attr.h"
#include "cli/probe.h"
#include "config/config.h"
#include "net/loop.h"
#include "tls/trust.h"

#include <stdbool.h>
#include <stdint.h>

enum { MEASURE_QUERIES_MAX = 100 };

enum measure_order {
    MEASURE_NOT_SEEN, /* the slow answer came first, or none did */
    MEASURE_OUT_OF_ORDER,
};

struct measure {
    const struct config_server *server; /* borrowed */
    struct tls_client *client;
    struct probe idle; /* left open to see how long it may be */

    bool is_good;            /* there is something to compare by */
    char why[PROBE_WHY_LEN]; /* else; or what went wrong later, or "" */
    struct tls_session_info info;
    uint32_t full_us; /* TCP and TLS, from nothing */
    uint32_t resumed_us;
    bool was_resumed;
    uint32_t rtts_us[MEASURE_QUERIES_MAX]; /* sorted */
    unsigned rtt_count;
    enum measure_order order;
    bool pads;        /* its answers */
    int keepalive_ds; /* tenths of a second that it told; -1: it did not */
    uint32_t idle_ms; /* until it closed the connection; 0: not seen */
};

/* trust: for servers without a file of their own. Returns 0 | ERR_NOMEM |
 * ERR_TLS_SETUP | ERR_NOTFOUND (logged). */
MUST_USE int measure_init(struct measure *m, const struct config_server *server,
                          struct tls_trust *trust);
void measure_finish(struct measure *m);

/* Called between queries: one more is done. */
typedef void measure_step_fn(void *arg);

/* Everything but the idle limit: about queries + 5 queries, two connections,
 * of which idle stays open. */
void measure_run(struct measure *m, struct net_loop *loop, unsigned queries,
                 measure_step_fn *step, void *arg);

/* The time that permille of the warm queries did not exceed; 0: unknown. */
uint32_t measure_rtt(const struct measure *m, unsigned permille);

/* Has the server closed the idle connection? Notes when. */
bool measure_has_ended(struct measure *m);

#endif
