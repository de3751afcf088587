/*
 * Frames are made line by line: the text of a line, in which control
 * characters stand for colours (texts of the daemon's have none left), then
 * cut to the columns that there are.
 */
#include "cli/top_frame.h"

#include "base/attr.h"
#include "cli/format.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    LINE_LEN = 1024,
    FIXED_COLUMNS = 52, /* of a server, without its label */
    LABEL_MIN = 12,
};

#define BOLD   "\x01"
#define GREEN  "\x02"
#define YELLOW "\x03"
#define RED    "\x04"
#define DIM    "\x05"
#define PLAIN  "\x06"

static const char *const colours[] = {
    [1] = "\x1b[1m",  [2] = "\x1b[32m", [3] = "\x1b[33m",
    [4] = "\x1b[31m", [5] = "\x1b[2m",  [6] = "\x1b[0m",
};

struct frame {
    const struct top_view *view;
    const struct top_style *style;
    struct buf *out;
    unsigned lines;
};

/* ---- lines ---- */

static void add(struct frame *f, const char *text, size_t len)
{
    if (buf_append(f->out, span_of(text, len)) != 0) {
        return; /* a frame that is not whole is soon replaced */
    }
}

static void add_text(struct frame *f, const char *text)
{
    add(f, text, strlen(text));
}

/* Write text up to the last column; a character of UTF-8 takes one. */
static void add_cut(struct frame *f, const char *text)
{
    unsigned column = 0;
    bool is_coloured = false;

    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < COUNT_OF(colours)) {
            if (f->style->has_colour) {
                add_text(f, colours[c]);
                is_coloured = c != PLAIN[0];
            }
            continue;
        }
        column += (c & 0xc0) != 0x80;
        if (column > f->style->columns) {
            break;
        }
        add(f, p, 1);
    }
    if (is_coloured) {
        add_text(f, colours[(unsigned char)PLAIN[0]]);
    }
}

static bool has_room(const struct frame *f)
{
    return f->style->rows == 0 || f->lines < f->style->rows;
}

static void line(struct frame *f, const char *format, ...) PRINTF_LIKE(2, 3);
static void line(struct frame *f, const char *format, ...)
{
    char text[LINE_LEN];
    va_list args;

    if (!has_room(f)) {
        return;
    }
    if (f->style->is_live && f->lines > 0) {
        add_text(f, "\r\n");
    }
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    add_cut(f, text);
    add_text(f, f->style->is_live ? "\x1b[K" : "\n");
    f->lines++;
}

/* ---- differences ---- */

static uint64_t since(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
}

/* A report of the same run, or NULL. */
static const struct admin_report *of_run(const struct admin_report *then,
                                         const struct admin_report *now)
{
    return then != NULL && then->started_at_s == now->started_at_s &&
                   then->uptime_ms < now->uptime_ms
               ? then
               : NULL;
}

/* What a counter, at this place in a report, grew by a second. */
static double rate_at(const struct top_view *v, size_t at)
{
    const struct admin_report *then = of_run(v->second, v->now);
    uint64_t now = *(const uint64_t *)((const char *)v->now + at);
    uint64_t before =
        then == NULL ? 0 : *(const uint64_t *)((const char *)then + at);
    uint64_t ms = v->now->uptime_ms - (then == NULL ? 0 : then->uptime_ms);

    return ms == 0 ? 0 : 1000 * (double)since(now, before) / (double)ms;
}

#define RATE(v, member) rate_at((v), offsetof(struct admin_report, member))

double top_rate(const struct admin_report *a, const struct admin_report *b)
{
    const struct top_view v = {.now = b, .second = a};

    return of_run(a, b) == NULL ? 0 : RATE(&v, resolver.queries);
}

static uint64_t grown(const struct top_view *v, size_t at)
{
    const struct admin_report *then = of_run(v->window, v->now);

    return since(*(const uint64_t *)((const char *)v->now + at),
                 then == NULL ? 0
                              : *(const uint64_t *)((const char *)then + at));
}

#define GROWN(v, member) grown((v), offsetof(struct admin_report, member))

/* The latencies that came since then. */
static void latencies(const struct top_view *v, struct histogram *out)
{
    const struct admin_report *then = of_run(v->window, v->now);

    *out = v->now->latency;
    if (then == NULL) {
        return;
    }
    out->count = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        out->buckets[i] =
            (uint32_t)since(out->buckets[i], then->latency.buckets[i]);
        out->count += out->buckets[i];
    }
}

/* ---- the upper part ---- */

