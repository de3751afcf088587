/*
 * Signals: libuv writes them to a pipe of the loop, so fn runs like any other
 * callback and may do anything.
 */
#include "net/signal.h"

#include "base/err.h"
#include "net/sockaddr.h"
#include "net/uv_loop.h"

#include <errno.h>
#include <stdlib.h>

struct net_signal {
    uv_signal_t handle;
    net_signal_fn *fn;
    void *arg;
};

static void on_signal(uv_signal_t *handle, int signum)
{
    struct net_signal *s = handle->data;

    s->fn(s->arg, signum);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

int net_signal_start(struct net_loop *l, int signum, net_signal_fn *fn,
                     void *arg, struct net_signal **out)
{
    struct net_signal *s = calloc(1, sizeof(*s));
    int rc;

    if (s == NULL) {
        return ERR_NOMEM;
    }
    rc = uv_signal_init(&l->uv, &s->handle);
    if (rc != 0) {
        free(s);
        return net_error(-rc, "uv_signal_init");
    }
    s->handle.data = s;
    s->fn = fn;
    s->arg = arg;
    rc = uv_signal_start(&s->handle, on_signal, signum);
    if (rc != 0) {
        net_signal_close(s);
        return rc == UV_EINVAL ? ERR_INVAL : net_error(-rc, "uv_signal_start");
    }
    *out = s;
    return 0;
}

void net_signal_close(struct net_signal *s)
{
    if (s != NULL) {
        uv_close((uv_handle_t *)&s->handle, on_closed);
    }
}
