/*
 * The tap of a setup (dnstap). One that goes on through a reload belongs to
 * both setups, so that its receiver is not left for nothing.
 */
#include "server/internal.h"

#include "base/err.h"
#include "server/notes.h"
#include "server/sandbox.h"
#include "server/server.h"

static bool is_unix(const struct config *c)
{
    return c->dnstap != NULL && c->tap.kind == CONFIG_TAP_UNIX;
}

int tap_open(struct server *s, struct setup *setup)
{
    const struct config *c = setup->config;
    struct dnstap *before = s->setup->tap;

    if (setup == s->setup) {
        /* The library, and unix sockets, are left to a process that locks
         * itself in if it has use for them then. */
        s->may_tap = c->dnstap != NULL || c->sandbox == CONFIG_SANDBOX_OFF;
        s->may_tap_unix = is_unix(c) || c->sandbox == CONFIG_SANDBOX_OFF;
    }
    if (c->dnstap == NULL) {
        return 0;
    }
    if (!s->may_tap) {
        note_error("dnstap was off when the process locked itself in; %s",
                   sandbox_way_out(c));
        return ERR_NET_ACCESS;
    }
    if (is_unix(c) && !s->may_tap_unix) {
        note_error("%s: the process has locked itself in and cannot connect to "
                   "unix sockets; %s",
                   c->dnstap, sandbox_way_out(c));
        return ERR_NET_ACCESS;
    }
    if (before != NULL && dnstap_suits(before, c)) {
        setup->tap = dnstap_retain(before);
        return 0;
    }
    return dnstap_create(c, server_worker_count(s->setup->config),
                         "dotstub " DOTSTUB_VERSION, &s->dnstap, &setup->tap);
}

int tap_start(struct setup *setup)
{
    return setup->tap == NULL ? 0 : dnstap_start(setup->tap);
}
