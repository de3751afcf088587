/*
 * The resolver of these tests, the thread that runs the loop, and clients.
 */
#include "fixture.h"

#include "base/err.h"
#include "dns/wire.h"
#include "resolver/resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_S = 60 };

/* ---- the resolver: all of it in the loop's thread ---- */

struct resolver {
    struct net_loop *loop;
    struct list held, soon;
    size_t held_count, cancelled;
    uint64_t looked, looked_more; /* messages looked ahead at */
    struct net_turn turn;
};

static struct resolver the_resolver;

static void repeat(uint8_t *out, const uint8_t *msg, unsigned flags)
{
    memcpy(out, msg, QUERY_LEN);
    dns_put16(out + 2, DNS_FLAG_QR | flags);
}

static void answer_list(struct list *queries)
{
    while (!list_is_empty(queries)) {
        struct resolver_query *q =
            LIST_FIRST(queries, struct resolver_query, node);

        list_remove(&q->node);
        q->on_answer(q);
    }
}

static void on_soon(struct net_turn *turn)
{
    struct list now;

    (void)turn;
    list_init(&now);
    list_splice(&now, &the_resolver.soon);
    answer_list(&now);
}

static void resolver_start(struct net_loop *loop)
{
    the_resolver = (struct resolver){.loop = loop};
    list_init(&the_resolver.held);
    list_init(&the_resolver.soon);
    net_turn_init(&the_resolver.turn, on_soon);
}

enum resolver_verdict resolver_ask(struct resolver *r, struct resolver_query *q,
                                   struct span msg, uint8_t *out, size_t cap,
                                   size_t *len)
{
    uint8_t ask = msg.len >= QUERY_LEN ? msg.ptr[12] : ASK_NOTHING;

    assert_true(cap >= 512);
    if (ask == ASK_NOW || ask == ASK_CUT) {
        repeat(out, msg.ptr, ask == ASK_CUT ? DNS_FLAG_TC : 0);
        *len = QUERY_LEN;
        return RESOLVER_ANSWERED;
    }
    if (ask == ASK_NOTHING) {
        return RESOLVER_DROPPED;
    }
    memcpy(q->question, msg.ptr, QUERY_LEN);
    if (ask == ASK_SOON_BIG) {
        list_push_back(&r->soon, &q->node);
        net_turn_defer(r->loop, &r->turn);
    } else {
        list_push_back(&r->held, &q->node);
        r->held_count++;
    }
    return RESOLVER_PENDING;
}

void resolver_look_ahead(const struct resolver *r, struct span msg,
                         struct resolver_ahead *out)
{
    (void)r;
    *out = (struct resolver_ahead){.msg = msg, .hash = ++the_resolver.looked};
}

void resolver_look_ahead_more(const struct resolver *r,
                              const struct resolver_ahead *ahead)
{
    (void)r;
    assert_int_equal(ahead->hash, ++the_resolver.looked_more);
}

enum resolver_verdict resolver_ask_ahead(struct resolver *r,
                                         struct resolver_query *q,
                                         const struct resolver_ahead *ahead,
                                         uint8_t *out, size_t cap, size_t *len)
{
    /* All of a batch were looked at before the first is asked. */
    assert_int_equal(the_resolver.looked, the_resolver.looked_more);
    assert_true(ahead->hash <= the_resolver.looked);
    return resolver_ask(r, q, ahead->msg, out, cap, len);
}

size_t resolver_refuse(struct resolver *r, struct span msg, bool is_tcp,
                       const char *text, uint8_t *out, size_t cap)
{
    (void)r;
    (void)is_tcp;
    assert_true(cap >= 512);
    assert_non_null(strstr(text, "max_queries"));
    repeat(out, msg.ptr, DNS_RCODE_SERVFAIL);
    return QUERY_LEN;
}

size_t resolver_answer_max(const struct resolver_query *q)
{
    return q->question[12] == ASK_HOLD ? QUERY_LEN : BIG_LEN;
}

size_t resolver_write(struct resolver_query *q, uint8_t *out, size_t cap)
{
    size_t len = resolver_answer_max(q);

    assert_true(cap >= len);
    memset(out, 0x55, len);
    repeat(out, q->question, 0);
    return len;
}

void resolver_cancel(struct resolver_query *q)
{
    the_resolver.held_count -= q->question[12] != ASK_SOON_BIG;
    the_resolver.cancelled++;
    list_remove(&q->node);
}

