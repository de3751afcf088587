/*
 * What is told of queries and connections: to the log, to whoever traces a
 * query, and why a dial failed.
 */
#include "upstream/internal.h"

#include "base/err.h"

#include <stdio.h>

#define LOG_ROOM "upstream"

static const char *strategy_name(const struct upstream_pool *p)
{
    static const char *const names[] = {
        [CONFIG_FAILOVER] = "failover",
        [CONFIG_ROUND_ROBIN] = "round_robin",
        [CONFIG_FASTEST] = "fastest",
        [CONFIG_RACE] = "race",
    };

    return names[p->set->strategy];
}

static void trace_sent(const struct upstream_conn *c,
                       const struct upstream_request *req, const char *why)
{
    const struct upstream_pool *p = c->server->pool;
    unsigned rtt_us = (unsigned)c->server->latency.average_us;
    char rtt[32] = "";
    struct tls_session_info info;

    tls_session_info(c->session, &info);
    if (rtt_us > 0) {
        snprintf(rtt, sizeof(rtt), ", RTT about %u.%u ms", rtt_us / 1000,
                 rtt_us / 100 % 10);
    }
    TRACE(req->trace, net_now_us(p->loop),
          "sent to %s (%s, %s), %u octets; connection %llu s old, %s, %s, %u "
          "in flight%s",
          c->server->config->label, why, strategy_name(p), req->frame_len - 2,
          (unsigned long long)(net_now_ms(p->loop) - c->ready_ms) / 1000,
          info.version, info.is_resumed ? "resumed" : "full handshake",
          c->outstanding, rtt);
}

/* Of the first servers of the file, so many: those that are passed over. */
static void trace_down(const struct upstream_request *req, size_t count)
{
    const struct upstream_pool *p = req->pool;

    for (size_t i = 0; i < count; i++) {
        const struct upstream_server *s = p->servers[i];
        if (!server_is_well(s)) {
            TRACE(req->trace, net_now_us(p->loop), "%s is down: %s",
                  s->config->label, s->why);
        }
    }
}

void told_sent(const struct upstream_conn *c,
               const struct upstream_request *req, enum attempt_reason reason)
{
    static const char *const names[] = {"first", "next", "late", "moved",
                                        "retry"};

    log_debug("%s: query of type %u, copy %u: %s", c->server->config->label,
              req->question.type, req->copies, names[reason]);
    if (req->trace != NULL) {
        trace_down(req, reason == ATTEMPT_FIRST ? c->server->index : 0);
        trace_sent(c, req, names[reason]);
    }
}

void told_answer(const struct upstream_request *req,
                 const struct upstream_server *s, enum attempt_reason reason,
                 const struct dns_response *response)
{
    char rcode[16];

    TRACE(req->trace, net_now_us(req->pool->loop), "%s answered%s: %s%s",
          s->config->label,
          reason == ATTEMPT_HEDGE ? " the copy sent because another was late"
                                  : "",
          dns_rcode_text(response->rcode, rcode),
          (response->flags & DNS_FLAG_TC) != 0 ? ", cut" : "");
}

void told_waiting(const struct upstream_request *req)
{
    if (req->trace != NULL) {
        trace_down(req, req->pool->count);
    }
    TRACE(req->trace, net_now_us(req->pool->loop),
          "no connection is ready: waits for one");
}

/* What a dial that failed was doing, for the log and the client's EDE. */
void told_why(const struct upstream_conn *c, int err, char why[SERVER_WHY_LEN])
{
    const char *text = tls_session_error_text(c->session);

    if (text[0] != '\0') {
        snprintf(why, SERVER_WHY_LEN, "%s", text);
    } else if (c->state == CONN_CONNECTING) {
        snprintf(why, SERVER_WHY_LEN, "cannot connect: %s", err_text(err));
    } else if (c->state == CONN_HANDSHAKE) {
        snprintf(why, SERVER_WHY_LEN, "TLS handshake: %s", err_text(err));
    } else {
        snprintf(why, SERVER_WHY_LEN, "connection lost: %s", err_text(err));
    }
}
