/*
 * Two ends and the wire between them.
 */
#include "support/tls_pair.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLAIN_MAX = 64 * 1024 * 1024 };

struct tls_trust *tls_pair_trust(const struct tls_cert *ca)
{
    char path[] = "/tmp/tls_pair_XXXXXX";
    char *pem = tls_cert_pem(ca);
    struct tls_trust *trust = NULL;
    char why[256] = "";
    int fd = mkstemp(path);

    if (fd < 0 || write(fd, pem, strlen(pem)) != (ssize_t)strlen(pem) ||
        tls_trust_load(path, NULL, &trust, why, sizeof(why)) != 0) {
        fprintf(stderr, "no trust: %s\n", why);
        abort();
    }
    close(fd);
    unlink(path);
    free(pem);
    return trust;
}

struct tls_client *tls_pair_client(struct tls_trust *trust, const char *name)
{
    struct tls_client_options options = {
        .trust = trust,
        .name = name,
        .addr = {.ip = {192, 0, 2, 1}, .family = 4, .port = 853},
    };
    struct tls_client *client = NULL;

    if (tls_client_create(&options, &client) != 0) {
        abort();
    }
    return client;
}

void tls_pair_init(struct tls_pair *p, struct tls_client *client,
                   struct tls_server *server)
{
    *p = (struct tls_pair){.peer = tls_server_accept(server)};
    buf_init(&p->got_by_client, PLAIN_MAX);
    buf_init(&p->got_by_server, PLAIN_MAX);
    if (tls_session_create(client, &p->session) != 0) {
        abort();
    }
}

void tls_pair_finish(struct tls_pair *p)
{
    tls_session_destroy(p->session);
    tls_peer_destroy(p->peer);
    buf_finish(&p->got_by_client);
    buf_finish(&p->got_by_server);
}

int tls_pair_feed_client(struct tls_pair *p, struct span in)
{
    if (p->client_err == 0) {
        p->client_err = tls_session_recv(p->session, in, &p->got_by_client);
    }
    return p->client_err;
}

/* The next piece of what from holds, in memory of its own so that reading past
 * it is seen. NULL when there is none. */
static uint8_t *take_piece(struct buf *from, size_t step, size_t *len)
{
    struct span all = buf_span(from);
    uint8_t *piece;

    *len = step > 0 && step < all.len ? step : all.len;
    if (*len == 0) {
        return NULL;
    }
    piece = malloc(*len);
    if (piece == NULL) {
        abort();
    }
    memcpy(piece, all.ptr, *len);
    buf_consume(from, *len);
    return piece;
}

static bool carry_to_server(struct tls_pair *p)
{
    size_t len;
    uint8_t *piece = take_piece(tls_session_output(p->session), p->step, &len);

    if (piece == NULL) {
        return false;
    }
    if (p->server_err == 0) {
        p->server_err =
            tls_peer_recv(p->peer, span_of(piece, len), &p->got_by_server);
    }
    free(piece);
    return true;
}

static bool carry_to_client(struct tls_pair *p)
{
    size_t len;
    uint8_t *piece = take_piece(tls_peer_output(p->peer), p->step, &len);

    if (piece == NULL) {
        return false;
    }
    tls_pair_feed_client(p, span_of(piece, len));
    free(piece);
    return true;
}

void tls_pair_pump(struct tls_pair *p)
{
    bool is_moving = true;

    tls_pair_feed_client(p, span_of(NULL, 0));
    while (is_moving) {
        is_moving = carry_to_server(p);
        is_moving = carry_to_client(p) || is_moving;
    }
}
