/*
 * Servers that answer for each other: each once, at most so many, and all of
 * one kind, encrypted or not.
 */
#include "config/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

void draft_pool_finish(struct draft_pool *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->servers[i].ca_file);
    }
    free(p->servers);
    *p = (struct draft_pool){.count = 0};
}

const struct addr *draft_server_address(const struct draft_server *s, size_t i)
{
    return i == 0 ? &s->addr : &s->more[i - 1];
}

/* An address that both have; NULL: none. */
static const struct addr *shared_address(const struct draft_server *a,
                                         const struct draft_server *b)
{
    for (size_t i = 0; i <= a->more_count; i++) {
        for (size_t j = 0; j <= b->more_count; j++) {
            if (addr_equal(draft_server_address(a, i),
                           draft_server_address(b, j))) {
                return draft_server_address(a, i);
            }
        }
    }
    return NULL;
}

/* Is it in the pool already? Then it is reported. */
static bool is_there(struct check *c, const struct draft_pool *pool,
                     const struct draft_server *s, const char *path)
{
    char text[ADDR_TEXT_MAX];

    for (size_t i = 0; i < pool->count; i++) {
        const struct draft_server *other = &pool->servers[i];
        const struct addr *a = shared_address(s, other);
        if (a != NULL && s->transport == other->transport &&
            strcasecmp(other->name, s->name) == 0) {
            diag_error(c->d, s->at, path, "%s%s%s is %s already",
                       addr_text(a, text), *s->name == '\0' ? "" : "#", s->name,
                       diag_place(other->at).text);
            return true;
        }
    }
    return false;
}

/* Clear text beside TLS? Then it is reported. */
static bool is_mixed(struct check *c, const struct draft_pool *pool,
                     const struct draft_server *s, const char *path)
{
    bool is_plain = s->transport != CONFIG_TLS;

    if (pool->count == 0 ||
        is_plain == (pool->servers[0].transport != CONFIG_TLS)) {
        return false;
    }
    diag_error(c->d, s->at, path,
               "this server is asked %s, the one %s %s: all servers of a zone "
               "are encrypted or none is, because one that fails must never be "
               "replaced by clear text",
               is_plain ? "in clear text" : "over TLS",
               diag_place(pool->servers[0].at).text,
               is_plain ? "over TLS" : "in clear text");
    return true;
}

/* Room for one more, at every power of two. */
static bool make_room(struct check *c, struct draft_pool *pool)
{
    if ((pool->count & (pool->count - 1)) != 0) {
        return true;
    }
    size_t capacity = pool->count == 0 ? 1 : 2 * pool->count;
    struct draft_server *servers =
        realloc(pool->servers, capacity * sizeof(*servers));
    if (servers == NULL) {
        c->d->is_out_of_memory = true;
        return false;
    }
    pool->servers = servers;
    return true;
}

bool check_pool_add(struct check *c, struct draft_server *s, const char *path,
                    struct draft_pool *pool)
{
    bool is_full = pool->count == CHECK_ENTRIES_MAX;

    if (is_full) {
        diag_error(c->d, s->at, path, "more than %d servers",
                   CHECK_ENTRIES_MAX);
    }
    if (is_full || is_there(c, pool, s, path) || is_mixed(c, pool, s, path) ||
        !make_room(c, pool)) {
        free(s->ca_file);
        return false;
    }
    snprintf(s->path, sizeof(s->path), "%s", path);
    pool->servers[pool->count++] = *s;
    return true;
}
