/*
 * The decision on each certificate, and its reasons.
 *
 * Invariant: with a name, or with neither name nor pins, this only ever adds
 * to what Mbed TLS found wrong. Only a policy of pins without a name takes
 * anything away, and then the server's own key must be one of the pins: a pin
 * of an authority would prove nothing there, since nobody checked that the
 * chain leads from it to the server.
 */
#include "tls/verify.h"

#include <mbedtls/oid.h>
#include <mbedtls/sha256.h>
#include <mbedtls/x509.h>
#include <string.h>
#include <time.h>

static bool is_pin_only(const struct tls_policy *p)
{
    return p->name == NULL && p->pin_count > 0;
}

static bool is_same_dn(const mbedtls_x509_buf *a, const mbedtls_x509_buf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

static bool has_san(const mbedtls_x509_crt *crt)
{
    return mbedtls_x509_crt_has_ext_type(
               crt, MBEDTLS_X509_EXT_SUBJECT_ALT_NAME) != 0;
}

static bool has_ip(const mbedtls_x509_crt *crt, const struct addr *addr)
{
    size_t len = addr_ip_len(addr);

    for (const mbedtls_x509_sequence *san = &crt->subject_alt_names;
         san != NULL; san = san->next) {
        if ((san->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) ==
                MBEDTLS_X509_SAN_IP_ADDRESS &&
            san->buf.p != NULL && san->buf.len == len &&
            memcmp(san->buf.p, addr->ip, len) == 0) {
            return true;
        }
    }
    return false;
}

/* Remember the key, and whether it is one of the pins. */
static bool note_key(struct tls_verify *v, const mbedtls_x509_crt *crt,
                     int depth)
{
    struct tls_pin key;
    bool is_pinned = false;

    if (mbedtls_sha256(crt->pk_raw.p, crt->pk_raw.len, key.sha256, 0) != 0) {
        return false;
    }
    if (v->chain != NULL) {
        tls_chain_note(v->chain, crt, &key, depth);
    }
    if (v->key_count < TLS_CHAIN_MAX) {
        v->keys[v->key_count++] = key;
    }
    for (size_t i = 0; i < v->policy->pin_count; i++) {
        if (memcmp(v->policy->pins[i].sha256, key.sha256, TLS_PIN_LEN) == 0) {
            is_pinned = true;
        }
    }
    return is_pinned;
}

static int64_t seconds_of(const mbedtls_x509_time *t)
{
    struct tm tm = {
        .tm_year = t->year - 1900,
        .tm_mon = t->mon - 1,
        .tm_mday = t->day,
        .tm_hour = t->hour,
        .tm_min = t->min,
        .tm_sec = t->sec,
    };

    return timegm(&tm);
}

static void note_dates(struct tls_verify *v, const mbedtls_x509_crt *crt)
{
    int64_t expires_at_s = seconds_of(&crt->valid_to);

    if (v->proof.verified_at_s == 0) {
        v->proof.verified_at_s = time(NULL);
        v->proof.expires_at_s = INT64_MAX;
    }
    /* Where the pin alone decides, dates do not end the trust either. */
    if (!is_pin_only(v->policy) && expires_at_s < v->proof.expires_at_s) {
        v->proof.expires_at_s = expires_at_s;
    }
}

/* The flags for the server's own certificate beyond those of Mbed TLS. */
static uint32_t check_leaf(const struct tls_verify *v,
                           const mbedtls_x509_crt *crt)
{
    const struct tls_policy *p = v->policy;
    uint32_t flags = 0;

    if (p->name != NULL && !has_san(crt)) {
        flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    }
    if (p->name == NULL && p->pin_count == 0 && !has_ip(crt, &p->addr)) {
        flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    }
    if (p->pin_count > 0 && !v->is_pin_seen) {
        flags |= MBEDTLS_X509_BADCERT_OTHER;
    }
    return flags;
}

static void explain_pins(const struct tls_verify *v)
{
    tls_text_next(v->text);
    tls_text_add(v->text, "no pin matched; the server's %s",
                 is_pin_only(v->policy) ? "key is " : "keys are ");
    for (size_t i = v->key_count; i > 0; i--) {
        tls_text_add_pin(v->text, v->keys[i - 1].sha256);
        if (is_pin_only(v->policy)) {
            return;
        }
        tls_text_add(v->text, i > 1 ? ", " : "");
    }
}

int tls_verify_certificate(void *arg, mbedtls_x509_crt *crt, int depth,
                           uint32_t *flags)
{
    struct tls_verify *v = arg;
    bool is_pinned = note_key(v, crt, depth);

    note_dates(v, crt);
    if (is_pin_only(v->policy)) {
        /* Even so, a key that can be broken proves nothing. */
        *flags &= depth > 0 ? 0
                            : MBEDTLS_X509_BADCERT_BAD_PK |
                                  MBEDTLS_X509_BADCERT_BAD_KEY;
        is_pinned = is_pinned && depth == 0;
    }
    v->is_pin_seen = v->is_pin_seen || is_pinned;
    if (depth == 0) {
        v->is_leaf_seen = true;
        *flags |= check_leaf(v, crt);
    }
    tls_verify_explain(v->policy, crt, depth, *flags, v->text);
    if ((*flags & MBEDTLS_X509_BADCERT_OTHER) != 0) {
        explain_pins(v);
    }
    return 0;
}

/* "certificate", or for one above the server's own, whose it is. */
static void add_subject(struct tls_text *t, const mbedtls_x509_crt *crt,
                        int depth)
{
    tls_text_next(t);
    tls_text_add(t, "certificate ");
    if (depth > 0) {
        tls_text_add(t, "of its issuer ");
        tls_text_add_dn(t, &crt->subject);
        tls_text_add(t, " ");
    }
}

static void explain_dates(const mbedtls_x509_crt *crt, int depth,
                          uint32_t flags, struct tls_text *t)
{
    if ((flags & MBEDTLS_X509_BADCERT_EXPIRED) != 0) {
        add_subject(t, crt, depth);
        tls_text_add(t, "expired on ");
        tls_text_add_time(t, &crt->valid_to);
        tls_text_add(t, " (this machine's clock says ");
        tls_text_add_now(t);
        tls_text_add(t, ")");
    }
    if ((flags & MBEDTLS_X509_BADCERT_FUTURE) != 0) {
        add_subject(t, crt, depth);
        tls_text_add(t, "is not valid before ");
        tls_text_add_time(t, &crt->valid_from);
        tls_text_add(t, " (this machine's clock says ");
        tls_text_add_now(t);
        tls_text_add(t, "; is it right?)");
    }
}

static void explain_name(const struct tls_policy *p,
                         const mbedtls_x509_crt *crt, struct tls_text *t)
{
    char ip[ADDR_TEXT_MAX];

    tls_text_next(t);
    if (has_san(crt)) {
        tls_text_add(t, "certificate is for ");
        tls_text_add_sans(t, crt);
    } else {
        tls_text_add(t, "certificate has no subject alternative name (its "
                        "subject ");
        tls_text_add_dn(t, &crt->subject);
        tls_text_add(t, " does not count)");
    }
    tls_text_add(t, ", expected \"%s\"",
                 p->name != NULL ? p->name : addr_ip_text(&p->addr, ip));
}

static void explain_issuer(const struct tls_policy *p,
                           const mbedtls_x509_crt *crt, int depth,
                           struct tls_text *t)
{
    bool is_self = is_same_dn(&crt->issuer_raw, &crt->subject_raw);
    size_t count = p->trust == NULL ? 0 : tls_trust_count(p->trust);

    tls_text_next(t);
    if (is_self && depth == 0) {
        tls_text_add(t, "certificate is self-signed by ");
    } else if (is_self) {
        tls_text_add(t, "chain ends at ");
    } else {
        tls_text_add(t, "issued by ");
    }
    tls_text_add_dn(t, &crt->issuer);
    tls_text_add(t, ", which is not a trusted authority");
    if (!is_self) {
        tls_text_add(t, ", nor did the server send its certificate (is an "
                        "intermediate missing?)");
    }
    tls_text_add(t, " (%zu authorities from %s)", count,
                 p->trust == NULL ? "nowhere" : tls_trust_origin(p->trust));
}

static const struct {
    uint32_t flag;
    const char *text;
} other_faults[] = {
    {MBEDTLS_X509_BADCERT_BAD_MD, "is signed with a hash that is too weak"},
    {MBEDTLS_X509_BADCERT_BAD_PK, "has a key of an unacceptable kind"},
    {MBEDTLS_X509_BADCERT_BAD_KEY, "has a key that is too weak or of a curve "
                                   "that is not accepted"},
    {MBEDTLS_X509_BADCERT_KEY_USAGE, "has a key usage that forbids this use"},
    {MBEDTLS_X509_BADCERT_EXT_KEY_USAGE, "is not meant for TLS servers"},
    {MBEDTLS_X509_BADCERT_NS_CERT_TYPE, "is not meant for TLS servers"},
    {MBEDTLS_X509_BADCERT_MISSING, "is missing"},
};

static void explain_others(const mbedtls_x509_crt *crt, int depth,
                           uint32_t flags, struct tls_text *text)
{
    for (size_t i = 0; i < COUNT_OF(other_faults); i++) {
        if ((flags & other_faults[i].flag) != 0) {
            add_subject(text, crt, depth);
            tls_text_add(text, "%s", other_faults[i].text);
        }
    }
}

void tls_verify_explain(const struct tls_policy *policy,
                        const mbedtls_x509_crt *crt, int depth, uint32_t flags,
                        struct tls_text *text)
{
    explain_dates(crt, depth, flags, text);
    if ((flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0) {
        explain_name(policy, crt, text);
    }
    if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0) {
        explain_issuer(policy, crt, depth, text);
    }
    explain_others(crt, depth, flags, text);
}

void tls_verify_explain_uses(uint32_t flags, struct tls_text *text)
{
    explain_others(NULL, 0, flags & TLS_VERIFY_USES, text);
}
