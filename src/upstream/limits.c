/*
 * When a server ends connections. It may tell how long it keeps one that is
 * not used (RFC 7828); else its closes show it, and whether it ends them at
 * some age, or after some number of queries. Before a limit is reached another
 * connection is opened, by resumption, and takes the queries; so none has to
 * wait for a handshake, and few are lost with a connection and moved.
 *
 * What was seen is a guess, so it is tested now and then: the old connection,
 * retired, is left to the server to close. If it lives half as long again, the
 * guess was wrong, and the limit goes up. A count of queries can only be tested
 * by asking more: one connection of several does. The others are closed by us,
 * in order, once all is answered: a connection that is cut may end others, for
 * OpenSSL keeps the error of one for the next call on any.
 */
#include "upstream/internal.h"

#include "base/err.h"

#define LOG_ROOM "upstream"

enum {
    AGE_LEAST_MS = 500, /* shorter lives and pauses teach nothing */
    IDLE_LEAST_MS = 200,
    SEEN_MOST_MS = 10 * 60 * 1000, /* longer ones need no successor */
    TEST_FIRST = 4, /* the how many-eth retirement is a test … */
    TEST_TIMES = 4, /* … and the next one after so many times as many … */
    TEST_RARELY = 256,   /* … until there is one in so many */
    TEST_BUSY_TIMES = 8, /* put off so long while clients ask */
    TEST_QUIET_MS = 1000,
    COUNT_LEAST = 8,
    COUNT_EVERY_FIRST = 64,
    COUNT_EVERY_MAX = 1024,
    LEAD_LEAST_MS = 25,
    DIAL_GUESS_MS = 200 /* when no handshake was measured */
};

static uint64_t now_ms(const struct upstream_conn *c)
{
    return net_now_ms(c->server->pool->loop);
}

/* How long before a limit of limit_ms queries must not be sent any more: an
 * answer has to come back in time, and clocks and timers differ. */
static uint64_t margin_ms(const struct upstream_conn *c, uint32_t limit_ms)
{
    uint64_t answer_ms = c->server->latency.p99_us / 500 + 20;
    uint64_t share_ms = limit_ms / 32;
    uint64_t early_ms = share_ms * c->early / 256;

    return (answer_ms > share_ms ? answer_ms : share_ms) + early_ms;
}

/* How long before that the successor is dialled. */
static uint64_t lead_ms(const struct upstream_server *s)
{
    return LEAD_LEAST_MS +
           2 * (uint64_t)(s->dial_ms > 0 ? s->dial_ms : DIAL_GUESS_MS);
}

/* A limit so short that connections would be opened all the time, each for a
 * quarter of it, is left to the server. */
static uint64_t until_ms(const struct upstream_conn *c, uint64_t from_ms,
                         uint32_t limit_ms)
{
    uint64_t margin = margin_ms(c, limit_ms);
    uint64_t at_ms = from_ms + limit_ms;
    uint64_t end_ms = now_ms(c) + margin;

    if (limit_ms < (margin + lead_ms(c->server)) * 4 / 3) {
        return UINT64_MAX;
    }
    return at_ms > end_ms ? at_ms - end_ms : 0;
}

/* How long it may take queries; UINT64_MAX: no end is known. is_age says which
 * limit it is. */
static uint64_t left_ms(const struct upstream_conn *c, bool *is_age)
{
    const struct limits *l = &c->server->limits;
    uint32_t idle_ms = limits_idle_ms(l);
    uint64_t left = UINT64_MAX;

    *is_age = false;
    if (idle_ms > 0 && c->outstanding == 0) {
        left = until_ms(c, conn_active_ms(c), idle_ms);
    }
    if (l->age_ms > 0) {
        uint64_t age_left = until_ms(c, c->started_ms, l->age_ms);
        *is_age = age_left < left;
        left = *is_age ? age_left : left;
    }
    return left;
}

/* Is there another connection that will last a while? */
static bool has_successor(const struct upstream_conn *c)
{
    const struct upstream_server *s = c->server;

    LIST_EACH (node, &s->conns) {
        const struct upstream_conn *other =
            CONTAINER_OF(node, struct upstream_conn, node);
        bool is_age;
        if (other != c && conn_has_room(other) &&
            left_ms(other, &is_age) > lead_ms(s) &&
            (s->limits.count == 0 || other->sent <= s->limits.count / 2)) {
            return true;
        }
    }
    return false;
}

