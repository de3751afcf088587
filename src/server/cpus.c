/*
 * A limit may be set on the process's own group or on any group above it, so
 * all of them are looked at. Inside a container the path may be the host's
 * while only the container's own group is mounted, at the root: groups that
 * are not there are skipped, and the root comes last.
 */
#include "server/cpus.h"

#include "base/attr.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_LEN = 1024, TEXT_LEN = 4096 };

/* ---- text ---- */

/* A whole number from 1 to LONG_MAX; 0 for anything else. */
static long positive(const char *text, const char **end)
{
    char *stop;
    long value;

    errno = 0;
    value = strtol(text, &stop, 10);
    *end = stop;
    return errno == 0 && stop != text && value > 0 ? value : 0;
}

static unsigned divide_up(long quota, long period)
{
    long cpus;

    if (quota == 0 || period == 0) {
        return 0;
    }
    cpus = quota / period + (quota % period != 0);
    return cpus > INT_MAX ? INT_MAX : (unsigned)cpus;
}

unsigned cpus_from_cpu_max(const char *text)
{
    const char *end;
    long quota = positive(text, &end);

    return divide_up(quota, positive(end, &end));
}

unsigned cpus_from_quota(const char *quota, const char *period)
{
    const char *end;

    return divide_up(positive(quota, &end), positive(period, &end));
}

/* Is name one of the comma-separated list of len octets? */
static bool list_has(const char *list, size_t len, const char *name)
{
    size_t name_len = strlen(name);
    const char *end = list + len;

    for (;;) {
        const char *comma = memchr(list, ',', (size_t)(end - list));
        const char *stop = comma == NULL ? end : comma;

        if ((size_t)(stop - list) == name_len &&
            memcmp(list, name, name_len) == 0) {
            return true;
        }
        if (comma == NULL) {
            return false;
        }
        list = comma + 1;
    }
}

/* Lines are "number:controllers:path". */
const char *cpus_cgroup_path(const char *text, const char *controller,
                             char *path, size_t len)
{
    while (*text != '\0') {
        size_t line_len = strcspn(text, "\n");
        const char *end = text + line_len;
        const char *list = memchr(text, ':', line_len);
        const char *colon = NULL;

        if (list != NULL) {
            list++;
            colon = memchr(list, ':', (size_t)(end - list));
        }
        if (colon != NULL && (size_t)(end - colon) <= len &&
            list_has(list, (size_t)(colon - list), controller)) {
            size_t path_len = (size_t)(end - colon) - 1;

            memcpy(path, colon + 1, path_len);
            path[path_len] = '\0';
            return path[0] == '/' ? path : NULL;
        }
        text = *end == '\0' ? end : end + 1;
    }
    return NULL;
}

/* ---- files ---- */

/* The beginning of a file, as a string; false when it cannot be read. */
static bool read_text(const char *file, char text[TEXT_LEN])
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0) {
        return false;
    }
    do {
        n = read(fd, text, TEXT_LEN - 1);
    } while (n < 0 && errno == EINTR);
    (void)close(fd);
    text[n < 0 ? 0 : n] = '\0';
    return n >= 0;
}

static bool read_in(const char *mount, const char *group, const char *name,
                    char text[TEXT_LEN])
{
    char file[PATH_LEN];
    int n = snprintf(file, sizeof(file), "%s%s/%s", mount,
                     strcmp(group, "/") == 0 ? "" : group, name);

    return n > 0 && n < PATH_LEN && read_text(file, text);
}

static unsigned limit_v2(const char *mount, const char *group)
{
    char text[TEXT_LEN];

    return read_in(mount, group, "cpu.max", text) ? cpus_from_cpu_max(text) : 0;
}

static unsigned limit_v1(const char *mount, const char *group)
{
    char quota[TEXT_LEN];
    char period[TEXT_LEN];

    return read_in(mount, group, "cpu.cfs_quota_us", quota) &&
                   read_in(mount, group, "cpu.cfs_period_us", period)
               ? cpus_from_quota(quota, period)
               : 0;
}

/* Turn "/a/b" into "/a", "/a" into "/"; false for "/". */
static bool to_parent(char *group)
{
    char *slash = strrchr(group, '/');

    if (slash == NULL || group[1] == '\0') {
        return false;
    }
    slash[slash == group ? 1 : 0] = '\0';
    return true;
}

/* The least of cpus and the limits of group and those above it. */
static unsigned apply_limits(unsigned cpus, const char *mount, char *group,
                             unsigned (*limit)(const char *, const char *))
{
    do {
        unsigned most = limit(mount, group);

        if (most > 0 && most < cpus) {
            cpus = most;
        }
    } while (to_parent(group));
    return cpus;
}

static unsigned cpus_by_affinity(void)
{
    cpu_set_t set;
    long online;

    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        return (unsigned)CPU_COUNT(&set);
    }
    online = sysconf(_SC_NPROCESSORS_ONLN); /* more than the set can hold */
    return online > 0 ? (unsigned)online : 1;
}

unsigned cpus_available(void)
{
    static const char *const v1_mounts[] = {"/sys/fs/cgroup/cpu",
                                            "/sys/fs/cgroup/cpu,cpuacct"};
    unsigned cpus = cpus_by_affinity();
    char text[TEXT_LEN];
    char group[PATH_LEN];

    if (cpus == 1 || !read_text("/proc/self/cgroup", text)) {
        return cpus;
    }
    if (cpus_cgroup_path(text, "", group, sizeof(group)) != NULL) {
        cpus = apply_limits(cpus, "/sys/fs/cgroup", group, limit_v2);
    }
    for (size_t i = 0; i < COUNT_OF(v1_mounts); i++) {
        if (cpus_cgroup_path(text, "cpu", group, sizeof(group)) != NULL) {
            cpus = apply_limits(cpus, v1_mounts[i], group, limit_v1);
        }
    }
    return cpus;
}
