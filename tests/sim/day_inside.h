/*
 * What the files of the day share: day.c directs, day_cast.c has people,
 * servers and the router, day_events.c what happens to them.
 */
#ifndef SIM_DAY_INSIDE_H
#define SIM_DAY_INSIDE_H

#include "day.h"

enum { DAY_USERS = 3, SECOND_US = 1000000, MINUTE_US = 60 * SECOND_US };

struct day;

struct day_user {
    struct sim_event e;
    struct day *day;
    unsigned left; /* occasions on this page */
};

struct day {
    struct sim_run run;
    struct day_user users[DAY_USERS];
    struct sim_event sync, router;
    const struct day_habit *habits[SIM_SERVERS_MAX];
    unsigned hour;          /* of the day */
    uint64_t away_until_us; /* nobody asks */
    uint64_t evictions;     /* when the cache was looked at */
    size_t heap;            /* octets, in the night; 0: not seen */
    struct sim_day *out;
};

/* ---- day.c ---- */

uint32_t day_between(struct day *d, uint32_t low, uint32_t high);
void day_run_until(struct day *d, uint64_t at_us);
void day_run_for(struct day *d, uint64_t us);
void day_say(const struct day *d, const char *what);

/* ---- day_cast.c ---- */

void day_add_server(struct day *d);
void day_add_router(struct day *d);

/* Server i behaves as it does when all is well; faults may have changed it. */
void day_take_habit(struct day *d, unsigned i);
const char *day_habit_text(const struct day *d, unsigned i);

/* Does everybody sleep at this hour? */
bool day_is_night(unsigned hour);

void day_people_start(struct day *d);
void day_people_stop(struct day *d);

/* ---- day_events.c ---- */

/* Some faults, in for_us from now on. */
void day_plan_faults(struct day *d, uint64_t for_us);

/* All is well, as it was in the morning. */
void day_end_faults(struct day *d);

/* Another Wi-Fi: no network for some seconds, then other distances. */
void day_move(struct day *d);

/* The lid is closed; most servers have forgotten us when it opens. */
void day_suspend(struct day *d, uint64_t us);

/* Nobody asks until then: after warm_for the program must be as if it were
 * not there, whatever happens around it. */
void day_be_quiet(struct day *d, uint64_t until_us);

#endif
