/*
 * Addresses that are good each and wrong together: servers that are dotstub
 * itself, one place for two uses, and doors that stand open to anyone.
 */
#include "config/check.h"

#include <string.h>

/* Would a query to server come in here again? */
static void check_server(struct check *c, const struct draft_server *s)
{
    const struct draft_places *listen = &c->draft->listen;
    char text[ADDR_TEXT_MAX];

    for (size_t i = 0; i <= s->more_count; i++) {
        const struct addr *a = draft_server_address(s, i);
        for (size_t j = 0; j < listen->count; j++) {
            if (host_is_self(a, &listen->items[j].addr)) {
                diag_error(c->d, s->at, s->path,
                           "%s is where dotstub itself listens; it would ask "
                           "itself",
                           addr_text(a, text));
                return;
            }
        }
    }
}

static void check_pool(struct check *c, const struct draft_pool *pool)
{
    for (size_t i = 0; i < pool->count; i++) {
        check_server(c, &pool->servers[i]);
    }
}

static void check_loops(struct check *c)
{
    check_pool(c, &c->draft->pool);
    for (size_t i = 0; i < c->draft->target_count; i++) {
        check_pool(c, &c->draft->targets[i].pool);
    }
}

/* A TCP port has one user. */
static void check_admin(struct check *c)
{
    const struct draft_places *admin = &c->draft->admin;
    const struct draft_places *listen = &c->draft->listen;
    char text[ADDR_TEXT_MAX];

    for (size_t i = 0; i < admin->count; i++) {
        for (size_t j = 0; j < listen->count; j++) {
            if (addr_equal(&admin->items[i].addr, &listen->items[j].addr)) {
                diag_error(c->d, admin->items[i].at, "admin",
                           "%s is where clients are listened to",
                           addr_text(&admin->items[i].addr, text));
            }
        }
    }
}

static bool is_limited(const struct draft *draft)
{
    return draft->values[KEY_rate_limit].number > 0 ||
           draft->values[KEY_response_rate_limit].number > 0 ||
           draft->values[KEY_rate_limit].is_bad ||
           draft->values[KEY_response_rate_limit].is_bad;
}

/* Is any client answered, from anywhere, as often as it likes? RFC 5358. */
static void check_open(struct check *c)
{
    const struct draft *draft = c->draft;
    bool is_far = false;
    bool is_any = false;

    for (size_t i = 0; i < draft->listen.count; i++) {
        is_far |= !host_is_loopback(&draft->listen.items[i].addr);
    }
    for (size_t i = 0; i < draft->allow.count; i++) {
        struct cidr range;
        const char *text = draft->allow.items[i];
        is_any |= cidr_parse(text, strlen(text), &range) == 0 &&
                  range.prefix_len == 0;
    }
    if (is_far && is_any && !is_limited(draft)) {
        diag_warning(c->d, draft->allow.at, "allow",
                     "anyone is answered, without a limit, and can have others "
                     "flooded with answers; set response_rate_limit, or name "
                     "the ranges");
    }
}

void check_where(struct check *c)
{
    check_loops(c);
    check_admin(c);
    check_open(c);
}
