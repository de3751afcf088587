/*
 * dotstub pin: which keys does a server show, and would it be believed without
 * pins? The connection is the one that `dotstub run` would make, so the verdict
 * is too.
 */
#include "base/err.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/import.h"
#include "cli/probe.h"
#include "config/endpoint.h"
#include "config/provider.h"
#include "tls/chain.h"

#include <ctype.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_NO_REPLY = 9, TIMEOUT_MS = 5000 };

struct target {
    struct addr addr;
    char name[HOST_NAME_MAX_LEN + 1]; /* "": by address */
    bool was_looked_up;
    const char *ca_file; /* NULL: the system's store */
};

/* ---- who is meant ---- */

/* The first address that the system knows for name. */
static int look_up(const char *name, struct addr *out)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(name, NULL, &hints, &found);

    if (rc != 0) {
        fprintf(stderr, "dotstub: %s: %s\n", name, gai_strerror(rc));
        return ERR_NOTFOUND;
    }
    if (found->ai_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)found->ai_addr;
        out->family = 4;
        memcpy(out->ip, &v4->sin_addr, 4);
    } else {
        const struct sockaddr_in6 *v6 = (const void *)found->ai_addr;
        out->family = 6;
        out->scope_id = v6->sin6_scope_id;
        memcpy(out->ip, &v6->sin6_addr, 16);
    }
    freeaddrinfo(found);
    return 0;
}

static int take_port(const char *text, uint16_t *port)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    if (!isdigit((unsigned char)text[0]) || *end != '\0' || number == 0 ||
        number > UINT16_MAX) {
        return ERR_INVAL;
    }
    *port = (uint16_t)number;
    return 0;
}

/* "dns.example[:PORT][#NAME]": a host with a name. text is changed. */
static int target_of_host(char *text, struct target *out,
                          char why[HOST_WHY_MAX])
{
    char host[HOST_NAME_MAX_LEN + 1];
    char *name = strchr(text, '#');
    char *port;

    if (name != NULL) {
        *name++ = '\0';
    }
    port = strchr(text, ':');
    out->addr.port = ENDPOINT_PORT_DOT;
    if (port != NULL) {
        *port++ = '\0';
        if (take_port(port, &out->addr.port) != 0) {
            (void)snprintf(why, HOST_WHY_MAX, "'%.32s' is no port", port);
            return ERR_INVAL;
        }
    }
    int err = host_parse_name(text, host, why);
    if (err == 0) {
        err = host_parse_name(name != NULL ? name : host, out->name, why);
    }
    if (err == 0) {
        out->was_looked_up = true;
        err = look_up(host, &out->addr);
    }
    return err;
}

/* What a word or a name stands for where its addresses are known: no need to
 * ask anybody. */
static const char *known_address(const char *text, const char **name)
{
    const struct provider *p = provider_find(text);

    if (p == NULL) {
        p = provider_of_name(text);
    }
    if (p == NULL) {
        return NULL;
    }
    *name = p->name;
    return p->addresses[0];
}

static bool looks_like_address(const char *text)
{
    size_t digits = strspn(text, "0123456789.");

    return text[0] == '[' || text[digits] == '\0' ||
           strchr(":@#", text[digits]) != NULL || strstr(text, "://") != NULL ||
           strchr(text, ':') != strrchr(text, ':');
}

static int target_init(struct target *t, const char *text)
{
    char why[HOST_WHY_MAX] = "";
    const char *name = NULL;
    const char *address = known_address(text, &name);
    struct endpoint e;
    int err;

    *t = (struct target){.name = ""};
    if (address != NULL || looks_like_address(text)) {
        err = endpoint_parse(address != NULL ? address : text, ENDPOINT_SERVER,
                             &e, why);
        if (err == 0) {
            t->addr = e.addr;
            (void)snprintf(t->name, sizeof(t->name), "%s",
                           address != NULL ? name : e.name);
        }
    } else {
        char *copy = strdup(text);
        err = copy == NULL ? ERR_NOMEM : target_of_host(copy, t, why);
        free(copy);
    }
    if (why[0] != '\0') {
        fprintf(stderr, "dotstub: %s\n", why);
    }
    return err;
}

/* ---- what it shows ---- */

static void print_certificate(const struct tls_certificate *c, size_t i)
{
    char pin[TLS_PIN_TEXT_MAX];

    printf("# %s: %s\n", i == 0 ? "the server's own" : "issuer", c->subject);
    if (i == 0) {
        printf("#   names:  %s\n", c->names);
    }
    printf("#   issuer: %s\n", c->issuer);
    printf("#   valid:  %s to %s\n", c->valid_from, c->valid_to);
    printf("#   %s\n", tls_pin_text(&c->pin, pin));
}

/* Whoever reads the entry may do so in another folder. */
static void print_ca_file(const char *file)
{
    char *whole = realpath(file, NULL);

    printf("    ca_file: %s\n",
           import_quote(whole != NULL ? whole : file).text);
    free(whole);
}

