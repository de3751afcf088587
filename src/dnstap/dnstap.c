/*
 * Between the workers and libfstrm's thread. A message is allocated whole by
 * the worker (libfstrm wants it so) and freed by the thread, when it was
 * written or dropped.
 */
#include "dnstap/dnstap.h"

#include "base/err.h"
#include "base/log.h"
#include "base/text.h"
#include "dns/wire.h"
#include "dnstap/library.h"
#include "dnstap/message.h"
#include "dnstap/sink.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ROOM "dnstap"

enum {
    /* Messages of a worker that wait, and how many wake the thread before its
     * second is over. */
    QUEUE_LEN = 8192,
    QUEUE_WAKE = QUEUE_LEN / 2,
    REOPEN_S = 1,
    /* Of messages that wait, of all workers: clients choose how long theirs
     * are. */
    PENDING_MAX = 4 * 1024 * 1024,
};

struct dnstap_queue {
    struct dnstap *tap;
    struct fstrm_iothr_queue *queue;
};

struct dnstap {
    unsigned owners;
    struct dnstap_sink sink;
    struct config_tap where; /* target, taken apart */
    char *target;
    char *identity; /* NULL: none */
    char *version;
    enum config_show_address addresses;
    struct dnstap_counts *counts;
    _Atomic size_t pending;     /* octets that wait */
    struct fstrm_iothr *thread; /* NULL: not started */
    unsigned queue_count;
    struct dnstap_queue queues[];
};

/* ---- making and ending ---- */

static void destroy(struct dnstap *d)
{
    if (d->thread != NULL) {
        d->sink.is_ending = true;
        fstrm_iothr_destroy(&d->thread);
    }
    dnstap_sink_finish(&d->sink);
    free(d->target);
    free(d->identity);
    free(d->version);
    free(d);
}

/* Returns 0 | ERR_NOMEM. */
static int copy_texts(struct dnstap *d, const struct config *config,
                      const char *version)
{
    d->target = strdup(config->dnstap);
    d->version = strdup(version);
    if (config->dnstap_identity != NULL) {
        d->identity = strdup(config->dnstap_identity);
    }
    bool is_whole = d->target != NULL && d->version != NULL &&
                    (d->identity != NULL) == (config->dnstap_identity != NULL);
    return is_whole ? 0 : ERR_NOMEM;
}

int dnstap_create(const struct config *config, unsigned worker_count,
                  const char *version, struct dnstap_counts *counts,
                  struct dnstap **out)
{
    int err = library_load();

    if (err != 0) {
        return err;
    }
    struct dnstap *d =
        calloc(1, sizeof(*d) + worker_count * sizeof(struct dnstap_queue));
    if (d == NULL) {
        return ERR_NOMEM;
    }
    d->owners = 1;
    d->sink.fd = -1;
    d->counts = counts;
    d->addresses = config->dnstap_addresses;
    d->queue_count = worker_count;
    err = copy_texts(d, config, version);
    if (err != 0) {
        destroy(d);
        return err;
    }
    /* The configuration may go, so the path is that of the copy. */
    d->where = config->tap;
    if (d->where.path != NULL) {
        d->where.path = d->target + (config->tap.path - config->dnstap);
    }
    *out = d;
    return 0;
}

static struct fstrm_iothr *start_thread(unsigned queues,
                                        struct fstrm_writer **writer)
{
    struct fstrm_iothr_options *o = fstrm_iothr_options_init();
    struct fstrm_iothr *thread;
    sigset_t all;
    sigset_t before;

