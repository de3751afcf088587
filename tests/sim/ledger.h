/*
 * The ledger: every query that a simulated client asked, and what became of
 * it. Here the invariant is checked: each gets exactly one answer, in time,
 * that is right or an honest SERVFAIL; and no SERVFAIL while a server could
 * have answered.
 */
#ifndef SIM_LEDGER_H
#define SIM_LEDGER_H

#include "base/span.h"
#include "dns/message.h"
#include "world.h"

enum { LEDGER_QUERY_MAX = 300, LEDGER_FAULTS_KEPT = 8, LEDGER_FAULT_LEN = 200 };

struct sim_ledger;

struct sim_query {
    struct list node; /* in its client's list */
    struct list all;  /* in the ledger's */
    struct sim_event verdict;
    struct sim_ledger *ledger;
    uint64_t number;
    uint64_t asked_us, answered_us;
    unsigned answers;
    uint64_t mark; /* the client's own use */
    bool is_tcp;
    bool is_excused;     /* its client left: no answer is due */
    bool is_client_slow; /* it did not read: latency is its own */
    uint16_t limit;      /* octets an answer may have */
    uint16_t len;
    uint8_t message[LEDGER_QUERY_MAX];
};

/* Was no server able to answer q all the time from .. to? Then SERVFAIL is. */
typedef bool sim_ledger_hopeless_fn(void *arg, const struct dns_question *q,
                                    uint64_t from_us, uint64_t to_us);

struct sim_ledger {
    struct sim_world *world;
    sim_ledger_hopeless_fn *is_hopeless;
    void *arg;
    uint64_t deadline_us;                  /* from asking to the answer */
    uint64_t frozen_from_us, frozen_to_us; /* the program stood still */
    uint64_t failure_ttl_us; /* the program believes a failure so long */
    uint64_t common_names;   /* names below this are asked again and again */
    uint16_t max_udp_size;
    bool is_verbose;
    bool may_relay; /* servers answered with errors of their own */

    struct list queries;
    uint64_t asked, right, servfail, truncated, excused;
    uint64_t faults;
    char fault[LEDGER_FAULTS_KEPT][LEDGER_FAULT_LEN];
    uint32_t *latency_us; /* of every right answer */
    size_t latency_count, latency_cap;
};

void sim_ledger_init(struct sim_ledger *l, struct sim_world *w);
void sim_ledger_finish(struct sim_ledger *l);

/* A client asks: the message is copied. The query is put into list `to`, and
 * off it when the ledger is done with it, seconds after its deadline. */
struct sim_query *sim_ledger_ask(struct sim_ledger *l, struct span message,
                                 bool is_tcp, uint16_t edns_size,
                                 struct list *to);

/* The last octet of q leaves only now. */
void sim_ledger_restart(struct sim_query *q);

/* An answer came. Queries are found by ID among those of one client; an answer
 * that belongs to none is a fault. */
void sim_ledger_answer(struct sim_ledger *l, struct list *queries,
                       struct span answer);

/* The client is gone: nothing more is due to those in the list. */
void sim_ledger_excuse(struct list *queries);

/* Has the program stood still in the last second or so? */
bool sim_ledger_was_frozen(const struct sim_ledger *l);

/* Something is wrong: kept for the report. */
__attribute__((format(printf, 2, 3))) void
sim_ledger_fault(struct sim_ledger *l, const char *fmt, ...);

/* Queries that have no answer and are due one. */
size_t sim_ledger_open(const struct sim_ledger *l);

/* Latency that percent % of the right answers do not exceed. */
uint32_t sim_ledger_percentile(struct sim_ledger *l, double percent);

#endif
