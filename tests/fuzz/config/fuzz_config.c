/*
 * A configuration's text, whatever it is.
 */
#include "require_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct config *c = NULL;
    struct config_diagnostics d;
    int err = config_load_text((const char *)octets, len, "fuzz.yaml", &c, &d);

    require_outcome(err, c, &d);
    return 0;
}
