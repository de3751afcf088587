/*
 * A resolv.conf: plain servers within bounds, or none; never dotstub itself.
 */
#include "require_config.h"

#include "base/err.h"

#include "../require.h"

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    static const struct addr self = {
        .ip = {127, 0, 0, 1}, .family = 4, .port = 53};
    struct config_pool p = {.servers = NULL};
    int err = config_resolv_conf_text((const char *)octets, len, &self, 1, &p);

    REQUIRE(err == 0 || err == ERR_CONFIG);
    REQUIRE((err == 0) == (p.servers != NULL));
    if (err == 0) {
        REQUIRE(p.is_plain);
        require_pool(&p, true);
    }
    for (size_t i = 0; i < p.server_count; i++) {
        REQUIRE(p.servers[i].addr.port == 53);
        REQUIRE(!addr_equal(&p.servers[i].addr, &self));
        for (size_t j = 0; j < i; j++) {
            REQUIRE(!addr_equal(&p.servers[i].addr, &p.servers[j].addr));
        }
    }
    config_pool_finish(&p);
    return 0;
}