/* ---- the loop's thread ---- */

/* A call into the loop's thread that is waited for. */
struct call {
    struct fixture *f;
    void (*fn)(struct call *c);
    sem_t done;
    struct fixture_view *view;
    size_t count;
    bool newest_first;
};

static void on_call(void *arg)
{
    struct call *c = arg;

    c->fn(c);
    (void)sem_post(&c->done);
}

static void call(struct call *c)
{
    assert_int_equal(sem_init(&c->done, 0, 0), 0);
    assert_int_equal(net_loop_post(c->f->loop, on_call, c), 0);
    while (sem_wait(&c->done) != 0) {
        assert_int_equal(errno, EINTR);
    }
    (void)sem_destroy(&c->done);
}

static void look(struct call *c)
{
    struct fixture_view *v = c->view;

    *v = (struct fixture_view){
        .held = the_resolver.held_count,
        .cancelled = the_resolver.cancelled,
        .is_drained = c->f->is_drained,
    };
    if (c->f->listener != NULL) {
        listener_stats(c->f->listener, &v->stats);
        v->clients = listener_tcp_clients(c->f->listener);
        v->pending = listener_pending(c->f->listener);
    }
}

void fixture_look(struct fixture *f, struct fixture_view *out)
{
    struct call c = {.f = f, .fn = look, .view = out};

    call(&c);
}

static uint64_t now_s(void)
{
    struct timespec t;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
    return (uint64_t)t.tv_sec;
}

void fixture_wait(struct fixture *f, size_t offset, uint64_t value)
{
    uint64_t end_s = now_s() + PATIENCE_S;
    struct fixture_view view;
    uint64_t is;

    do {
        fixture_look(f, &view);
        memcpy(&is, (const char *)&view + offset, sizeof(is));
        (void)sched_yield();
    } while (is < value && now_s() < end_s);
    assert_true(is >= value);
}

void fixture_wait_drained(struct fixture *f)
{
    uint64_t end_s = now_s() + PATIENCE_S;
    struct fixture_view view;

    do {
        fixture_look(f, &view);
    } while (!view.is_drained && now_s() < end_s);
    assert_true(view.is_drained);
    assert_int_equal(view.clients, 0);
    assert_int_equal(view.pending, 0);
}

static void release(struct call *c)
{
    struct resolver *r = &the_resolver;

    assert_true(c->count <= r->held_count);
    while (c->count-- > 0) {
        struct list *node = c->newest_first ? r->held.prev : r->held.next;
        struct resolver_query *q =
            CONTAINER_OF(node, struct resolver_query, node);

        list_remove(node);
        r->held_count--;
        q->on_answer(q);
    }
}

void fixture_release(struct fixture *f, size_t count, bool newest_first)
{
    struct call c = {
        .f = f, .fn = release, .count = count, .newest_first = newest_first};

    call(&c);
}

static void on_drained(void *arg)
{
    struct fixture *f = arg;

    assert_false(f->is_drained); /* once */
    f->is_drained = true;
}

static void drain(struct call *c)
{
    listener_drain(c->f->listener, on_drained, c->f);
    assert_false(c->f->is_drained); /* not from inside */
}

void fixture_drain(struct fixture *f)
{
    struct call c = {.f = f, .fn = drain};

    call(&c);
}

static void close_listener(struct call *c)
{
    listener_destroy(c->f->listener);
    c->f->listener = NULL;
}

void fixture_close_listener(struct fixture *f)
{
    struct call c = {.f = f, .fn = close_listener};

    call(&c);
}

static void *run(void *arg)
{
    struct fixture *f = arg;

    net_loop_run(f->loop);
    return NULL;
}

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->listen = (struct addr){.ip = {127, 0, 0, 1}, .family = 4};
    f->config = (struct config){
        .listen = &f->listen,
        .listen_count = 1,
        .query_timeout_ms = 60000,
        .max_queries = 1000,
        .tcp_idle_timeout_ms = 60000,
        .tcp_max_clients = 100,
        .tcp_max_clients_per_address = 100,
        .tcp_max_queries_per_client = 100,
        .tcp_max_unread = 100000,
    };
    assert_int_equal(net_loop_create(&f->loop), 0);
    *state = f;
    return 0;
}

