/*
 * Sockets do not block: where one would, poll() waits, a tenth of a second at a
 * time, to see in between whether the process ends.
 */
#include "dnstap/sink.h"

#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LOG_ROOM "dnstap"

enum {
    STEP_MS = 100,
    PATIENCE_MS = 5000, /* with a receiver that does not take octets */
    ENDING_PATIENCE_MS = 500,
    IOV_LEN = 256, /* of libfstrm's writer */
    FRAME_HEAD = 4,
    CONTROL_TYPE_AT = 8, /* in a control frame: 0, length, type */
    CONTROL_START = 2,
};

static const char content_type[] = "protobuf:dnstap.Dnstap";

union sockaddr_of {
    struct sockaddr any;
    struct sockaddr_un local;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* ---- telling ---- */

static void tell_lost(struct dnstap_sink *s, const char *why)
{
    bool is_file = s->target.kind == CONFIG_TAP_FILE;

    if (!s->is_told && !s->is_ending) {
        log_warning("%s: %s; messages are dropped until %s", s->text, why,
                    is_file ? "the next reload" : "a receiver is there");
    }
    s->is_told = true;
}

static void tell_found(struct dnstap_sink *s)
{
    log_info("writing to %s", s->text);
    s->is_told = false;
}

/* ---- files ---- */

/* What was written before stays: a stream cannot be added to another one.
 * Returns 0, or -1 (*why). */
static int keep_before(const char *path, const char **why)
{
    struct stat st;
    char kept[PATH_MAX];
    int len = snprintf(kept, sizeof(kept), "%s.1", path);

    if (lstat(path, &st) != 0 || (S_ISREG(st.st_mode) && st.st_size == 0)) {
        return 0;
    }
    if (!S_ISREG(st.st_mode)) {
        *why = "it is there and is not a file";
        return -1;
    }
    if (len >= (int)sizeof(kept) || rename(path, kept) != 0) {
        *why = "what is there cannot be renamed";
        return -1;
    }
    return 0;
}

static int open_file(struct dnstap_sink *s)
{
    const char *path = s->target.path;
    const char *why = NULL;
    struct stat st;

    if (keep_before(path, &why) == 0) {
        s->fd =
            open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY,
                 S_IRUSR | S_IWUSR | S_IRGRP);
        why = strerror(errno);
    }
    if (s->fd < 0 || fstat(s->fd, &st) != 0) {
        log_error("%s: %s", s->text, why);
        return ERR_IO;
    }
    s->device = st.st_dev;
    s->inode = st.st_ino;
    return 0;
}

bool dnstap_sink_is_in_place(const struct dnstap_sink *s)
{
    struct stat st;

    if (s->target.kind != CONFIG_TAP_FILE) {
        return true;
    }
    return !s->is_broken && stat(s->target.path, &st) == 0 &&
           st.st_dev == s->device && st.st_ino == s->inode;
}

int dnstap_sink_init(struct dnstap_sink *s, const char *text,
                     const struct config_tap *target)
{
    *s = (struct dnstap_sink){.text = text, .target = *target, .fd = -1};
    return s->target.kind == CONFIG_TAP_FILE ? open_file(s) : 0;
}

static void close_fd(struct dnstap_sink *s)
{
    if (s->fd >= 0) {
        (void)close(s->fd);
    }
    s->fd = -1;
}

void dnstap_sink_finish(struct dnstap_sink *s)
{
    close_fd(s);
}

/* ---- connecting ---- */

/* This thread has no loop that would tell the time. */
static uint64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Is the time over that began to run at since_ms? At the end there is one time
 * for all that is still to be said. */
static bool is_over(struct dnstap_sink *s, uint64_t since_ms)
{
    uint64_t now = now_ms();

    if (s->is_ending && s->ending_since_ms == 0) {
        s->ending_since_ms = now;
    }
    return now - since_ms >= PATIENCE_MS ||
           (s->is_ending && now - s->ending_since_ms >= ENDING_PATIENCE_MS);
}

/* Until fd can be read or written. False: it took too long (errno). */
static bool wait_for(struct dnstap_sink *s, short events)
{
    struct pollfd p = {.fd = s->fd, .events = events};
    uint64_t since_ms = now_ms();

    while (!is_over(s, since_ms)) {
        int n = poll(&p, 1, STEP_MS);
        if (n > 0) {
            return true;
        }
        if (n < 0 && errno != EINTR) {
            return false;
        }
    }
    errno = ETIMEDOUT;
    return false;
}

static socklen_t address_of(const struct config_tap *target,
                            union sockaddr_of *out)
{
    const struct addr *a = &target->addr;

    memset(out, 0, sizeof(*out));
    if (target->kind == CONFIG_TAP_UNIX) {
        out->local.sun_family = AF_UNIX;
        (void)snprintf(out->local.sun_path, sizeof(out->local.sun_path), "%s",
                       target->path);
        return sizeof(out->local);
    }
    if (a->family == 4) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(a->port);
        memcpy(&out->v4.sin_addr, a->ip, sizeof(out->v4.sin_addr));
        return sizeof(out->v4);
    }
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(a->port);
    out->v6.sin6_scope_id = a->scope_id;
    memcpy(&out->v6.sin6_addr, a->ip, sizeof(out->v6.sin6_addr));
    return sizeof(out->v6);
}

/* Connect fd. Returns 0, or -1 (errno). */
static int connect_fd(struct dnstap_sink *s, const union sockaddr_of *to,
                      socklen_t to_len)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (connect(s->fd, &to->any, to_len) == 0) {
        return 0;
    }
    if (errno != EINPROGRESS || !wait_for(s, POLLOUT) ||
        getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        return -1;
    }
    errno = error;
    return error == 0 ? 0 : -1;
}

