/*
 * net/watch.h: files change when sim_watch_touch() says so.
 */
#include "net_sim.h"

#include "net/watch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { QUIET_MS = 200 };

struct net_watch {
    struct list node; /* in the loop's watches */
    struct net_loop *loop;
    struct net_timer timer;
    net_watch_fn *fn;
    void *arg;
    char path[];
};

static void on_timer(struct net_timer *t)
{
    struct net_watch *w = CONTAINER_OF(t, struct net_watch, timer);

    w->fn(w->arg);
}

void sim_watch_touch(struct net_loop *l, const char *path)
{
    LIST_EACH (node, &l->watches) {
        struct net_watch *w = CONTAINER_OF(node, struct net_watch, node);
        if (strcmp(w->path, path) == 0) {
            net_timer_start(&w->timer, QUIET_MS);
        }
    }
}

int net_watch_start(struct net_loop *l, const char *path, net_watch_fn *fn,
                    void *arg, struct net_watch **out)
{
    size_t size = strlen(path) + 1;
    struct net_watch *w = sim_alloc(sizeof(*w) + size);

    memcpy(w->path, path, size);
    w->loop = l;
    w->fn = fn;
    w->arg = arg;
    net_timer_init(&w->timer, l, on_timer);
    list_push_back(&l->watches, &w->node);
    l->open_count++;
    *out = w;
    return 0;
}

void net_watch_close(struct net_watch *w)
{
    if (w == NULL) {
        return;
    }
    net_timer_stop(&w->timer);
    list_remove(&w->node);
    w->loop->open_count--;
    free(w);
}
