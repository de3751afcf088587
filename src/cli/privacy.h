/*
 * What `dotstub privacy` is made of: a network namespace in which the stack
 * runs alone, a tap that sees every packet it sends there, and a relay to the
 * servers, which are out of its reach otherwise.
 */
#ifndef CLI_PRIVACY_H
#define CLI_PRIVACY_H

#include "base/addr.h"
#include "base/attr.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PRIVACY_PLACES_MAX = 128,
    PRIVACY_FLOWS_MAX = 64,
    PRIVACY_CONNS_MAX = 128,
};

/* Where the configuration lets queries go. */
struct privacy_place {
    struct addr addr;
    char label[96]; /* of the server, cut */
    bool is_plain;
};

struct privacy_places {
    struct privacy_place all[PRIVACY_PLACES_MAX];
    size_t count;
    size_t left_out; /* beyond that */
};

/* Of all pools of config, each address once. */
void privacy_places_init(struct privacy_places *p, const struct config *config);

/* The place at addr with that port; NULL: none. */
const struct privacy_place *privacy_places_find(const struct privacy_places *p,
                                                const struct addr *addr);

/* ---- privacy_space.c ---- */

/*
 * In a child: enter a network namespace where the places are addresses of the
 * loopback, and everything else leads nowhere. Sends a tap of all packets, then
 * a listening socket for each place (-1 where there could be none), over the
 * unix socket channel. Returns 0 | ERR_NET_ACCESS (namespaces are not allowed
 * here) | ERR_NET_*.
 */
MUST_USE int privacy_space_enter(const struct privacy_places *places,
                                 int channel);

/* In the parent: take them. fds has room for 1 + places->count. Returns 0 |
 * ERR_NET_EOF (the child gave up). */
MUST_USE int privacy_space_receive(const struct privacy_places *places,
                                   int channel, int *fds);

/* ---- privacy_packets.c ---- */

/* What went to one place by one protocol. */
struct privacy_flow {
    uint8_t protocol;                  /* IPPROTO_* */
    struct addr to;                    /* port 0: the protocol has none */
    const struct privacy_place *place; /* NULL: not in the configuration */
    uint64_t packets, octets;          /* octets: what they carry */
    uint64_t records;                  /* TLS records that began */
    bool is_all_tls; /* every octet of TCP lies in a TLS record */
};

/* A TCP connection out: where it is in its TLS records. */
struct privacy_conn {
    struct addr to;
    uint16_t from_port;
    uint32_t next_seq;
    uint32_t left; /* octets of the record's body to come */
    uint8_t head[5];
    uint8_t head_len;
    bool has_seq, is_first;
};

struct privacy_tap {
    const struct privacy_places *places;
    struct privacy_flow flows[PRIVACY_FLOWS_MAX];
    size_t flow_count;
    struct privacy_conn conns[PRIVACY_CONNS_MAX];
    size_t conn_count;
    uint64_t unseen; /* packets that did not fit these tables */
};

void privacy_tap_init(struct privacy_tap *t,
                      const struct privacy_places *places);

/* A packet that was sent, from its IP header on. */
void privacy_tap_packet(struct privacy_tap *t, const uint8_t *data, size_t len);

/* ---- privacy_relay.c ---- */

/*
 * Carry octets between the listening sockets (fds[1] on) and the places, and
 * give what fds[0] taps to t, until channel is closed at its other end. Closes
 * all fds.
 */
void privacy_relay_run(const struct privacy_places *places, int *fds,
                       int channel, struct privacy_tap *t);

#endif
