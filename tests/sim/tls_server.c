/*
 * The server's side of the toy protocol.
 */
#include "tls_server.h"

#include "base/err.h"
#include "dns/wire.h"

#include <assert.h>
#include <string.h>

enum { BUFFER_MAX = 1 << 24 };

void tls_server_init(struct tls_server *s, struct tls_server_identity *id)
{
    *s = (struct tls_server){.identity = id};
    buf_init(&s->in, BUFFER_MAX);
    buf_init(&s->output, BUFFER_MAX);
}

void tls_server_finish(struct tls_server *s)
{
    buf_finish(&s->in);
    buf_finish(&s->output);
}

static void put(struct tls_server *s, enum tls_record type, const void *data,
                size_t len)
{
    int err = tls_wire_put(&s->output, &s->to_client, type, span_of(data, len));
    assert(err == 0);
    (void)err;
}

/* A ticket is its number and a check that only this server can make. */
static uint32_t ticket_check(const struct tls_server_identity *id, uint32_t n)
{
    return (n ^ id->secret) * 2654435761u ^ id->secret >> 3;
}

void tls_server_send_ticket(struct tls_server *s)
{
    uint8_t ticket[TLS_TICKET_LEN];
    uint32_t n = s->identity->next_ticket++;

    dns_put32(ticket, n);
    dns_put32(ticket + 4, ticket_check(s->identity, n));
    put(s, TLS_TICKET, ticket, sizeof(ticket));
}

static bool ticket_is_ours(const struct tls_server *s)
{
    const uint8_t *t = s->hello.ticket;
    return s->hello.has_ticket && s->identity->tickets > 0 &&
           dns_get32(t + 4) == ticket_check(s->identity, dns_get32(t));
}

static int take_hello(struct tls_server *s, const uint8_t *content, size_t len)
{
    struct tls_flight flight;
    int err = tls_wire_read(content, len, &s->hello, sizeof(s->hello));

    if (err != 0 || s->state != TLS_SERVER_HELLO) {
        return ERR_TLS_PROTOCOL;
    }
    s->from_client.key = s->hello.nonce;
    s->to_client.key = ~s->hello.nonce;
    s->is_resumed = ticket_is_ours(s);
    memset(&flight, 0, sizeof(flight)); /* padding too: it is sent */
    flight.version = s->identity->version;
    flight.is_resumed = s->is_resumed;
    memcpy(&flight.certificate, &s->identity->certificate,
           sizeof(flight.certificate));
    put(s, TLS_FLIGHT, &flight, sizeof(flight));
    s->state = TLS_SERVER_FINISHED;
    return 0;
}

static int take_finished(struct tls_server *s)
{
    if (s->state != TLS_SERVER_FINISHED) {
        return ERR_TLS_PROTOCOL;
    }
    s->state = TLS_SERVER_READY;
    if (s->identity->version == 12 && !s->is_resumed) {
        put(s, TLS_FINISHED, NULL, 0);
    }
    for (unsigned i = 0; i < s->identity->tickets; i++) {
        tls_server_send_ticket(s);
    }
    return 0;
}

static int take_data(struct tls_server *s, struct span data, struct buf *out)
{
    s->data_records++;
    if (s->state != TLS_SERVER_READY) {
        s->early_data++;
        return ERR_TLS_PROTOCOL;
    }
    return buf_append(out, data);
}

static int take(struct tls_server *s, int type, const uint8_t *content,
                size_t len, struct buf *out)
{
    switch (type) {
    case TLS_HELLO:
        return take_hello(s, content, len);
    case TLS_FINISHED:
        return take_finished(s);
    case TLS_DATA:
        return take_data(s, span_of(content, len), out);
    case TLS_ALERT:
        return ERR_TLS_CLOSED;
    default:
        return ERR_TLS_PROTOCOL;
    }
}

int tls_server_recv(struct tls_server *s, struct span in, struct buf *out)
{
    uint8_t content[TLS_RECORD_MAX];
    size_t len = 0;

    if (s->state == TLS_SERVER_ENDED) {
        return ERR_TLS_PROTOCOL;
    }
    int err = buf_append(&s->in, in);
    while (err == 0) {
        int type = tls_wire_take(&s->in, &s->from_client, content, &len);
        if (type == 0) {
            return 0;
        }
        err = take(s, type, content, len, out);
    }
    s->state = TLS_SERVER_ENDED;
    return err;
}

void tls_server_send(struct tls_server *s, struct span data)
{
    assert(s->state == TLS_SERVER_READY && data.len <= TLS_RECORD_MAX);
    put(s, TLS_DATA, data.ptr, data.len);
}

void tls_server_close(struct tls_server *s)
{
    const uint8_t close_notify = 0;

    if (s->state == TLS_SERVER_READY) {
        put(s, TLS_ALERT, &close_notify, 1);
    }
}
