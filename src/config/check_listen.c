/*
 * `listen` and `admin`: a list of addresses, or one.
 */
#include "config/check.h"

#include <string.h>

/* Which list is read. */
struct listing {
    struct draft_places *out;
    enum endpoint_role role;
};

static void add(struct check *c, const struct addr *a, const struct node *n,
                const char *path, struct draft_places *out)
{
    char text[ADDR_TEXT_MAX];

    for (size_t i = 0; i < out->count; i++) {
        if (addr_equal(&out->items[i].addr, a)) {
            diag_error(c->d, n->at, path, "%s is %s already",
                       addr_text(a, text), diag_place(out->items[i].at).text);
            return;
        }
    }
    out->items[out->count++] = (struct draft_listen){.addr = *a, .at = n->at};
}

/* {address: …, port: …} */
static void check_mapping(struct check *c, const struct node *n,
                          const char *path, const struct listing *l)
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
    uint64_t port =
        l->role == ENDPOINT_ADMIN ? ENDPOINT_PORT_ADMIN : ENDPOINT_PORT_DNS;
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
        add(c, &a, n, path, l->out);
    }
}

static void check_entry(struct check *c, const struct node *n, const char *path,
                        void *arg)
{
    const struct listing *l = arg;
    struct endpoint e;
    char why[HOST_WHY_MAX];

    if (check_entry_form(c, n, path)) {
        return;
    }
    if (n->kind == NODE_MAP) {
        check_mapping(c, n, path, l);
    } else if (!check_scalar(c, n, path, "an address")) {
        return;
    } else if (endpoint_parse(n->text, l->role, &e, why) != 0) {
        diag_error(c->d, n->at, path, "%s", why);
    } else {
        add(c, &e.addr, n, path, l->out);
    }
}

void check_listen(struct check *c, const struct node *n, const char *name,
                  enum endpoint_role role, struct draft_places *out)
{
    struct listing l = {.out = out, .role = role};

    if (role == ENDPOINT_ADMIN && n->kind == NODE_SCALAR &&
        strcmp(n->text, "off") == 0) {
        return;
    }
    check_entries(c, n, name, check_entry, &l);
}
