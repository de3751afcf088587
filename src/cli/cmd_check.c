/*
 * dotstub check: is the configuration good, where do zones go, and what leaves
 * in clear text?
 */
#include "base/err.h"
#include "cli/cli.h"
#include "config/host.h"
#include "policy/policy.h"
#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WHY_MAX = 256 };

static void print_servers(const struct config_pool *p)
{
    for (size_t i = 0; i < p->server_count; i++) {
        printf("%s%s", i == 0 ? "" : ", ", p->servers[i].label);
    }
}

/* Can the names that are answered here be answered so? What no line of the file
 * shows alone comes out when their tables are made. */
static bool check_names(const struct config *c, const char *file)
{
    static const uint8_t key[16]; /* nobody attacks these tables */
    struct policy_zone *zones = calloc(c->zone_count + 1, sizeof(*zones));
    struct policy *policy = NULL;
    char why[WHY_MAX] = "";
    int err = ERR_NOMEM;

    for (size_t i = 0; zones != NULL && i < c->zone_count; i++) {
        zones[i] = (struct policy_zone){.name = c->zones[i].name,
                                        .is_nxdomain = c->zones[i].is_nxdomain};
    }
    if (zones != NULL) {
        err = policy_create(&c->policy, zones, c->zone_count, key, true,
                            &policy, why, sizeof(why));
    }
    if (err != 0) {
        fprintf(stderr, "%s: %s\n", file, *why == '\0' ? err_text(err) : why);
    }
    policy_release(policy);
    free(zones);
    return err == 0;
}

/* The servers that the file names now; they may be others later. */
static void print_resolv_conf(const struct config *c, const char *file)
{
    struct config_pool p = {.servers = NULL};
    char why[WHY_MAX];

    printf("the servers of %s, now ", file);
    if (config_resolv_conf(file, c->listen, c->listen_count, &p, why,
                           sizeof(why)) != 0) {
        printf("none: %s", why);
    } else {
        print_servers(&p);
    }
    config_pool_finish(&p);
}

static void print_zone(const struct config *c, const struct config_zone *z)
{
    if (z->is_nxdomain) {
        printf("no such name: %s and all below\n", z->name);
        return;
    }
    printf("%s: %s to ", z->pool.is_plain ? "clear text" : "encrypted",
           z->name);
    if (z->resolv_conf != NULL) {
        print_resolv_conf(c, z->resolv_conf);
    } else {
        print_servers(&z->pool);
    }
    putchar('\n');
}

static void print_zones(const struct config *c)
{
    for (size_t i = 0; i < c->zone_count; i++) {
        print_zone(c, &c->zones[i]);
    }
    if (c->pool.is_plain) {
        printf("clear text: all other names to ");
        print_servers(&c->pool);
        putchar('\n');
    }
}

static void print_tap(const struct config *c)
{
    if (c->dnstap != NULL && c->tap.kind == CONFIG_TAP_TCP &&
        !host_is_loopback(&c->tap.addr)) {
        printf("clear text: copies of all queries and answers to %s (dnstap)\n",
               c->dnstap);
    }
}

/* What was checked. Without a file that was the environment. */
static const char *name_of(const char *file)
{
    if (strcmp(file, "-") == 0) {
        return "<stdin>";
    }
    return access(file, F_OK) == 0 ? file : "the environment";
}

int cmd_check(int argc, char **argv)
{
    struct cli_args args = {.config_file = CLI_CONFIG_FILE};
    int code = cli_parse(argc, argv, &args);
    struct config *config;
    char text[SERVER_LISTEN_TEXT_MAX];
    const char *name;

    if (code != -1) {
        return code;
    }
    config = cli_load(args.config_file);
    if (config == NULL) {
        return CLI_BAD_CONFIG;
    }
    name = name_of(args.config_file);
    if (!check_names(config, name)) {
        config_destroy(config);
        return CLI_BAD_CONFIG;
    }
    printf("%s is good: %zu server%s, listening on %s\n", name,
           config->pool.server_count, config->pool.server_count == 1 ? "" : "s",
           server_listen_text(config, text, sizeof(text)));
    print_zones(config);
    print_tap(config);
    config_destroy(config);
    return cli_end_output();
}
