/*
 * Plain servers: which one takes a query, and how well each is.
 *
 * A server fails when it gives no answer in time (and gave none to any other
 * query since), when its port is closed, when a connection cannot be made or
 * dies before it gave an answer. Any answer ends the count. After two failures
 * in a row it is set back for a time that doubles; it is then picked once, and
 * again when that time is over.
 *
 * A query whose request ended without it is listened for a while longer: the
 * trial. One answer that is later than those of other servers is enough to see
 * that this one lives, and how slow it is.
 */
#include "upstream/plain_internal.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ROOM "upstream"

static void on_trial_timer(struct net_timer *t)
{
    struct plain_server *s = CONTAINER_OF(t, struct plain_server, trial_timer);

    if (s->trial->is_late) {
        plain_copy_drop(s->trial);
        return;
    }
    s->trial->is_late = true;
    plain_server_failed(s, s->trial->sent_us, ERR_NET_TIMEOUT, NULL);
    net_timer_start(t, PLAIN_TRIAL_MS);
}

bool plain_server_keep_trial(struct plain_server *s, struct plain_copy *c)
{
    uint64_t wait = PLAIN_TRIAL_MS;

    if (s->trial != NULL) {
        return false;
    }
    if (!c->is_late) {
        wait = plain_server_wait_ms(s, c->stream != NULL, 0);
    }
    memcpy(s->trial_name, c->question->name, c->question->name_len);
    s->trial_question = *c->question;
    s->trial_question.name = s->trial_name;
    c->question = &s->trial_question;
    c->req = NULL;
    s->trial = c;
    net_timer_start(&s->trial_timer, wait);
    return true;
}

struct plain_server *plain_server_create(struct plain *p,
                                         const struct config_server *config)
{
    struct plain_server *s = calloc(1, sizeof(*s));

    if (s != NULL) {
        s->pool = p;
        s->config = config;
        list_init(&s->sockets);
        net_timer_init(&s->trial_timer, p->loop, on_trial_timer);
    }
    return s;
}

void plain_server_destroy(struct plain_server *s)
{
    if (s == NULL) {
        return;
    }
    if (s->trial != NULL) {
        plain_copy_drop(s->trial);
    }
    if (s->stream != NULL) {
        plain_tcp_close(s->stream, 0);
    }
    free(s);
}

/* ---- which one ---- */

bool plain_server_is_doubtful(const struct plain_server *s)
{
    return s->failures >= PLAIN_SET_BACK_AFTER;
}

/* Who may be picked. */
struct choice {
    uint64_t asked;
    uint64_t now_ms;
    bool is_lenient; /* those that are set back, too */
};

static bool may_pick(const struct plain_server *s, const struct choice *choice)
{
    return (choice->asked & plain_server_bit(s)) == 0 &&
           (choice->is_lenient || !plain_server_is_doubtful(s) ||
            choice->now_ms >= s->retry_ms);
}

/* Those that may be picked, in the order of the file. */
static size_t candidates_of(const struct plain *p, const struct choice *choice,
                            struct plain_server *out[UPSTREAM_SERVERS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < p->count; i++) {
        if (may_pick(p->servers[i], choice)) {
            out[count++] = p->servers[i];
        }
    }
    return count;
}

/* Smooth weighted round robin: see strategy.c. */
static struct plain_server *pick_in_turn(struct plain_server *const *of,
                                         size_t count)
{
    struct plain_server *best = of[0];
    int sum = 0;

    for (size_t i = 0; i < count; i++) {
        of[i]->credit += (int)of[i]->config->weight;
        sum += (int)of[i]->config->weight;
        if (of[i]->credit > best->credit) {
            best = of[i];
        }
    }
    best->credit -= sum;
    return best;
}

/* One that was not measured yet is tried. */
static uint64_t cost_of(const struct plain_server *s)
{
    return s->latency.average_us / s->config->weight;
}

/* The better of two taken at random. */
static struct plain_server *
pick_better(struct plain *p, struct plain_server *const *of, size_t count)
{
    uint32_t first = rng_below(&p->rng, (uint32_t)count);
    uint32_t step = rng_below(&p->rng, (uint32_t)count - 1);
    struct plain_server *a = of[first];
    struct plain_server *b = of[count > 1 ? (first + 1 + step) % count : first];
    bool is_first = cost_of(a) <= cost_of(b);
    struct plain_server *other = is_first ? b : a;

    /* Until it is tried again. */
    other->latency.average_us -= other->latency.average_us / 128;
    return is_first ? a : b;
}

