/*
 * Loading libraries late. A file that lacks a function is closed again, so the
 * table may hold pointers into nowhere until a load has succeeded.
 */
#include "base/late.h"

#include "base/err.h"

#include <dlfcn.h>
#include <string.h>

static int fill(void *library, const struct late_function *functions,
                size_t count, void *table)
{
    for (size_t i = 0; i < count; i++) {
        void *found = dlsym(library, functions[i].name);
        if (found == NULL) {
            return ERR_NOTFOUND;
        }
        memcpy((char *)table + functions[i].at, &found, sizeof(found));
    }
    return 0;
}

int late_load(const char *const *files, const struct late_function *functions,
              size_t count, void *table)
{
    for (; *files != NULL; files++) {
        void *library = dlopen(*files, RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) {
            continue;
        }
        if (fill(library, functions, count, table) == 0) {
            return 0;
        }
        dlclose(library);
    }
    return ERR_NOTFOUND;
}
