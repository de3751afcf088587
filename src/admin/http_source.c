/*
 * Between two threads: the lock is held for a few assignments only, and what
 * was published belongs to the taker.
 */
#include "admin/http_source.h"

#include "base/err.h"
#include "base/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOG_ROOM "admin"

enum { FRESH_MS = 200, PATIENCE_MS = 1000 };

struct http_source {
    struct net_loop *loop;
    struct admin_hooks hooks;

    /* the main thread's */
    struct net_timer timer;
    struct history history;
    bool is_sampling; /* a report for it is on its way */

    /* the HTTP thread's */
    struct http_shot *current; /* owned */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    struct http_shot *fresh; /* owned; published, not yet taken */
    bool is_asked;           /* one is on its way … */
    uint64_t asked_at_ms;    /* … since */
    bool is_stopped;
};

/* The HTTP thread has no loop whose clock it could ask. */
static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- copies ---- */

static void shot_destroy(struct http_shot *shot)
{
    if (shot == NULL) {
        return;
    }
    for (size_t i = 0; i < shot->report.pool_count; i++) {
        free((char *)shot->report.pools[i].zone);
        free(shot->report.pools[i].servers);
    }
    free(shot->report.pools);
    free(shot);
}

/* Texts that are not static live in the configuration, which may go. */
static int copy_pool(const struct admin_pool *from, struct admin_pool *to)
{
    *to = *from;
    to->zone = strdup(from->zone);
    to->servers = calloc(from->server_count + 1, sizeof(*to->servers));
    if (to->zone == NULL || to->servers == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < from->server_count; i++) {
        to->servers[i] = from->servers[i];
    }
    return 0;
}

static int copy_pools(const struct admin_report *from, struct admin_report *to)
{
    int err = 0;

    to->pool_count = 0;
    to->pools = calloc(from->pool_count + 1, sizeof(*to->pools));
    if (to->pools == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < from->pool_count && err == 0; i++) {
        err = copy_pool(&from->pools[i], &to->pools[i]);
        to->pool_count++;
    }
    return err;
}

static struct http_shot *shot_create(const struct admin_report *report,
                                     const struct history *history)
{
    struct http_shot *shot = malloc(sizeof(*shot));

    if (shot == NULL) {
        return NULL;
    }
    shot->report = *report;
    shot->history = *history;
    shot->at_ms = now_ms();
    if (copy_pools(report, &shot->report) != 0) {
        shot_destroy(shot);
        return NULL;
    }
    return shot;
}

/* ---- in the main thread ---- */

/* shot NULL: there is none to be had. */
static void publish(struct http_source *s, struct http_shot *shot)
{
    pthread_mutex_lock(&s->lock);
    struct http_shot *before = s->fresh;
    s->fresh = shot;
    s->is_asked = false;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    shot_destroy(before);
}

static void on_report(void *arg, const struct admin_report *report)
{
    struct http_source *s = arg;

    struct http_shot *shot =
        report == NULL ? NULL : shot_create(report, &s->history);

    if (shot != NULL) {
        shot->wall_s = net_wall_s(s->loop);
    }
    publish(s, shot);
}

static void on_asked(void *arg)
{
    struct http_source *s = arg;

    if (s->hooks.gather(s->hooks.arg, on_report, s) != 0) {
        publish(s, NULL);
    }
}

static void on_sample(void *arg, const struct admin_report *report)
{
    struct http_source *s = arg;

    s->is_sampling = false;
    if (report != NULL) {
        history_add(&s->history, report, net_wall_s(s->loop));
    }
}

static void on_step(struct net_timer *t)
{
    struct http_source *s = CONTAINER_OF(t, struct http_source, timer);

    if (!s->is_sampling) { /* a worker that hangs must not pile them up */
        s->is_sampling = true;
        if (s->hooks.gather(s->hooks.arg, on_sample, s) != 0) {
            s->is_sampling = false;
            log_warning_limited("history: out of memory");
        }
    }
    net_timer_start(t, HISTORY_STEP_MS);
}

void http_source_start(struct http_source *s)
{
    on_step(&s->timer);
}

/* ---- in the HTTP thread ---- */

static bool is_recent(const struct http_shot *shot)
{
    return shot != NULL && now_ms() - shot->at_ms < FRESH_MS;
}

/* With the lock held: what was published becomes the current one. */
static void take(struct http_source *s)
{
    if (s->fresh != NULL) {
        shot_destroy(s->current);
        s->current = s->fresh;
        s->fresh = NULL;
    }
}

/* With the lock held: ask, unless that was done. Returns 0 | ERR_NOMEM. */
static int ask(struct http_source *s)
{
    int err = 0;

    if (!s->is_asked) {
        s->is_asked = true;
        s->asked_at_ms = now_ms();
        err = net_loop_post(s->loop, on_asked, s);
        s->is_asked = err == 0;
    }
    return err;
}

/* With the lock held: until it was answered, or patience ends. A question that
 * is older than that already is not waited for. */
static void wait_for_answer(struct http_source *s)
{
    uint64_t until_ms = s->asked_at_ms + PATIENCE_MS;
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000};

    while (s->is_asked && !s->is_stopped && now_ms() < until_ms) {
        (void)pthread_cond_timedwait(&s->changed, &s->lock, &until);
    }
}

struct http_shot *http_source_get(struct http_source *s)
{
    bool is_good;

    pthread_mutex_lock(&s->lock);
    take(s);
    is_good = is_recent(s->current);
    if (!is_good && !s->is_stopped && ask(s) == 0) {
        uint64_t asked_at_ms = s->asked_at_ms;

        wait_for_answer(s);
        take(s);
        /* However long this thread was not given the processor since. */
        is_good = s->current != NULL && s->current->at_ms >= asked_at_ms;
    }
    pthread_mutex_unlock(&s->lock);
    return is_good ? s->current : NULL;
}

void http_source_stop(struct http_source *s)
{
    pthread_mutex_lock(&s->lock);
    s->is_stopped = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* ---- from birth to death ---- */

int http_source_create(struct net_loop *loop, const struct admin_hooks *hooks,
                       struct http_source **out)
{
    struct http_source *s = calloc(1, sizeof(*s));
    pthread_condattr_t monotonic;

    if (s == NULL) {
        return ERR_NOMEM;
    }
    s->loop = loop;
    s->hooks = *hooks;
    history_init(&s->history);
    net_timer_init(&s->timer, loop, on_step);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = s;
    return 0;
}

void http_source_destroy(struct http_source *s)
{
    if (s == NULL) {
        return;
    }
    net_timer_stop(&s->timer);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    shot_destroy(s->current);
    shot_destroy(s->fresh);
    free(s);
}