/* No more queries. Unless it lingers, it closes with its last answer. */
static void retire(struct upstream_conn *c)
{
    log_debug("%s: connection retired after %llu ms and %u queries",
              c->server->config->label,
              (unsigned long long)(now_ms(c) - c->started_ms), c->sent);
    conn_mark(c, c->is_suspect, true);
    if (c->outstanding == 0) {
        conn_leave(c, 0);
    }
    pool_review(c->server->pool);
}

/* While clients ask it is put off, for the end of one connection may do harm to
 * others; but not when the limit may be one of queries, taken for another. */
static bool is_test_due(const struct upstream_conn *c)
{
    const struct limits *l = &c->server->limits;
    bool is_busy = now_ms(c) - c->server->pool->asked_ms < TEST_QUIET_MS;
    uint64_t times = is_busy && l->count == 0 ? TEST_BUSY_TIMES : 1;

    return l->uses >= l->next_test * times;
}

/* Left to the server to close, to see when it does: for half as long again as
 * the limit that was seen. */
static void linger(struct upstream_conn *c, bool is_age)
{
    struct limits *l = &c->server->limits;
    uint64_t from_ms = is_age ? c->started_ms : conn_active_ms(c);
    uint32_t limit_ms = is_age ? l->age_ms : l->idle_ms;

    if (limit_ms == 0 || (!is_age && limits_idle_ms(l) < limit_ms)) {
        return; /* the limit was told */
    }
    l->uses++;
    if (!is_test_due(c)) {
        return;
    }
    l->uses = 0;
    l->next_test = l->next_test == 0 ? TEST_FIRST : l->next_test * TEST_TIMES;
    if (l->next_test > TEST_RARELY) {
        l->next_test = TEST_RARELY;
    }
    c->is_lingering = true;
    c->is_aged = is_age;
    c->linger_ms = from_ms + limit_ms + limit_ms / 2;
}

static void outlived(struct upstream_conn *c)
{
    struct limits *l = &c->server->limits;
    uint32_t *limit_ms = c->is_aged ? &l->age_ms : &l->idle_ms;

    *limit_ms = *limit_ms < SEEN_MOST_MS ? *limit_ms + *limit_ms / 2 : 0;
    l->next_test = 0; /* and the new one is tested at once */
    c->is_lingering = false;
    conn_leave(c, 0);
}

static uint64_t check_retired(struct upstream_conn *c)
{
    if (!c->is_lingering) {
        return UINT64_MAX;
    }
    if (now_ms(c) < c->linger_ms) {
        return c->linger_ms - now_ms(c);
    }
    outlived(c);
    return UINT64_MAX;
}

/* A limit that is not kept ahead of is not tested: a connection that grew older
 * all the same shows that it is wrong. */
static void outgrow(const struct upstream_conn *c)
{
    struct limits *l = &c->server->limits;
    uint64_t age_ms = now_ms(c) - c->started_ms;

    if (l->age_ms > 0 && age_ms > l->age_ms + l->age_ms / 4) {
        l->age_ms = age_ms < SEEN_MOST_MS ? (uint32_t)age_ms : 0;
    }
}

/* Is it worth a connection that another is ready before c ends? */
static bool is_kept_ahead(const struct upstream_conn *c)
{
    const struct upstream_server *s = c->server;

    return !c->is_suspect && strategy_wants_warm(s->pool, s) > 0 &&
           (limits_allow_warmth(&s->limits) || c->outstanding > 0 ||
            now_ms(c) - conn_active_ms(c) < s->limits.age_ms / 2);
}

/* c has no time left, and no successor. What may end that wakes c again, by
 * limits_wake(); should it be something else, the next look is not far. */
static uint64_t look_again_ms(const struct upstream_server *s)
{
    const struct config *config = s->pool->config;
    bool is_awaited =
        s->dialing > 0 || !server_is_well(s) || net_timer_is_active(&s->retry);

    return is_awaited ? config->retry_max_ms : config->retry_min_ms;
}

