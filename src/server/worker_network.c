/*
 * A worker hears of its machine's network, and tells its pools. Where the
 * system has no such messages, or does not allow them, it goes on without:
 * silence of connections is found by what is asked over them.
 */
#include "server/worker_inside.h"

#include "base/err.h"
#include "base/log.h"

#define LOG_ROOM "server"

static void tell(const struct pools *pools, const struct addr *gone)
{
    for (size_t i = 0; i < pools->count; i++) {
        if (pools->all[i] != NULL) {
            upstream_pool_network_changed(pools->all[i], gone);
        }
    }
}

static void on_change(void *arg, enum net_change change,
                      const struct addr *addr)
{
    struct worker *w = arg;
    const struct addr *gone = change == NET_ADDRESS_GONE ? addr : NULL;

    tell(&w->pools, gone);
    tell(&w->retired, gone);
}

void worker_watch_network(struct worker *w)
{
    int err = net_monitor_start(w->loop, on_change, w, &w->monitor);

    if (err != 0 && w->options.is_first) {
        log_info("changes of the network are not told here: %s", err_text(err));
    }
}
