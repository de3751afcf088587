/*
 * Values that are good each and wrong together.
 */
#include "config/check.h"

#include "config/value.h"

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

static void check_race(struct check *c)
{
    const struct draft_value *width = value(c, KEY_race_width);
    const struct draft_value *strategy = value(c, KEY_strategy);

    if (!width->is_given || !are_good(width, strategy)) {
        return;
    }
    if (strategy->number != CONFIG_RACE) {
        diag_warning(c->d, width->at, "race_width",
                     "has no effect without strategy: race");
    } else if (c->d->errors == 0 && width->number > c->draft->server_count) {
        diag_warning(c->d, width->at, "race_width",
                     "%s is more than there are servers (%zu)",
                     show(c, KEY_race_width).text, c->draft->server_count);
    }
}

/* Would a query to server come in at l again? */
static bool is_loop(const struct draft_server *server,
                    const struct draft_listen *l)
{
    if (server->addr.port != l->addr.port) {
        return false;
    }
    return addr_ip_equal(&server->addr, &l->addr) ||
           (server->addr.family == l->addr.family && host_is_any(&l->addr) &&
            host_is_loopback(&server->addr));
}

static void check_loops(struct check *c)
{
    const struct draft *draft = c->draft;
    char text[ADDR_TEXT_MAX];

    for (size_t i = 0; i < draft->server_count; i++) {
        const struct draft_server *s = &draft->servers[i];
        for (size_t j = 0; j < draft->listen_count; j++) {
            if (is_loop(s, &draft->listen[j])) {
                diag_error(c->d, s->at, s->path,
                           "%s is where dotstub itself listens; it would ask "
                           "itself",
                           addr_text(&s->addr, text));
                break;
            }
        }
    }
}

void check_rules(struct check *c)
{
    check_bounds(c, KEY_retry_min, KEY_retry_max);
    check_timeout(c, KEY_connect_timeout);
    check_timeout(c, KEY_answer_timeout);
    check_part(c, KEY_tcp_max_clients_per_address, KEY_tcp_max_clients);
    check_race(c);
    check_cache(c);
    check_loops(c);
}
