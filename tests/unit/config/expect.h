/*
 * Tables of a file's text and what dotstub says about it, to the letter.
 */
#ifndef TESTS_UNIT_CONFIG_EXPECT_H
#define TESTS_UNIT_CONFIG_EXPECT_H

#include "config/config.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

struct expect_case {
    const char *title;
    const char *yaml;
    const char *want; /* lines, each with its "\n"; "": loads without a word */
};

/* What is needed for a file to load, for cases about something else. */
#define EXPECT_SERVER "servers: [9.9.9.9#dns.quad9.net]\n"

/* The file is called "t". */
void expect_cases(const struct expect_case *cases, size_t count);

/* All lines of d, each with its "\n"; the caller frees it. */
char *expect_join(const struct config_diagnostics *d);

/* Load text that must load, without a word. */
struct config *expect_load(const char *yaml);

#endif
