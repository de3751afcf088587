/*
 * "address:port#name" in the notations that people bring: ip, ip:port,
 * ip@port, [v6]:port, each with #name behind it or tls:// before it (in a zone:
 * udp:// or tcp:// as well).
 */
#ifndef CONFIG_ENDPOINT_H
#define CONFIG_ENDPOINT_H

#include "base/addr.h"
#include "base/attr.h"
#include "config/config.h"
#include "config/host.h"

enum endpoint_role {
    ENDPOINT_SERVER, /* over TLS, nothing else */
    ENDPOINT_ZONE,   /* a zone's server: udp:// and tcp:// may be */
    ENDPOINT_LISTEN,
    ENDPOINT_ADMIN, /* a place to listen too, for HTTP */
};

enum {
    ENDPOINT_PORT_DOT = 853,
    ENDPOINT_PORT_DNS = 53,
    ENDPOINT_PORT_ADMIN = 9053,
};

struct endpoint {
    struct addr addr; /* with the default port where none was given */
    enum config_transport transport;  /* of a server */
    char name[HOST_NAME_MAX_LEN + 1]; /* "": none */
};

/*
 * Returns 0 | ERR_INVAL, and then why is what is wrong with text and what was
 * probably meant.
 */
MUST_USE int endpoint_parse(const char *text, enum endpoint_role role,
                            struct endpoint *out, char why[HOST_WHY_MAX]);

#endif
