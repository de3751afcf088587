/*
 * What the tests of this room share: one authority, one good certificate for
 * "dns.example" and "*.example.net", and a client that trusts it.
 */
#ifndef UNIT_TLS_FIXTURE_H
#define UNIT_TLS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/tls_pair.h"

#include <string.h>

struct fixture {
    struct tls_cert ca, leaf;
    struct tls_trust *trust;
};

static struct fixture fix;

static const char *const fix_names[] = {"dns.example", "*.example.net", NULL};

static inline int fix_setup(void **state)
{
    (void)state;
    if (tls_global_init() != 0) {
        return -1;
    }
    tls_cert_init(&fix.ca, &(struct tls_cert_options){.subject = "CN=Test Root",
                                                      .is_ca = true});
    tls_cert_init(&fix.leaf,
                  &(struct tls_cert_options){.subject = "CN=dns.example",
                                             .names = fix_names,
                                             .issuer = &fix.ca});
    fix.trust = tls_pair_trust(&fix.ca);
    return 0;
}

static inline int fix_teardown(void **state)
{
    (void)state;
    tls_trust_release(fix.trust);
    tls_cert_finish(&fix.leaf);
    tls_cert_finish(&fix.ca);
    tls_global_finish();
    return 0;
}

/* A server with the good certificate, of one version. */
static inline struct tls_server *fix_server(mbedtls_ssl_protocol_version v)
{
    return tls_server_create(
        &(struct tls_server_options){.cert = &fix.leaf, .version = v});
}

/* A pair that has shaken hands, with what it takes. */
struct ready {
    struct tls_server *server;
    struct tls_client *client;
    struct tls_pair p;
};

static inline void ready_init(struct ready *r,
                              const struct tls_server_options *o)
{
    r->server = tls_server_create(o);
    r->client = tls_pair_client(fix.trust, "dns.example");
    tls_pair_init(&r->p, r->client, r->server);
    tls_pair_pump(&r->p);
}

static inline void ready_finish(struct ready *r)
{
    tls_pair_finish(&r->p);
    tls_client_destroy(r->client);
    tls_server_destroy(r->server);
}

/* b holds exactly text, which is dropped from it. */
static inline void assert_holds(struct buf *b, const char *text)
{
    assert_int_equal(buf_len(b), strlen(text));
    assert_memory_equal(buf_span(b).ptr, text, strlen(text));
    buf_clear(b);
}

static inline void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" does not contain \"%s\"", text, part);
    }
}

#define SPAN(text) span_of(text, sizeof(text) - 1)

#endif
