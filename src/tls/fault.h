/*
 * What went wrong in a session: codes of Mbed TLS and alerts of the peer,
 * turned into our errors and into words.
 */
#ifndef TLS_FAULT_H
#define TLS_FAULT_H

#include "base/attr.h"
#include "tls/text.h"

#include <mbedtls/ssl.h>
#include <stdbool.h>

/*
 * The error that ret, which a call on ssl just returned, stands for: one of
 * ERR_TLS_UNTRUSTED | ERR_TLS_PROTOCOL | ERR_TLS_CLOSED | ERR_NOMEM. Its words
 * are appended to text, unless the verification has already said why.
 */
MUST_USE int tls_fault_explain(const mbedtls_ssl_context *ssl, int ret,
                               bool is_ready, struct tls_text *text);

#endif
