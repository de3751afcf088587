/*
 * The functions of libfstrm, found when they are needed first.
 */
#define LIBRARY_LOADER
#include "dnstap/library.h"

#include "base/err.h"
#include "base/late.h"
#include "base/log.h"

#define LOG_ROOM "dnstap"

#ifndef LIBRARY_LATE

const char *library_text(void)
{
    return "libfstrm " FSTRM_VERSION;
}

int library_load(void)
{
    return 0;
}

#else

struct library_functions library_functions;

static int load(void)
{
    static const char *const files[] = {"libfstrm.so.0", "libfstrm.so", NULL};
    static const struct late_function wanted[] = {
#    define LIBRARY_ROW(f) \
        {.name = #f, .at = offsetof(struct library_functions, late_##f)},
        LIBRARY_FUNCTIONS(LIBRARY_ROW)
#    undef LIBRARY_ROW
    };

    return late_load(files, wanted, COUNT_OF(wanted), &library_functions);
}

/* It has no function that would tell which one it is. */
const char *library_text(void)
{
    return load() == 0 ? "libfstrm (built with " FSTRM_VERSION ")"
                       : "libfstrm is not installed";
}

int library_load(void)
{
    if (load() != 0) {
        log_error("dnstap needs libfstrm, which is not on this machine "
                  "(Debian: apt-get install libfstrm0)");
        return ERR_NOTFOUND;
    }
    return 0;
}

#endif
