/*
 * The store of tickets. Invariant: items[0] to items[count - 1] and spent own
 * their data, and each was given in a session whose server was verified, at
 * proof's time, under the policy of the client that the store belongs to: so a
 * resumed session is as good as a verified one until the ticket expires.
 */
#include "tls/ticket.h"

#include <mbedtls/platform_util.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    /* RFC 8446 4.6.1: not longer than seven days, whatever the server says.
     * Counted from the certificate's verification, also through a chain of
     * resumptions. */
    LIFETIME_MAX_S = 7 * 24 * 3600,
    /* RFC 5246 F.1.4, for a server that gives no lifetime. */
    LIFETIME_UNKNOWN_S = 24 * 3600,
    USED_AGAIN_S = 30, /* after its first use */
};

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void finish(struct tls_ticket *item)
{
    if (item->data != NULL) {
        mbedtls_platform_zeroize(item->data, item->len);
        free(item->data);
        item->data = NULL;
    }
}

static void drop_oldest(struct tls_tickets *t)
{
    finish(&t->items[0]);
    t->count--;
    memmove(&t->items[0], &t->items[1], t->count * sizeof(t->items[0]));
}

void tls_tickets_forget_spent(struct tls_tickets *t)
{
    finish(&t->spent);
}

void tls_tickets_clear(struct tls_tickets *t)
{
    while (t->count > 0) {
        finish(&t->items[--t->count]);
    }
    tls_tickets_forget_spent(t);
}

/* Mbed TLS offers these only as members. */
static int64_t lifetime_s(const mbedtls_ssl_session *session)
{
    uint32_t s = session->MBEDTLS_PRIVATE(ticket_lifetime);

    return s == 0 ? LIFETIME_UNKNOWN_S : s;
}

static bool is_resumable(const mbedtls_ssl_session *session)
{
    return session->MBEDTLS_PRIVATE(ticket_len) > 0 ||
           mbedtls_ssl_session_get_id_len(session) > 0;
}

/* The serial form of session in memory of its own; NULL when out of memory. */
static unsigned char *serialize(const mbedtls_ssl_session *session, size_t *len)
{
    unsigned char *data;

    if (mbedtls_ssl_session_save(session, NULL, 0, len) !=
        MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL) {
        return NULL;
    }
    data = malloc(*len);
    if (data == NULL) {
        return NULL;
    }
    if (mbedtls_ssl_session_save(session, data, *len, len) != 0) {
        free(data);
        return NULL;
    }
    return data;
}

void tls_tickets_put(struct tls_tickets *t, const mbedtls_ssl_session *session,
                     const struct tls_proof *proof)
{
    struct tls_ticket item = {.proof = *proof};

    if (!is_resumable(session)) {
        return;
    }
    item.data = serialize(session, &item.len);
    if (item.data == NULL) {
        return;
    }
    item.expires_at_s = earlier(time(NULL) + lifetime_s(session),
                                proof->verified_at_s + LIFETIME_MAX_S);
    item.expires_at_s = earlier(item.expires_at_s, proof->expires_at_s);
    if (t->count == TLS_TICKETS_MAX) {
        drop_oldest(t);
    }
    t->items[t->count++] = item;
}

/* A clock that went back says nothing about age: then it is not used. */
static bool is_current(const struct tls_ticket *item)
{
    int64_t now_s = time(NULL);

    return now_s >= item->proof.verified_at_s && now_s < item->expires_at_s;
}

static int restore(const struct tls_ticket *item, mbedtls_ssl_context *ssl)
{
    mbedtls_ssl_session session;
    int ret;

    mbedtls_ssl_session_init(&session);
    ret = mbedtls_ssl_session_load(&session, item->data, item->len);
    if (ret == 0) {
        ret = mbedtls_ssl_set_session(ssl, &session);
    }
    mbedtls_ssl_session_free(&session);
    return ret;
}

static bool is_usable_again(const struct tls_ticket *item)
{
    int64_t now_s = time(NULL);

    return item->data != NULL && now_s >= item->used_at_s &&
           now_s < item->used_at_s + USED_AGAIN_S;
}

static bool set(const struct tls_ticket *item, mbedtls_ssl_context *ssl,
                struct tls_proof *proof_out)
{
    if (!is_current(item) || restore(item, ssl) != 0) {
        return false;
    }
    *proof_out = item->proof;
    return true;
}

bool tls_tickets_use(struct tls_tickets *t, mbedtls_ssl_context *ssl,
                     struct tls_proof *proof_out)
{
    while (t->count > 0) {
        struct tls_ticket *item = &t->items[--t->count];

        if (set(item, ssl, proof_out)) {
            tls_tickets_forget_spent(t);
            item->used_at_s = time(NULL);
            t->spent = *item;
            return true;
        }
        finish(item);
    }
    return is_usable_again(&t->spent) && set(&t->spent, ssl, proof_out);
}
