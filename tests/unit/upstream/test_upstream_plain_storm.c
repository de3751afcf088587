/*
 * Everything at once: plain servers that lose, refuse, fall silent, err, hang
 * up and forget EDNS, while queries are asked and taken back and the pool is
 * configured anew. Whatever happens, each query ends at most once, an answer
 * is the right one, and nothing is left over; when all is well again, queries
 * are answered.
 */
#include "base/err.h"
#include "dns/frame.h"
#include "plain_peer.h"
#include "tests.h"
#include "upstream/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEEDS = 40,
    SERVERS = 4,
    STEPS = 250,
    STEP_MS = 15,
    ASKS = 400,
    LAST_ASKS = 20,
    CALM_MS = 60000 /* longer than any back-off */
};

struct storm {
    struct bed *bed;
    struct plain_peer *peers[SERVERS];
    struct ask asks[ASKS];
    bool is_taken_back[ASKS];
    unsigned ask_count;
    struct config configs[2]; /* in use, and next */
    struct config_server entries[2][SERVERS];
    unsigned turn;
    unsigned right;
};

static uint32_t draw(struct storm *s, uint32_t bound)
{
    return sim_between(s->bed->world, 0, bound - 1);
}

/* ---- queries ---- */

/* The same octets as the servers', but for the ID; with OPT, if it has one. */
static void judge(const struct ask *a, const struct upstream_result *result)
{
    static uint8_t want[ZONE_MESSAGE_MAX];
    struct span query = span_of(a->frame + DNS_FRAME_HEAD, dns_get16(a->frame));
    struct dns_query q;

    assert_int_equal(dns_query_parse(query, &q), DNS_QUERY_OK);
    size_t len = zone_answer(query, &q, want);
    assert_int_equal(result->message.len, len);
    assert_memory_equal(result->message.ptr + 2, want + 2, len - 2);
}

static void on_done(struct upstream_request *req,
                    const struct upstream_result *result)
{
    struct ask *a = CONTAINER_OF(req, struct ask, req);
    const struct dns_response *r = &result->response;

    a->done++;
    a->err = result->err;
    if (result->err != 0) {
        return;
    }
    a->rcode = r->rcode;
    a->answer_count = r->answer_count;
    if (r->has_question) {
        assert_memory_equal(r->question.name, req->question.name,
                            req->question.name_len);
    }
    if ((r->rcode == DNS_RCODE_NOERROR || r->rcode == DNS_RCODE_NXDOMAIN) &&
        (r->flags & DNS_FLAG_TC) == 0 && r->opt.is_present) {
        judge(a, result);
    }
}

static struct ask *ask(struct storm *s)
{
    static const int kinds[] = {ZONE_PLAIN, ZONE_PLAIN, ZONE_BIG, ZONE_HUGE,
                                ZONE_NXDOMAIN};
    struct ask *a = &s->asks[s->ask_count++];

    bed_ask_kind(s->bed, a, kinds[draw(s, COUNT_OF(kinds))], draw(s, 1 << 30));
    a->req.on_done = on_done;
    return a;
}

static void take_back(struct storm *s)
{
    for (unsigned i = draw(s, s->ask_count); i < s->ask_count; i++) {
        if (s->asks[i].done == 0 && !s->is_taken_back[i]) {
            s->is_taken_back[i] = true;
            bed_cancel(s->bed, &s->asks[i]);
            return;
        }
    }
}

static void give_up(struct storm *s)
{
    for (unsigned i = 0; i < s->ask_count; i++) {
        if (s->asks[i].done == 0 && !s->is_taken_back[i]) {
            bed_give_up(s->bed, &s->asks[i]);
            return;
        }
    }
}

/* ---- what happens to servers ---- */

static void change_link(struct storm *s)
{
    unsigned n = draw(s, SERVERS);

    bed_link(s->bed, n)->loss_percent = draw(s, 2) * draw(s, 60);
    sim_link_delay(bed_link(s->bed, n), 10 + draw(s, 60000), 1000);
    sim_link_set(s->bed->world, bed_link(s->bed, n),
                 draw(s, 2) == 0 ? SIM_LINK_UP : draw(s, 5));
}

static void reset_link(struct storm *s)
{
    sim_link_reset(s->bed->world, bed_link(s->bed, draw(s, SERVERS)));
}

