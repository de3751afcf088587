/*
 * The normalised document. Strings are quoted always, so that none is taken
 * for something else.
 */
#include "config/load.h"

#include "base/err.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A double-quoted scalar; control characters were refused before. */
static void write_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
    fputc('"', out);
}

static void write_address(FILE *out, const struct addr *a)
{
    char text[ADDR_TEXT_MAX];

    fprintf(out, "- address: \"%s\"\n  port: %u\n", addr_ip_text(a, text),
            (unsigned)a->port);
}

/* indent: what stands before each line. */
static void write_pair(FILE *out, const char *indent, const char *name,
                       const char *text)
{
    fprintf(out, "%s%s: ", indent, name);
    write_string(out, text);
    fputc('\n', out);
}

static void write_more(FILE *out, const char *indent,
                       const struct draft_server *s)
{
    char text[ADDR_TEXT_MAX];

    if (s->more_count > 0) {
        fprintf(out, "%s  more:\n", indent);
    }
    for (size_t i = 0; i < s->more_count; i++) {
        fprintf(out, "%s  - \"%s\"\n", indent, addr_ip_text(&s->more[i], text));
    }
}

static void write_server(FILE *out, const char *indent,
                         const struct draft_server *s)
{
    static const char *const transports[] = {
        [CONFIG_TLS] = "tls", [CONFIG_UDP] = "udp", [CONFIG_TCP] = "tcp"};
    char text[ADDR_TEXT_MAX];

    fprintf(out, "%s- address: \"%s\"\n", indent, addr_ip_text(&s->addr, text));
    fprintf(out, "%s  port: %u\n%s  weight: %u\n%s  transport: %s\n", indent,
            (unsigned)s->addr.port, indent, s->weight, indent,
            transports[s->transport]);
    write_more(out, indent, s);
    if (*s->name != '\0') {
        fputs(indent, out);
        write_pair(out, "  ", "name", s->name);
    }
    if (s->ca_file != NULL) {
        fputs(indent, out);
        write_pair(out, "  ", "ca_file", s->ca_file);
    }
    if (s->pin_count > 0) {
        fprintf(out, "%s  pins:\n", indent);
    }
    for (size_t i = 0; i < s->pin_count; i++) {
        fprintf(out, "%s  - ", indent);
        write_string(out, s->pins[i]);
        fputc('\n', out);
    }
}

static void write_pool(FILE *out, const char *indent,
                       const struct draft_pool *pool)
{
    if (pool->count > 0) {
        fprintf(out, "%sservers:\n", indent);
    }
    for (size_t i = 0; i < pool->count; i++) {
        write_server(out, indent, &pool->servers[i]);
    }
}

static void write_list(FILE *out, const struct draft_value *v)
{
    for (size_t i = 0; i < v->count; i++) {
        fputs("- ", out);
        write_string(out, v->items[i]);
        fputc('\n', out);
    }
}

static const char *switch_text(bool is_on)
{
    return is_on ? "true" : "false";
}

static const char *choice_text(const struct key *key, uint64_t number)
{
    for (size_t i = 0; i < key->choice_count; i++) {
        if ((uint64_t)key->choices[i].val == number) {
            return key->choices[i].str;
        }
    }
    return "";
}

static void write_value(FILE *out, const struct key *key,
                        const struct draft_value *v)
{
    switch (key->kind) {
    case KEY_KIND_CHOICE:
        fprintf(out, "%s: %s\n", key->name, choice_text(key, v->number));
        break;
    case KEY_KIND_SWITCH:
        fprintf(out, "%s: %s\n", key->name, switch_text(v->number > 0));
        break;
    case KEY_KIND_LIST:
        if (v->count > 0) {
            fprintf(out, "%s:\n", key->name);
            write_list(out, v);
        }
        break;
    case KEY_KIND_FILE:
    case KEY_KIND_FOLDER:
    case KEY_KIND_STATE:
    case KEY_KIND_SOCKET:
    case KEY_KIND_LOG:
    case KEY_KIND_USER:
    case KEY_KIND_TAP:
    case KEY_KIND_TEXT:
        if (v->path != NULL) {
            write_pair(out, "", key->name, v->path);
        }
        break;
    default:
        fprintf(out, "%s: %" PRIu64 "\n", key->name, v->number);
        break;
    }
}

/* A zone's own value, else the common one. */
static uint64_t pick(const struct draft *draft, const struct draft_target *t,
                     enum zone_key_id id, enum key_id common)
{
    return t->values[id].is_given ? t->values[id].number
                                  : draft->values[common].number;
}

static void write_zone(FILE *out, const struct draft *draft,
                       const struct draft_zone *z)
{
    const struct draft_target *t = &draft->targets[z->target];

    write_pair(out, "- ", "name", z->name);
    fprintf(out,
            "  nxdomain: %s\n  cache: %s\n  random_case: %s\n"
            "  serve_stale: %" PRIu64 "\n  race_width: %" PRIu64 "\n"
            "  strategy: %s\n",
            switch_text(t->is_nxdomain),
            switch_text(t->values[ZONE_KEY_CACHE].number > 0),
            switch_text(t->values[ZONE_KEY_RANDOM_CASE].number > 0),
            pick(draft, t, ZONE_KEY_SERVE_STALE, KEY_serve_stale),
            pick(draft, t, ZONE_KEY_RACE_WIDTH, KEY_race_width),
            choice_text(&keys_table[KEY_strategy],
                        pick(draft, t, ZONE_KEY_STRATEGY, KEY_strategy)));
    if (t->resolv_conf != NULL) {
        write_pair(out, "  ", "resolv_conf", t->resolv_conf);
    }
    write_pool(out, "  ", &t->pool);
}

static void write_places(FILE *out, const char *name,
                         const struct draft_places *places)
{
    if (places->count > 0) {
        fprintf(out, "%s:\n", name);
    }
    for (size_t i = 0; i < places->count; i++) {
        write_address(out, &places->items[i].addr);
    }
}

static void write_all(FILE *out, const struct draft *draft)
{
    write_places(out, "listen", &draft->listen);
    write_places(out, "admin", &draft->admin);
    write_pool(out, "", &draft->pool);
    fprintf(out, "random_case: %s\n", switch_text(draft->has_random_case));
    fputs("allow:\n", out);
    write_list(out, &draft->allow);
    if (draft->zone_count > 0) {
        fputs("zones:\n", out);
    }
    for (size_t i = 0; i < draft->zone_count; i++) {
        write_zone(out, draft, &draft->zones[i]);
    }
    for (size_t i = 0; i < KEYS_TOTAL; i++) {
        write_value(out, &keys_table[i], &draft->values[i]);
    }
}

int normal_write(const struct draft *draft, char **out, size_t *len)
{
    *out = NULL;
    FILE *file = open_memstream(out, len);

    if (file == NULL) {
        return ERR_NOMEM;
    }
    write_all(file, draft);
    bool is_bad = ferror(file) != 0;
    if (fclose(file) != 0 || is_bad) {
        free(*out);
        *out = NULL;
        return ERR_NOMEM;
    }
    return 0;
}