static void print_entry(const struct target *t, const struct tls_chain *chain)
{
    char text[ADDR_TEXT_MAX];
    bool has_name = t->name[0] != '\0';

    printf("servers:\n  - address: \"%s\"\n", addr_ip_text(&t->addr, text));
    if (t->addr.port != ENDPOINT_PORT_DOT) {
        printf("    port: %u\n", t->addr.port);
    }
    if (has_name) {
        printf("    name: %s\n", t->name);
    }
    puts("    pins:");
    /* Without a name the server's own key alone counts. */
    for (size_t i = 0; i < (has_name ? chain->count : 1); i++) {
        char pin[TLS_PIN_TEXT_MAX];
        printf("      - %s  # %s\n", tls_pin_text(&chain->all[i].pin, pin),
               i == 0 ? "the server's own key: changes when it is renewed"
                      : "an issuer's key: stays longer");
    }
    if (t->ca_file != NULL && has_name) { /* else the pin alone decides */
        print_ca_file(t->ca_file);
    }
}

static int print_verdict(const struct target *t, const struct probe *p,
                         const char *origin, const struct tls_chain *chain)
{
    char text[ADDR_TEXT_MAX];

    if (p->err == 0) {
        printf("# VERIFIED %s by the certificates of %s (%s, %s)\n",
               t->name[0] != '\0' ? "for this name" : "for this address",
               origin, p->info.version, p->info.cipher);
        return CLI_OK;
    }
    printf("# NOT VERIFIED: %s\n"
           "# Whoever answered may not be the server that you mean: compare "
           "these pins\n"
           "# with what its operator tells you over another channel before "
           "you use them.\n",
           p->why);
    fflush(stdout);
    fprintf(stderr, "dotstub: %s is not verified: %s\n",
            addr_text(&t->addr, text), p->why);
    if (t->name[0] != '\0' && chain->count > 0) {
        puts("# With a name the certificate must verify as well: leave the "
             "name out to go by\n# the server's own key alone.");
    }
    return CLI_FAILURE;
}

static int report(const struct target *t, const struct probe *p,
                  const char *origin, const struct tls_chain *chain)
{
    char text[ADDR_TEXT_MAX];

    if (chain->count == 0) {
        fprintf(stderr, "dotstub: %s: %s\n", addr_text(&t->addr, text), p->why);
        return EXIT_NO_REPLY;
    }
    printf("# %s%s%s%s\n", addr_text(&t->addr, text),
           t->name[0] != '\0' ? "#" : "", t->name,
           t->was_looked_up ? ", an address from this system's resolver" : "");
    for (size_t i = 0; i < chain->count; i++) {
        print_certificate(&chain->all[i], i);
    }
    int code = print_verdict(t, p, origin, chain);
    print_entry(t, chain);
    int written = cli_end_output();
    return written != CLI_OK ? written : code;
}

static int connect_and_report(const struct target *t, struct tls_trust *trust)
{
    struct tls_chain chain = {.count = 0};
    const struct tls_client_options options = {
        .trust = trust,
        .name = t->name[0] != '\0' ? t->name : NULL,
        .addr = t->addr,
        .chain = &chain,
    };
    struct tls_client *client = NULL;
    struct net_loop *loop = NULL;
    struct probe probe = {.loop = NULL};
    int err = net_loop_create(&loop);
    int code = CLI_FAILURE;

    if (err == 0) {
        err = tls_client_create(&options, &client);
    }
    if (err == 0) {
        probe_open(&probe, loop, &t->addr, client, TIMEOUT_MS);
        code = report(t, &probe, tls_trust_origin(trust), &chain);
    } else {
        fprintf(stderr, "dotstub: %s\n", err_text(err));
    }
    probe_finish(&probe);
    tls_client_destroy(client);
    net_loop_destroy(loop);
    return code;
}

int cmd_pin(int argc, char **argv)
{
    const char *ca_file = NULL;
    const struct cli_option options[] = {{"ca-file", &ca_file, NULL}};
    struct cli_args args = {
        .options = options,
        .option_count = COUNT_OF(options),
        .operands_max = 1,
    };
    int code = cli_parse(argc, argv, &args);
    struct target target;
    struct tls_trust *trust = NULL;
    char why[256] = "";

    if (code != -1) {
        return code;
    }
    if (args.operand == NULL) {
        return cli_usage_error("a server is missing after", "pin", NULL, 0);
    }
    log_setup(LOG_ERROR, LOG_TEXT);
    int err = target_init(&target, args.operand);
    target.ca_file = ca_file;
    if (err != 0) {
        return err == ERR_NOTFOUND ? EXIT_NO_REPLY : CLI_USAGE;
    }
    if (tls_global_init() != 0 ||
        tls_trust_load(ca_file, NULL, &trust, why, sizeof(why)) != 0) {
        fprintf(stderr, "dotstub: trusted certificates: %s\n", why);
        return CLI_BAD_CONFIG;
    }
    code = connect_and_report(&target, trust);
    tls_trust_release(trust);
    tls_global_finish();
    return code;
}
