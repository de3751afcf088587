/*
 * A descriptor of somebody else's, polled by libuv and never read here.
 */
#include "net/input.h"

#include "base/err.h"
#include "net/sockaddr.h"
#include "net/uv_loop.h"

#include <stdlib.h>

struct net_input {
    uv_poll_t poll;
    net_input_fn *fn;
    void *arg;
};

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct net_input *in = poll->data;

    (void)status;
    (void)events;
    in->fn(in->arg);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

int net_input_start(struct net_loop *l, int fd, net_input_fn *fn, void *arg,
                    struct net_input **out)
{
    struct net_input *in = calloc(1, sizeof(*in));
    int rc;

    if (in == NULL) {
        return ERR_NOMEM;
    }
    rc = uv_poll_init(&l->uv, &in->poll, fd);
    if (rc != 0) {
        free(in);
        (void)net_error(-rc, "uv_poll_init");
        return ERR_NET_OTHER;
    }
    in->poll.data = in;
    in->fn = fn;
    in->arg = arg;
    (void)uv_poll_start(&in->poll, UV_READABLE, on_readable); /* never fails */
    *out = in;
    return 0;
}

void net_input_close(struct net_input *in)
{
    if (in != NULL) {
        uv_close((uv_handle_t *)&in->poll, on_closed);
    }
}