uint64_t limits_check(struct upstream_conn *c)
{
    struct upstream_server *s = c->server;
    bool is_age;

    if (c->is_retired) {
        return check_retired(c);
    }
    outgrow(c);
    uint64_t left = left_ms(c, &is_age);
    if (left == UINT64_MAX || !is_kept_ahead(c)) {
        return UINT64_MAX; /* it may end as it likes */
    }
    uint64_t lead = lead_ms(s);
    if (left > lead) {
        return left - lead;
    }
    if (!has_successor(c)) {
        server_dial_successor(s);
        return left > 0 ? left : look_again_ms(s);
    }
    if (left > 0) {
        return left;
    }
    linger(c, is_age);
    retire(c);
    return check_retired(c);
}

void limits_surplus(struct upstream_conn *c)
{
    const struct upstream_server *s = c->server;

    if (!c->is_retired && s->ready > s->pool->config->connections_per_server) {
        retire(c);
    }
}

/* ---- counted queries ---- */

static void limit_count(struct upstream_conn *c)
{
    uint32_t count = c->server->limits.count;

    c->count_limit = count;
    c->count_mark = count > 0 ? count / 4 : UINT32_MAX;
}

void limits_begin(struct upstream_conn *c)
{
    struct limits *l = &c->server->limits;
    uint64_t lead = lead_ms(c->server);
    bool is_age;

    c->early = (uint8_t)rng_next(&c->server->pool->rng);
    limit_count(c);
    if (l->count > 0 && ++l->count_uses >= l->count_every) {
        l->count_uses = 0;
        c->count_limit += l->count / 8 + 1;
    }
    uint64_t left = left_ms(c, &is_age);
    if (left != UINT64_MAX) {
        conn_wake_in(c, left > lead ? left - lead : 1);
    }
}

/* At the present rate, how long until the limit? */
static uint64_t count_left_ms(const struct upstream_conn *c)
{
    uint64_t age_ms = now_ms(c) - c->ready_ms + 1;

    return (c->count_limit - c->sent) * age_ms / c->sent;
}

static void count_reached(struct upstream_conn *c)
{
    struct limits *l = &c->server->limits;

    c->count_mark = UINT32_MAX;
    if (l->count > 0 && c->answers > l->count) {
        l->count = 0; /* it was not that */
        return;
    }
    if (l->count == 0 || c->is_retired) {
        return;
    }
    retire(c);
    if (!has_successor(c)) {
        server_dial_successor(c->server);
    }
}

void limits_count(struct upstream_conn *c)
{
    if (c->sent >= c->count_limit) {
        count_reached(c);
        return;
    }
    uint32_t last_mark = c->count_limit - c->count_limit / 4;
    c->count_mark = c->sent + (c->count_limit - c->sent + 1) / 2;
    if (c->count_mark > last_mark) {
        c->count_mark = last_mark;
    }
    /* The rest may be asked all at once. */
    if (c->sent >= last_mark ||
        count_left_ms(c) <= lead_ms(c->server) * 3 / 2) {
        c->count_mark = c->count_limit;
        if (!has_successor(c)) {
            server_dial_successor(c->server);
        }
    }
}

/* ---- what closes show ---- */

void limits_used(struct upstream_conn *c)
{
    struct limits *l = &c->server->limits;
    uint64_t idle_ms = now_ms(c) - conn_active_ms(c);

    outgrow(c);
    if (l->idle_ms > 0 && idle_ms > l->idle_ms + l->idle_ms / 4) {
        l->idle_ms = idle_ms < SEEN_MOST_MS ? (uint32_t)idle_ms : 0;
    }
}

/* The shortest seen; a longer one pulls it up a little. */
static void learn_ms(struct limits *l, uint32_t *limit_ms, uint64_t seen_ms)
{
    if (seen_ms > SEEN_MOST_MS ||
        seen_ms < (limit_ms == &l->age_ms ? AGE_LEAST_MS : IDLE_LEAST_MS)) {
        return;
    }
    if (*limit_ms == 0 || seen_ms < *limit_ms - *limit_ms / 8) {
        l->uses = 0;
        l->next_test = TEST_FIRST; /* another guess */
    }
    if (*limit_ms == 0 || seen_ms < *limit_ms) {
        *limit_ms = (uint32_t)seen_ms;
    } else {
        *limit_ms += (uint32_t)(seen_ms - *limit_ms) / 4;
    }
}

