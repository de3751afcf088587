/*
 * Unix stream sockets. As in listener.c, the listening socket is ours and
 * libuv only polls it; after a failure of accept it is not polled while the
 * timer `retry` runs.
 */
#include "net/local.h"

#include "base/err.h"
#include "base/log.h"
#include "net/accepted.h"
#include "net/sockaddr.h"
#include "net/uv_loop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOG_ROOM "net"

enum { BACKLOG = 16, RETRY_MS = 1000 };

struct net_local {
    uv_poll_t poll;
    struct net_loop *loop;
    struct net_timer retry;
    net_local_accept_fn *fn;
    void *arg;
    int fd;
    struct stat made; /* the socket, to know it again */
    bool has_made_folder;
    struct stat folder; /* then: the folder */
    bool is_closing;
    struct sockaddr_un addr;
};

/* ---- addresses ---- */

static int address_of(const char *path, struct sockaddr_un *out)
{
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof(out->sun_path)) {
        return ERR_INVAL;
    }
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(out->sun_path, path, len);
    return 0;
}

static int local_error(int errno_code, const char *what)
{
    switch (errno_code) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NOTFOUND;
    case EAGAIN: /* the queue of the one who listens is full */
        return ERR_NET_REFUSED;
    case EROFS:
    case EPERM:
        return ERR_NET_ACCESS;
    default:
        return net_error(errno_code, what);
    }
}

static int local_socket(int *out_fd)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return net_error(errno, "socket");
    }
    *out_fd = fd;
    return 0;
}

static int connect_to(const struct sockaddr_un *addr, int *out_fd)
{
    int fd = -1;
    int err = local_socket(&fd);

    if (err != 0) {
        return err;
    }
    if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) != 0) {
        err = local_error(errno, "connect");
        close(fd);
        return err;
    }
    *out_fd = fd;
    return 0;
}

int net_local_connect(struct net_loop *l, const char *path,
                      struct net_stream **out)
{
    struct sockaddr_un addr;
    int fd = -1;
    int err = address_of(path, &addr);

    if (err == 0) {
        err = connect_to(&addr, &fd);
    }
    return err == 0 ? net_stream_from_fd(l, fd, out) : err;
}

/* ---- accepting ---- */

static void on_readable(uv_poll_t *poll, int status, int events);

static void start_polling(struct net_local *l)
{
    int rc = uv_poll_start(&l->poll, UV_READABLE, on_readable);

    assert(rc == 0);
    (void)rc;
}

static void on_retry(struct net_timer *t)
{
    start_polling(CONTAINER_OF(t, struct net_local, retry));
}

static void retry_later(struct net_local *l, const char *why)
{
    log_warning_limited("%s accepts no connection for %d ms: %s",
                        l->addr.sun_path, RETRY_MS, why);
    (void)uv_poll_stop(&l->poll);
    net_timer_start(&l->retry, RETRY_MS);
}

static void take(struct net_local *l, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    struct net_stream *s = NULL;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) {
        (void)net_error(errno, "SO_PEERCRED");
        close(fd);
        return;
    }
    if (net_stream_from_fd(l->loop, fd, &s) == 0) {
        l->fn(l->arg, s, peer.uid);
    }
}

/* One at a time: libuv tells again of those that are left. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct net_local *l = poll->data;
    int fd;

    (void)events;
    if (status != 0) {
        retry_later(l, uv_strerror(status));
        return;
    }
    fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        take(l, fd);
    } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        retry_later(l, strerror(errno));
    }
}

/* ---- opening ---- */

/* The folder that path is in; "" where it needs none. */
static void folder_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');

    (void)snprintf(out, PATH_MAX, "%.*s",
                   slash == NULL ? 0 : (int)(slash - path), path);
}

static int make_folder(struct net_local *l, const char *path)
{
    char folder[PATH_MAX];

    folder_of(path, folder);
    if (folder[0] == '\0') {
        return 0;
    }
    l->has_made_folder = mkdir(folder, S_IRWXU) == 0;
    if (!l->has_made_folder && errno != EEXIST) {
        return local_error(errno, "mkdir");
    }
    if (l->has_made_folder && lstat(folder, &l->folder) != 0) {
        return local_error(errno, "lstat");
    }
    return 0;
}

