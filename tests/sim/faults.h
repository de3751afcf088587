/*
 * What can go wrong, by name: one table that covers DESIGN's failure table
 * row by row. A fault is begun and ended on one server, or on the program's
 * side.
 */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include "run.h"

enum fault_reach {
    FAULT_SERVER,   /* the server cannot be relied on meanwhile */
    FAULT_HARMLESS, /* the server is healthy all the same */
    FAULT_BLOW,     /* at a moment; healthy again at once */
    FAULT_PROGRAM   /* not a server's: all are as before */
};

struct fault {
    const char *name;
    enum fault_reach reach;
    void (*begin)(struct sim_run *r, struct sim_server *s);
    void (*end)(struct sim_run *r, struct sim_server *s); /* may be NULL */
};

extern const struct fault faults_net[];
extern const size_t faults_net_count;
extern const struct fault faults_manners[];
extern const size_t faults_manners_count;

size_t fault_count(void);
const struct fault *fault_at(size_t i);

/* NULL: there is none of that name. */
const struct fault *fault_by_name(const char *name, size_t len);

/* ---- for the tables ---- */

#define BEGIN(name) \
    static void begin_##name(struct sim_run *r, struct sim_server *s)
#define END(name) \
    static void end_##name(struct sim_run *r, struct sim_server *s)

#define ROW(name, reach) \
    { \
#        name, reach, begin_##name, end_##name \
    }
#define ROW_END(name, reach, end) \
    { \
#        name, reach, begin_##name, end \
    }
#define BLOW(name) \
    { \
#        name, FAULT_BLOW, begin_##name, NULL \
    }

#endif
