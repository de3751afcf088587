/*
 * The version of the library that this process runs with.
 */
#include "net/loop.h"
#include "net/uv_loop.h"

const char *net_library_version(void)
{
    return uv_version_string();
}
