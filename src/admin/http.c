/*
 * libmicrohttpd, driven by our thread: one of its daemons an address, each with
 * an epoll descriptor that we poll. So all that is seen here is seen by one
 * thread, and connections can be ended by shutdown(2) at any moment.
 *
 * Invariant: `clients` is in the order of progress, the one that has done
 * nothing for the longest first.
 */
#include "admin/http.h"

#include "admin/http_answer.h"
#include "admin/http_source.h"
#include "admin/mhd.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "net/bound.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define LOG_ROOM "admin"

enum {
    CLIENTS_MAX = 48, /* over all addresses; then one goes for each new one */
    CLIENTS_HARD_MAX = 64, /* of an address: the library takes no more */
    CLIENT_MEMORY = 16 * 1024,
    PATIENCE_MS = 10 * 1000,
    SWEEP_MS = 1000,
};

struct daemon {
    struct admin_http *http;
    struct MHD_Daemon *mhd;
    int epoll_fd;
};

/* A connection; the library keeps it as its socket's context. */
struct client {
    struct list node;
    int fd;
    uint64_t progress_ms; /* it came, or had an answer */
};

struct admin_http {
    struct http_source *source;
    char machine[sizeof(((struct utsname *)0)->nodename)];
    struct daemon *daemons; /* owned */
    size_t daemon_count;
    struct pollfd *polled; /* owned: each daemon's, then wake_fd */
    int wake_fd;
    pthread_t thread;
    bool is_running;

    /* the thread's */
    struct list clients;
    size_t client_count;
};

/* This thread has no loop whose clock it could ask. */
static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- connections ---- */

static void client_progress(struct admin_http *h, struct client *c)
{
    c->progress_ms = now_ms();
    list_remove(&c->node);
    list_push_back(&h->clients, &c->node);
}

/* The library sees the end, and tells on_connection(); until then it is out of
 * the way of the others. */
static void client_end(struct admin_http *h, struct client *c)
{
    (void)shutdown(c->fd, SHUT_RDWR);
    client_progress(h, c);
}

/* The one that has done nothing for the longest; NULL: there is none. */
static struct client *client_first(struct admin_http *h)
{
    return list_is_empty(&h->clients)
               ? NULL
               : CONTAINER_OF(h->clients.next, struct client, node);
}

static void client_create(struct admin_http *h, struct MHD_Connection *conn,
                          void **context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct client *c = calloc(1, sizeof(*c));

    *context = c;
    if (c == NULL) {
        (void)shutdown(info->connect_fd, SHUT_RDWR);
        return;
    }
    c->fd = info->connect_fd;
    c->progress_ms = now_ms();
    if (h->client_count >= CLIENTS_MAX) {
        client_end(h, client_first(h));
    }
    list_push_back(&h->clients, &c->node);
    h->client_count++;
}

static void on_connection(void *arg, struct MHD_Connection *conn,
                          void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct daemon *d = arg;
    struct client *c = *context;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        client_create(d->http, conn, context);
    } else if (c != NULL) {
        list_remove(&c->node);
        d->http->client_count--;
        free(c);
        *context = NULL;
    }
}

/* Those that have done nothing for too long. */
static void sweep(struct admin_http *h)
{
    uint64_t now = now_ms();
    struct client *c = client_first(h);

    while (c != NULL && now - c->progress_ms >= PATIENCE_MS &&
           now >= c->progress_ms) {
        client_end(h, c);
        c = client_first(h);
    }
}

/* ---- requests ---- */

static struct MHD_Response *make_response(struct http_answer *answer)
{
    const struct {
        const char *name, *value;
    } headers[] = {
        {"Content-Type", answer->type},
        {"Content-Security-Policy", answer->csp},
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Allow", answer->status == 405 ? "GET, HEAD" : NULL},
    };
    struct span body = buf_span(&answer->body.buf);
    struct MHD_Response *r = MHD_create_response_from_buffer(
        body.len, (void *)body.ptr, MHD_RESPMEM_MUST_COPY);

    for (size_t i = 0; r != NULL && i < COUNT_OF(headers); i++) {
        if (headers[i].value != NULL &&
            MHD_add_response_header(r, headers[i].name, headers[i].value) !=
                MHD_YES) {
            MHD_destroy_response(r);
            r = NULL;
        }
    }
    return r;
}

static enum MHD_Result respond(struct admin_http *h,
                               struct MHD_Connection *conn,
                               const struct http_request *request)
{
    struct http_answer answer;
    struct MHD_Response *response = NULL;
    enum MHD_Result result = MHD_NO;

    http_answer_make(request, h->source, h->machine, &answer);
    if (answer.body.err == 0) {
        response = make_response(&answer);
    }
    if (response != NULL) {
        result = MHD_queue_response(conn, answer.status, response);
        MHD_destroy_response(response);
    }
    http_text_finish(&answer.body);
    return result;
}

/* Called first with the head of a request, then with pieces of its body, then
 * once more. *state tells the calls apart; it is NULL at first. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *conn,
                                  const char *url, const char *method,
                                  const char *version, const char *body,
                                  size_t *body_len, void **state)
{
    struct daemon *d = arg;
    struct http_request request = {
        .method = method,
        .path = url,
        .host = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Host")};
    bool is_get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;

    (void)version;
    (void)body;
    if (*state == NULL && is_get) {
        *state = d;
        return MHD_YES;
    }
    if (*body_len > 0) {
        return MHD_NO; /* a body nobody asked for: the connection is closed */
    }
    return respond(d->http, conn, &request);
}

static void on_completed(void *arg, struct MHD_Connection *conn, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct daemon *d = arg;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    (void)state;
    if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK && info != NULL &&
        info->socket_context != NULL) {
        client_progress(d->http, info->socket_context);
    }
}

