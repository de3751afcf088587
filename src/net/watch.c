/*
 * Files that others change, through inotify.
 *
 * Folders are watched, never the file: that would be lost when another is
 * renamed over it. Where the path is a symlink, or several in a chain, the
 * folder of each link is watched and that of the target. Kubernetes' files
 * are such links, through a link to a folder that is replaced as a whole.
 *
 * An event is only a reason to look: what decides is whether stat(2) of the
 * path, links followed, is another than it was. Watches are set anew before
 * each report, since links may lead to other folders by then; and the look
 * comes after that, so that no change falls between.
 *
 * When the folder itself is gone, or was never there, there is nothing to
 * watch; it is then tried once a second.
 */
#include "net/watch.h"

#include "base/err.h"
#include "net/sockaddr.h"
#include "net/uv_loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    QUIET_MS = 200,
    RETRY_MS = 1000,
    FOLDERS_MAX = 4, /* of the path, of links in the chain, of the target */
};

/* What tells one state of a file from another. */
struct look {
    bool is_there;
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec modified, changed;
};

struct net_watch {
    uv_fs_event_t folders[FOLDERS_MAX];
    size_t open_handles;
    struct net_timer timer;
    net_watch_fn *fn;
    void *arg;
    struct look seen;
    bool is_due; /* a change is not told yet */
    char path[];
};

/* ---- the file ---- */

static bool is_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_same(const struct look *a, const struct look *b)
{
    return a->is_there == b->is_there && a->dev == b->dev && a->ino == b->ino &&
           a->size == b->size && is_same_time(a->modified, b->modified) &&
           is_same_time(a->changed, b->changed);
}

/* Returns whether the file is another than at the last look. */
static bool look_again(struct net_watch *w)
{
    struct stat st;
    struct look now = {.is_there = stat(w->path, &st) == 0};

    if (now.is_there) {
        now.dev = st.st_dev;
        now.ino = st.st_ino;
        now.size = st.st_size;
        now.modified = st.st_mtim;
        now.changed = st.st_ctim;
    }
    if (is_same(&now, &w->seen)) {
        return false;
    }
    w->seen = now;
    return true;
}

/* ---- the folders ---- */

/* With its last slash: what is no folder is then refused. */
static void folder_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL) {
        (void)snprintf(out, PATH_MAX, "./");
    } else {
        (void)snprintf(out, PATH_MAX, "%.*s", (int)(slash - path) + 1, path);
    }
}

/* Go from a symlink to where it points. false: it is none. */
static bool follow(char path[PATH_MAX])
{
    char folder[PATH_MAX];
    char target[PATH_MAX];
    ssize_t n = readlink(path, target, sizeof(target) - 1);

    if (n <= 0) {
        return false;
    }
    target[n] = '\0';
    folder_of(path, folder);
    return snprintf(path, PATH_MAX, "%s%s", target[0] == '/' ? "" : folder,
                    target) < PATH_MAX;
}

static void on_event(uv_fs_event_t *event, const char *name, int what,
                     int status)
{
    struct net_watch *w = event->data;

    (void)name;
    (void)what;
    (void)status;
    if (look_again(w)) {
        w->is_due = true;
        net_timer_start(&w->timer, QUIET_MS);
    }
}

/* Returns what watching the first folder, that of the path, returned. */
static int watch_folders(struct net_watch *w)
{
    char path[PATH_MAX];
    char folder[PATH_MAX];
    bool is_more = true;
    int result = 0;

    (void)snprintf(path, sizeof(path), "%s", w->path);
    for (size_t i = 0; i < FOLDERS_MAX; i++) {
        uv_fs_event_t *event = &w->folders[i];

        (void)uv_fs_event_stop(event);
        if (is_more) {
            folder_of(path, folder);
            int rc = uv_fs_event_start(event, on_event, folder, 0);
            result = i == 0 ? rc : result;
            is_more = follow(path);
        }
    }
    return result;
}

static void on_timer(struct net_timer *t)
{
    struct net_watch *w = CONTAINER_OF(t, struct net_watch, timer);
    bool is_blind = watch_folders(w) != 0;

    if (look_again(w)) {
        w->is_due = true;
        net_timer_start(&w->timer, QUIET_MS);
        return;
    }
    if (is_blind) {
        net_timer_start(&w->timer, RETRY_MS);
    }
    if (w->is_due) {
        w->is_due = false;
        w->fn(w->arg); /* last: it may close us */
    }
}

/* ---- life ---- */

static bool is_missing(int rc)
{
    return rc == UV_ENOENT || rc == UV_ENOTDIR;
}

static int start_error(int rc)
{
    int err = net_error(-rc, "uv_fs_event");
    return err == ERR_NET_ACCESS ? ERR_NET_OTHER : err;
}

int net_watch_start(struct net_loop *l, const char *path, net_watch_fn *fn,
                    void *arg, struct net_watch **out)
{
    size_t size = strlen(path) + 1;
    struct net_watch *w;
    int rc;

    if (size > PATH_MAX) {
        return ERR_NOTFOUND;
    }
    w = calloc(1, sizeof(*w) + size);
    if (w == NULL) {
        return ERR_NOMEM;
    }
    memcpy(w->path, path, size);
    w->fn = fn;
    w->arg = arg;
    net_timer_init(&w->timer, l, on_timer);
    for (size_t i = 0; i < FOLDERS_MAX; i++) {
        (void)uv_fs_event_init(&l->uv, &w->folders[i]); /* cannot fail */
        w->folders[i].data = w;
        w->open_handles++;
    }
    rc = watch_folders(w);
    if (rc != 0 && !is_missing(rc)) {
        net_watch_close(w);
        return start_error(rc);
    }
    if (rc != 0) {
        net_timer_start(&w->timer, RETRY_MS);
    }
    (void)look_again(w);
    *out = w;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct net_watch *w = handle->data;

    if (--w->open_handles == 0) {
        free(w);
    }
}

void net_watch_close(struct net_watch *w)
{
    if (w == NULL) {
        return;
    }
    net_timer_stop(&w->timer);
    for (size_t i = 0; i < FOLDERS_MAX; i++) {
        uv_close((uv_handle_t *)&w->folders[i], on_closed);
    }
}
