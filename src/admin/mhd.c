/*
 * The functions of libmicrohttpd, found when they are needed first.
 */
#define MHD_LOADER
#include "admin/mhd.h"

#include "base/err.h"
#include "base/log.h"

#define LOG_ROOM "admin"

#ifndef MHD_LATE

int mhd_load(void)
{
    return 0;
}

#else

#    include <dlfcn.h>
#    include <stddef.h>
#    include <string.h>

struct mhd_functions mhd_functions;

/* The library stays for as long as the process. */
static int load_from(const char *file)
{
    static const struct {
        const char *name;
        size_t at;
    } wanted[] = {
#    define MHD_ROW(f) \
        {.name = #f, .at = offsetof(struct mhd_functions, late_##f)},
        MHD_FUNCTIONS(MHD_ROW)
#    undef MHD_ROW
    };
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);

    if (library == NULL) {
        return ERR_NOTFOUND;
    }
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        void *found = dlsym(library, wanted[i].name);
        if (found == NULL) {
            return ERR_NOTFOUND;
        }
        memcpy((char *)&mhd_functions + wanted[i].at, &found, sizeof(found));
    }
    return 0;
}

int mhd_load(void)
{
    static const char *const files[] = {"libmicrohttpd.so.12",
                                        "libmicrohttpd.so"};

    for (size_t i = 0; i < COUNT_OF(files); i++) {
        if (load_from(files[i]) == 0) {
            return 0;
        }
    }
    log_error("admin: the HTTP pages need libmicrohttpd, which is not on this "
              "machine (Debian: apt-get install libmicrohttpd12)");
    return ERR_NOTFOUND;
}

#endif
