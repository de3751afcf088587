/*
 * Values that are good each and wrong together.
 */
#include "config/check.h"

#include "config/value.h"

#include <inttypes.h>
#include <stdio.h>

static const struct draft_value *value(const struct check *c, enum key_id id)
{
    return &c->draft->values[id];
}

/* Where to point: at the later of two that are in the file. */
static const struct draft_value *later(const struct draft_value *a,
                                       const struct draft_value *b)
{
    if (!a->is_given || (b->is_given && b->at.line > a->at.line)) {
        return b;
    }
    return a;
}

/* Can both be compared? */
static bool are_good(const struct draft_value *a, const struct draft_value *b)
{
    return !a->is_bad && !b->is_bad;
}

struct shown {
    char text[VALUE_TEXT_MAX + 16];
};

/* "1500ms", or "the default 1500ms". */
static struct shown show(const struct check *c, enum key_id id)
{
    const struct draft_value *v = value(c, id);
    char text[VALUE_TEXT_MAX];
    struct shown s;

    snprintf(
        s.text, sizeof(s.text), "%s%s", v->is_given ? "" : "the default ",
        value_format((enum value_kind)keys_table[id].kind, v->number, text));
    return s;
}

static void check_bounds(struct check *c, enum key_id min_id,
                         enum key_id max_id)
{
    const struct draft_value *min = value(c, min_id);
    const struct draft_value *max = value(c, max_id);

    if (are_good(min, max) && min->number > max->number) {
        diag_error(c->d, later(min, max)->at, keys_table[min_id].name,
                   "%s is more than %s (%s)", show(c, min_id).text,
                   keys_table[max_id].name, show(c, max_id).text);
    }
}

/* A limit that ends after the query's own never acts. */
static void check_timeout(struct check *c, enum key_id id)
{
    const struct draft_value *query = value(c, KEY_query_timeout);
    const struct draft_value *other = value(c, id);

    if (are_good(query, other) && other->number >= query->number) {
        diag_warning(c->d, later(other, query)->at, keys_table[id].name,
                     "%s is not less than query_timeout (%s): no time is left "
                     "to ask another server",
                     show(c, id).text, show(c, KEY_query_timeout).text);
    }
}

/* A part that is larger than the whole: the whole decides. A default is not
 * worth a word. */
static void check_part(struct check *c, enum key_id part_id, enum key_id all_id)
{
    const struct draft_value *part = value(c, part_id);
    const struct draft_value *all = value(c, all_id);

    if (part->is_given && are_good(part, all) && part->number > all->number) {
        diag_warning(c->d, later(part, all)->at, keys_table[part_id].name,
                     "%s is more than %s (%s)", show(c, part_id).text,
                     keys_table[all_id].name, show(c, all_id).text);
    }
}

static bool is_off(const struct draft_value *v)
{
    return !v->is_bad && v->number == 0;
}

/* Keys of the cache where there is none; those that turn something off are
 * true all the same. */
static void check_no_cache(struct check *c)
{
    static const enum key_id ids[] = {
        KEY_min_ttl,          KEY_max_ttl,     KEY_failure_ttl,
        KEY_max_negative_ttl, KEY_serve_stale, KEY_stale_answer_after,
        KEY_cache_file,
    };

    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        const struct draft_value *v = value(c, ids[i]);
        if (v->is_given && !v->is_bad && (v->number > 0 || v->path != NULL)) {
            diag_warning(c->d, v->at, keys_table[ids[i]].name,
                         "has no effect with cache_size: 0");
        }
    }
}

static void check_stale(struct check *c)
{
    const struct draft_value *after = value(c, KEY_stale_answer_after);
    const struct draft_value *query = value(c, KEY_query_timeout);

    if (!after->is_given || after->is_bad) {
        return;
    }
    if (is_off(value(c, KEY_serve_stale))) {
        diag_warning(c->d, after->at, "stale_answer_after",
                     "has no effect with serve_stale: 0");
    } else if (are_good(after, query) && after->number >= query->number) {
        diag_warning(c->d, later(after, query)->at, "stale_answer_after",
                     "%s is not less than query_timeout (%s): it has no effect",
                     show(c, KEY_stale_answer_after).text,
                     show(c, KEY_query_timeout).text);
    }
}

static void check_cache(struct check *c)
{
    check_bounds(c, KEY_min_ttl, KEY_max_ttl);
    if (is_off(value(c, KEY_cache_size))) {
        check_no_cache(c);
    } else {
        check_part(c, KEY_max_negative_ttl, KEY_max_ttl);
        check_stale(c);
    }
}

/* path is that of race_width, count the servers. */
static void check_race(struct check *c, const struct draft_value *width,
                       const struct draft_value *strategy, const char *path,
                       size_t count)
{
    if (!width->is_given || !are_good(width, strategy)) {
        return;
    }
    if (strategy->number != CONFIG_RACE) {
        diag_warning(c->d, width->at, path,
                     "has no effect without strategy: race");
    } else if (c->d->errors == 0 && count > 0 && width->number > count) {
        diag_warning(c->d, width->at, path,
                     "%" PRIu64 " is more than there are servers (%zu)",
                     width->number, count);
    }
}

/* Keys that do nothing as long as another key is as it is; switches and numbers
 * that turn them off are true all the same. */
