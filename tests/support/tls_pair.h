/*
 * A client session and a server, joined by memory: what one writes the other
 * reads, in pieces of any size. With the trust that the client needs.
 */
#ifndef SUPPORT_TLS_PAIR_H
#define SUPPORT_TLS_PAIR_H

#include "base/buf.h"
#include "support/tls_certs.h"
#include "support/tls_server.h"
#include "tls/client.h"
#include "tls/session.h"
#include "tls/trust.h"

#include <stddef.h>

/* Trust in one authority, read from a file that is gone afterwards. */
struct tls_trust *tls_pair_trust(const struct tls_cert *ca);

/* A client that expects name, or when NULL address 192.0.2.1. */
struct tls_client *tls_pair_client(struct tls_trust *trust, const char *name);

struct tls_pair {
    struct tls_session *session;
    struct tls_peer *peer;
    struct buf got_by_client; /* plaintext */
    struct buf got_by_server;
    size_t step;    /* octets carried at a time; 0: all there are */
    int client_err; /* ours */
    int server_err; /* of Mbed TLS */
};

/* Set up both ends; nothing is exchanged yet. */
void tls_pair_init(struct tls_pair *p, struct tls_client *client,
                   struct tls_server *server);
void tls_pair_finish(struct tls_pair *p);

/* Carry octets both ways until nothing moves any more. */
void tls_pair_pump(struct tls_pair *p);

/* Give octets to the client as if the server had sent them. Returns what
 * tls_session_recv() does, and keeps it in client_err. */
int tls_pair_feed_client(struct tls_pair *p, struct span in);

#endif
