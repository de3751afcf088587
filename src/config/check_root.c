/*
 * "." of `zones`: another way to write `servers`, in which they may be in clear
 * text, because who writes it there means it.
 */
#include "config/check.h"

#include <stddef.h>

static const char root_path[] = "zones.\".\"";

/* What only zones with answers of their own can say. */
static void refuse_values(struct check *c, const struct draft_target *t)
{
    static const struct {
        enum zone_key_id id;
        const char *common;
    } rows[] = {{ZONE_KEY_CACHE, "cache_size"},
                {ZONE_KEY_SERVE_STALE, "serve_stale"}};
    char path[DIAG_PATH_MAX];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct draft_value *v = &t->values[rows[i].id];
        if (v->is_given) {
            check_path_join(path, root_path, keys_of_zone[rows[i].id].name);
            diag_error(c->d, v->at, path,
                       "for \".\" this is %s at the top of the file",
                       rows[i].common);
        }
    }
}

void check_root(struct check *c, const struct draft_target *t)
{
    struct mark at = c->draft->root.at;

    refuse_values(c, t);
    if (t->is_nxdomain || t->resolv_conf != NULL) {
        diag_error(c->d, at, root_path,
                   "its servers are written out, such as \".\": [quad9]");
    } else if (t->pool.count > 0 &&
               t->pool.servers[0].transport != CONFIG_TLS) {
        diag_warning(c->d, at, root_path,
                     "all that no other zone takes leaves in clear text");
    }
}

/* Strategy and width of "." are those at the top. */
static void take_value(struct check *c, const struct draft_value *from,
                       enum key_id to)
{
    struct draft_value *v = &c->draft->values[to];
    char path[DIAG_PATH_MAX];

    if (!from->is_given) {
        return;
    }
    if (v->is_given) {
        check_path_join(path, root_path, keys_table[to].name);
        diag_error(c->d, from->at, path, "%s is %s already",
                   keys_table[to].name, diag_place(v->at).text);
        return;
    }
    *v = *from;
}

void check_take_root(struct check *c, struct mark servers)
{
    struct draft *draft = c->draft;

    if (draft->root.at.line == 0) {
        return;
    }
    struct draft_target *t = &draft->targets[draft->root.target];
    if (servers.line != 0) {
        diag_error(c->d, draft->root.at, root_path,
                   "stands for servers, which are %s already",
                   diag_place(servers).text);
        return;
    }
    draft->pool = t->pool;
    t->pool = (struct draft_pool){.count = 0};
    draft->has_random_case = t->values[ZONE_KEY_RANDOM_CASE].number > 0;
    take_value(c, &t->values[ZONE_KEY_STRATEGY], KEY_strategy);
    take_value(c, &t->values[ZONE_KEY_RACE_WIDTH], KEY_race_width);
}
