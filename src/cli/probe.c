/*
 * Invariant: err is set once, with why and the time; nothing is sent or
 * decrypted afterwards. Callbacks only note what came and stop the loop.
 */
#include "cli/probe.h"

#include "base/err.h"
#include "dns/frame.h"
#include "dns/wire.h"
#include "net/stream.h"

#include <stdio.h>
#include <string.h>

enum { PLAIN_MAX = 256 * 1024 };

static void fail(struct probe *p, int err, const char *what)
{
    const char *text =
        p->session != NULL ? tls_session_error_text(p->session) : "";

    if (p->err != 0) {
        return;
    }
    p->err = err;
    p->ended_us = net_now_us(p->loop);
    if (text[0] != '\0') {
        (void)snprintf(p->why, sizeof(p->why), "%s", text);
    } else {
        (void)snprintf(p->why, sizeof(p->why), "%s: %s", what, err_text(err));
    }
}

static void flush(struct probe *p)
{
    struct buf *out = tls_session_output(p->session);
    struct span data = buf_span(out);

    if (data.len == 0 || p->stream == NULL) {
        return;
    }
    int err = net_stream_write(p->stream, data);
    buf_consume(out, data.len);
    if (err != 0) {
        fail(p, err, "sending");
    }
}

static void advance(struct probe *p, struct span in)
{
    bool was_ready = tls_session_is_ready(p->session);
    int err = tls_session_recv(p->session, in, &p->plain);

    if (!was_ready && tls_session_is_ready(p->session)) {
        p->ready_us = net_now_us(p->loop);
        tls_session_info(p->session, &p->info);
    }
    flush(p);
    if (err != 0) {
        fail(p, err, "TLS");
    }
}

static void on_connect(void *arg, int err)
{
    struct probe *p = arg;

    if (err != 0) {
        fail(p, err, "TCP");
    } else {
        p->is_connected = true;
        p->connected_us = net_now_us(p->loop);
        advance(p, span_of(NULL, 0));
    }
    net_loop_stop(p->loop);
}

static void on_read(void *arg, int err, struct span in)
{
    struct probe *p = arg;

    if (p->err == 0 && err != 0) {
        fail(p, err, p->ready_us == 0 ? "in the handshake" : "TCP");
    } else if (p->err == 0) {
        advance(p, in);
    }
    net_loop_stop(p->loop);
}

static const struct net_stream_events events = {.on_connect = on_connect,
                                                .on_read = on_read};

static void on_timer(struct net_timer *t)
{
    struct probe *p = CONTAINER_OF(t, struct probe, timer);

    p->is_late = true;
    net_loop_stop(p->loop);
}

static void begin_step(struct probe *p, unsigned timeout_ms)
{
    p->is_late = false;
    net_timer_start(&p->timer, timeout_ms);
}

void probe_open(struct probe *p, struct net_loop *loop, const struct addr *addr,
                struct tls_client *client, unsigned timeout_ms)
{
    *p = (struct probe){.loop = loop};
    buf_init(&p->plain, PLAIN_MAX);
    net_timer_init(&p->timer, loop, on_timer);
    p->began_us = net_now_us(loop);
    int err = tls_session_create(client, &p->session);
    if (err == 0) {
        err = net_stream_connect(loop, addr, &events, p, &p->stream);
    }
    if (err != 0) {
        fail(p, err, "TCP");
        return;
    }
    begin_step(p, timeout_ms);
    while (p->err == 0 && p->ready_us == 0 && !p->is_late) {
        net_loop_run(loop);
    }
    net_timer_stop(&p->timer);
    if (p->err == 0 && p->ready_us == 0) {
        fail(p, ERR_NET_TIMEOUT, p->is_connected ? "TLS handshake" : "TCP");
    }
}

int probe_send(struct probe *p, struct span message)
{
    uint8_t frame[2 + 512];

    if (p->err != 0) {
        return p->err;
    }
    if (message.len > sizeof(frame) - 2) {
        return ERR_LIMIT;
    }
    /* Length and message in one record: RFC 7766 section 8. */
    dns_put16(frame, (unsigned)message.len);
    memcpy(frame + 2, message.ptr, message.len);
    int err = tls_session_send(p->session, span_of(frame, 2 + message.len));
    if (err != 0) {
        fail(p, err, "TLS");
    } else {
        flush(p);
    }
    return p->err;
}

static bool cut(struct probe *p, struct span *out)
{
    return dns_frame_cut(buf_span(&p->plain), out, &p->taken);
}

int probe_receive(struct probe *p, unsigned timeout_ms, struct span *out)
{
    buf_consume(&p->plain, p->taken);
    p->taken = 0;
    begin_step(p, timeout_ms);
    while (!cut(p, out)) {
        if (p->err != 0 || p->is_late) {
            net_timer_stop(&p->timer);
            return p->err != 0 ? p->err : ERR_NET_TIMEOUT;
        }
        net_loop_run(p->loop);
    }
    net_timer_stop(&p->timer);
    p->active_us = net_now_us(p->loop);
    return 0;
}

void probe_finish(struct probe *p)
{
    if (p->loop == NULL) {
        return;
    }
    if (p->err == 0 && p->ready_us != 0) {
        tls_session_close(p->session);
        flush(p);
    }
    net_timer_stop(&p->timer);
    net_stream_close(p->stream);
    tls_session_destroy(p->session);
    buf_finish(&p->plain);
    *p = (struct probe){.loop = NULL};
}
