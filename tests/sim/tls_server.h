/*
 * The server's side of the toy protocol, for simulated DoT servers.
 */
#ifndef SIM_TLS_SERVER_H
#define SIM_TLS_SERVER_H

#include "tls_wire.h"

/* What the sessions of a server have in common. */
struct tls_server_identity {
    struct tls_certificate certificate;
    uint8_t version;  /* 12 or 13 */
    unsigned tickets; /* given after each full handshake */
    uint32_t secret;  /* of the tickets; a restart makes a new one */
    uint32_t next_ticket;
};

enum tls_server_state {
    TLS_SERVER_HELLO,    /* waiting for it */
    TLS_SERVER_FINISHED, /* waiting for it */
    TLS_SERVER_READY,
    TLS_SERVER_ENDED
};

struct tls_server {
    struct tls_server_identity *identity;
    enum tls_server_state state;
    struct tls_direction to_client, from_client;
    struct buf in, output;
    struct tls_hello hello;
    bool is_resumed;
    unsigned data_records; /* that came, readable */
    unsigned early_data;   /* that came before the handshake was over: a
                              client must never do that */
};

void tls_server_init(struct tls_server *s, struct tls_server_identity *id);
void tls_server_finish(struct tls_server *s);

/*
 * Advance by octets of the client; plaintext is appended to out, what is to be
 * sent to s->output. Returns 0 | ERR_TLS_PROTOCOL | ERR_TLS_CLOSED (client's
 * alert, or close_notify).
 */
MUST_USE int tls_server_recv(struct tls_server *s, struct span in,
                             struct buf *out);

/* One record of data; only when TLS_SERVER_READY. */
void tls_server_send(struct tls_server *s, struct span data);

void tls_server_send_ticket(struct tls_server *s);
void tls_server_close(struct tls_server *s);

#endif
