/*
 * The cache against its model: the input says what both do, four octets an
 * operation (tests/unit/cache/model.h).
 */
#include "../../unit/cache/model.h"
#include "../require.h"

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    model_run(octets, len);
    return 0;
}
