/*
 * tls/client.h and tls/trust.h without cryptography: what a client knows of a
 * server, and a trust store that trusts what the simulation says.
 */
#include "tls_client.h"

#include "base/err.h"
#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- trust ---- */

struct tls_trust {
    unsigned owners;
};

int tls_global_init(void)
{
    return 0;
}

void tls_global_finish(void)
{
}

int tls_trust_load(const char *file, const char *dir, struct tls_trust **out,
                   char *why, size_t why_len)
{
    (void)dir;
    if (file != NULL && strstr(file, "missing") != NULL) {
        if (why != NULL) {
            snprintf(why, why_len, "%s: no such file", file);
        }
        return ERR_NOTFOUND;
    }
    struct tls_trust *t = sim_alloc(sizeof(*t));
    t->owners = 1;
    *out = t;
    return 0;
}

size_t tls_trust_count(struct tls_trust *t)
{
    assert(t->owners > 0);
    return 1;
}

/* All that the simulation loads is one. */
bool tls_trust_equal(const struct tls_trust *a, const struct tls_trust *b)
{
    return (a == NULL) == (b == NULL);
}

const char *tls_trust_origin(const struct tls_trust *t)
{
    assert(t->owners > 0);
    return "the simulation";
}

struct tls_trust *tls_trust_retain(struct tls_trust *t)
{
    t->owners++;
    return t;
}

void tls_trust_release(struct tls_trust *t)
{
    if (t != NULL && --t->owners == 0) {
        free(t);
    }
}

/* ---- clients ---- */

int tls_client_create(const struct tls_client_options *options,
                      struct tls_client **out)
{
    struct tls_client *c = sim_alloc(sizeof(*c));

    assert(options->trust != NULL);
    c->trust = tls_trust_retain(options->trust);
    c->addr = options->addr;
    c->has_name = options->name != NULL;
    if (c->has_name) {
        snprintf(c->name, sizeof(c->name), "%s", options->name);
    }
    c->pin_count = options->pin_count;
    if (c->pin_count > 0) {
        c->pins = sim_alloc(c->pin_count * sizeof(*c->pins));
        memcpy(c->pins, options->pins, c->pin_count * sizeof(*c->pins));
    }
    *out = c;
    return 0;
}

void tls_client_destroy(struct tls_client *c)
{
    if (c == NULL) {
        return;
    }
    assert(c->session_count == 0);
    tls_trust_release(c->trust);
    free(c->pins);
    free(c);
}

void tls_client_prepare(struct tls_client *c)
{
    assert(c->trust != NULL);
}

void tls_client_forget_tickets(struct tls_client *c)
{
    c->ticket_count = 0;
}

/* No ticket is used twice here. */
void tls_client_moved(struct tls_client *c)
{
    assert(c->trust != NULL);
}

size_t tls_client_ticket_count(const struct tls_client *c)
{
    return c->ticket_count;
}

void sim_tls_keep_ticket(struct tls_client *c, const uint8_t *ticket)
{
    if (c->ticket_count == TLS_TICKETS_MAX) {
        memmove(c->tickets[0], c->tickets[1],
                (TLS_TICKETS_MAX - 1) * TLS_TICKET_LEN);
        c->ticket_count--;
    }
    memcpy(c->tickets[c->ticket_count++], ticket, TLS_TICKET_LEN);
}

bool sim_tls_use_ticket(struct tls_client *c, uint8_t *out)
{
    if (c->ticket_count == 0) {
        return false;
    }
    memcpy(out, c->tickets[--c->ticket_count], TLS_TICKET_LEN);
    return true;
}

/* ---- verification ---- */

static bool is_pinned(const struct tls_client *c,
                      const struct tls_certificate *cert)
{
    for (size_t i = 0; i < c->pin_count; i++) {
        if (memcmp(&c->pins[i], &cert->key, sizeof(cert->key)) == 0) {
            return true;
        }
    }
    return false;
}

static const char *fault_of(const struct tls_client *c,
                            const struct tls_certificate *cert)
{
    bool by_pin_alone = c->pin_count > 0 && !c->has_name;

    if (c->pin_count > 0 && !is_pinned(c, cert)) {
        return "no key of the chain is pinned";
    }
    if (by_pin_alone) {
        return NULL;
    }
    if (cert->is_untrusted) {
        return "the issuer is not trusted";
    }
    if (cert->is_expired) {
        return "the certificate has expired";
    }
    if (c->has_name) {
        return strcmp(c->name, cert->name) == 0 ? NULL
                                                : "it is for another name";
    }
    return addr_ip_equal(&c->addr, &cert->addr) ? NULL
                                                : "it is for another address";
}

int sim_tls_verify(const struct tls_client *c,
                   const struct tls_certificate *cert, char *why,
                   size_t why_len)
{
    const char *fault = fault_of(c, cert);

    if (fault == NULL) {
        return 0;
    }
    snprintf(why, why_len, "expected %s, found %s: %s",
             c->has_name ? c->name : "its address", cert->name, fault);
    return ERR_TLS_UNTRUSTED;
}

/* ---- pins ---- */

static int sextet(char c)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);
    return at == NULL ? -1 : (int)(at - alphabet);
}

int tls_pin_parse(const char *text, struct tls_pin *out)
{
    struct tls_pin pin = {{0}};
    unsigned bits = 0;
    unsigned held = 0;
    size_t len = 0;

    if (strncmp(text, "sha256/", 7) != 0 && strncmp(text, "sha256=", 7) != 0) {
        return ERR_INVAL;
    }
    for (const char *p = text + 7; *p != '\0' && *p != '='; p++) {
        int value = sextet(*p);
        if (value < 0) {
            return ERR_INVAL;
        }
        held = (held << 6 | (unsigned)value) & 0xffff;
        bits += 6;
        if (bits >= 8 && len < TLS_PIN_LEN) {
            bits -= 8;
            pin.sha256[len++] = (uint8_t)(held >> bits);
        }
    }
    if (len != TLS_PIN_LEN) {
        return ERR_INVAL;
    }
    *out = pin;
    return 0;
}
