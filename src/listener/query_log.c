/*
 * Lines are put together in a buffer of fixed size. One write takes them to a
 * file; to a pipe or a socket (standard error may be one) as much as it takes
 * without waiting. The file is opened for appending by each worker, so lines
 * of several never mix.
 */
#include "listener/query_log.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "dns/message.h"
#include "dns/name.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOG_ROOM "listener"

enum {
    BUFFER_LEN = 64 * 1024,
    LINE_MAX = 2 * DNS_NAME_TEXT_MAX + 512,
    INTERVAL_MS = 1000,
};

struct query_log {
    struct net_loop *loop;
    struct net_timer timer; /* runs while something is gathered */
    int fd;
    bool is_stderr;
    bool is_socket;
    bool is_json;
    bool has_names;
    enum config_show_address addresses;
    unsigned sample;  /* one of so many */
    unsigned skipped; /* since the last that was taken */
    uint64_t lost;    /* lines, not told yet */
    uint64_t stamp_s; /* the second that stamp shows */
    char stamp[24];   /* "2026-01-02T03:04:05" */
    size_t len;
    char text[BUFFER_LEN];
};

/* ---- writing ---- */

static void tell_lost(struct query_log *log)
{
    if (log->lost > 0) {
        log_warning_limited("query log: %" PRIu64 " lines could not be "
                            "written",
                            log->lost);
        log->lost = 0;
    }
}

static size_t count_lines(const char *text, size_t len)
{
    size_t count = 0;

    for (size_t i = 0; i < len; i++) {
        count += text[i] == '\n';
    }
    return count;
}

/* After a part, the rest begins inside a line: it stays for the next time. */
static void write_out(struct query_log *log)
{
    ssize_t n;

    do {
        n = log->is_socket ? send(log->fd, log->text, log->len,
                                  MSG_DONTWAIT | MSG_NOSIGNAL)
                           : write(log->fd, log->text, log->len);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN) { /* a full disk; nobody reads any more */
        log->lost += count_lines(log->text, log->len);
        n = (ssize_t)log->len;
    }
    if (n > 0) {
        log->len -= (size_t)n;
        memmove(log->text, log->text + n, log->len);
    }
}

static void on_timer(struct net_timer *t)
{
    struct query_log *log = CONTAINER_OF(t, struct query_log, timer);

    write_out(log);
    tell_lost(log);
    if (log->len > 0) {
        net_timer_start(t, INTERVAL_MS);
    }
}

/* Write what there is, and close it. */
static void finish_file(struct query_log *log)
{
    net_timer_stop(&log->timer);
    if (log->len > 0) {
        write_out(log);
        log->lost += count_lines(log->text, log->len);
        log->len = 0;
    }
    tell_lost(log);
    if (log->fd >= 0) {
        (void)close(log->fd);
    }
}

void query_log_close(struct query_log *log)
{
    if (log != NULL) {
        finish_file(log);
        free(log);
    }
}

/* ---- opening ---- */

/* Standard error anew, so that it can be written without waiting while the
 * program's own log still waits. A socket has a flag for that instead; a file
 * never waits, and has one end only for those that share it. */
