/*
 * In place of http.c, in a program without libmicrohttpd.
 */
#include "admin/http.h"

#include "base/err.h"
#include "base/log.h"

#define LOG_ROOM "admin"

int admin_http_create(struct net_loop *loop, const struct admin_hooks *hooks,
                      const struct config *config, struct admin_http **out)
{
    (void)loop;
    (void)hooks;
    (void)config;
    *out = NULL;
    log_error("this program was built without libmicrohttpd and has no HTTP "
              "pages: take 'admin' out of the configuration");
    return ERR_CONFIG;
}

int admin_http_start(struct admin_http *h)
{
    (void)h;
    return ERR_CONFIG;
}

void admin_http_destroy(struct admin_http *h)
{
    (void)h;
}

const char *admin_http_library(void)
{
    return "built without libmicrohttpd";
}