    (void)fstrm_iothr_options_set_num_input_queues(o, queues);
    (void)fstrm_iothr_options_set_input_queue_size(o, QUEUE_LEN);
    (void)fstrm_iothr_options_set_queue_notify_threshold(o, QUEUE_WAKE);
    (void)fstrm_iothr_options_set_reopen_interval(o, REOPEN_S);
    /* Signals are the main thread's; a thread inherits what is blocked. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    thread = fstrm_iothr_init(o, writer);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    fstrm_iothr_options_destroy(&o);
    return thread;
}

int dnstap_start(struct dnstap *d)
{
    struct fstrm_writer *writer = NULL;

    if (d->thread != NULL) {
        return 0;
    }
    int err = dnstap_sink_init(&d->sink, d->target, &d->where);
    if (err == 0) {
        err = dnstap_sink_writer(&d->sink, &writer);
    }
    if (err != 0) {
        return err;
    }
    d->thread = start_thread(d->queue_count, &writer);
    if (d->thread == NULL) {
        fstrm_writer_destroy(&writer);
        return ERR_NOMEM;
    }
    for (unsigned i = 0; i < d->queue_count; i++) {
        d->queues[i] = (struct dnstap_queue){
            d, fstrm_iothr_get_input_queue_idx(d->thread, i)};
    }
    return 0;
}

bool dnstap_suits(const struct dnstap *d, const struct config *config)
{
    return text_equal(d->target, config->dnstap) &&
           text_equal(d->identity, config->dnstap_identity) &&
           d->addresses == config->dnstap_addresses &&
           dnstap_sink_is_in_place(&d->sink);
}

struct dnstap *dnstap_retain(struct dnstap *d)
{
    d->owners++;
    return d;
}

void dnstap_release(struct dnstap *d)
{
    if (d != NULL && --d->owners == 0) {
        destroy(d);
    }
}

struct dnstap_queue *dnstap_queue_of(struct dnstap *d, unsigned i)
{
    return &d->queues[i];
}

/* ---- messages ---- */

/* A message is done with, in any thread. */
static void dispose(struct dnstap *d, void *octets, bool is_written)
{
    atomic_fetch_sub_explicit(&d->pending, malloc_usable_size(octets),
                              memory_order_relaxed);
    atomic_fetch_add_explicit(is_written ? &d->counts->written
                                         : &d->counts->dropped,
                              1, memory_order_relaxed);
    free(octets);
}

/* In the thread that writes. */
static void on_done(void *octets, void *arg)
{
    struct dnstap *d = arg;

    dispose(d, octets, dnstap_sink_was_written(&d->sink));
}

/* NULL: too many octets wait already, or there is no memory. */
static uint8_t *allocate(struct dnstap *d, size_t len)
{
    uint8_t *octets = NULL;

    if (atomic_load_explicit(&d->pending, memory_order_relaxed) + len <=
        PENDING_MAX) {
        octets = malloc(len);
    }
    if (octets != NULL) {
        atomic_fetch_add_explicit(&d->pending, malloc_usable_size(octets),
                                  memory_order_relaxed);
    }
    return octets;
}

/* What is told of the client's address, in *shown; NULL: nothing. */
static const struct addr *
client_of(const struct dnstap *d, const struct addr *client, struct addr *shown)
{
    *shown = *client;
    if (d->addresses == CONFIG_ADDRESS_NONE) {
        return NULL;
    }
    if (d->addresses == CONFIG_ADDRESS_SHORT) {
        addr_shorten(shown);
    }
    return shown;
}

static struct span text_span(const char *text)
{
    return span_of(text, text == NULL ? 0 : strlen(text));
}

static void submit(struct dnstap_queue *q, const struct dnstap_event *e,
                   bool is_response)
{
    struct dnstap *d = q->tap;
    struct addr shown;
    const struct dnstap_message m = {
        .is_response = is_response,
        .is_tcp = e->is_tcp,
        .family = e->client.family,
        .client = client_of(d, &e->client, &shown),
        .local = e->local.family == 0 ? NULL : &e->local,
        .query_us = e->query_us,
        .response_us = e->response_us,
        .octets = e->message,
        .identity = text_span(d->identity),
        .version = text_span(d->version),
    };
    uint8_t *octets = allocate(d, dnstap_message_max(&m));

    if (octets == NULL) {
        dispose(d, NULL, false);
        return;
    }
    size_t len = dnstap_message_encode(&m, octets);
    if (fstrm_iothr_submit(d->thread, q->queue, octets, len, on_done, d) !=
        fstrm_res_success) {
        dispose(d, octets, false);
    }
}

void dnstap_query(struct dnstap_queue *q, const struct dnstap_event *e)
{
    const struct span m = e->message;

    if (m.len >= DNS_HEADER_LEN && (dns_get16(m.ptr + 2) & DNS_FLAG_QR) == 0) {
        submit(q, e, false);
    }
}

void dnstap_response(struct dnstap_queue *q, const struct dnstap_event *e)
{
    submit(q, e, true);
}

const char *dnstap_library(void)
{
    return library_text();
}
