/*
 * In place of dnstap.c, in a program without libfstrm.
 */
#include "dnstap/dnstap.h"

#include "base/err.h"
#include "base/log.h"

#include <stddef.h>

#define LOG_ROOM "dnstap"

int dnstap_create(const struct config *config, unsigned worker_count,
                  const char *version, struct dnstap_counts *counts,
                  struct dnstap **out)
{
    (void)config;
    (void)worker_count;
    (void)version;
    (void)counts;
    *out = NULL;
    log_error("this program was built without libfstrm and has no dnstap: take "
              "'dnstap' out of the configuration");
    return ERR_CONFIG;
}

int dnstap_start(struct dnstap *d)
{
    (void)d;
    return ERR_CONFIG;
}

bool dnstap_suits(const struct dnstap *d, const struct config *config)
{
    (void)d;
    (void)config;
    return true;
}

const char *dnstap_library(void)
{
    return "built without libfstrm";
}

struct dnstap *dnstap_retain(struct dnstap *d)
{
    return d;
}

void dnstap_release(struct dnstap *d)
{
    (void)d;
}

struct dnstap_queue *dnstap_queue_of(struct dnstap *d, unsigned i)
{
    (void)d;
    (void)i;
    return NULL;
}

void dnstap_query(struct dnstap_queue *q, const struct dnstap_event *e)
{
    (void)q;
    (void)e;
}

void dnstap_response(struct dnstap_queue *q, const struct dnstap_event *e)
{
    (void)q;
    (void)e;
}
