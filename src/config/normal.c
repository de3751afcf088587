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

static void write_server(FILE *out, const struct draft_server *s)
{
    write_address(out, &s->addr);
    fprintf(out, "  weight: %u\n", s->weight);
    if (*s->name != '\0') {
        fputs("  name: ", out);
        write_string(out, s->name);
        fputc('\n', out);
    }
    if (s->ca_file != NULL) {
        fputs("  ca_file: ", out);
        write_string(out, s->ca_file);
        fputc('\n', out);
    }
    if (s->pin_count > 0) {
        fputs("  pins:\n", out);
    }
    for (size_t i = 0; i < s->pin_count; i++) {
        fputs("  - ", out);
        write_string(out, s->pins[i]);
        fputc('\n', out);
    }
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
    case KEY_KIND_FILE:
    case KEY_KIND_FOLDER:
    case KEY_KIND_STATE:
        if (v->path != NULL) {
            fprintf(out, "%s: ", key->name);
            write_string(out, v->path);
            fputc('\n', out);
        }
        break;
    default:
        fprintf(out, "%s: %" PRIu64 "\n", key->name, v->number);
        break;
    }
}

int normal_write(const struct draft *draft, char **out, size_t *len)
{
    *out = NULL;
    FILE *file = open_memstream(out, len);

    if (file == NULL) {
        return ERR_NOMEM;
    }
    fputs("listen:\n", file);
    for (size_t i = 0; i < draft->listen_count; i++) {
        write_address(file, &draft->listen[i].addr);
    }
    fputs("servers:\n", file);
    for (size_t i = 0; i < draft->server_count; i++) {
        write_server(file, &draft->servers[i]);
    }
    for (size_t i = 0; i < KEYS_TOTAL; i++) {
        write_value(file, &keys_table[i], &draft->values[i]);
    }
    bool is_bad = ferror(file) != 0;
    if (fclose(file) != 0 || is_bad) {
        free(*out);
        *out = NULL;
        return ERR_NOMEM;
    }
    return 0;
}
