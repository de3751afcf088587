/*
 * Private to admin: what is answered to an HTTP request, without the library
 * that speaks HTTP.
 *
 *   /                   the page (page.h)
 *   /api/history.json   what the page's script reads
 *   /metrics            metrics.h
 *   /healthz            200 "ok" when the main loop and all workers answer
 *                       within a second, else 503
 *   /readyz             200 "ready" when a server of the default pool is
 *                       verified and it is not ending, else 503 and why
 */
#ifndef ADMIN_HTTP_ANSWER_H
#define ADMIN_HTTP_ANSWER_H

#include "admin/http_source.h"
#include "admin/http_text.h"

/* Borrowed. */
struct http_request {
    const char *method;
    const char *path; /* without what comes after '?' */
    const char *host; /* the Host header; NULL: none */
};

struct http_answer {
    unsigned status;
    const char *type; /* Content-Type, static */
    const char *csp;  /* Content-Security-Policy, static */
    struct http_text body;
};

/* May the Host header be believed? A page elsewhere can have its own name lead
 * to this address (DNS rebinding), and read what it gets: so only addresses are
 * taken, this machine's own name, and names that nobody can register. */
bool http_host_is_ours(const char *host, const char *machine);

/* Get a report from source if need be, and answer. out is initialised here;
 * finish its body. machine: this machine's name. */
void http_answer_make(const struct http_request *request,
                      struct http_source *source, const char *machine,
                      struct http_answer *out);

#endif
