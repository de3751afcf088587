/*
 * A day of one user who browses, over servers that close idle connections:
 * what keeping connections ready costs, and what it saves.
 */
#ifndef SIM_BROWSE_H
#define SIM_BROWSE_H

#include <stdbool.h>
#include <stdint.h>

struct sim_browse {
    uint64_t queries, right;
    uint64_t handshakes, resumed; /* of the program, over all servers */
    uint64_t waited;              /* queries that had to wait for one */
    uint64_t lazy_handshakes; /* of one that connects when a query comes, and
                                 lets the server close */
    uint64_t lazy_waited;
    uint64_t night_dials; /* while nobody asked for warm_for and more */
    uint32_t p50_us, p99_us, worst_us;
    uint64_t faults;
};

/* idle_ms: when servers close; is_told: they say so (RFC 7828). */
void sim_browse_run(uint64_t seed, uint32_t idle_ms, bool is_told,
                    struct sim_browse *out);

#endif
