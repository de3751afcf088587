/*
 * What a client's session makes of a hostile peer.
 *
 *   octet 0      bits 0 and 1: the mode; bit 2: TLS 1.2 instead of 1.3
 *   octet 1      octets given at a time; 0: all at once
 *   the rest     mode 0: ciphertext for a session that has just begun
 *                mode 1: edits of a real server's first flight
 *                mode 2: edits of what it sends when the session is ready
 *
 * An edit is four octets: what, where (two), how. Keys are new in every run,
 * so an edit always damages something, but not always the same.
 */
#include "support/tls_pair.h"

#include "../require.h"

#include "base/err.h"

#include <stdbool.h>
#include <string.h>

enum { MODE_GARBAGE, MODE_HANDSHAKE, MODE_READY, EDIT_LEN = 4 };

static struct {
    bool is_made;
    struct tls_cert ca, leaf;
    struct tls_trust *trust;
    struct tls_client *client;
    struct tls_server *servers[2]; /* TLS 1.3, TLS 1.2 */
} world;

static void make_world(void)
{
    static const char *const names[] = {"dns.example", NULL};
    static const mbedtls_ssl_protocol_version versions[] = {
        MBEDTLS_SSL_VERSION_TLS1_3, MBEDTLS_SSL_VERSION_TLS1_2};

    REQUIRE(tls_global_init() == 0);
    tls_cert_init(&world.ca, &(struct tls_cert_options){.subject = "CN=Root",
                                                        .is_ca = true});
    tls_cert_init(&world.leaf,
                  &(struct tls_cert_options){.subject = "CN=dns.example",
                                             .names = names,
                                             .issuer = &world.ca});
    world.trust = tls_pair_trust(&world.ca);
    world.client = tls_pair_client(world.trust, "dns.example");
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        world.servers[i] = tls_server_create(&(struct tls_server_options){
            .cert = &world.leaf, .version = versions[i], .tickets = 2});
    }
    world.is_made = true;
}

static void insert(struct buf *b, size_t at, uint8_t value, size_t count)
{
    uint8_t *end = buf_reserve(b, count);
    uint8_t *from = b->data + b->head + at;

    REQUIRE(end != NULL);
    memmove(from + count, from, buf_len(b) - at);
    memset(from, value, count);
    buf_commit(b, count);
}

static void cut_out(struct buf *b, size_t at, size_t count)
{
    uint8_t *from = b->data + b->head + at;
    size_t rest = buf_len(b) - at;

    if (count > rest) {
        count = rest;
    }
    memmove(from, from + count, rest - count);
    b->tail -= count;
}

/* Change what the server is about to send. */
static void edit(struct buf *b, struct span edits)
{
    for (; edits.len >= EDIT_LEN; edits = span_from(edits, EDIT_LEN)) {
        const uint8_t *e = edits.ptr;
        size_t at = (size_t)e[1] << 8 | e[2];

        if (buf_len(b) == 0) {
            return;
        }
        at %= buf_len(b);
        switch (e[0] % 4) {
        case 0:
            b->data[b->head + at] ^= e[3];
            break;
        case 1:
            insert(b, at, e[3], e[3] % 32u + 1);
            break;
        case 2:
            cut_out(b, at, e[3] % 64u + 1);
            break;
        default:
            b->tail = b->head + at;
            break;
        }
    }
}

/* All that b holds to the client, in pieces; the rules that always hold. */
static void feed(struct tls_pair *p, struct span in)
{
    do {
        size_t len = p->step == 0 || p->step > in.len ? in.len : p->step;
        int before = p->client_err;
        size_t got = buf_len(&p->got_by_client);

        tls_pair_feed_client(p, span_of(in.ptr, len));
        REQUIRE(before == 0 || buf_len(&p->got_by_client) == got);
        REQUIRE(buf_len(&p->got_by_client) == 0 ||
                tls_session_is_ready(p->session));
        REQUIRE((p->client_err != 0) ==
                (tls_session_error_text(p->session)[0] != '\0'));
        in = span_from(in, len);
    } while (in.len > 0);
}

static void send_to_server(struct tls_pair *p)
{
    struct buf *out = tls_session_output(p->session);

    if (p->server_err == 0) {
        p->server_err =
            tls_peer_recv(p->peer, buf_span(out), &p->got_by_server);
    }
    buf_clear(out);
}

static void send_to_client(struct tls_pair *p)
{
    struct buf *out = tls_peer_output(p->peer);

    feed(p, buf_span(out));
    buf_clear(out);
}

static void run_garbage(struct tls_pair *p, struct span in)
{
    feed(p, span_of(NULL, 0));
    feed(p, in);
    REQUIRE(!tls_session_is_ready(p->session));
}

static void run_handshake(struct tls_pair *p, struct span edits)
{
    feed(p, span_of(NULL, 0));
    send_to_server(p);
    edit(tls_peer_output(p->peer), edits);
    for (int i = 0; i < 4; i++) {
        send_to_client(p);
        send_to_server(p);
    }
    REQUIRE(buf_len(&p->got_by_server) == 0);
}

/* Whatever is done to the records, what comes out was sent, in that order. */
static void run_ready(struct tls_pair *p, struct span edits)
{
    static const char answer[] = "an answer of some length";
    const size_t answer_len = sizeof(answer) - 1;
    size_t step = p->step;
    struct span got;

    p->step = 0;
    tls_pair_pump(p);
    REQUIRE(tls_session_is_ready(p->session));
    p->step = step;
    for (int i = 0; i < 8; i++) {
        REQUIRE(tls_peer_send(p->peer, span_of(answer, answer_len)) == 0);
    }
    tls_peer_close(p->peer);
    edit(tls_peer_output(p->peer), edits);
    send_to_client(p);
    got = buf_span(&p->got_by_client);
    REQUIRE(got.len <= 8 * answer_len);
    for (size_t i = 0; i < got.len; i++) {
        REQUIRE(got.ptr[i] == (uint8_t)answer[i % answer_len]);
    }
    if (edits.len < EDIT_LEN) {
        REQUIRE(got.len == 8 * answer_len && p->client_err == ERR_TLS_CLOSED);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct span rest = span_from(span_of(octets, len), 2);
    struct tls_pair p;

    if (len < 2) {
        return 0;
    }
    if (!world.is_made) {
        make_world();
    }
    /* A run must not depend on the one before. */
    tls_client_forget_tickets(world.client);
    tls_pair_init(&p, world.client, world.servers[octets[0] >> 2 & 1]);
    p.step = octets[1];
    switch (octets[0] & 3) {
    case MODE_GARBAGE:
        run_garbage(&p, rest);
        break;
    case MODE_HANDSHAKE:
        run_handshake(&p, rest);
        break;
    default:
        run_ready(&p, rest);
        break;
    }
    tls_pair_finish(&p);
    return 0;
}
