/*
 * How many CPUs this process may use: what the scheduler lets it run on, and
 * what the quota of its control group comes to.
 */
#ifndef SERVER_CPUS_H
#define SERVER_CPUS_H

#include <stddef.h>

/* At least 1. */
unsigned cpus_available(void);

/* ---- the parts that only read text ---- */

/* CPUs of a cgroup v2 cpu.max ("150000 100000"), rounded up; 0: no limit, or
 * not understood. */
unsigned cpus_from_cpu_max(const char *text);

/* CPUs of a cgroup v1 quota and period in microseconds, rounded up; 0: no
 * limit, or not understood. */
unsigned cpus_from_quota(const char *quota, const char *period);

/*
 * The path of this process's group in /proc/self/cgroup: that of the unified
 * hierarchy (v2) when controller is "", else that of the hierarchy with this
 * controller (v1). Returns path ("/" or "/a/b", at most len octets with the
 * NUL), or NULL when there is none or it is too long.
 */
const char *cpus_cgroup_path(const char *text, const char *controller,
                             char *path, size_t len);

#endif
