/*
 * cmocka, with the headers that it wants before itself.
 */
#ifndef TESTS_UPSTREAM_TESTS_H
#define TESTS_UPSTREAM_TESTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Keep this order. */
#include <cmocka.h>

/* One test on a fresh bed. */
#define BED_TEST(fn) \
    cmocka_unit_test_setup_teardown(fn, bed_setup, bed_teardown)

#endif
