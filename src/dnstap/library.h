/*
 * libfstrm, taken only when dnstap is configured: nobody else pays for a
 * library more at each start, and a program built with it runs where it is not
 * installed. A static program has it inside.
 */
#ifndef DNSTAP_LIBRARY_H
#define DNSTAP_LIBRARY_H

#include "base/attr.h"

#include <fstrm.h>

/* Returns 0 | ERR_NOTFOUND: the library is not on this machine (logged). */
MUST_USE int library_load(void);

/* As dnstap_library(). */
const char *library_text(void);

#ifdef LIBRARY_LATE

#    define LIBRARY_FUNCTIONS(X) \
        X(fstrm_iothr_destroy) \
        X(fstrm_iothr_get_input_queue_idx) \
        X(fstrm_iothr_init) \
        X(fstrm_iothr_options_destroy) \
        X(fstrm_iothr_options_init) \
        X(fstrm_iothr_options_set_input_queue_size) \
        X(fstrm_iothr_options_set_num_input_queues) \
        X(fstrm_iothr_options_set_queue_notify_threshold) \
        X(fstrm_iothr_options_set_reopen_interval) \
        X(fstrm_iothr_submit) \
        X(fstrm_rdwr_destroy) \
        X(fstrm_rdwr_init) \
        X(fstrm_rdwr_set_close) \
        X(fstrm_rdwr_set_open) \
        X(fstrm_rdwr_set_read) \
        X(fstrm_rdwr_set_write) \
        X(fstrm_writer_destroy) \
        X(fstrm_writer_init) \
        X(fstrm_writer_options_add_content_type) \
        X(fstrm_writer_options_destroy) \
        X(fstrm_writer_options_init)

/* Filled by library_load(). */
struct library_functions {
#    define LIBRARY_MEMBER(name) __typeof__(&name) late_##name;
    LIBRARY_FUNCTIONS(LIBRARY_MEMBER)
#    undef LIBRARY_MEMBER
};
extern struct library_functions library_functions;

#    ifndef LIBRARY_LOADER
#        define fstrm_iothr_destroy library_functions.late_fstrm_iothr_destroy
#        define fstrm_iothr_get_input_queue_idx \
            library_functions.late_fstrm_iothr_get_input_queue_idx
#        define fstrm_iothr_init library_functions.late_fstrm_iothr_init
#        define fstrm_iothr_options_destroy \
            library_functions.late_fstrm_iothr_options_destroy
#        define fstrm_iothr_options_init \
            library_functions.late_fstrm_iothr_options_init
#        define fstrm_iothr_options_set_input_queue_size \
            library_functions.late_fstrm_iothr_options_set_input_queue_size
#        define fstrm_iothr_options_set_num_input_queues \
            library_functions.late_fstrm_iothr_options_set_num_input_queues
#        define fstrm_iothr_options_set_queue_notify_threshold \
            library_functions \
                .late_fstrm_iothr_options_set_queue_notify_threshold
#        define fstrm_iothr_options_set_reopen_interval \
            library_functions.late_fstrm_iothr_options_set_reopen_interval
#        define fstrm_iothr_submit   library_functions.late_fstrm_iothr_submit
#        define fstrm_rdwr_destroy   library_functions.late_fstrm_rdwr_destroy
#        define fstrm_rdwr_init      library_functions.late_fstrm_rdwr_init
#        define fstrm_rdwr_set_close library_functions.late_fstrm_rdwr_set_close
#        define fstrm_rdwr_set_open  library_functions.late_fstrm_rdwr_set_open
#        define fstrm_rdwr_set_read  library_functions.late_fstrm_rdwr_set_read
#        define fstrm_rdwr_set_write library_functions.late_fstrm_rdwr_set_write
#        define fstrm_writer_destroy library_functions.late_fstrm_writer_destroy
#        define fstrm_writer_init    library_functions.late_fstrm_writer_init
#        define fstrm_writer_options_add_content_type \
            library_functions.late_fstrm_writer_options_add_content_type
#        define fstrm_writer_options_destroy \
            library_functions.late_fstrm_writer_options_destroy
#        define fstrm_writer_options_init \
            library_functions.late_fstrm_writer_options_init
#    endif

#endif

#endif
