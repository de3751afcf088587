/*
 * Shared by the tests of net. They run the real loop, so SIGALRM ends a test
 * that would hang; a timer of the loop would wake it, and hide the fault.
 */
#ifndef TESTS_NET_RUN_H
#define TESTS_NET_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/err.h"
#include "net/loop.h"

#include <string.h>
#include <unistd.h>

static inline struct net_loop *loop_create(void)
{
    struct net_loop *l = NULL;

    assert_int_equal(net_loop_create(&l), 0);
    return l;
}

/* Run l until something stops it. */
static inline void loop_run(struct net_loop *l)
{
    alarm(60);
    net_loop_run(l);
    alarm(0);
}

static inline struct addr addr_of(const char *ip)
{
    struct addr a;

    assert_int_equal(addr_parse_ip(ip, strlen(ip), &a), 0);
    return a;
}

#endif