static void check_idle_keys(struct check *c)
{
    static const struct {
        enum key_id id, needs;
        const char *without;
    } rows[] = {
        {KEY_hedge_min, KEY_hedge_budget, "with hedge_budget: 0"},
        {KEY_hedge_max, KEY_hedge_budget, "with hedge_budget: 0"},
        {KEY_search_noise_tlds, KEY_search_noise, "without search_noise"},
        {KEY_rebind_allow, KEY_rebind_protection,
         "without rebind_protection: on"},
        {KEY_rate_burst, KEY_rate_limit, "without rate_limit"},
        {KEY_response_rate_slip, KEY_response_rate_limit,
         "without response_rate_limit"},
        {KEY_query_log_sample, KEY_query_log, "without query_log"},
        {KEY_query_log_addresses, KEY_query_log, "without query_log"},
        {KEY_query_log_names, KEY_query_log, "without query_log"},
        {KEY_dnstap_identity, KEY_dnstap, "without dnstap"},
        {KEY_dnstap_addresses, KEY_dnstap, "without dnstap"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct draft_value *v = value(c, rows[i].id);
        const struct draft_value *needed = value(c, rows[i].needs);
        bool is_needed_set = needed->number > 0 || needed->path != NULL ||
                             needed->count > 0 || needed->is_bad;
        if (v->is_given && !v->is_bad && !is_needed_set) {
            diag_warning(c->d, v->at, keys_table[rows[i].id].name,
                         "has no effect %s", rows[i].without);
        }
    }
}

/* What is said of denied names where none is denied. */
static void check_deny(struct check *c)
{
    static const enum key_id ids[] = {KEY_deny_except, KEY_deny_answer};
    const struct draft_value *names = value(c, KEY_deny_names);
    const struct draft_value *lists = value(c, KEY_deny_lists);

    if (names->count > 0 || lists->count > 0 || names->is_bad ||
        lists->is_bad) {
        return;
    }
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        const struct draft_value *v = value(c, ids[i]);
        if (v->is_given && !v->is_bad) {
            diag_warning(c->d, v->at, keys_table[ids[i]].name,
                         "has no effect without deny_names and deny_lists");
        }
    }
}

/* A second question that comes when the first one is given up anyway. */
static void check_hedge(struct check *c)
{
    const struct draft_value *min = value(c, KEY_hedge_min);
    const struct draft_value *answer = value(c, KEY_answer_timeout);

    check_bounds(c, KEY_hedge_min, KEY_hedge_max);
    if (are_good(min, answer) && min->number >= answer->number &&
        !is_off(value(c, KEY_hedge_budget))) {
        diag_warning(c->d, later(min, answer)->at, "hedge_min",
                     "%s is not less than answer_timeout (%s): by then the "
                     "query is asked elsewhere anyway",
                     show(c, KEY_hedge_min).text,
                     show(c, KEY_answer_timeout).text);
    }
}

/* Warm connections that are closed as unused. */
static void check_warm(struct check *c)
{
    if (!is_off(value(c, KEY_upstream_idle))) {
        check_part(c, KEY_warm_for, KEY_upstream_idle);
    }
}

static void warn_zone(struct check *c, const struct draft_target *t,
                      enum zone_key_id id, const char *what)
{
    char path[DIAG_PATH_MAX];

    diag_warning(c->d, t->values[id].at,
                 check_path_join(path, t->path, keys_of_zone[id].name), "%s",
                 what);
}

/* Is it given, and on or more than 0? */
static bool is_set(const struct draft_value *v)
{
    return v->is_given && !v->is_bad && v->number > 0;
}

static bool has_udp(const struct draft_target *t)
{
    for (size_t i = 0; i < t->pool.count; i++) {
        if (t->pool.servers[i].transport == CONFIG_UDP) {
            return true;
        }
    }
    return t->resolv_conf != NULL;
}

/* Of a zone: what of its keys does nothing. */
static void check_target(struct check *c, const struct draft_target *t)
{
    const struct draft_value *own = &t->values[ZONE_KEY_STRATEGY];
    bool has_cache = !is_off(&t->values[ZONE_KEY_CACHE]) &&
                     !is_off(value(c, KEY_cache_size));
    char path[DIAG_PATH_MAX];

    if (is_set(&t->values[ZONE_KEY_RANDOM_CASE]) && !has_udp(t)) {
        warn_zone(c, t, ZONE_KEY_RANDOM_CASE,
                  "has no effect: none of the servers is asked over UDP");
    }
    if (is_set(&t->values[ZONE_KEY_SERVE_STALE]) && !has_cache) {
        warn_zone(c, t, ZONE_KEY_SERVE_STALE, "has no effect without a cache");
    }
    check_race(c, &t->values[ZONE_KEY_RACE_WIDTH],
               own->is_given ? own : value(c, KEY_strategy),
               check_path_join(path, t->path, "race_width"), t->pool.count);
}

/* "." has been taken to the top; its own keys were checked there. */
static void check_targets(struct check *c)
{
    const struct draft *draft = c->draft;

    for (size_t i = 0; i < draft->target_count; i++) {
        bool is_root = draft->root.at.line != 0 && draft->root.target == i;
        if (!is_root) {
            check_target(c, &draft->targets[i]);
        }
    }
}

void check_rules(struct check *c)
{
    check_bounds(c, KEY_retry_min, KEY_retry_max);
    check_timeout(c, KEY_connect_timeout);
    check_timeout(c, KEY_answer_timeout);
    check_part(c, KEY_tcp_max_clients_per_address, KEY_tcp_max_clients);
    check_race(c, value(c, KEY_race_width), value(c, KEY_strategy),
               "race_width", c->draft->pool.count);
    check_hedge(c);
    check_warm(c);
    check_deny(c);
    check_idle_keys(c);
    check_cache(c);
    check_targets(c);
    check_where(c);
    check_user_files(c);
}
