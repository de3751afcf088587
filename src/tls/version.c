/*
 * The version of the library that this process runs with.
 */
#include "tls/trust.h"

#include <mbedtls/version.h>
#include <string.h>

const char *tls_library_version(void)
{
    static char text[18]; /* the library asks for 18 octets */
    static const char prefix[] = "Mbed TLS ";

    mbedtls_version_get_string_full(text);
    return strncmp(text, prefix, strlen(prefix)) == 0 ? text + strlen(prefix)
                                                      : text;
}