static int open_stderr(bool *is_socket)
{
    struct stat st;
    int fd = -1;
    bool is_known = fstat(STDERR_FILENO, &st) == 0;

    *is_socket = is_known && S_ISSOCK(st.st_mode);
    if (!*is_socket && !(is_known && S_ISREG(st.st_mode))) {
        fd = open("/proc/self/fd/2",
                  O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    }
    return fd >= 0 ? fd : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
}

bool query_log_is_early(const struct config *config)
{
    static const char *const folders[] = {"/dev/", "/dev/fd/",
                                          "/proc/self/fd/"};
    const char *name = config->query_log;

    if (name == NULL || config_log_is_stderr(config->query_log)) {
        return name != NULL;
    }
    for (size_t k = 0; k < COUNT_OF(folders); k++) {
        size_t len = strlen(folders[k]);
        if (strncmp(name, folders[k], len) == 0 &&
            strchr(name + len, '/') == NULL) {
            return true;
        }
    }
    return false;
}

static int open_sink(const struct config *config, bool *is_socket)
{
    const char *name = config->query_log;

    *is_socket = false;
    if (config_log_is_stderr(config->query_log)) {
        return open_stderr(is_socket);
    }
    return open(
        name, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
        S_IRUSR | S_IWUSR | S_IRGRP);
}

static struct query_log *log_new(struct net_loop *loop)
{
    struct query_log *log = calloc(1, sizeof(*log));

    if (log != NULL) {
        log->loop = loop;
        log->fd = -1;
        net_timer_init(&log->timer, loop, on_timer);
    }
    return log;
}

static void configure(struct query_log *log, const struct config *config)
{
    log->is_json = config->log_format == LOG_JSON;
    log->has_names = config->query_log_names;
    log->addresses = config->query_log_addresses;
    log->sample = config->query_log_sample;
}

/* The file of config, in place of the one that log may have. Returns whether
 * log has one now. */
static bool open_file(struct query_log *log, const struct config *config)
{
    bool is_socket;

    /* A process that has locked itself in could not open it as well again. */
    if (log->is_stderr && config_log_is_stderr(config->query_log)) {
        return true;
    }
    int fd = open_sink(config, &is_socket);
    if (fd < 0) {
        log_warning_limited(
            "query log %s: %s; going on %s", config->query_log, strerror(errno),
            log->fd < 0 ? "without" : "with the file that is open");
        return log->fd >= 0;
    }
    finish_file(log);
    log->fd = fd;
    log->is_stderr = config_log_is_stderr(config->query_log);
    log->is_socket = is_socket;
    return true;
}

struct query_log *query_log_renew(struct query_log *before,
                                  struct net_loop *loop,
                                  const struct config *config)
{
    if (config->query_log == NULL) {
        query_log_close(before);
        return NULL;
    }
    struct query_log *log = before != NULL ? before : log_new(loop);
    if (log == NULL || !open_file(log, config)) {
        free(log);
        return NULL;
    }
    configure(log, config);
    return log;
}

struct query_log *query_log_open(struct net_loop *loop,
                                 const struct config *config)
{
    return query_log_renew(NULL, loop, config);
}

/* ---- a line ---- */

/* What is told of one answer. */
struct entry {
    char time[40];
    const char *transport;
    const char *client;
    const char *name;
    const char *type;
    const char *rcode;
    const char *from;
    uint64_t took_us;
};

static const char *source_name(enum resolver_source source)
{
    static const char *const names[] = {[RESOLVER_FROM_NOBODY] = "refused",
                                        [RESOLVER_FROM_LOCAL] = "local",
                                        [RESOLVER_FROM_CACHE] = "cache",
                                        [RESOLVER_FROM_STALE] = "stale",
                                        [RESOLVER_FROM_SERVERS] = "servers"};

    return names[source];
}

static void stamp(struct query_log *log, char out[40])
{
    uint64_t now_ms = net_wall_ms(log->loop);
    time_t now_s = (time_t)(now_ms / 1000);
    struct tm tm;

    if (log->stamp_s != (uint64_t)now_s) {
        log->stamp_s = (uint64_t)now_s;
        gmtime_r(&now_s, &tm);
        (void)strftime(log->stamp, sizeof(log->stamp), "%Y-%m-%dT%H:%M:%S",
                       &tm);
    }
    (void)snprintf(out, 40, "%s.%03uZ", log->stamp, (unsigned)(now_ms % 1000));
}

/* "-": it is not to be told. */
static const char *client_text(const struct query_log *log,
                               const struct addr *client,
                               char text[ADDR_TEXT_MAX])
{
    struct addr shown = *client;

    if (log->addresses == CONFIG_ADDRESS_NONE) {
        return "-";
    }
    if (log->addresses == CONFIG_ADDRESS_SHORT) {
        addr_shorten(&shown);
    }
    return addr_ip_text(&shown, text);
}

/* Names have no control characters: those are escaped already. */
static char *put_json_text(char *p, const char *key, const char *value)
{
    if (strcmp(value, "-") == 0) {
        return p;
    }
    p += sprintf(p, ",\"%s\":\"", key);
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\') {
            *p++ = '\\';
        }
        *p++ = *value;
    }
    *p++ = '"';
    return p;
}

static size_t write_json(const struct entry *e, char out[LINE_MAX])
{
    char *p = out + sprintf(out, "{\"time\":\"%s\"", e->time);

    p = put_json_text(p, "transport", e->transport);
    p = put_json_text(p, "client", e->client);
    p = put_json_text(p, "name", e->name);
    p = put_json_text(p, "type", e->type);
    p = put_json_text(p, "rcode", e->rcode);
    p += sprintf(p, ",\"us\":%" PRIu64, e->took_us);
    p = put_json_text(p, "from", e->from);
    p += sprintf(p, "}\n");
    return (size_t)(p - out);
}

static void add_line(struct query_log *log, const struct entry *e)
{
    if (log->len + LINE_MAX > BUFFER_LEN) {
        write_out(log);
    }
    if (log->len + LINE_MAX > BUFFER_LEN) {
        log->lost++;
        return;
    }
    char *p = log->text + log->len;
    if (log->is_json) {
        log->len += write_json(e, p);
    } else {
        log->len +=
            (size_t)sprintf(p, "%s query %s %s %s %s %s %" PRIu64 "us %s\n",
                            e->time, e->transport, e->client, e->name, e->type,
                            e->rcode, e->took_us, e->from);
    }
    if (!net_timer_is_active(&log->timer)) {
        net_timer_start(&log->timer, INTERVAL_MS);
    }
}

static bool is_sampled(struct query_log *log)
{
    if (++log->skipped < log->sample) {
        return false;
    }
    log->skipped = 0;
    return true;
}

void query_log_answer(struct query_log *log, const struct addr *client,
                      bool is_tcp, struct span answer, uint64_t took_us,
                      enum resolver_source source)
{
    struct dns_response r;
    char address[ADDR_TEXT_MAX];
    char name[DNS_NAME_TEXT_MAX];
    char type[16];
    char rcode[16];

    if (!is_sampled(log) || dns_response_parse(answer, &r) != 0) {
        return;
    }
    struct entry e = {
        .transport = is_tcp ? "tcp" : "udp",
        .client = client_text(log, client, address),
        .name = "-",
        .type = r.has_question ? dns_type_text(r.question.type, type) : "-",
        .rcode = dns_rcode_text(r.rcode, rcode),
        .took_us = took_us,
        .from = source_name(source),
    };
    if (log->has_names && r.has_question) {
        e.name = dns_name_to_text(span_of(r.question.name, r.question.name_len),
                                  name);
    }
    stamp(log, e.time);
    add_line(log, &e);
}
