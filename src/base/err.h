/*
 * Errors: one table for the whole program.
 *
 * A function that can fail returns 0 or one of these negative codes. Codes of
 * libraries are turned into ours in the module that called the library, which
 * also logs the original once.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_LIST(X) \
    X(ERR_NOMEM, -1, "out of memory") \
    X(ERR_INVAL, -2, "invalid argument") \
    X(ERR_LIMIT, -3, "a bound was reached") \
    X(ERR_NOTFOUND, -4, "not found") \
    X(ERR_IO, -5, "input/output error") \
    X(ERR_DNS_SHORT, -10, "message ends inside a field") \
    X(ERR_DNS_LOOP, -11, "compression pointer does not go back") \
    X(ERR_DNS_LABEL, -12, "label has a reserved type") \
    X(ERR_DNS_NAME, -13, "name is longer than 255 octets") \
    X(ERR_DNS_FORM, -14, "message does not follow the format") \
    X(ERR_DNS_TRAILING, -15, "octets after the last record") \
    X(ERR_DNS_SPACE, -16, "message does not fit the buffer") \
    X(ERR_TLS_UNTRUSTED, -20, "server certificate is not trusted") \
    X(ERR_TLS_PROTOCOL, -21, "TLS protocol error") \
    X(ERR_TLS_CLOSED, -22, "TLS session closed by the peer") \
    X(ERR_TLS_SETUP, -23, "TLS could not be set up") \
    X(ERR_NET_REFUSED, -40, "connection refused") \
    X(ERR_NET_RESET, -41, "connection reset") \
    X(ERR_NET_UNREACHABLE, -42, "network unreachable") \
    X(ERR_NET_TIMEOUT, -43, "timed out") \
    X(ERR_NET_EOF, -44, "connection closed by the peer") \
    X(ERR_NET_IN_USE, -45, "address already in use") \
    X(ERR_NET_ACCESS, -46, "permission denied") \
    X(ERR_NET_NO_ADDR, -47, "address is not on this machine") \
    X(ERR_NET_FILES, -48, "out of file descriptors") \
    X(ERR_NET_OTHER, -49, "network error") \
    X(ERR_CONFIG, -60, "configuration is not usable")

enum err {
#define ERR_ENUM(name, value, text) name = value,
    ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
};

/* The text of err for people, static; "success" for 0, never NULL. */
const char *err_text(int err);

/* The identifier of err ("ERR_NOMEM"), static, never NULL. */
const char *err_name(int err);

#endif
