/*
 * The test bed of upstream and resolver: a simulated world with a pool on one
 * loop and DoT servers on another. Nothing happens but in bed_run_*() and in
 * the calls below that say so; time is simulated, and a failing test fails
 * alike every time.
 */
#ifndef TESTS_UPSTREAM_BED_H
#define TESTS_UPSTREAM_BED_H

#include "peer.h"
#include "sim/server.h"
#include "sim/zone.h"
#include "upstream/upstream.h"

enum {
    BED_SERVERS_MAX = UPSTREAM_SERVERS_MAX,
    BED_LABEL_LEN = 48,
    BED_FRAME_MAX = 512,
    BED_TURN_US = 200,  /* a trip over loopback and back, at the most */
    BED_PATH_US = 10000 /* to a server that is far: its handshake takes time */
};

struct bed {
    struct sim_world *world;
    struct net_loop *loop, *peers_loop;
    struct config config; /* may be changed before bed_start() */
    struct config_server entries[BED_SERVERS_MAX];
    char labels[BED_SERVERS_MAX][BED_LABEL_LEN];
    char names[BED_SERVERS_MAX][BED_LABEL_LEN];
    struct sim_server *servers[BED_SERVERS_MAX]; /* NULL: a peer, or nobody */
    struct peer *peers[BED_SERVERS_MAX];         /* NULL: not one */
    struct tls_trust *trust;
    struct upstream_pool *pool;
};

/* cmocka's setup and teardown of every test: *state is a struct bed. The
 * teardown closes the pool if there is one, and fails when a socket, a timer
 * or a request is left over. */
int bed_setup(void **state);
int bed_teardown(void **state);

/* A fresh bed for the next row of a table. */
struct bed *bed_renew(void **state, const char *title);

/* One more server of the configuration, as number config.pool.server_count. */
struct sim_server *bed_add_server(struct bed *b);
struct sim_server *bed_add_far_server(struct bed *b);
struct peer *bed_add_peer(struct bed *b); /* the test answers by hand */
void bed_add_nobody(struct bed *b);       /* connections are refused */

/* Server n answers every query with this error. */
void bed_refuse(struct bed *b, unsigned n, unsigned rcode);

/* Connections that server n has now. */
size_t bed_conn_count(const struct bed *b, unsigned n);

/* The link of server n. */
struct sim_link *bed_link(struct bed *b, unsigned n);

/* Create the pool; bed_start_ready() also lets its connections open. */
void bed_start(struct bed *b);
void bed_start_ready(struct bed *b);
void bed_stop(struct bed *b);

void bed_run_us(struct bed *b, uint64_t us);
void bed_run_ms(struct bed *b, uint64_t ms);

/* Run fn(arg) inside a turn of the pool's loop; the world runs until then. */
void bed_do(struct bed *b, void (*fn)(void *arg), void *arg);

static inline const struct upstream_stats *bed_stats(const struct bed *b)
{
    return upstream_pool_stats(b->pool);
}

/* A request, and what came of it. */
struct ask {
    struct upstream_request req;
    struct bed *bed;
    uint8_t frame[BED_FRAME_MAX];
    unsigned done; /* times that on_done was called */
    int err;
    unsigned rcode;
    unsigned answer_count;
    uint64_t asked_us, done_us;
};

/* Give a new request for name `number` of the zone's kind to the pool, in a
 * turn of its loop. */
void bed_ask_kind(struct bed *b, struct ask *a, int kind, uint64_t number);
void bed_ask(struct bed *b, struct ask *a, uint64_t number);

/* The same for count requests in one turn. */
void bed_ask_many(struct bed *b, struct ask *asks, size_t count);

void bed_cancel(struct bed *b, struct ask *a);
void bed_give_up(struct bed *b, struct ask *a);

/* Ask count names, each with up to limit_ms until its answer. Returns how many
 * were answered with NOERROR. */
unsigned bed_ask_in_turn(struct bed *b, unsigned count, uint64_t limit_ms);

/* Ask a far server for ms, every gap_ms; each is answered. Returns how many
 * answers took longer than a round trip and what a server needs. */
unsigned bed_ask_for(struct bed *b, uint64_t ms, uint64_t gap_ms);

/* Give it to count servers that hang up at each query, over connections that
 * are ready some milliseconds after it came. */
void bed_ask_killers(struct bed *b, struct ask *a, unsigned count);

/* Run until a is done, at most limit_ms; returns whether it is. */
bool bed_wait(struct bed *b, const struct ask *a, uint64_t limit_ms);

/* Milliseconds from asking to the end. */
static inline uint64_t ask_took_ms(const struct ask *a)
{
    return (a->done_us - a->asked_us) / 1000;
}

/* Fails when a did not end exactly once with this. */
#define assert_answered(a, want_rcode) \
    do { \
        assert_int_equal((a)->done, 1); \
        assert_int_equal((a)->err, 0); \
        assert_int_equal((a)->rcode, (want_rcode)); \
    } while (0)

#define assert_failed(a) \
    do { \
        assert_int_equal((a)->done, 1); \
        assert_int_equal((a)->err, ERR_NET_OTHER); \
    } while (0)

#endif
