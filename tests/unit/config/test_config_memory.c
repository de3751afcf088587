/*
 * Memory that runs out at any point of loading: the result is ERR_NOMEM, no
 * line is said and (under AddressSanitizer) nothing is lost. The linker sends
 * the room's allocations here; libraries' own are not touched.
 */
#include "base/attr.h"
#include "base/err.h"
#include "expect.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_counting;
static unsigned long left; /* allocations that succeed while counting */
static bool has_failed;

static bool fails(void)
{
    if (!is_counting) {
        return false;
    }
    if (left == 0) {
        has_failed = true;
        return true;
    }
    left--;
    return false;
}

/* Names that the linker gives. */
void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *old, size_t len);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
FILE *__real_open_memstream(char **text, size_t *len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *old, size_t len);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);
FILE *__wrap_open_memstream(char **text, size_t *len);

void *__wrap_malloc(size_t len)
{
    return fails() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t count, size_t len)
{
    return fails() ? NULL : __real_calloc(count, len);
}

void *__wrap_realloc(void *old, size_t len)
{
    return fails() ? NULL : __real_realloc(old, len);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
    return fails() ? NULL : __real_strndup(text, len);
}

FILE *__wrap_open_memstream(char **text, size_t *len)
{
    return fails() ? NULL : __real_open_memstream(text, len);
}

/* Load with room for allocations; false when that was enough. */
static bool runs_out(const char *yaml, unsigned long allocations)
{
    struct config *c = NULL;
    struct config_diagnostics d;

    left = allocations;
    has_failed = false;
    is_counting = true;
    int err = config_load_text(yaml, strlen(yaml), "t", &c, &d);
    is_counting = false;
    if (has_failed) {
        assert_int_equal(err, ERR_NOMEM);
        assert_null(c);
        assert_int_equal(d.count, 0);
    }
    config_diagnostics_finish(&d);
    config_destroy(c);
    return has_failed;
}

#define GOOD \
    "listen: [127.0.0.1, '::1']\n" \
    "servers:\n" \
    "- quad9\n" \
    "- {address: 192.0.2.1, name: a.b, ca_file: /dev/null,\n" \
    "   pins: [sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]}\n" \
    "ca_file: /dev/null\nca_dir: /\n"
#define BAD \
    "servers: [x, {address: y, ca_file: /dev/null}, quad9, quad9]\n" \
    "DNS_SERVERS: [1.1.1.1]\nca_file: /\nworkers: x\nworkers: y\n"
#define BROKEN "servers: [quad9\n"

static void test_memory(void **state)
{
    static const char *const texts[] = {GOOD, BAD, BROKEN};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        unsigned long allocations = 0;
        while (runs_out(texts[i], allocations)) {
            allocations++;
        }
        assert_in_range(allocations, 5, 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests_name("config_memory", tests, NULL, NULL);
}