void fixture_start(struct fixture *f)
{
    char why[200];

    resolver_start(f->loop);
    assert_int_equal(listener_open(f->loop, &f->config, &the_resolver, false,
                                   &f->listener, why, sizeof(why)),
                     0);
    assert_true(listener_addr(f->listener, 0, &f->addr));
    assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    if (f->thread != 0) {
        fixture_close_listener(f);
        net_loop_stop(f->loop);
        assert_int_equal(pthread_join(f->thread, NULL), 0);
        assert_int_equal(the_resolver.held_count, 0);
    }
    net_loop_destroy(f->loop);
    free(f);
    return 0;
}

/* ---- the client ---- */

static int open_socket(struct fixture *f, int type, const char *source,
                       int recv_buffer)
{
    struct timeval patience = {.tv_sec = PATIENCE_S};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(f->addr.port)};
    struct sockaddr_in from = {.sin_family = AF_INET};
    int fd = socket(AF_INET, type, 0);

    assert_true(fd >= 0);
    memcpy(&to.sin_addr, f->addr.ip, 4);
    if (source != NULL) {
        assert_int_equal(inet_pton(AF_INET, source, &from.sin_addr), 1);
        assert_int_equal(bind(fd, (void *)&from, sizeof(from)), 0);
    }
    if (recv_buffer > 0) {
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &recv_buffer,
                                    sizeof(recv_buffer)),
                         0);
    }
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)),
        0);
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)),
        0);
    assert_int_equal(connect(fd, (void *)&to, sizeof(to)), 0);
    return fd;
}

int client_udp(struct fixture *f)
{
    return open_socket(f, SOCK_DGRAM, NULL, 0);
}

int client_tcp(struct fixture *f)
{
    return open_socket(f, SOCK_STREAM, NULL, 0);
}

int client_tcp_from(struct fixture *f, const char *source, int recv_buffer)
{
    return open_socket(f, SOCK_STREAM, source, recv_buffer);
}

/* A process that was stopped is told EINTR where it waits with a limit. */
static ssize_t receive(int fd, void *octets, size_t len, int flags)
{
    ssize_t n;

    do {
        n = recv(fd, octets, len, flags);
    } while (n < 0 && errno == EINTR);
    return n;
}

void client_send(int fd, const void *data, size_t len)
{
    assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
}

static void build(uint8_t *msg, uint16_t id, enum ask ask)
{
    memset(msg, 0, QUERY_LEN);
    dns_put16(msg, id);
    msg[12] = (uint8_t)ask;
}

void client_ask_udp(int fd, uint16_t id, enum ask ask)
{
    uint8_t msg[QUERY_LEN];

    build(msg, id, ask);
    client_send(fd, msg, sizeof(msg));
}

void client_ask_tcp(int fd, uint16_t id, enum ask ask)
{
    uint8_t frame[2 + QUERY_LEN];

    dns_put16(frame, QUERY_LEN);
    build(frame + 2, id, ask);
    client_send(fd, frame, sizeof(frame));
}

uint16_t client_answer_udp(int fd, uint8_t *flags)
{
    uint8_t msg[4096];
    ssize_t n = receive(fd, msg, sizeof(msg), 0);

    assert_int_equal(n, QUERY_LEN);
    assert_true((dns_get16(msg + 2) & DNS_FLAG_QR) != 0);
    if (flags != NULL) {
        memcpy(flags, msg + 2, 2);
    }
    return dns_get16(msg);
}

uint16_t client_answer_tcp(int fd, size_t *len)
{
    static uint8_t msg[65535];
    uint8_t head[2];
    size_t msg_len;

    assert_int_equal(receive(fd, head, 2, MSG_WAITALL), 2);
    msg_len = dns_get16(head);
    assert_int_equal(receive(fd, msg, msg_len, MSG_WAITALL), msg_len);
    assert_true((dns_get16(msg + 2) & DNS_FLAG_QR) != 0);
    if (len != NULL) {
        *len = msg_len;
    }
    return dns_get16(msg);
}

void client_expect_end(int fd)
{
    static uint8_t rest[65536];
    ssize_t n;

    do {
        n = receive(fd, rest, sizeof(rest), 0);
    } while (n > 0);
    assert_true(n == 0 || errno == ECONNRESET);
    (void)close(fd);
}

void client_expect_nothing(struct fixture *f, int fd)
{
    struct fixture_view view;
    uint8_t octet;

    fixture_look(f, &view);
    assert_int_equal(recv(fd, &octet, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}
