/*
 * The functions of libfstrm, found when they are needed first.
 */
#define LIBRARY_LOADER
#include "dnstap/library.h"

#include "base/err.h"
#include "base/log.h"

#define LOG_ROOM "dnstap"

#ifndef LIBRARY_LATE

int library_load(void)
{
    return 0;
}

#else

#    include <dlfcn.h>
#    include <stddef.h>
#    include <string.h>

struct library_functions library_functions;

/* The library stays for as long as the process. */
static int find_functions(void *library)
{
    static const struct {
        const char *name;
        size_t at;
    } wanted[] = {
#    define LIBRARY_ROW(f) \
        {.name = #f, .at = offsetof(struct library_functions, late_##f)},
        LIBRARY_FUNCTIONS(LIBRARY_ROW)
#    undef LIBRARY_ROW
    };

    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        void *found = dlsym(library, wanted[i].name);
        if (found == NULL) {
            return ERR_NOTFOUND;
        }
        memcpy((char *)&library_functions + wanted[i].at, &found,
               sizeof(found));
    }
    return 0;
}

int library_load(void)
{
    static const char *const files[] = {"libfstrm.so.0", "libfstrm.so"};
    static bool is_loaded;

    for (size_t i = 0; i < COUNT_OF(files) && !is_loaded; i++) {
        void *library = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);
        is_loaded = library != NULL && find_functions(library) == 0;
    }
    if (!is_loaded) {
        log_error("dnstap needs libfstrm, which is not on this machine "
                  "(Debian: apt-get install libfstrm0)");
        return ERR_NOTFOUND;
    }
    return 0;
}

#endif
