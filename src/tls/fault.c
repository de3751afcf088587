/*
 * Words for failures of the protocol. Those of the certificate are said in
 * verify.c, at the moment when it is at hand.
 */
#include "tls/fault.h"

#include "base/err.h"
#include "tls/verify.h"

#include <mbedtls/error.h>

static const struct {
    int code;
    const char *name;
} alerts[] = {
    {0, "close_notify"},
    {10, "unexpected_message"},
    {20, "bad_record_mac"},
    {22, "record_overflow"},
    {40, "handshake_failure"},
    {42, "bad_certificate"},
    {43, "unsupported_certificate"},
    {44, "certificate_revoked"},
    {45, "certificate_expired"},
    {46, "certificate_unknown"},
    {47, "illegal_parameter"},
    {48, "unknown_ca"},
    {49, "access_denied"},
    {50, "decode_error"},
    {51, "decrypt_error"},
    {70, "protocol_version"},
    {71, "insufficient_security"},
    {80, "internal_error"},
    {86, "inappropriate_fallback"},
    {90, "user_canceled"},
    {109, "missing_extension"},
    {110, "unsupported_extension"},
    {112, "unrecognized_name"},
    {115, "unknown_psk_identity"},
    {116, "certificate_required"},
    {120, "no_application_protocol"},
};

static const char *alert_name(int code)
{
    for (size_t i = 0; i < COUNT_OF(alerts); i++) {
        if (alerts[i].code == code) {
            return alerts[i].name;
        }
    }
    return "an alert without a name";
}

static bool is_out_of_memory(int ret)
{
    return ret == MBEDTLS_ERR_SSL_ALLOC_FAILED ||
           ret == MBEDTLS_ERR_X509_ALLOC_FAILED ||
           ret == MBEDTLS_ERR_PK_ALLOC_FAILED ||
           ret == MBEDTLS_ERR_MPI_ALLOC_FAILED ||
           ret == MBEDTLS_ERR_ECP_ALLOC_FAILED ||
           ret == MBEDTLS_ERR_ASN1_ALLOC_FAILED;
}

/* The uses of the key are checked after the callback for the certificate. */
static uint32_t forbidden_uses(const mbedtls_ssl_context *ssl)
{
    uint32_t result = mbedtls_ssl_get_verify_result(ssl);

    /* All bits: there is no result. */
    return result == UINT32_MAX ? 0 : result & TLS_VERIFY_USES;
}

static int explain_untrusted(int ret, struct tls_text *text)
{
    char reason[128];

    if (text->len == 0) {
        mbedtls_strerror(ret, reason, sizeof(reason));
        tls_text_add(text, "certificate cannot be verified: %s", reason);
    }
    return ERR_TLS_UNTRUSTED;
}

static int explain_protocol(const mbedtls_ssl_context *ssl, int ret,
                            bool is_ready, struct tls_text *text)
{
    const char *where = is_ready ? "" : " during the handshake";
    char reason[128];

    tls_text_next(text);
    if (ret == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
        /* There is no other way to ask which. */
        int code = ssl->MBEDTLS_PRIVATE(in_msg)[1];

        tls_text_add(text, "the server sent the alert %s (%d)%s",
                     alert_name(code), code, where);
        return ERR_TLS_PROTOCOL;
    }
    mbedtls_strerror(ret, reason, sizeof(reason));
    tls_text_add(text, "protocol error%s: %s (-0x%04x)", where, reason,
                 (unsigned)-ret);
    return ERR_TLS_PROTOCOL;
}

int tls_fault_explain(const mbedtls_ssl_context *ssl, int ret, bool is_ready,
                      struct tls_text *text)
{
    uint32_t uses = is_ready ? 0 : forbidden_uses(ssl);

    if (is_out_of_memory(ret)) {
        tls_text_add(text, "%s", err_text(ERR_NOMEM));
        return ERR_NOMEM;
    }
    if (ret == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
        tls_text_add(text, "peer closed%s",
                     is_ready ? " the session" : " during the handshake");
        return ERR_TLS_CLOSED;
    }
    if (uses != 0) {
        tls_verify_explain_uses(uses, text);
        return explain_untrusted(ret, text);
    }
    if (ret == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED ||
        ret == MBEDTLS_ERR_X509_FATAL_ERROR) {
        return explain_untrusted(ret, text);
    }
    return explain_protocol(ssl, ret, is_ready, text);
}
