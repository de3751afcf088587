/*
 * Random operations on the cache and on its model: see model.h.
 */
#include "base/rng.h"

#include "model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { RUNS = 200, RUN_LEN = 4 * 3000 };

static void agrees_with_the_model(void **state)
{
    static uint8_t octets[RUN_LEN];
    struct rng rng;

    (void)state;
    rng_seed(&rng, 8);
    for (int run = 0; run < RUNS; run++) {
        /* Some runs with few keys, where more happens to each. */
        uint8_t keys = (uint8_t)(1 + rng_below(&rng, MODEL_KEYS));

        for (size_t i = 0; i < sizeof(octets); i++) {
            octets[i] = (uint8_t)rng_next(&rng);
            octets[i] = (uint8_t)(octets[i] % (i % 4 == 1 ? keys : 256));
        }
        model_run(octets, sizeof(octets));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_model),
    };
    return cmocka_run_group_tests_name("cache_model", tests, NULL, NULL);
}
