/*
 * Public DoT services that one word stands for.
 */
#ifndef CONFIG_PROVIDER_H
#define CONFIG_PROVIDER_H

#include <stddef.h>

enum { PROVIDER_ADDRESSES_MAX = 4 };

struct provider {
    const char *word;
    const char *name;  /* to authenticate */
    const char *alias; /* another name of the same service, or NULL */
    const char *addresses[PROVIDER_ADDRESSES_MAX + 1]; /* NULL-ended */
};

/* The provider of that very word; NULL: none. */
const struct provider *provider_find(const char *word);

/* The provider whose service has this host name; NULL: none. */
const struct provider *provider_of_name(const char *name);

/* The provider whose word text nearly is; NULL: none. */
const struct provider *provider_near(const char *text);

#endif
