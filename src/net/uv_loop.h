/*
 * Private to net: what a loop is made of, and the uv.h that no other room
 * sees.
 */
#ifndef NET_UV_LOOP_H
#define NET_UV_LOOP_H

#include "base/list.h"
#include "base/wheel.h"
#include "net/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum { NET_READ_BUFFER_LEN = 64 * 1024 };

struct net_loop {
    uv_loop_t uv;
    uv_timer_t alarm;     /* wakes the loop for the wheel */
    uv_async_t wake;      /* posts, and the request to stop */
    uv_prepare_t prepare; /* after libuv's timers and pending callbacks */
    uv_check_t check;     /* after the callbacks of polled sockets */

    struct wheel wheel;
    uint64_t alarm_at_ms; /* when the alarm goes off; UINT64_MAX: it is off */

    uint64_t boot_ms;      /* CLOCK_BOOTTIME when net_now_ms() was … */
    uint64_t boot_read_ms; /* … this */

    struct list turns;   /* struct net_turn, put off by other rooms */
    struct list flushes; /* struct net_turn, of UDP sockets: after turns */

    pthread_mutex_t posts_lock;
    struct list posts;
    atomic_bool should_stop;

    /* One of each serves all sockets, since callbacks come one at a time; an
     * idle connection then holds no buffer. */
    uint8_t *read_buffer; /* of streams */
    void *udp_inbox;      /* of UDP sockets; NULL until the first is opened */
};

/* As net_turn_defer(), but after all of those: for sending what was gathered.
 * fn calls nothing outside of net. */
void net_loop_defer_flush(struct net_loop *l, struct net_turn *flush);

#endif
