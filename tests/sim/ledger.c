/*
 * The ledger of queries.
 */
#include "ledger.h"

#include "base/attr.h"
#include "dns/name.h"
#include "zone.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINGER_US = 5000000 /* after the deadline, for second answers */ };

void sim_ledger_init(struct sim_ledger *l, struct sim_world *w)
{
    *l = (struct sim_ledger){.world = w};
    list_init(&l->queries);
}

static void forget(struct sim_query *q)
{
    sim_event_cancel(q->ledger->world, &q->verdict);
    list_remove(&q->node);
    list_remove(&q->all);
    free(q);
}

void sim_ledger_finish(struct sim_ledger *l)
{
    LIST_EACH (node, &l->queries) {
        forget(CONTAINER_OF(node, struct sim_query, all));
    }
    free(l->latency_us);
}

void sim_ledger_fault(struct sim_ledger *l, const char *fmt, ...)
{
    char text[LEDGER_FAULT_LEN];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (l->faults < LEDGER_FAULTS_KEPT) {
        snprintf(l->fault[l->faults], LEDGER_FAULT_LEN, "%s", text);
    }
    if (l->is_verbose) {
        printf("%.6f fault: %s\n", (double)l->world->now_us / 1e6, text);
    }
    l->faults++;
}

static void query_fault(struct sim_query *q, const char *what)
{
    struct sim_world *w = q->ledger->world;
    struct dns_query parsed;
    char name[DNS_NAME_TEXT_MAX] = "?";

    if (dns_query_parse(span_of(q->message, q->len), &parsed) == DNS_QUERY_OK) {
        (void)dns_name_to_text(
            span_of(parsed.question.name, parsed.question.name_len), name);
    }
    sim_ledger_fault(q->ledger, "query %llu (%s, %.40s) asked %.3f s ago: %s",
                     (unsigned long long)q->number, q->is_tcp ? "TCP" : "UDP",
                     name, (double)(w->now_us - q->asked_us) / 1e6, what);
}

bool sim_ledger_was_frozen(const struct sim_ledger *l)
{
    return l->frozen_to_us != 0 && l->world->now_us < l->frozen_to_us + 1000000;
}

/* Since when could the program have known the answer to q? What many ask may
 * share the fate of one who asked before, or a failure that is remembered. */
static uint64_t begun_us(const struct sim_query *q)
{
    const struct sim_ledger *l = q->ledger;
    struct dns_query parsed;

    if (dns_query_parse(span_of(q->message, q->len), &parsed) == DNS_QUERY_OK &&
        zone_number(&parsed.question) < l->common_names) {
        return q->asked_us - l->deadline_us - l->failure_ttl_us;
    }
    return q->asked_us;
}

/* The program stood still while it could have answered q. */
static bool is_frozen(const struct sim_query *q)
{
    const struct sim_ledger *l = q->ledger;
    return l->frozen_to_us != 0 && begun_us(q) < l->frozen_to_us &&
           q->asked_us + l->deadline_us > l->frozen_from_us;
}

/* ---- asking ---- */

/* Are there reasons to wait longer than the deadline? */
static bool may_still_come(const struct sim_query *q)
{
    const struct sim_ledger *l = q->ledger;
    uint64_t age_us = l->world->now_us - q->asked_us;

    return (is_frozen(q) &&
            l->world->now_us < l->frozen_to_us + l->deadline_us) ||
           (q->is_client_slow && age_us < l->deadline_us + 10 * LINGER_US);
}

static void on_verdict(struct sim_event *e)
{
    struct sim_query *q = CONTAINER_OF(e, struct sim_query, verdict);

    if (q->answers == 0 && may_still_come(q)) {
        sim_event_in(q->ledger->world, e, LINGER_US);
        return;
    }
    if (q->answers == 0 && !q->is_excused) {
        query_fault(q, "never answered");
    }
    q->ledger->excused += q->answers == 0 && q->is_excused;
    forget(q);
}

static uint16_t limit_of(const struct sim_ledger *l, bool is_tcp,
                         uint16_t edns_size)
{
    if (is_tcp) {
        return DNS_MESSAGE_MAX;
    }
    uint16_t limit = edns_size < DNS_UDP_MIN ? DNS_UDP_MIN : edns_size;
    return limit < l->max_udp_size ? limit : l->max_udp_size;
}

struct sim_query *sim_ledger_ask(struct sim_ledger *l, struct span message,
                                 bool is_tcp, uint16_t edns_size,
                                 struct list *to)
{
    struct sim_query *q = sim_alloc(sizeof(*q));

    q->ledger = l;
    q->number = ++l->asked;
    q->asked_us = l->world->now_us;
    q->is_tcp = is_tcp;
    q->limit = limit_of(l, is_tcp, edns_size);
    q->len = (uint16_t)message.len;
    memcpy(q->message, message.ptr, message.len);
    list_push_back(to, &q->node);
    list_push_back(&l->queries, &q->all);
    sim_event_init(&q->verdict, on_verdict);
    sim_event_in(l->world, &q->verdict, l->deadline_us + LINGER_US);
    return q;
}