static struct plain_server *pick(struct plain *p, const struct choice *choice)
{
    struct plain_server *of[UPSTREAM_SERVERS_MAX];
    size_t count = candidates_of(p, choice, of);

    if (count == 0) {
        return NULL;
    }
    switch (p->set->strategy) {
    case CONFIG_ROUND_ROBIN:
        return pick_in_turn(of, count);
    case CONFIG_FASTEST:
        return pick_better(p, of, count);
    case CONFIG_FAILOVER:
    case CONFIG_RACE:
        break;
    }
    return of[0];
}

/* retry_min doubled for each failure more than it takes, at most retry_max. */
static uint64_t set_back_ms(struct plain_server *s)
{
    const struct config *config = s->pool->config;
    uint64_t wait = config->retry_min_ms;

    for (unsigned i = PLAIN_SET_BACK_AFTER;
         i < s->failures && wait < config->retry_max_ms; i++) {
        wait *= 2;
    }
    wait = wait < config->retry_max_ms ? wait : config->retry_max_ms;
    return rng_jitter(&s->pool->rng, wait, 20);
}

struct plain_server *plain_server_pick(struct plain *p, uint64_t asked)
{
    struct choice choice = {.asked = asked, .now_ms = net_now_ms(p->loop)};
    struct plain_server *s = pick(p, &choice);

    if (s == NULL) {
        choice.is_lenient = true;
        s = pick(p, &choice);
    }
    if (s != NULL && plain_server_is_doubtful(s)) {
        s->retry_ms = choice.now_ms + set_back_ms(s); /* one is enough */
    }
    return s;
}

bool plain_server_has_sound(const struct plain *p, uint64_t asked)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct plain_server *s = p->servers[i];
        if ((asked & plain_server_bit(s)) == 0 &&
            !plain_server_is_doubtful(s)) {
            return true;
        }
    }
    return false;
}

/* ---- how well ---- */

/* RFC 6298 section 2, with bounds that fit a query. */
uint64_t plain_server_wait_ms(const struct plain_server *s, bool is_tcp,
                              unsigned round)
{
    uint64_t wait = (s->latency.average_us + 4 * s->variance_us) / 1000 + 1;

    if (is_tcp) {
        return s->pool->config->answer_timeout_ms;
    }
    if (s->latency.average_us == 0) {
        wait = PLAIN_WAIT_FIRST_MS;
    }
    wait = wait > PLAIN_WAIT_MIN_MS ? wait : PLAIN_WAIT_MIN_MS;
    wait = wait < PLAIN_WAIT_MAX_MS ? wait : PLAIN_WAIT_MAX_MS;
    return wait << (round < PLAIN_DOUBLINGS_MAX ? round : PLAIN_DOUBLINGS_MAX);
}

static void measure(struct plain_server *s, uint64_t took_us)
{
    uint64_t usual_us = s->latency.average_us;
    uint64_t off = took_us > usual_us ? took_us - usual_us : usual_us - took_us;

    s->variance_us =
        usual_us == 0 ? took_us / 2 : (3 * s->variance_us + off) / 4;
    latency_add(&s->latency, took_us);
}

void plain_server_answered(struct plain_server *s, const struct plain_copy *c)
{
    s->heard_us = net_now_us(s->pool->loop);
    s->answers++;
    if (c->stream == NULL || s->config->transport == CONFIG_TCP) {
        measure(s, s->heard_us - c->sent_us);
    }
    s->failures = 0;
    s->retry_ms = 0;
    if (s->is_told_down) {
        s->is_told_down = false;
        log_notice("%s: up", s->config->label);
    }
}

void plain_server_failed(struct plain_server *s, uint64_t sent_us, int err,
                         const char *why)
{
    if (s->failed_us > sent_us || s->heard_us > sent_us) {
        return;
    }
    s->failed_us = net_now_us(s->pool->loop);
    s->failures++;
    s->last_err = err;
    s->retry_ms = net_now_ms(s->pool->loop) + set_back_ms(s);
    snprintf(s->why, sizeof(s->why), "%s%s%s", why == NULL ? "" : why,
             why == NULL ? "" : ": ", err_text(err));
    if (s->failures >= PLAIN_DOWN_AFTER && !s->is_told_down) {
        s->is_told_down = true;
        log_warning("%s: %s", s->config->label, s->why);
    } else {
        log_debug("%s: %s (%u times in a row)", s->config->label, s->why,
                  s->failures);
    }
}
