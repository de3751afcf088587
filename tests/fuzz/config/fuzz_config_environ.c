/*
 * Variables of the environment, one a NUL-ended piece of the input; there is no
 * file.
 */
#include "require_config.h"

#include <stdlib.h>
#include <string.h>

enum { VARIABLES_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    char *variables[VARIABLES_MAX + 1] = {NULL};
    size_t count = 0;
    struct config *c = NULL;
    struct config_diagnostics d;
    char *text = malloc(len + 1);

    if (text == NULL) {
        return 0;
    }
    if (len > 0) {
        memcpy(text, octets, len);
    }
    text[len] = '\0';
    for (char *p = text; p < text + len && count < VARIABLES_MAX;
         p += strlen(p) + 1) {
        variables[count++] = p;
    }
    int err = config_load_environ("/no/such/file", variables, &c, &d);
    require_outcome(err, c, &d);
    free(text);
    return 0;
}