/* Is it a socket that was left behind? Then it is removed. */
static int clear_stale(const struct sockaddr_un *addr)
{
    struct stat st;
    int fd = -1;

    if (lstat(addr->sun_path, &st) != 0) {
        return errno == ENOENT ? 0 : local_error(errno, "lstat");
    }
    if (!S_ISSOCK(st.st_mode)) {
        return ERR_NET_IN_USE;
    }
    if (connect_to(addr, &fd) == 0) {
        close(fd);
        return ERR_NET_IN_USE;
    }
    if (errno != ECONNREFUSED) { /* EAGAIN: alive, with a full queue */
        return errno == EAGAIN ? ERR_NET_IN_USE : local_error(errno, "connect");
    }
    return unlink(addr->sun_path) == 0 ? 0 : local_error(errno, "unlink");
}

/* The socket gets its mode before it has a name: at no moment can others
 * connect, whatever the umask is. */
static int bind_and_listen(struct net_local *l)
{
    const struct sockaddr *addr = (const struct sockaddr *)&l->addr;
    int err = local_socket(&l->fd);

    if (err != 0) {
        return err;
    }
    if (fchmod(l->fd, S_IRUSR | S_IWUSR) != 0) {
        err = local_error(errno, "fchmod");
    } else if (bind(l->fd, addr, sizeof(l->addr)) != 0) {
        err = local_error(errno, "bind");
    } else if (listen(l->fd, BACKLOG) != 0 ||
               lstat(l->addr.sun_path, &l->made) != 0) {
        err = local_error(errno, "listen");
        (void)unlink(l->addr.sun_path);
    }
    if (err != 0) {
        close(l->fd);
    }
    return err;
}

static int open_socket(struct net_local *l, const char *path)
{
    int err = address_of(path, &l->addr);

    if (err == 0) {
        err = make_folder(l, path);
    }
    if (err == 0) {
        err = clear_stale(&l->addr);
    }
    return err == 0 ? bind_and_listen(l) : err;
}

static void remove_socket(const struct net_local *l)
{
    struct stat now;

    if (lstat(l->addr.sun_path, &now) == 0 && now.st_dev == l->made.st_dev &&
        now.st_ino == l->made.st_ino) {
        (void)unlink(l->addr.sun_path);
    }
}

int net_local_open(struct net_loop *loop, const char *path,
                   net_local_accept_fn *fn, void *arg, struct net_local **out)
{
    struct net_local *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        return ERR_NOMEM;
    }
    int err = open_socket(l, path);
    if (err != 0) {
        free(l);
        return err;
    }
    int rc = uv_poll_init(&loop->uv, &l->poll, l->fd);
    if (rc != 0) {
        remove_socket(l);
        close(l->fd);
        free(l);
        return net_error(-rc, "uv_poll_init");
    }
    l->loop = loop;
    l->fn = fn;
    l->arg = arg;
    l->poll.data = l;
    net_timer_init(&l->retry, loop, on_retry);
    start_polling(l);
    *out = l;
    return 0;
}

/* Whoever may write the folder can put another file in the place of path at
 * any moment, so it is opened, looked at, and no name is used any more. */
static int give(const char *path, const struct stat *made, uid_t uid, gid_t gid)
{
    struct stat st;
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int err = 0;

    if (fd < 0) {
        return local_error(errno, "open");
    }
    if (fstat(fd, &st) != 0 || st.st_dev != made->st_dev ||
        st.st_ino != made->st_ino) {
        err = ERR_NOTFOUND;
    } else if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) != 0) {
        err = local_error(errno, "fchownat");
    }
    close(fd);
    return err;
}

int net_local_give(struct net_local *l, unsigned uid, unsigned gid)
{
    char folder[PATH_MAX];
    int err = give(l->addr.sun_path, &l->made, uid, gid);

    if (err == 0 && l->has_made_folder) {
        folder_of(l->addr.sun_path, folder);
        err = give(folder, &l->folder, uid, gid);
    }
    return err;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void net_local_close(struct net_local *l)
{
    if (l == NULL) {
        return;
    }
    assert(!l->is_closing);
    l->is_closing = true;
    net_timer_stop(&l->retry);
    remove_socket(l);
    uv_close((uv_handle_t *)&l->poll, on_closed);
    close(l->fd); /* not polled any more */
}
