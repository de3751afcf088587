/*
 * From a request to an answer. What is asked for needs no secret and changes
 * nothing: GET and HEAD are all there is.
 */
#include "admin/http_answer.h"

#include "admin/history_json.h"
#include "admin/metrics.h"
#include "admin/page.h"
#include "base/addr.h"

#include <string.h>
#include <strings.h>

static const char plain[] = "text/plain; charset=utf-8";
static const char no_content[] = "default-src 'none'; frame-ancestors 'none'";

/* ---- whose name is it? ---- */

static bool is_address(const char *host, size_t len)
{
    struct addr a;

    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        return addr_parse_ip(host + 1, len - 2, &a) == 0 && a.family == 6;
    }
    return addr_parse_ip(host, len, &a) == 0 && a.family == 4;
}

static bool ends_in(const char *host, size_t len, const char *suffix)
{
    size_t suffix_len = strlen(suffix);

    return len > suffix_len &&
           strncasecmp(host + len - suffix_len, suffix, suffix_len) == 0;
}

/* Names that no registry gives away: RFC 6761, 6762, 8375, ICANN's internal,
 * and those of clusters and of homes. */
static bool is_private_name(const char *host, size_t len)
{
    static const char *const suffixes[] = {".localhost", ".local", ".internal",
                                           ".home.arpa", ".lan",   ".svc"};

    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        if (ends_in(host, len, suffixes[i])) {
            return true;
        }
    }
    return memchr(host, '.', len) == NULL; /* "localhost", "router" */
}

/* Without ":port" and the root's dot. */
static size_t name_len(const char *host)
{
    const char *bracket = strchr(host, ']');
    size_t len =
        bracket != NULL ? (size_t)(bracket - host) + 1 : strcspn(host, ":");

    return len > 1 && host[len - 1] == '.' ? len - 1 : len;
}

bool http_host_is_ours(const char *host, const char *machine)
{
    size_t len = name_len(host);
    const char *port = host + len + (host[len] == '.');

    if (*port != '\0' &&
        (*port != ':' || port[1 + strspn(port + 1, "0123456789")] != '\0')) {
        return false;
    }
    if (is_address(host, len) ||
        (len == strlen(machine) && strncasecmp(host, machine, len) == 0)) {
        return true;
    }
    return len > 0 && host[0] != '[' && is_private_name(host, len);
}

/* ---- answers ---- */

static void say(struct http_answer *out, unsigned status, const char *words)
{
    out->status = status;
    http_text_add(&out->body, "%s\n", words);
}

static void no_report(struct http_answer *out)
{
    say(out, 503, "the main loop or a worker has not answered for a second");
}

static void answer_health(const struct http_shot *shot, struct http_answer *out)
{
    (void)shot; /* it came, so all have answered */
    say(out, 200, "ok");
}

/* Why the default pool is not ready: what is wrong with its servers. */
static void answer_not_ready(const struct http_shot *shot,
                             struct http_answer *out)
{
    const struct admin_report *r = &shot->report;

    say(out, 503, "not ready: no server is verified");
    for (size_t i = 0; r->pool_count > 0 && i < r->pools[0].server_count; i++) {
        const struct upstream_server_report *s = &r->pools[0].servers[i];
        http_text_words(&out->body, s->label);
        http_text_add(&out->body, ": %s%s", s->state,
                      s->why[0] == '\0' ? "" : ", ");
        http_text_words(&out->body, s->why);
        http_text_add(&out->body, "\n");
    }
}

static void answer_ready(const struct http_shot *shot, struct http_answer *out)
{
    if (shot->report.is_draining) {
        say(out, 503, "draining");
    } else if (shot->report.is_ready) {
        say(out, 200, "ready");
    } else {
        answer_not_ready(shot, out);
    }
}

static void answer_metrics(const struct http_shot *shot,
                           struct http_answer *out)
{
    out->status = 200;
    out->type = METRICS_CONTENT_TYPE;
    metrics_write(&shot->report, &out->body);
}

static void answer_history(struct http_shot *shot, struct http_answer *out)
{
    out->status = 200;
    out->type = "application/json";
    history_json_write(&shot->report, &shot->history, shot->wall_s, &out->body);
}

static void answer_page(const struct http_shot *shot, struct http_answer *out)
{
    out->status = 200;
    out->type = "text/html; charset=utf-8";
    out->csp = page_csp();
    page_write(&shot->report, &out->body);
}

/* The shot is a const one for all but the history, which ends a step. */
static void route(const char *path, struct http_shot *shot,
                  struct http_answer *out)
{
    if (strcmp(path, "/") == 0) {
        answer_page(shot, out);
    } else if (strcmp(path, "/api/history.json") == 0) {
        answer_history(shot, out);
    } else if (strcmp(path, "/metrics") == 0) {
        answer_metrics(shot, out);
    } else if (strcmp(path, "/healthz") == 0) {
        answer_health(shot, out);
    } else {
        answer_ready(shot, out);
    }
}

static bool is_known(const char *path)
{
    static const char *const paths[] = {"/", "/api/history.json", "/metrics",
                                        "/healthz", "/readyz"};

    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        if (strcmp(path, paths[i]) == 0) {
            return true;
        }
    }
    return false;
}

void http_answer_make(const struct http_request *request,
                      struct http_source *source, const char *machine,
                      struct http_answer *out)
{
    *out = (struct http_answer){.type = plain, .csp = no_content};
    http_text_init(&out->body);
    if (strcmp(request->method, "GET") != 0 &&
        strcmp(request->method, "HEAD") != 0) {
        say(out, 405, "GET and HEAD are answered, nothing else");
        return;
    }
    if (request->host != NULL && !http_host_is_ours(request->host, machine)) {
        say(out, 403,
            "this name is not known to be this machine's: ask by its address");
        return;
    }
    if (!is_known(request->path)) {
        say(out, 404, "there are /, /metrics, /healthz and /readyz");
        return;
    }
    struct http_shot *shot = http_source_get(source);
    if (shot == NULL) {
        no_report(out);
        return;
    }
    route(request->path, shot, out);
}
