/*
 * The table of faults, which is two tables one after the other. When they come
 * and go is in run.c.
 */
#include "faults.h"

#include <string.h>

size_t fault_count(void)
{
    return faults_net_count + faults_manners_count;
}

const struct fault *fault_at(size_t i)
{
    return i < faults_net_count ? &faults_net[i]
                                : &faults_manners[i - faults_net_count];
}

const struct fault *fault_by_name(const char *name, size_t len)
{
    for (size_t i = 0; i < fault_count(); i++) {
        const struct fault *f = fault_at(i);
        if (strlen(f->name) == len && memcmp(f->name, name, len) == 0) {
            return f;
        }
    }
    return NULL;
}
