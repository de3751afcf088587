/*
 * libmicrohttpd, taken only when there is something to serve. The shared
 * library brings GnuTLS and eight more along; linked in the usual way they
 * would cost each start of dotstub some milliseconds and each process some
 * megabytes, for pages that are off by default. A static program has it inside.
 */
#ifndef ADMIN_MHD_H
#define ADMIN_MHD_H

#include "base/attr.h"

#include <microhttpd.h>

/* Returns 0 | ERR_NOTFOUND: the library is not on this machine (logged). */
MUST_USE int mhd_load(void);

/* The version of the library that would be loaded; NULL: it is not on this
 * machine. */
const char *mhd_version(void);

#ifdef MHD_LATE

#    define MHD_FUNCTIONS(X) \
        X(MHD_add_response_header) \
        X(MHD_create_response_from_buffer) \
        X(MHD_destroy_response) \
        X(MHD_get_connection_info) \
        X(MHD_get_daemon_info) \
        X(MHD_get_timeout) \
        X(MHD_get_version) \
        X(MHD_lookup_connection_value) \
        X(MHD_queue_response) \
        X(MHD_run) \
        X(MHD_start_daemon) \
        X(MHD_stop_daemon)

/* Filled by mhd_load(). */
struct mhd_functions {
#    define MHD_MEMBER(name) __typeof__(&name) late_##name;
    MHD_FUNCTIONS(MHD_MEMBER)
#    undef MHD_MEMBER
};
extern struct mhd_functions mhd_functions;

#    ifndef MHD_LOADER
#        define MHD_add_response_header \
            mhd_functions.late_MHD_add_response_header
#        define MHD_create_response_from_buffer \
            mhd_functions.late_MHD_create_response_from_buffer
#        define MHD_destroy_response mhd_functions.late_MHD_destroy_response
#        define MHD_get_connection_info \
            mhd_functions.late_MHD_get_connection_info
#        define MHD_get_daemon_info mhd_functions.late_MHD_get_daemon_info
#        define MHD_get_timeout     mhd_functions.late_MHD_get_timeout
#        define MHD_get_version     mhd_functions.late_MHD_get_version
#        define MHD_lookup_connection_value \
            mhd_functions.late_MHD_lookup_connection_value
#        define MHD_queue_response mhd_functions.late_MHD_queue_response
#        define MHD_run            mhd_functions.late_MHD_run
#        define MHD_start_daemon   mhd_functions.late_MHD_start_daemon
#        define MHD_stop_daemon    mhd_functions.late_MHD_stop_daemon
#    endif

#endif

#endif