void sim_ledger_restart(struct sim_query *q)
{
    q->asked_us = q->ledger->world->now_us;
    sim_event_in(q->ledger->world, &q->verdict,
                 q->ledger->deadline_us + LINGER_US);
}

void sim_ledger_excuse(struct list *queries)
{
    LIST_EACH (node, queries) {
        struct sim_query *q = CONTAINER_OF(node, struct sim_query, node);
        q->is_excused = true;
        list_remove(&q->node);
    }
}

size_t sim_ledger_open(const struct sim_ledger *l)
{
    size_t count = 0;

    LIST_EACH (node, &l->queries) {
        struct sim_query *q = CONTAINER_OF(node, struct sim_query, all);
        count += q->answers == 0 && !q->is_excused;
    }
    return count;
}

/* ---- answers ---- */

static struct sim_query *find(struct list *queries, struct span answer)
{
    LIST_EACH (node, queries) {
        struct sim_query *q = CONTAINER_OF(node, struct sim_query, node);
        if (memcmp(q->message, answer.ptr, 2) == 0) {
            return q;
        }
    }
    return NULL;
}

static void note_latency(struct sim_ledger *l, uint64_t us)
{
    if (l->latency_count == l->latency_cap) {
        l->latency_cap = l->latency_cap == 0 ? 1024 : l->latency_cap * 2;
        l->latency_us =
            realloc(l->latency_us, l->latency_cap * sizeof(*l->latency_us));
        if (l->latency_us == NULL) {
            abort();
        }
    }
    l->latency_us[l->latency_count++] = (uint32_t)us;
}

static void take_servfail(struct sim_query *q)
{
    struct sim_ledger *l = q->ledger;
    struct dns_query parsed;

    l->servfail++;
    if (dns_query_parse(span_of(q->message, q->len), &parsed) != DNS_QUERY_OK ||
        zone_kind(&parsed.question) == ZONE_SERVFAIL || is_frozen(q)) {
        return; /* an error is all that servers say to it, whichever it is */
    }
    if (!l->is_hopeless(l->arg, &parsed.question, begun_us(q),
                        l->world->now_us)) {
        query_fault(q, "SERVFAIL though a server was healthy");
    }
}

static void take_truncated(struct sim_query *q)
{
    struct dns_query parsed;

    q->ledger->truncated++;
    if (dns_query_parse(span_of(q->message, q->len), &parsed) != DNS_QUERY_OK) {
        return;
    }
    size_t opt_len = parsed.opt.is_present ? DNS_OPT_FIXED_LEN : 0;
    if (zone_answer_len(&parsed.question) + opt_len <= q->limit) {
        query_fault(q, "truncated though it fits");
    }
}

static void take_answer(struct sim_query *q, struct span answer)
{
    struct sim_ledger *l = q->ledger;
    uint64_t latency_us = l->world->now_us - q->asked_us;
    const char *why = NULL;

    if (answer.len > q->limit) {
        query_fault(q, "longer than the client takes");
    }
    switch (zone_judge(span_of(q->message, q->len), answer, &why)) {
    case ZONE_RIGHT:
        l->right++;
        if (!is_frozen(q) && !q->is_client_slow) {
            note_latency(l, latency_us);
        }
        break;
    case ZONE_TRUNCATED:
        take_truncated(q);
        break;
    case ZONE_RELAYED:
        if (!l->may_relay) {
            query_fault(q, why);
        }
        take_servfail(q);
        break;
    case ZONE_GAVE_UP:
        take_servfail(q);
        break;
    case ZONE_WRONG:
        query_fault(q, why);
        break;
    }
    if (latency_us > l->deadline_us && !is_frozen(q) && !q->is_client_slow) {
        query_fault(q, "answered too late");
    }
}

void sim_ledger_answer(struct sim_ledger *l, struct list *queries,
                       struct span answer)
{
    struct sim_query *q = answer.len < 2 ? NULL : find(queries, answer);

    if (q == NULL) {
        sim_ledger_fault(l, "an answer of %zu octets to no query", answer.len);
        return;
    }
    q->answered_us = l->world->now_us;
    if (++q->answers > 1) {
        query_fault(q, "answered again");
        return;
    }
    take_answer(q, answer);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

uint32_t sim_ledger_percentile(struct sim_ledger *l, double percent)
{
    if (l->latency_count == 0) {
        return 0;
    }
    qsort(l->latency_us, l->latency_count, sizeof(*l->latency_us), by_value);
    size_t at = (size_t)((double)(l->latency_count - 1) * percent / 100.0);
    return l->latency_us[at];
}
