/*
 * The loop. A turn is: wait for events, call back for each; then, from
 * on_check(), timers that are due, work that was put off, and last the UDP
 * answers. libuv also calls back before it waits (posts are polled like
 * sockets, but failed connects and finished writes are not), so on_prepare()
 * does the same for what those left.
 *
 * Invariant: when the loop starts to wait, nothing is put off, and the alarm
 * is set no later than the first timer. Timers run after the sockets were
 * heard: an answer that is there is never taken for late, not even when the
 * process was stopped for a while.
 *
 * The alarm is often early, as timers are stopped far more often than they
 * run out; waking up once for nothing is cheaper than to move it each time.
 */
#include "net/loop.h"

#include "base/err.h"
#include "base/log.h"
#include "net/sockaddr.h"
#include "net/uv_loop.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define LOG_ROOM "net"

/* ---- timers ---- */

void net_timer_init(struct net_timer *t, struct net_loop *l, net_timer_fn *fn)
{
    wheel_entry_init(&t->entry);
    t->loop = l;
    t->fn = fn;
}

void net_timer_start(struct net_timer *t, uint64_t delay_ms)
{
    uint64_t now_ms = net_now_ms(t->loop);
    uint64_t most_ms = UINT64_MAX / 4; /* the wheel adds to it */

    if (delay_ms > most_ms) {
        delay_ms = most_ms;
    }
    wheel_arm(&t->loop->wheel, &t->entry, now_ms + delay_ms);
}

void net_timer_stop(struct net_timer *t)
{
    wheel_cancel(&t->loop->wheel, &t->entry);
}

static void run_timers(struct net_loop *l)
{
    struct list due;

    list_init(&due);
    wheel_advance(&l->wheel, net_now_ms(l), &due);
    while (!list_is_empty(&due)) {
        struct wheel_entry *e = LIST_FIRST(&due, struct wheel_entry, node);
        struct net_timer *t = CONTAINER_OF(e, struct net_timer, entry);

        list_remove(&e->node);
        t->fn(t);
    }
}

static void on_alarm(uv_timer_t *alarm)
{
    struct net_loop *l = alarm->data;

    l->alarm_at_ms = UINT64_MAX; /* the timers run in on_check() */
}

static void set_alarm(struct net_loop *l)
{
    uint64_t wait_ms = wheel_next_ms(&l->wheel);
    uint64_t now_ms = net_now_ms(l);
    uint64_t at_ms;

    if (wait_ms == UINT64_MAX) {
        return;
    }
    at_ms = l->wheel.now_ms + wait_ms; /* the wheel may be behind now_ms */
    if (at_ms < l->alarm_at_ms) {
        l->alarm_at_ms = at_ms;
        (void)uv_timer_start(&l->alarm, on_alarm,
                             at_ms > now_ms ? at_ms - now_ms : 0, 0);
    }
}

/* ---- work put off ---- */

void net_turn_init(struct net_turn *t, net_turn_fn *fn)
{
    list_init(&t->node);
    t->fn = fn;
}

static void defer(struct list *to, struct net_turn *t)
{
    if (list_is_empty(&t->node)) { /* in no list yet */
        list_push_back(to, &t->node);
    }
}

void net_turn_defer(struct net_loop *l, struct net_turn *t)
{
    defer(&l->turns, t);
}

void net_loop_defer_flush(struct net_loop *l, struct net_turn *flush)
{
    defer(&l->flushes, flush);
}

void net_turn_cancel(struct net_turn *t)
{
    list_remove(&t->node);
}

/* What is put off meanwhile goes to the end, behind what is there. */
static void run_turns(struct list *turns)
{
    while (!list_is_empty(turns)) {
        struct net_turn *t = LIST_FIRST(turns, struct net_turn, node);

        list_remove(&t->node);
        t->fn(t);
    }
}

/* ---- the turn ---- */

static void end_turn(struct net_loop *l)
{
    run_turns(&l->turns);
    run_turns(&l->flushes);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct net_loop *l = prepare->data;

    end_turn(l);
    set_alarm(l);
}

static void on_check(uv_check_t *check)
{
    struct net_loop *l = check->data;

    run_timers(l);
    end_turn(l);
    if (atomic_exchange(&l->should_stop, false)) {
        uv_stop(&l->uv);
    }
}

/* ---- other threads ---- */

struct post {
    struct list node;
    net_post_fn *fn;
    void *arg;
};

int net_loop_post(struct net_loop *l, net_post_fn *fn, void *arg)
{
    struct post *p = malloc(sizeof(*p));

    if (p == NULL) {
        return ERR_NOMEM;
    }
    p->fn = fn;
    p->arg = arg;
    (void)pthread_mutex_lock(&l->posts_lock);
    list_push_back(&l->posts, &p->node);
    (void)pthread_mutex_unlock(&l->posts_lock);
    (void)uv_async_send(&l->wake);
    return 0;
}

static void take_posts(struct net_loop *l, struct list *out)
{
    list_init(out);
    (void)pthread_mutex_lock(&l->posts_lock);
    list_splice(out, &l->posts);
    (void)pthread_mutex_unlock(&l->posts_lock);
}

