/*
 * tls/session.h over the toy protocol. Nothing but HELLO, FINISHED and alerts
 * leaves before the server is verified; application data that comes before is
 * a protocol error.
 */
#include "tls/session.h"

#include "base/err.h"
#include "net_sim.h"
#include "tls_client.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_MAX = 1 << 22 };

/* START > WAIT_FLIGHT > (WAIT_FINISHED >) READY; all > FAILED. */
enum session_state {
    SESSION_START,
    SESSION_WAIT_FLIGHT,
    SESSION_WAIT_FINISHED,
    SESSION_READY,
    SESSION_FAILED
};

struct tls_session {
    struct tls_client *client;
    enum session_state state;
    struct tls_direction to_server, from_server;
    struct buf in, output;
    bool has_ticket, is_resumed, is_closing;
    uint8_t version;
    char error_text[320];
};

int tls_session_create(struct tls_client *client, struct tls_session **out)
{
    struct tls_session *s = sim_alloc(sizeof(*s));

    s->client = client;
    client->session_count++;
    buf_init(&s->in, BUFFER_MAX);
    buf_init(&s->output, BUFFER_MAX);
    *out = s;
    return 0;
}

void tls_session_destroy(struct tls_session *s)
{
    if (s == NULL) {
        return;
    }
    s->client->session_count--;
    buf_finish(&s->in);
    buf_finish(&s->output);
    free(s);
}

static int put(struct tls_session *s, enum tls_record type, const void *data,
               size_t len)
{
    return tls_wire_put(&s->output, &s->to_server, type, span_of(data, len));
}

static int fail(struct tls_session *s, int err, const char *why)
{
    const uint8_t alert = 40;

    if (s->error_text[0] == '\0') {
        snprintf(s->error_text, sizeof(s->error_text), "%s", why);
    }
    if (s->state != SESSION_FAILED && put(s, TLS_ALERT, &alert, 1) == 0) {
        s->state = SESSION_FAILED;
    }
    s->state = SESSION_FAILED;
    return err;
}

static int say_hello(struct tls_session *s)
{
    struct tls_hello hello;

    memset(&hello, 0, sizeof(hello)); /* padding too: it is sent */
    hello.nonce = (uint32_t)rng_next(&sim_world()->rng);
    hello.has_ticket = sim_tls_use_ticket(s->client, hello.ticket);
    memcpy(hello.name, s->client->name, sizeof(hello.name));
    s->has_ticket = hello.has_ticket;
    s->state = SESSION_WAIT_FLIGHT;
    int err = put(s, TLS_HELLO, &hello, sizeof(hello));
    s->to_server.key = hello.nonce;
    s->from_server.key = ~hello.nonce;
    return err;
}

static int take_flight(struct tls_session *s, const uint8_t *content,
                       size_t len)
{
    struct tls_flight flight;
    int err = tls_wire_read(content, len, &flight, sizeof(flight));

    if (err != 0 || s->state != SESSION_WAIT_FLIGHT ||
        (flight.is_resumed && !s->has_ticket)) {
        return fail(s, ERR_TLS_PROTOCOL, "unexpected server flight");
    }
    s->version = flight.version;
    s->is_resumed = flight.is_resumed;
    if (!flight.is_resumed) {
        char why[sizeof(s->error_text)];
        err = sim_tls_verify(s->client, &flight.certificate, why, sizeof(why));
        if (err != 0) {
            return fail(s, err, why);
        }
    }
    bool must_wait = flight.version == 12 && !flight.is_resumed;
    s->state = must_wait ? SESSION_WAIT_FINISHED : SESSION_READY;
    return put(s, TLS_FINISHED, NULL, 0);
}

static int take_finished(struct tls_session *s)
{
    if (s->state != SESSION_WAIT_FINISHED) {
        return fail(s, ERR_TLS_PROTOCOL, "unexpected Finished");
    }
    s->state = SESSION_READY;
    return 0;
}

static int take_ticket(struct tls_session *s, const uint8_t *content,
                       size_t len)
{
    if (s->state != SESSION_READY || len != TLS_TICKET_LEN) {
        return fail(s, ERR_TLS_PROTOCOL, "unexpected ticket");
    }
    sim_tls_keep_ticket(s->client, content);
    return 0;
}

static int take_data(struct tls_session *s, struct span data, struct buf *out)
{
    if (s->state != SESSION_READY) {
        return fail(s, ERR_TLS_PROTOCOL, "data before the handshake's end");
    }
    int err = buf_append(out, data);
    return err == 0 ? 0 : fail(s, err, "too many octets from the server");
}

static int take_alert(struct tls_session *s, const uint8_t *content, size_t len)
{
    if (len == 1 && content[0] == 0) {
        s->state = SESSION_FAILED;
        snprintf(s->error_text, sizeof(s->error_text), "close_notify");
        return ERR_TLS_CLOSED;
    }
    return fail(s, ERR_TLS_PROTOCOL, "the server sent an alert");
}

static int take(struct tls_session *s, int type, const uint8_t *content,
                size_t len, struct buf *out)
{
    switch (type) {
    case TLS_FLIGHT:
        return take_flight(s, content, len);
    case TLS_FINISHED:
        return take_finished(s);
    case TLS_TICKET:
        return take_ticket(s, content, len);
    case TLS_DATA:
        return take_data(s, span_of(content, len), out);
    case TLS_ALERT:
        return take_alert(s, content, len);
    default:
        return fail(s, ERR_TLS_PROTOCOL, "unreadable record");
    }
}

int tls_session_recv(struct tls_session *s, struct span in, struct buf *out)
{
    uint8_t content[TLS_RECORD_MAX];
    size_t len = 0;

    assert(s->state != SESSION_FAILED);
    int err = buf_append(&s->in, in);
    if (err == 0 && s->state == SESSION_START) {
        err = say_hello(s);
    }
    while (err == 0) {
        int type = tls_wire_take(&s->in, &s->from_server, content, &len);
        if (type == 0) {
            break;
        }
        err = take(s, type, content, len, out);
    }
    return err;
}

bool tls_session_is_ready(const struct tls_session *s)
{
    return s->state == SESSION_READY;
}

int tls_session_send(struct tls_session *s, struct span plaintext)
{
    assert(s->state == SESSION_READY && !s->is_closing);
    assert(plaintext.len >= 1 && plaintext.len <= TLS_RECORD_MAX);
    return put(s, TLS_DATA, plaintext.ptr, plaintext.len);
}

void tls_session_close(struct tls_session *s)
{
    const uint8_t close_notify = 0;

    if (s->state != SESSION_FAILED && s->state != SESSION_START &&
        put(s, TLS_ALERT, &close_notify, 1) == 0) {
        s->is_closing = true;
    }
}

struct buf *tls_session_output(struct tls_session *s)
{
    return &s->output;
}

const char *tls_session_error_text(const struct tls_session *s)
{
    return s->error_text;
}

void tls_session_info(const struct tls_session *s, struct tls_session_info *out)
{
    assert(s->state == SESSION_READY);
    out->version = s->version == 12 ? "TLSv1.2" : "TLSv1.3";
    out->cipher = "SIMULATED";
    out->is_resumed = s->is_resumed;
    out->has_alpn = true;
}
