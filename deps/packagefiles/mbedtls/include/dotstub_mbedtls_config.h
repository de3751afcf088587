/*
 * What dotstub wants beyond the defaults of Mbed TLS: the same two switches
 * that distributions turn on. Without them the library's shared state (the
 * PSA key store) must not be touched from two threads.
 */
#ifndef DOTSTUB_MBEDTLS_CONFIG_H
#define DOTSTUB_MBEDTLS_CONFIG_H

#define MBEDTLS_THREADING_C
#define MBEDTLS_THREADING_PTHREAD

#endif