static void on_wake(uv_async_t *wake)
{
    struct net_loop *l = wake->data;
    struct list posts;

    take_posts(l, &posts);
    while (!list_is_empty(&posts)) {
        struct post *p = LIST_FIRST(&posts, struct post, node);
        net_post_fn *fn = p->fn;
        void *arg = p->arg;

        list_remove(&p->node);
        free(p);
        fn(arg);
    }
}

static void drop_posts(struct net_loop *l)
{
    struct list posts;

    take_posts(l, &posts);
    LIST_EACH (node, &posts) {
        log_debug("a post came too late to be run");
        free(CONTAINER_OF(node, struct post, node));
    }
}

/* ---- life ---- */

void net_loop_run(struct net_loop *l)
{
    (void)uv_run(&l->uv, UV_RUN_DEFAULT);
}

void net_loop_stop(struct net_loop *l)
{
    atomic_store(&l->should_stop, true);
    (void)uv_async_send(&l->wake);
}

uint64_t net_now_ms(const struct net_loop *l)
{
    return uv_now(&l->uv);
}

uint64_t net_boot_ms(struct net_loop *l)
{
    uint64_t now_ms = net_now_ms(l);

    if (l->boot_read_ms != now_ms || l->boot_ms == 0) {
        struct timespec t;
        (void)clock_gettime(CLOCK_BOOTTIME, &t);
        l->boot_ms =
            (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
        l->boot_read_ms = now_ms;
    }
    return l->boot_ms;
}

uint64_t net_wall_s(const struct net_loop *l)
{
    struct timespec ts;

    (void)l;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec;
}

uint64_t net_wall_ms(const struct net_loop *l)
{
    struct timespec ts;

    (void)l;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t net_wall_us(const struct net_loop *l)
{
    struct timespec ts;

    (void)l;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t net_now_us(const struct net_loop *l)
{
    struct timespec t;

    (void)l;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

void net_random(struct net_loop *l, void *out, size_t len)
{
    uint8_t *at = out;

    (void)l;
    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);

        if (n < 0 && errno != EINTR) {
            log_error("getrandom failed (errno %d)", errno);
            abort(); /* nothing that follows would be safe */
        }
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
    }
}

/* None of these can fail once the loop has its file descriptors. */
static void start_handles(struct net_loop *l)
{
    l->alarm.data = l;
    l->prepare.data = l;
    l->check.data = l;
    l->wake.data = l;
    (void)uv_timer_init(&l->uv, &l->alarm);
    (void)uv_prepare_init(&l->uv, &l->prepare);
    (void)uv_prepare_start(&l->prepare, on_prepare);
    (void)uv_check_init(&l->uv, &l->check);
    (void)uv_check_start(&l->check, on_check);
}

static void init_fields(struct net_loop *l)
{
    wheel_init(&l->wheel, net_now_ms(l));
    l->alarm_at_ms = UINT64_MAX;
    list_init(&l->turns);
    list_init(&l->flushes);
    list_init(&l->posts);
    atomic_init(&l->should_stop, false);
}

int net_loop_create(struct net_loop **out)
{
    struct net_loop *l = calloc(1, sizeof(*l));
    int err = ERR_NOMEM;

    if (l == NULL) {
        return err;
    }
    l->read_buffer = malloc(NET_READ_BUFFER_LEN);
    if (l->read_buffer == NULL) {
        goto fail_loop;
    }
    err = net_error(pthread_mutex_init(&l->posts_lock, NULL), "mutex");
    if (err != 0) {
        goto fail_buffer;
    }
    err = net_error(-uv_loop_init(&l->uv), "uv_loop_init");
    if (err != 0) {
        goto fail_lock;
    }
    err = net_error(-uv_async_init(&l->uv, &l->wake, on_wake), "uv_async");
    if (err != 0) {
        goto fail_uv;
    }
    start_handles(l);
    init_fields(l);
    /* libuv writes to sockets without MSG_NOSIGNAL. */
    (void)signal(SIGPIPE, SIG_IGN);
    *out = l;
    return 0;

fail_uv:
    (void)uv_loop_close(&l->uv);
fail_lock:
    (void)pthread_mutex_destroy(&l->posts_lock);
fail_buffer:
    free(l->read_buffer);
fail_loop:
    free(l);
    return err;
}

static void on_walk(uv_handle_t *handle, void *arg)
{
    unsigned *open_count = arg;

    if (!uv_is_closing(handle)) {
        log_error("a %s is left open on a loop that ends",
                  uv_handle_type_name(uv_handle_get_type(handle)));
        ++*open_count;
    }
}

void net_loop_destroy(struct net_loop *l)
{
    unsigned open_count = 0;
    int rc;

    if (l == NULL) {
        return;
    }
    drop_posts(l);
    uv_close((uv_handle_t *)&l->alarm, NULL);
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->check, NULL);
    uv_walk(&l->uv, on_walk, &open_count);
    assert(open_count == 0);
    (void)uv_run(&l->uv, UV_RUN_DEFAULT); /* the last close callbacks */
    rc = uv_loop_close(&l->uv);
    assert(rc == 0);
    (void)rc;
    (void)pthread_mutex_destroy(&l->posts_lock);
    free(l->read_buffer);
    free(l->udp_inbox);
    free(l);
}
