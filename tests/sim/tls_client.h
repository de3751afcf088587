/*
 * What the simulated client sessions know of their client.
 */
#ifndef SIM_TLS_CLIENT_H
#define SIM_TLS_CLIENT_H

#include "tls/client.h"
#include "tls_wire.h"

struct tls_client {
    struct tls_trust *trust;
    struct addr addr;
    bool has_name;
    char name[TLS_NAME_MAX + 1];
    struct tls_pin *pins;
    size_t pin_count;
    uint8_t tickets[TLS_TICKETS_MAX][TLS_TICKET_LEN];
    size_t ticket_count;
    size_t session_count;
};

void sim_tls_keep_ticket(struct tls_client *c, const uint8_t *ticket);

/* Take one out of store. false: there is none. */
bool sim_tls_use_ticket(struct tls_client *c, uint8_t *out);

/* Is the server who it should be? Returns 0 | ERR_TLS_UNTRUSTED and why. */
MUST_USE int sim_tls_verify(const struct tls_client *c,
                            const struct tls_certificate *cert, char *why,
                            size_t why_len);

#endif