PRINTF_LIKE(2, 0)
static void on_log(void *arg, const char *format, va_list args)
{
    char text[256];

    (void)arg;
    (void)vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    log_debug("HTTP: %s", text);
}

/* ---- the thread ---- */

/* How long to wait: as the library says, but look after clients meanwhile. */
static int wait_ms(const struct admin_http *h)
{
    uint64_t least = h->client_count == 0 ? UINT64_MAX : SWEEP_MS;

    for (size_t i = 0; i < h->daemon_count; i++) {
        MHD_UNSIGNED_LONG_LONG ms;
        if (MHD_get_timeout(h->daemons[i].mhd, &ms) == MHD_YES && ms < least) {
            least = ms;
        }
    }
    return least == UINT64_MAX ? -1 : (int)least;
}

static void *run(void *arg)
{
    struct admin_http *h = arg;
    const struct pollfd *wake = &h->polled[h->daemon_count];

    while ((wake->revents & POLLIN) == 0) {
        (void)poll(h->polled, h->daemon_count + 1, wait_ms(h));
        for (size_t i = 0; i < h->daemon_count; i++) {
            (void)MHD_run(h->daemons[i].mhd);
        }
        sweep(h);
    }
    return NULL;
}

int admin_http_start(struct admin_http *h)
{
    sigset_t all, before;

    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&h->thread, NULL, run, h);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        log_error("HTTP pages: cannot start their thread: %s", strerror(rc));
        return ERR_NET_OTHER;
    }
    h->is_running = true;
    http_source_start(h->source);
    return 0;
}

/* ---- from birth to death ---- */

/* Takes fd. */
static int start_daemon(struct admin_http *h, int fd)
{
    struct daemon *d = &h->daemons[h->daemon_count];

    d->http = h;
    d->mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, d,
        MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CLIENTS_HARD_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CLIENT_MEMORY,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, d, MHD_OPTION_NOTIFY_COMPLETED, on_completed, d,
        MHD_OPTION_END);
    if (d->mhd == NULL) {
        (void)close(fd);
        return ERR_NET_OTHER;
    }
    d->epoll_fd =
        MHD_get_daemon_info(d->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    h->polled[h->daemon_count].fd = d->epoll_fd;
    h->polled[h->daemon_count].events = POLLIN;
    h->daemon_count++;
    return 0;
}

static bool is_loopback(const struct addr *a)
{
    static const uint8_t one[16] = {[15] = 1};

    return a->family == 4 ? a->ip[0] == 127
                          : memcmp(a->ip, one, sizeof(one)) == 0;
}

static int open_address(struct admin_http *h, const struct addr *addr)
{
    char text[ADDR_TEXT_MAX];
    struct addr bound;
    int fd;
    int err = net_bound_listen(addr, &bound, &fd);

    if (err == 0) {
        err = start_daemon(h, fd);
    }
    if (err != 0) {
        log_error("HTTP pages: %s: %s", addr_text(addr, text), err_text(err));
        return err;
    }
    log_notice("HTTP pages: http://%s/%s", addr_text(&bound, text),
               is_loopback(&bound)
                   ? ""
                   : " for whoever reaches it: it has no password");
    return 0;
}

static int open_all(struct admin_http *h, const struct config *config)
{
    struct utsname machine;
    int err = 0;

    if (uname(&machine) == 0) {
        memcpy(h->machine, machine.nodename, sizeof(h->machine));
    }
    h->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    h->daemons = calloc(config->admin_count, sizeof(*h->daemons));
    h->polled = calloc(config->admin_count + 1, sizeof(*h->polled));
    if (h->wake_fd < 0 || h->daemons == NULL || h->polled == NULL) {
        return h->wake_fd < 0 ? ERR_NET_FILES : ERR_NOMEM;
    }
    for (size_t i = 0; i < config->admin_count && err == 0; i++) {
        err = open_address(h, &config->admin[i]);
    }
    h->polled[h->daemon_count].fd = h->wake_fd;
    h->polled[h->daemon_count].events = POLLIN;
    return err;
}

int admin_http_create(struct net_loop *loop, const struct admin_hooks *hooks,
                      const struct config *config, struct admin_http **out)
{
    struct admin_http *h = calloc(1, sizeof(*h));
    int err = ERR_NOMEM;

    if (h == NULL) {
        return err;
    }
    list_init(&h->clients);
    h->wake_fd = -1;
    err = mhd_load();
    if (err == 0) {
        err = http_source_create(loop, hooks, &h->source);
    }
    if (err == 0) {
        err = open_all(h, config);
    }
    if (err != 0) {
        admin_http_destroy(h);
        return err;
    }
    *out = h;
    return 0;
}

static void end_thread(struct admin_http *h)
{
    static const uint64_t one = 1;

    http_source_stop(h->source);
    if (write(h->wake_fd, &one, sizeof(one)) == sizeof(one)) {
        (void)pthread_join(h->thread, NULL);
    }
}

void admin_http_destroy(struct admin_http *h)
{
    if (h == NULL) {
        return;
    }
    if (h->is_running) {
        end_thread(h);
    }
    for (size_t i = 0; i < h->daemon_count; i++) {
        MHD_stop_daemon(h->daemons[i].mhd);
    }
    http_source_destroy(h->source);
    if (h->wake_fd >= 0) {
        (void)close(h->wake_fd);
    }
    free(h->daemons);
    free(h->polled);
    free(h);
}

const char *admin_http_library(void)
{
    static char text[48];
    const char *version = mhd_version();

    if (version == NULL) {
        return "libmicrohttpd is not installed";
    }
    snprintf(text, sizeof(text), "libmicrohttpd %s", version);
    return text;
}
