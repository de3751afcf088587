/*
 * What the conformance tests of src/net have in common: a loop of whichever
 * implementation they are linked with, and running it until something is so.
 */
#ifndef SIM_CONFORM_H
#define SIM_CONFORM_H

#include "base/addr.h"
#include "net/loop.h"

struct conform {
    struct net_loop *loop;
    struct net_timer poll;
    bool (*is_done)(void *arg);
    void *arg;
    int polls; /* one a millisecond */
};

/* In a simulated world of its own, where it is simulated. */
void conform_begin(struct conform *c);
void conform_end(struct conform *c);

/* Fails the test when it takes more than five seconds of the loop's time. */
void conform_run_until(struct conform *c, bool (*is_done)(void *arg),
                       void *arg);

/* 20 ms and a little more. */
void conform_run_a_while(struct conform *c);

/* 127.0.0.1 */
struct addr conform_loopback(uint16_t port);

#endif
