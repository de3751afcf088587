/*
 * Where dnstap messages go, in the notations of config->dnstap:
 *
 *   unix:/run/dnstap.sock    a receiver at a unix socket
 *   tcp://127.0.0.1:6000     a receiver at an address, in clear text
 *   /var/log/dnstap.fstrm    a file
 *
 * unix:///run/dnstap.sock is taken too.
 */
#ifndef CONFIG_TAP_H
#define CONFIG_TAP_H

#include "base/addr.h"
#include "base/attr.h"

enum config_tap_kind { CONFIG_TAP_UNIX, CONFIG_TAP_TCP, CONFIG_TAP_FILE };

struct config_tap {
    enum config_tap_kind kind;
    const char *path; /* in text, of a socket or a file; else NULL */
    struct addr addr; /* of CONFIG_TAP_TCP */
};

/* text is borrowed for as long as *out. Returns 0 | ERR_INVAL (an address that
 * is none, or without a port). */
MUST_USE int config_tap_parse(const char *text, struct config_tap *out);

#endif
