/*
 * What must be true in a fuzz target. Unlike assert() it cannot be compiled
 * out, and a broken one ends the program in a way that libFuzzer reports.
 */
#ifndef TESTS_FUZZ_REQUIRE_H
#define TESTS_FUZZ_REQUIRE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len);

#define REQUIRE(claim) \
    do { \
        if (!(claim)) { \
            (void)fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, \
                          #claim); \
            abort(); \
        } \
    } while (0)

#endif
