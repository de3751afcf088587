/*
 * The addresses and names as the operators document them, those of the plain
 * services (DNSSEC, no filter beyond what the provider's own name stands for),
 * IPv4 first.
 */
#include "config/provider.h"

#include "base/attr.h"
#include "config/suggest.h"

#include <string.h>
#include <strings.h>

static const struct provider providers[] = {
    {"cloudflare",
     "cloudflare-dns.com",
     "one.one.one.one",
     {"1.1.1.1", "1.0.0.1", "2606:4700:4700::1111", "2606:4700:4700::1001"}},
    {"quad9",
     "dns.quad9.net",
     NULL,
     {"9.9.9.9", "149.112.112.112", "2620:fe::fe", "2620:fe::9"}},
    {"google",
     "dns.google",
     "dns.google.com",
     {"8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"}},
    {"adguard",
     "dns.adguard-dns.com",
     "dns.adguard.com",
     {"94.140.14.14", "94.140.15.15", "2a10:50c0::ad1:ff",
      "2a10:50c0::ad2:ff"}},
    {"mullvad", "dns.mullvad.net", NULL, {"194.242.2.2", "2a07:e340::2"}},
};

const struct provider *provider_find(const char *word)
{
    for (size_t i = 0; i < COUNT_OF(providers); i++) {
        if (strcmp(providers[i].word, word) == 0) {
            return &providers[i];
        }
    }
    return NULL;
}

const struct provider *provider_of_name(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(providers); i++) {
        const struct provider *p = &providers[i];
        if (strcasecmp(p->name, name) == 0 ||
            (p->alias != NULL && strcasecmp(p->alias, name) == 0)) {
            return p;
        }
    }
    return NULL;
}

const struct provider *provider_near(const char *text)
{
    struct suggest s;

    suggest_init(&s, text);
    for (size_t i = 0; i < COUNT_OF(providers); i++) {
        suggest_offer(&s, providers[i].word);
    }
    return s.best == NULL ? NULL : provider_find(s.best);
}