/* The last seconds' rates as bars, as wide as there is room. */
static const char *spark(const struct frame *f, unsigned width, char *text)
{
    static const char *const utf8[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const ascii[] = {".", ".", ":", ":", "|", "|", "#", "#"};
    const struct top_view *v = f->view;
    size_t count = v->history_count < width ? v->history_count : width;
    double most = 0;
    char *p = text;

    for (size_t i = v->history_count - count; i < v->history_count; i++) {
        most = v->history[i] > most ? v->history[i] : most;
    }
    for (size_t i = v->history_count - count; i < v->history_count; i++) {
        unsigned level = most > 0 ? (unsigned)(v->history[i] / most * 7.99) : 0;
        const char *bar = (f->style->is_utf8 ? utf8 : ascii)[level & 7];
        p = stpcpy(p, bar);
    }
    *p = '\0';
    return text;
}

static void head(struct frame *f)
{
    const struct admin_report *r = f->view->now;
    char version[64];
    char up[FORMAT_LEN];
    char rss[FORMAT_LEN];
    const char *state = r->is_draining ? YELLOW "stopping"
                        : r->is_ready  ? GREEN "ready"
                                       : RED "not ready";

    line(f, BOLD "dotstub %s" PLAIN "  up %s  %u worker%s  %s  %s" PLAIN,
         format_clean(r->version, version, sizeof(version)),
         format_duration(r->uptime_ms / 1000, up), r->workers,
         r->workers == 1 ? "" : "s", format_octets(r->rss_len, rss), state);
    line(f, "%s", "");
}

static void queries(struct frame *f)
{
    const struct top_view *v = f->view;
    char rate[FORMAT_LEN];
    char bars[TOP_HISTORY * 3 + 1];
    unsigned width = f->style->columns > 26 ? f->style->columns - 26 : 0;

    line(f, BOLD "queries" PLAIN "  %9s /s   " DIM "%s" PLAIN,
         format_rate(RATE(v, resolver.queries), rate), spark(f, width, bars));
}

static void cache(struct frame *f)
{
    const struct top_view *v = f->view;
    const struct admin_report *r = v->now;
    char share[FORMAT_LEN];
    char used[FORMAT_LEN];
    char max[FORMAT_LEN];

    line(f, BOLD "cache" PLAIN "    %9s hits   %" PRIu64 " entries   %s of %s",
         format_share(GROWN(v, resolver.hits) + GROWN(v, resolver.stale),
                      GROWN(v, resolver.queries), share),
         r->cache.entries, format_octets(r->cache.octets, used),
         format_octets(r->cache_max, max));
}

static void latency(struct frame *f)
{
    struct histogram h;
    char p50[FORMAT_LEN];
    char p90[FORMAT_LEN];
    char p99[FORMAT_LEN];

    latencies(f->view, &h);
    line(f,
         BOLD "latency" PLAIN "  %9s ms p50   %s p90   %s p99   " DIM
              "(what servers were asked)" PLAIN,
         format_ms(histogram_percentile(&h, 500), p50),
         format_ms(histogram_percentile(&h, 900), p90),
         format_ms(histogram_percentile(&h, 990), p99));
}

static void asked(struct frame *f)
{
    const struct top_view *v = f->view;
    char rate[FORMAT_LEN];
    uint64_t failed = GROWN(v, resolver.failures) +
                      GROWN(v, resolver.timeouts) + GROWN(v, resolver.refused);
    uint64_t stale = GROWN(v, resolver.stale);

    line(f,
         BOLD "asked" PLAIN "    %9s /s   %s%" PRIu64 " failed" PLAIN
              "   %s%" PRIu64 " stale" PLAIN "   %zu under way",
         format_rate(RATE(v, resolver.forwarded), rate), failed > 0 ? RED : "",
         failed, stale > 0 ? YELLOW : "", stale, v->now->pending);
}

static void clients(struct frame *f)
{
    const struct top_view *v = f->view;
    char udp[FORMAT_LEN];
    char tcp[FORMAT_LEN];

    line(f,
         BOLD "clients" PLAIN "  %9s /s UDP   %s /s TCP   %zu connected   "
              "%" PRIu64 " not admitted",
         format_rate(RATE(v, listener.udp_queries), udp),
         format_rate(RATE(v, listener.tcp_queries), tcp), v->now->tcp_clients,
         GROWN(v, listener.guard.not_allowed) +
             GROWN(v, listener.guard.over_rate));
    line(f, "%s", "");
}

/* ---- the servers ---- */

static const char *state_colour(const char *state)
{
    if (strcmp(state, "up") == 0) {
        return GREEN;
    }
    return strcmp(state, "down") == 0   ? RED
           : strcmp(state, "idle") == 0 ? DIM
                                        : YELLOW;
}

static int label_width(const struct frame *f)
{
    return f->style->columns > FIXED_COLUMNS + LABEL_MIN
               ? (int)(f->style->columns - FIXED_COLUMNS)
               : LABEL_MIN;
}

/* label, cut with a mark where it is wider than its column. */
static const char *fit(const struct frame *f, const char *label,
                       char text[UPSTREAM_LABEL_LEN + 4])
{
    const char *mark = f->style->is_utf8 && f->style->is_live ? "…" : "~";
    int width = label_width(f);

    if (strlen(label) <= (size_t)width) {
        (void)snprintf(text, UPSTREAM_LABEL_LEN + 4, "%s", label);
    } else {
        (void)snprintf(text, UPSTREAM_LABEL_LEN + 4, "%.*s%s", width - 1, label,
                       mark);
    }
    return text;
}

/* The same server in the report of a second ago. */
static const struct upstream_server_report *
server_before(const struct top_view *v, size_t pool, size_t i)
{
    const struct admin_report *then = of_run(v->second, v->now);

    if (then == NULL || then->pool_count <= pool ||
        then->pools[pool].server_count <= i ||
        strcmp(then->pools[pool].servers[i].label,
               v->now->pools[pool].servers[i].label) != 0) {
        return NULL;
    }
    return &then->pools[pool].servers[i];
}

static double server_rate(const struct top_view *v, size_t pool, size_t i)
{
    const struct upstream_server_report *before = server_before(v, pool, i);
    uint64_t now = v->now->pools[pool].servers[i].queries;
    uint64_t ms =
        v->now->uptime_ms - (before == NULL ? 0 : v->second->uptime_ms);

    return ms == 0
               ? 0
               : 1000 *
                     (double)since(now, before == NULL ? 0 : before->queries) /
                     (double)ms;
}

/* "1.3" */
static const char *tls_number(const struct upstream_server_report *s,
                              char text[12])
{
    const char *version = s->tls_version;

    return format_clean(version + strcspn(version, "0123456789"), text, 12);
}

/* Handshakes that were resumed: "98%". */
static const char *whole_share(const struct upstream_server_report *s,
                               char text[FORMAT_LEN])
{
    if (s->handshakes == 0 || s->resumed > s->handshakes) {
        return "-";
    }
    (void)snprintf(text, FORMAT_LEN, "%u%%",
                   (unsigned)(s->resumed * 100 / s->handshakes));
    return text;
}

static void server(struct frame *f, size_t pool, size_t i)
{
    const struct upstream_server_report *s =
        &f->view->now->pools[pool].servers[i];
    char label[UPSTREAM_LABEL_LEN];
    char shown[UPSTREAM_LABEL_LEN + 4];
    char state[12];
    char version[12];
    char rate[FORMAT_LEN];
    char p50[FORMAT_LEN];
    char p95[FORMAT_LEN];
    char share[FORMAT_LEN];
    char why[UPSTREAM_WHY_LEN];
    int width = label_width(f);

    line(f, "%-*s %s%-10s" PLAIN " %3u %4u %6s %6s %6s %4s %5s", width,
         fit(f, format_clean(s->label, label, sizeof(label)), shown),
         state_colour(s->state), format_clean(s->state, state, sizeof(state)),
         s->ready, s->in_flight,
         format_rate(server_rate(f->view, pool, i), rate),
         format_ms(s->p50_us, p50), format_ms(s->p95_us, p95),
         tls_number(s, version), whole_share(s, share));
    if (s->why[0] != '\0' && strcmp(s->state, "up") != 0) {
        line(f, DIM "  %s" PLAIN, format_clean(s->why, why, sizeof(why)));
    }
}

static void servers(struct frame *f)
{
    const struct admin_report *r = f->view->now;
    int width = label_width(f);

    line(f, BOLD "%-*s %-10s %3s %4s %6s %6s %6s %4s %5s" PLAIN, width,
         "server", "state", "con", "fly", "/s", "p50 ms", "p95", "TLS", "res.");
    for (size_t i = 0; i < r->pool_count; i++) {
        const struct admin_pool *p = &r->pools[i];
        char zone[256];
        if (r->pool_count > 1) {
            line(f, DIM "%s%s" PLAIN, format_clean(p->zone, zone, sizeof(zone)),
                 p->is_plain ? " in clear text" : "");
        }
        for (size_t k = 0; k < p->server_count; k++) {
            server(f, i, k);
        }
    }
}

/* What did not fit shows that it is not all. */
static void foot(struct frame *f)
{
    const char *message = f->view->message;

    if (f->style->is_live) {
        f->lines = f->style->rows > 0 ? f->style->rows - 1 : f->lines;
        char place[32];
        (void)snprintf(place, sizeof(place), "\x1b[J\x1b[%u;1H",
                       f->style->rows);
        add_text(f, place);
        add_cut(f, message != NULL ? message : DIM "q quits" PLAIN);
        add_text(f, "\x1b[K");
    } else if (message != NULL) {
        f->lines = 0;
        line(f, "%s", message);
    }
}

void top_frame(const struct top_view *view, const struct top_style *style,
               struct buf *out)
{
    struct top_style upper = *style;
    struct frame f = {.view = view, .style = &upper, .out = out};

    if (style->is_live) {
        add_text(&f, "\x1b[H");
        upper.rows = style->rows > 1 ? style->rows - 1 : 1; /* the foot */
    }
    if (view->now != NULL) {
        head(&f);
        queries(&f);
        cache(&f);
        latency(&f);
        asked(&f);
        clients(&f);
        servers(&f);
    }
    f.style = style;
    foot(&f);
}
