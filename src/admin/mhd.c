/*
 * The functions of libmicrohttpd, found when they are needed first.
 */
#define MHD_LOADER
#include "admin/mhd.h"

#include "base/err.h"
#include "base/late.h"
#include "base/log.h"

#define LOG_ROOM "admin"

#ifndef MHD_LATE

int mhd_load(void)
{
    return 0;
}

const char *mhd_version(void)
{
    return MHD_get_version();
}

#else

struct mhd_functions mhd_functions;

static int load(void)
{
    static const char *const files[] = {"libmicrohttpd.so.12",
                                        "libmicrohttpd.so", NULL};
    static const struct late_function wanted[] = {
#    define MHD_ROW(f) \
        {.name = #f, .at = offsetof(struct mhd_functions, late_##f)},
        MHD_FUNCTIONS(MHD_ROW)
#    undef MHD_ROW
    };

    return late_load(files, wanted, COUNT_OF(wanted), &mhd_functions);
}

const char *mhd_version(void)
{
    return load() == 0 ? mhd_functions.late_MHD_get_version() : NULL;
}

int mhd_load(void)
{
    if (load() == 0) {
        return 0;
    }
    log_error("admin: the HTTP pages need libmicrohttpd, which is not on this "
              "machine (Debian: apt-get install libmicrohttpd12)");
    return ERR_NOTFOUND;
}

#endif