static void change_manners(struct storm *s)
{
    static const uint8_t rcodes[] = {DNS_RCODE_FORMERR, DNS_RCODE_SERVFAIL,
                                     DNS_RCODE_NOTIMP, DNS_RCODE_REFUSED};
    struct plain_peer *p = s->peers[draw(s, SERVERS)];

    p->is_silent = draw(s, 4) == 0;
    p->rcode = draw(s, 4) == 0 ? rcodes[draw(s, COUNT_OF(rcodes))] : 0;
    p->has_no_edns = draw(s, 4) == 0;
    p->forgets_case = draw(s, 8) == 0;
    p->hangs_up = draw(s, 4) == 0;
    p->tcp_max = draw(s, 4);
}

static void all_well(struct storm *s)
{
    for (unsigned i = 0; i < SERVERS; i++) {
        struct plain_peer *p = s->peers[i];
        p->is_silent = p->has_no_edns = p->forgets_case = p->hangs_up = false;
        p->rcode = p->tcp_max = 0;
        bed_link(s->bed, i)->loss_percent = 0;
        sim_link_delay(bed_link(s->bed, i), 100, 10);
        sim_link_set(s->bed->world, bed_link(s->bed, i), SIM_LINK_UP);
    }
}

/* ---- what happens to the pool ---- */

static void reconfigure_now(void *arg)
{
    struct storm *s = arg;
    struct config *c = &s->configs[s->turn];

    assert_int_equal(
        upstream_pool_reconfigure(s->bed->pool, c, &c->pool, s->bed->trust), 0);
}

static void reconfigure(struct storm *s)
{
    s->turn ^= 1;
    struct config *c = &s->configs[s->turn];
    *c = s->bed->config;
    c->pool.servers = s->entries[s->turn];
    c->pool.server_count = 1 + draw(s, SERVERS);
    c->pool.strategy = draw(s, CONFIG_RACE + 1);
    c->pool.has_random_case = draw(s, 2) == 0;
    for (unsigned i = 0; i < c->pool.server_count; i++) {
        s->entries[s->turn][i] = s->bed->entries[draw(s, SERVERS)];
    }
    bed_do(s->bed, reconfigure_now, s);
}

static void change_network_now(void *arg)
{
    const struct storm *s = arg;

    upstream_pool_network_changed(s->bed->pool, NULL);
}

static void change_network(struct storm *s)
{
    bed_do(s->bed, change_network_now, s);
}

/* ---- the storm ---- */

static void one_step(struct storm *s)
{
    static void (*const events[])(struct storm * s) = {
        take_back,      give_up,     change_link,    change_link,
        change_manners, reconfigure, change_network, reset_link,
    };

    for (unsigned i = draw(s, 4); i > 0 && s->ask_count + LAST_ASKS < ASKS;
         i--) {
        (void)ask(s);
    }
    if (s->ask_count > 0) {
        events[draw(s, COUNT_OF(events))](s);
    }
    bed_run_us(s->bed, draw(s, STEP_MS * 2000));
}

/* All is well, and has been for so long that nobody is set back. */
static void the_calm(struct storm *s)
{
    all_well(s);
    bed_run_ms(s->bed, CALM_MS);
    for (unsigned i = 0; i < s->ask_count; i++) {
        if (!s->is_taken_back[i]) {
            assert_int_equal(s->asks[i].done, 1);
            s->right += s->asks[i].err == 0;
        } else {
            assert_int_equal(s->asks[i].done, 0);
        }
    }
    for (unsigned i = 0; i < LAST_ASKS; i++) {
        const struct ask *a = ask(s);
        bed_run_ms(s->bed, 100);
        assert_int_equal(a->done, 1);
        assert_int_equal(a->err, 0);
        assert_true(a->rcode == DNS_RCODE_NOERROR ||
                    a->rcode == DNS_RCODE_NXDOMAIN);
    }
}

static void run_storm(struct bed *b, uint64_t seed)
{
    struct storm *s = sim_alloc(sizeof(*s));

    s->bed = b;
    rng_seed(&b->world->rng, seed);
    b->world->is_chunking = seed % 2 == 0;
    b->config.max_queries = seed % 3 == 0 ? 16 : 1024;
    for (unsigned i = 0; i < SERVERS; i++) {
        s->peers[i] = plain_peer_add(b, i == 2 ? CONFIG_TCP : CONFIG_UDP);
    }
    bed_start(b);
    for (unsigned i = 0; i < STEPS; i++) {
        one_step(s);
    }
    the_calm(s);
    assert_true(s->right > 0);
    bed_stop(b);
    free(s);
}

static void test_storms(void **state)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        char title[32];
        (void)snprintf(title, sizeof(title), "seed %u", (unsigned)seed);
        run_storm(plain_renew(state, title), seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {PLAIN_TEST(test_storms)};

    return cmocka_run_group_tests_name("upstream_plain_storm", tests, NULL,
                                       NULL);
}
