/*
 * The service manager (systemd): sockets that it opened for us, and what it
 * wants to hear. sd_listen_fds(3), sd_notify(3); without one of them nothing
 * happens here. The protocols are some lines of text, and the library for them
 * brings more than dotstub itself.
 */
#ifndef SERVER_ACTIVATE_H
#define SERVER_ACTIVATE_H

#include "base/attr.h"
#include "config/config.h"

#include <stdint.h>

/* Take over the sockets that were passed, once. Returns 0 | ERR_INVAL (logged):
 * one of them is of no use. */
MUST_USE int activate_sockets(void);

/* Where sockets were passed, their addresses are what config listens on.
 * Returns 0 | ERR_NOMEM. */
MUST_USE int activate_listen(struct config *config);

/* Open what notify_*() use. */
void notify_open(void);

/* "READY=1\nSTATUS=…"; lost where nobody listens. */
__attribute__((format(printf, 1, 2))) void notify(const char *format, ...);

/* RELOADING=1 with the time that goes with it. */
void notify_reloading(void);

/* How often to say WATCHDOG=1, in milliseconds; 0: not at all. */
uint64_t notify_watchdog_ms(void);

#endif