static bool is_near(uint64_t a, uint64_t b, unsigned share)
{
    uint64_t most = a > b ? a : b;

    return most - (a + b - most) <= most / share;
}

/* A number is believed when two in a row are alike: one may be chance, and
 * too low a number costs handshakes without end. */
static void learn_count(struct limits *l, const struct upstream_conn *c)
{
    uint32_t count = c->answers;
    bool is_sure = is_near(count, l->last_count, 64);

    l->last_count = count;
    if (count < COUNT_LEAST) {
        return;
    }
    if (l->count > 0 && count >= l->count) {
        bool has_tried = c->count_limit > l->count && count < c->count_limit;
        l->count_every *= has_tried && l->count_every < COUNT_EVERY_MAX ? 2 : 1;
    } else if (is_sure) {
        l->count = count;
        l->count_uses = 0;
        l->count_every = COUNT_EVERY_FIRST;
    }
}

static void learn_end(struct limits *l, const struct upstream_conn *c)
{
    uint64_t age_ms = now_ms(c) - c->started_ms;
    uint64_t idle_ms = now_ms(c) - conn_active_ms(c);
    bool is_idle = c->outstanding == 0 && idle_ms >= IDLE_LEAST_MS;

    if (c->is_lingering) {
        learn_ms(l, c->is_aged ? &l->age_ms : &l->idle_ms,
                 c->is_aged ? age_ms : idle_ms);
    } else if (c->is_retired) {
        if (c->count_limit > 0 && c->sent >= c->count_limit) {
            learn_count(l, c); /* its age has no say in that */
        }
        return;
    } else if (is_idle && is_near(age_ms, l->last_age_ms, 32) &&
               !is_near(idle_ms, l->last_idle_ms, 8)) {
        learn_ms(l, &l->age_ms, age_ms); /* the pause was chance, both times */
        l->idle_ms = 0;
    } else if (is_idle && l->age_ms > 0 && is_near(age_ms, l->age_ms, 32)) {
        learn_ms(l, &l->age_ms, age_ms);
    } else if (is_idle) {
        learn_ms(l, &l->idle_ms, idle_ms);
    } else if (c->answers > 0) {
        learn_count(l, c);
        if (l->count != c->answers) {
            learn_ms(l, &l->age_ms, age_ms);
        } else if (!is_near(age_ms, l->last_age_ms, 32)) {
            l->age_ms = 0; /* the age was chance, both times */
        }
    }
    if (age_ms <= UINT32_MAX) {
        l->last_age_ms = (uint32_t)age_ms;
        l->last_idle_ms = (uint32_t)idle_ms;
    }
}

void limits_learn(const struct upstream_conn *c)
{
    struct limits *l = &c->server->limits;

    if (c->is_suspect || (c->answers == 0 && c->outstanding > 0)) {
        return; /* trouble, not a habit */
    }
    learn_end(l, c);
    log_debug("%s: closed %llu ms old, %u answers; limits: idle %u ms, age %u "
              "ms, %u queries",
              c->server->config->label,
              (unsigned long long)(now_ms(c) - c->started_ms), c->answers,
              limits_idle_ms(l), l->age_ms, l->count);
    LIST_EACH (node, &c->server->conns) {
        struct upstream_conn *other =
            CONTAINER_OF(node, struct upstream_conn, node);
        if (other->state == CONN_READY && other->count_limit == 0) {
            limit_count(other);
        }
    }
    limits_wake(c->server);
}

void limits_told(struct upstream_conn *c, unsigned units)
{
    struct limits *l = &c->server->limits;

    c->is_told = true;
    l->untold = 0;
    if (units == 0) {
        if (!c->is_retired) {
            retire(c); /* it wants to be rid of us: RFC 7828 section 3.4 */
        }
        return;
    }
    if (units * 100 > l->told_idle_ms) {
        l->next_test = 0; /* so a shorter one that was seen may be no more */
    }
    if (units * 100 != l->told_idle_ms) {
        l->told_idle_ms = units * 100;
        limits_wake(c->server);
    }
}