/* ---- what libfstrm calls ---- */

static fstrm_res reopen_file(struct dnstap_sink *s)
{
    if (s->fd < 0 || s->was_opened) {
        return fstrm_res_failure;
    }
    s->was_opened = true;
    return fstrm_res_success;
}

/* After a handshake that failed it comes here again without on_close(). */
static fstrm_res on_open(void *arg)
{
    struct dnstap_sink *s = arg;
    union sockaddr_of to;
    const int one = 1;

    if (s->target.kind == CONFIG_TAP_FILE) {
        return reopen_file(s);
    }
    close_fd(s);
    s->is_broken = false;
    socklen_t len = address_of(&s->target, &to);
    s->fd =
        socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0 || connect_fd(s, &to, len) != 0) {
        tell_lost(s, strerror(errno));
        close_fd(s);
        return fstrm_res_failure;
    }
    if (s->target.kind == CONFIG_TAP_TCP) {
        /* Messages are gathered already. */
        (void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    return fstrm_res_success;
}

static fstrm_res on_close(void *arg)
{
    close_fd(arg);
    return fstrm_res_success;
}

static fstrm_res lose(struct dnstap_sink *s, const char *why)
{
    tell_lost(s, why);
    s->is_broken = true;
    return fstrm_res_failure;
}

static fstrm_res on_read(void *arg, void *data, size_t len)
{
    struct dnstap_sink *s = arg;
    uint8_t *at = data;

    while (len > 0) {
        ssize_t n = s->is_broken ? 0 : recv(s->fd, at, len, 0);
        if (n == 0) {
            return lose(s, "it closed the connection");
        }
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        } else if (errno != EINTR &&
                   (errno != EAGAIN || !wait_for(s, POLLIN))) {
            return lose(s, errno == ETIMEDOUT ? "it does not answer"
                                              : strerror(errno));
        }
    }
    return fstrm_res_success;
}

static ssize_t write_some(const struct dnstap_sink *s, struct iovec *iov,
                          size_t count)
{
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = count};

    return s->target.kind == CONFIG_TAP_FILE ? writev(s->fd, iov, (int)count)
                                             : sendmsg(s->fd, &m, MSG_NOSIGNAL);
}

/* Take n octets off what is left to write. Returns the pieces that are done. */
static size_t take_off(struct iovec *iov, size_t count, size_t n)
{
    size_t done = 0;

    while (done < count && n >= iov[done].iov_len) {
        n -= iov[done++].iov_len;
    }
    if (done < count) {
        iov[done].iov_base = (char *)iov[done].iov_base + n;
        iov[done].iov_len -= n;
    }
    return done;
}

static bool write_all(struct dnstap_sink *s, struct iovec *iov, size_t count)
{
    size_t done = 0;

    while (done < count) {
        ssize_t n = write_some(s, iov + done, count - done);
        if (n >= 0) {
            done += take_off(iov + done, count - done, (size_t)n);
        } else if (errno != EINTR &&
                   (errno != EAGAIN || !wait_for(s, POLLOUT))) {
            return false;
        }
    }
    return true;
}

/* A frame of length 0 is a control frame; others are pairs of a length and a
 * message. */
static void count(struct dnstap_sink *s, const struct iovec *iov, size_t len)
{
    static const uint8_t zero[FRAME_HEAD];
    const uint8_t *first = iov[0].iov_base;
    bool is_control =
        iov[0].iov_len >= FRAME_HEAD && memcmp(first, zero, FRAME_HEAD) == 0;

    if (!is_control) {
        s->taken += len / 2;
    } else if (iov[0].iov_len >= CONTROL_TYPE_AT + 4 &&
               first[CONTROL_TYPE_AT + 3] == CONTROL_START) {
        tell_found(s);
    }
}

static fstrm_res on_write(void *arg, const struct iovec *iov, int iov_len)
{
    struct dnstap_sink *s = arg;
    struct iovec left[IOV_LEN];
    size_t len = (size_t)iov_len;

    if (s->is_broken || s->fd < 0 || iov_len < 1 || len > IOV_LEN) {
        return fstrm_res_failure;
    }
    memcpy(left, iov, len * sizeof(*iov));
    if (!write_all(s, left, len)) {
        return lose(s, strerror(errno));
    }
    count(s, iov, len);
    return fstrm_res_success;
}

bool dnstap_sink_was_written(struct dnstap_sink *s)
{
    if (s->taken == 0) {
        return false;
    }
    s->taken--;
    return true;
}

/* ---- the writer ---- */

int dnstap_sink_writer(struct dnstap_sink *s, struct fstrm_writer **out)
{
    struct fstrm_writer_options *options = fstrm_writer_options_init();
    struct fstrm_rdwr *rdwr = fstrm_rdwr_init(s);

    fstrm_rdwr_set_open(rdwr, on_open);
    fstrm_rdwr_set_close(rdwr, on_close);
    fstrm_rdwr_set_write(rdwr, on_write);
    if (s->target.kind != CONFIG_TAP_FILE) {
        fstrm_rdwr_set_read(rdwr, on_read); /* so there is a handshake */
    }
    (void)fstrm_writer_options_add_content_type(options, content_type,
                                                sizeof(content_type) - 1);
    *out = fstrm_writer_init(options, &rdwr);
    fstrm_writer_options_destroy(&options);
    if (*out == NULL) {
        fstrm_rdwr_destroy(&rdwr);
        return ERR_NOMEM;
    }
    return 0;
}
