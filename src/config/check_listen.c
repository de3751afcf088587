/*
 * `listen`: a list of addresses, or one.
 */
#include "config/check.h"

#include "config/endpoint.h"

static void add(struct check *c, const struct addr *a, struct mark at,
                const char *path)
{
    struct draft *draft = c->draft;
    char text[ADDR_TEXT_MAX];

    for (size_t i = 0; i < draft->listen_count; i++) {
        if (addr_equal(&draft->listen[i].addr, a)) {
            diag_error(c->d, at, path, "%s is in line %u already",
                       addr_text(a, text), draft->listen[i].at.line);
            return;
        }
    }
    draft->listen[draft->listen_count++] =
        (struct draft_listen){.addr = *a, .at = at};
}

/* {address: …, port: …} */
static void check_mapping(struct check *c, const struct node *n,
                          const char *path)
{
    static const struct synonym synonyms[] = {
        {"ip", "address"}, {"host", "address"}, {NULL, NULL}};
    static const struct key port_key = {
        .name = "port", .kind = KEY_KIND_COUNT, .min = 1, .max = UINT16_MAX};
    const char *names[] = {"address", "port"};
    struct mark seen[COUNT_OF(names)] = {{0}};
    struct key_set set = {names, COUNT_OF(names), synonyms, seen,
                          path,  n->first};
    struct addr a = {.family = 0};
    uint64_t port = ENDPOINT_PORT_DNS;
    bool is_good = true;
    char sub[DIAG_PATH_MAX];

    for (const struct node *pair = n->first; pair != NULL; pair = pair->next) {
        int index = check_key(c, &set, pair);
        if (index < 0) {
            continue;
        }
        check_path_join(sub, path, names[index]);
        is_good &= index == 0 ? check_address(c, pair, sub, &a)
                              : check_number(c, &port_key, pair, sub, &port);
    }
    if (seen[0].line == 0) {
        diag_error(c->d, n->at, path, "address is missing");
    } else if (is_good) {
        a.port = (uint16_t)port;
        add(c, &a, n->at, path);
    }
}

static void check_entry(struct check *c, const struct node *n, const char *path)
{
    struct endpoint e;
    char why[HOST_WHY_MAX];

    if (check_entry_form(c, n, path)) {
        return;
    }
    if (n->kind == NODE_MAP) {
        check_mapping(c, n, path);
    } else if (!check_scalar(c, n, path, "an address")) {
        return;
    } else if (endpoint_parse(n->text, ENDPOINT_LISTEN, &e, why) != 0) {
        diag_error(c->d, n->at, path, "%s", why);
    } else {
        add(c, &e.addr, n->at, path);
    }
}

void check_listen(struct check *c, const struct node *n)
{
    check_entries(c, n, "listen", check_entry);
}
