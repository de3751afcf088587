/*
 * The nameserver lines of a resolv.conf, resolv.conf(5): what follows the word
 * up to the next blank is an address. And its search line, or the older domain
 * line: the last of them counts. All other lines are nothing to us. A line
 * that is not understood is passed over, as the C library does.
 */
#include "config/resolv.h"

#include "base/err.h"
#include "config/endpoint.h"
#include "config/host.h"
#include "config/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Larger than any; what is behind is not read. */
enum { FILE_MAX = 64 * 1024, SERVERS_MAX = 64 };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static size_t skip_blanks(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len && is_blank(text[i])) {
        i++;
    }
    return i;
}

/* Does the line begin with word and a blank? Then it is what is behind them.
 */
static bool skip_word(const char **line, size_t *len, const char *word)
{
    size_t word_len = strlen(word);

    if (*len <= word_len || memcmp(*line, word, word_len) != 0 ||
        !is_blank((*line)[word_len])) {
        return false;
    }
    word_len += skip_blanks(*line + word_len, *len - word_len);
    *line += word_len;
    *len -= word_len;
    return true;
}

/* Up to the next blank, or the end of the line. */
static size_t span_word(const char *line, size_t len)
{
    size_t end = 0;

    while (end < len && !is_blank(line[end]) && line[end] != '\r') {
        end++;
    }
    return end;
}

/* The address of a nameserver line; false: it is something else. */
static bool parse_line(const char *line, size_t len, struct addr *out)
{
    if (!skip_word(&line, &len, "nameserver")) {
        return false;
    }
    if (addr_parse_ip(line, span_word(line, len), out) != 0) {
        return false;
    }
    out->port = ENDPOINT_PORT_DNS;
    return true;
}

static bool is_usable(const struct addr *a, const struct addr *self,
                      size_t self_count, const struct config_pool *p)
{
    bool is_good = !host_is_any(a) && !host_is_multicast(a);

    for (size_t i = 0; is_good && i < self_count; i++) {
        is_good = !host_is_self(a, &self[i]);
    }
    for (size_t i = 0; is_good && i < p->server_count; i++) {
        is_good = !addr_equal(&p->servers[i].addr, a);
    }
    return is_good;
}

/* p has room for it. */
static int add(struct config_pool *p, const struct addr *a)
{
    struct config_server *s = &p->servers[p->server_count++];

    *s = (struct config_server){
        .addr = *a, .transport = CONFIG_UDP, .weight = 1};
    return pool_label(s);
}

/* Every line of text into p. */
static int add_lines(const char *text, size_t len, const struct addr *self,
                     size_t self_count, struct config_pool *p)
{
    int err = 0;

    while (len > 0 && err == 0 && p->server_count < SERVERS_MAX) {
        const char *end = memchr(text, '\n', len);
        size_t line_len = end == NULL ? len : (size_t)(end - text);
        struct addr a;
        if (parse_line(text, line_len, &a) &&
            is_usable(&a, self, self_count, p)) {
            err = add(p, &a);
        }
        line_len += end != NULL;
        text += line_len;
        len -= line_len;
    }
    return err;
}

int config_resolv_conf_text(const char *text, size_t len,
                            const struct addr *self, size_t self_count,
                            struct config_pool *out)
{
    struct config_pool p = {.is_plain = true};

    p.servers = calloc(SERVERS_MAX, sizeof(*p.servers));
    if (p.servers == NULL) {
        return ERR_NOMEM;
    }
    int err = add_lines(text, len, self, self_count, &p);
    if (err == 0 && p.server_count == 0) {
        err = ERR_CONFIG;
    }
    if (err != 0) {
        config_pool_finish(&p);
        return err;
    }
    /* What the caller has set stays. */
    out->servers = p.servers;
    out->server_count = p.server_count;
    out->is_plain = true;
    return 0;
}

/* Not NUL-ended; the caller frees it. Returns 0 | ERR_NOTFOUND | ERR_CONFIG |
 * ERR_NOMEM, errno is that of the failure. */
static int read_file(const char *file, char **out, size_t *len)
{
    struct stat st;
    /* A FIFO must not hold us up. */
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0) {
        return errno == ENOENT ? ERR_NOTFOUND : ERR_CONFIG;
    }
    char *text = malloc(FILE_MAX);
    int err = text == NULL ? ERR_NOMEM : 0;
    size_t used = 0;
    if (err == 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        errno = EINVAL;
        err = ERR_CONFIG;
    }
    while (err == 0 && used < FILE_MAX) {
        ssize_t n = read(fd, text + used, FILE_MAX - used);
        if (n == 0) {
            break;
        }
        err = n < 0 && errno != EINTR ? ERR_CONFIG : 0;
        used += n < 0 ? 0 : (size_t)n;
    }
    int errnum = errno;
    close(fd);
    errno = errnum;
    if (err != 0) {
        free(text);
        return err;
    }
    *out = text;
    *len = used;
    return 0;
}

int config_resolv_conf(const char *file, const struct addr *self,
                       size_t self_count, struct config_pool *out, char *why,
                       size_t why_len)
{
    char *text = NULL;
    size_t len = 0;
    int err = read_file(file, &text, &len);

    if (err != 0) {
        snprintf(why, why_len, "%s: %s", file,
                 err == ERR_NOMEM ? err_text(err) : strerror(errno));
        return err;
    }
    err = config_resolv_conf_text(text, len, self, self_count, out);
    free(text);
    if (err == ERR_CONFIG) {
        snprintf(why, why_len, "%s: no nameserver line names a server%s", file,
                 self_count > 0 ? " that is not dotstub itself" : "");
    } else if (err != 0) {
        snprintf(why, why_len, "%s: %s", file, err_text(err));
    }
    return err;
}

/* What follows `search`, or the one word that follows `domain`; false: it is
 * another line, or one of them that says nothing. */
static bool parse_search(const char **line, size_t *len)
{
    if (!skip_word(line, len, "search")) {
        if (!skip_word(line, len, "domain")) {
            return false;
        }
        *len = span_word(*line, *len);
    }
    return span_word(*line, *len) > 0;
}

/* A copy that can be shown; NULL: out of memory. */
static char *copy_shown(const char *line, size_t len)
{
    char *copy = malloc(len + 1);

    for (size_t i = 0; copy != NULL && i < len; i++) {
        bool is_space = is_blank(line[i]) || line[i] == '\r';
        bool is_shown = line[i] > ' ' && line[i] < 0x7f;
        copy[i] = is_space ? ' ' : is_shown ? line[i] : '?';
    }
    if (copy != NULL) {
        copy[len] = '\0';
    }
    return copy;
}

int resolv_search(const char *file, char **out)
{
    char *text = NULL;
    size_t len = 0;
    int err = read_file(file, &text, &len);

    if (err != 0) {
        return err;
    }
    const char *found = "";
    size_t found_len = 0;
    for (size_t at = 0; at < len;) {
        const char *line = text + at;
        const char *end = memchr(line, '\n', len - at);
        size_t line_len = end == NULL ? len - at : (size_t)(end - line);
        at += line_len + 1;
        if (parse_search(&line, &line_len)) {
            found = line;
            found_len = line_len;
        }
    }
    *out = copy_shown(found, found_len);
    free(text);
    return *out == NULL ? ERR_NOMEM : 0;
}
