/*
 * Gathering, and writing what was gathered. Whatever of a foreign file reaches
 * the result is quoted, or was parsed and is written anew, so that no value can
 * become a key.
 */
#include "cli/import.h"

#include "base/err.h"
#include "config/suggest.h"
#include "tls/chain.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct import_kind import_kinds[] = {
    {"stubby", "stubby.yml", "upstream_recursive_servers:", import_stubby,
     NULL},
    {"resolved", "resolved.conf", "[Resolve]", NULL, import_resolved},
    {"dnsdist", "dnsdist.yml", "backends:", import_dnsdist, NULL},
    {"dnsdist-lua", "dnsdist.conf", "newServer", NULL, import_lua},
    {"proxy", "a Python proxy's config.yml", "DNS_SERVERS:", import_proxy,
     NULL},
    {"unbound", "unbound.conf", "forward-zone:", NULL, import_unbound},
};

const size_t import_kind_count = COUNT_OF(import_kinds);

/* ---- life ---- */

static int text_init(struct import_text *t)
{
    t->out = open_memstream(&t->data, &t->len);
    return t->out == NULL ? ERR_NOMEM : 0;
}

static void text_finish(struct import_text *t)
{
    if (t->out != NULL) {
        (void)fclose(t->out);
    }
    free(t->data);
}

int import_init(struct import *im, const char *file)
{
    *im = (struct import){.server_count = 0};
    diag_init(&im->faults, file);
    im->servers = calloc(IMPORT_SERVERS_MAX, sizeof(*im->servers));
    if (im->servers == NULL || text_init(&im->listen) != 0 ||
        text_init(&im->settings) != 0 || text_init(&im->notes) != 0) {
        return ERR_NOMEM;
    }
    return 0;
}

void import_finish(struct import *im)
{
    for (size_t i = 0; i < im->server_count; i++) {
        free(im->servers[i].zone);
        free(im->servers[i].ca_file);
    }
    free(im->servers);
    text_finish(&im->listen);
    text_finish(&im->settings);
    text_finish(&im->notes);
    diag_finish(&im->faults);
}

/* ---- gathering ---- */

/* What others wrote has its place in one line of comment. */
static void put_comment(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        fputc(c < 0x20 || c > 0x7e ? ' ' : c, out);
    }
    fputc('\n', out);
}

void import_note(struct import *im, unsigned line, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fprintf(im->notes.out, "#   line %u: ", line);
    put_comment(im->notes.out, text);
}

void import_set(struct import *im, const char *key, const char *fmt, ...)
{
    va_list args;

    fprintf(im->settings.out, "%s: ", key);
    va_start(args, fmt);
    (void)vfprintf(im->settings.out, fmt, args);
    va_end(args);
    fputc('\n', im->settings.out);
}

struct import_quoted import_quote(const char *text)
{
    struct import_quoted q;
    size_t at = 0;

    q.text[at++] = '"';
    for (; *text != '\0' && at < sizeof(q.text) - 6; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            q.text[at++] = '\\';
        }
        if (iscntrl(c)) {
            at += (size_t)snprintf(q.text + at, 5, "\\x%02x", c);
        } else {
            q.text[at++] = *text;
        }
    }
    q.text[at++] = '"';
    q.text[at] = '\0';
    return q;
}

/* Does text, an address in some notation, have no port yet? */
static bool has_no_port(const char *text)
{
    const char *first = strchr(text, ':');

    if (strchr(text, '@') != NULL) {
        return false;
    }
    if (text[0] == '[') {
        return strstr(text, "]:") == NULL;
    }
    return first == NULL || strchr(first + 1, ':') != NULL;
}

/* "ADDRESS@PORT#NAME" of parts. False: it is longer than any. */
static bool join(const struct import_entry *e, const char *scheme,
                 char out[512])
{
    const char *hash = strchr(e->address, '#');
    int len = hash != NULL ? (int)(hash - e->address) : (int)strlen(e->address);
    bool wants_port = e->port != NULL && has_no_port(e->address);
    bool wants_name = hash == NULL && e->name != NULL && scheme[0] == '\0';
    /* "[v6]@53" is no notation of anybody's. */
    bool has_brackets = wants_port && len > 2 && e->address[0] == '[' &&
                        e->address[len - 1] == ']';

    return snprintf(out, 512, "%s%.*s%s%s%s%s%s", scheme,
                    has_brackets ? len - 2 : len,
                    e->address + (has_brackets ? 1 : 0), wants_port ? "@" : "",
                    wants_port ? e->port : "", wants_name ? "#" : "",
                    wants_name ? e->name : "",
                    hash != NULL && scheme[0] == '\0' ? hash : "") < 512;
}

void import_listen(struct import *im, struct mark at, const char *text,
                   const char *port)
{
    const struct import_entry e = {.address = text, .port = port};
    char joined[512];
    char why[HOST_WHY_MAX] = "is too long";
    char shown[ADDR_TEXT_MAX];
    struct endpoint found;

    if (!join(&e, "", joined) ||
        endpoint_parse(joined, ENDPOINT_LISTEN, &found, why) != 0) {
        diag_error(&im->faults, at, "", "%s", why);
        return;
    }
    fprintf(im->listen.out, "  - \"%s\"\n", addr_text(&found.addr, shown));
}

/* A zone's name as dotstub has it; NULL: all names. */
static char *zone_of(struct import *im, const char *zone)
{
    if (zone == NULL || strcmp(zone, ".") == 0) {
        return NULL;
    }
    char *copy = strdup(zone);
    im->is_out_of_memory = im->is_out_of_memory || copy == NULL;
    return copy;
}

struct import_server *import_add(struct import *im, struct mark at,
                                 const struct import_entry *entry)
{
    char text[512];
    char why[HOST_WHY_MAX] = "is too long";
    bool is_root = entry->zone == NULL || strcmp(entry->zone, ".") == 0;
    bool is_udp = entry->is_plain && !is_root;
    struct endpoint found;

    if (!join(entry, is_udp ? "udp://" : "", text) ||
        endpoint_parse(text, is_udp ? ENDPOINT_ZONE : ENDPOINT_SERVER, &found,
                       why) != 0) {
        diag_error(&im->faults, at, "", "%s", why);
        return NULL;
    }
    if (entry->is_plain && is_root) {
        import_note(im, at.line,
                    "%s was asked in clear text and is left out; add it to "
                    "servers if it takes TLS",
                    entry->address);
        return NULL;
    }
    if (im->server_count == IMPORT_SERVERS_MAX) {
        diag_error(&im->faults, at, "", "more than %d servers",
                   IMPORT_SERVERS_MAX);
        return NULL;
    }
    if (!is_udp && found.name[0] == '\0') {
        import_note(im, at.line,
                    "%s has no name: its certificate must be valid for the "
                    "address, or have a pin",
                    entry->address);
    }
    struct import_server *s = &im->servers[im->server_count++];
    *s = (struct import_server){.at = found, .weight = 1};
    s->zone = zone_of(im, entry->zone);
    return s;
}

void import_pin(struct import *im, struct import_server *s, struct mark at,
                const char *text)
{
    struct tls_pin pin;

    if (s->pin_count == IMPORT_PINS_MAX) {
        import_note(im, at.line, "more than %d pins: left out",
                    IMPORT_PINS_MAX);
    } else if (tls_pin_parse(text, &pin) != 0) {
        diag_error(&im->faults, at, "", "this is no pin: %s",
                   diag_quote(text).text);
    } else {
        s->pins[s->pin_count++] = pin;
    }
}

/* ---- writing ---- */

static void write_server(FILE *out, const struct import_server *s,
                         const char *indent)
{
    char text[ADDR_TEXT_MAX];
    char pin[TLS_PIN_TEXT_MAX];

    if (s->at.transport == CONFIG_UDP) {
        fprintf(out, "%s- \"udp://%s\"\n", indent,
                addr_text(&s->at.addr, text));
        return;
    }
    if (s->pin_count == 0 && s->ca_file == NULL && s->weight == 1) {
        fprintf(out, "%s- \"%s%s%s\"\n", indent, addr_text(&s->at.addr, text),
                s->at.name[0] != '\0' ? "#" : "", s->at.name);
        return;
    }
    fprintf(out, "%s- address: \"%s\"\n%s  port: %u\n", indent,
            addr_ip_text(&s->at.addr, text), indent, s->at.addr.port);
    if (s->at.name[0] != '\0') {
        fprintf(out, "%s  name: \"%s\"\n", indent, s->at.name);
    }
    for (size_t i = 0; i < s->pin_count; i++) {
        if (i == 0) {
            fprintf(out, "%s  pins:\n", indent);
        }
        fprintf(out, "%s    - \"%s\"\n", indent,
                tls_pin_text(&s->pins[i], pin));
    }
    if (s->ca_file != NULL) {
        fprintf(out, "%s  ca_file: %s\n", indent,
                import_quote(s->ca_file).text);
    }
    if (s->weight != 1) {
        fprintf(out, "%s  weight: %u\n", indent, s->weight);
    }
}

static bool is_same_zone(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcasecmp(a, b) == 0);
}

static void write_servers_of(FILE *out, const struct import *im,
                             const char *zone, const char *indent)
{
    for (size_t i = 0; i < im->server_count; i++) {
        if (is_same_zone(im->servers[i].zone, zone)) {
            write_server(out, &im->servers[i], indent);
        }
    }
}

static bool was_seen(const struct import *im, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (is_same_zone(im->servers[i].zone, im->servers[at].zone)) {
            return true;
        }
    }
    return false;
}

static void write_zones(FILE *out, const struct import *im)
{
    bool is_first = true;

    for (size_t i = 0; i < im->server_count; i++) {
        const char *zone = im->servers[i].zone;
        if (zone == NULL || was_seen(im, i)) {
            continue;
        }
        fprintf(out, "%s  %s:\n", is_first ? "\nzones:\n" : "",
                import_quote(zone).text);
        is_first = false;
        write_servers_of(out, im, zone, "    ");
    }
}

static bool has_servers(const struct import *im)
{
    for (size_t i = 0; i < im->server_count; i++) {
        if (im->servers[i].zone == NULL) {
            return true;
        }
    }
    return false;
}

static void write_all(FILE *out, const struct import *im, const char *file,
                      const struct import_kind *kind)
{
    fputs("# dotstub's configuration, made from ", out);
    put_comment(out, file);
    fprintf(out, "# (%s).\n", kind->title);
    if (im->notes.len > 0) {
        fprintf(out,
                "#\n# What has no equal, or means something else now:\n"
                "%s",
                im->notes.data);
    }
    if (im->listen.len > 0) {
        fprintf(out, "\nlisten:\n%s", im->listen.data);
    }
    if (has_servers(im)) {
        fputs("\nservers:\n", out);
        write_servers_of(out, im, NULL, "  ");
    } else {
        fputs("\n# No server over TLS is in that file; for instance:\n"
              "# servers: quad9\n",
              out);
    }
    if (im->settings.len > 0) {
        fprintf(out, "\n%s", im->settings.data);
    }
    write_zones(out, im);
}

int import_write(struct import *im, const char *file,
                 const struct import_kind *kind, char **out, size_t *len)
{
    FILE *f = open_memstream(out, len);

    if (f == NULL) {
        return ERR_NOMEM;
    }
    (void)fflush(im->notes.out);
    (void)fflush(im->listen.out);
    (void)fflush(im->settings.out);
    write_all(f, im, file, kind);
    if (fclose(f) != 0 || im->is_out_of_memory) {
        free(*out);
        return ERR_NOMEM;
    }
    return 0;
}

/* ---- for the readers ---- */

const struct node *import_get(const struct node *map, const char *key)
{
    if (map == NULL || map->kind != NODE_MAP) {
        return NULL;
    }
    for (const struct node *n = map->first; n != NULL; n = n->next) {
        if (n->key->kind == NODE_SCALAR && suggest_is_same(n->key->text, key)) {
            return n;
        }
    }
    return NULL;
}

const char *import_scalar(const struct node *map, const char *key)
{
    const struct node *n = import_get(map, key);

    return n != NULL && n->kind == NODE_SCALAR && !node_is_null(n) ? n->text
                                                                   : NULL;
}

bool import_is_yes(const char *text)
{
    static const char *const words[] = {"1", "yes", "true", "on"};

    for (size_t i = 0; text != NULL && i < COUNT_OF(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

char *import_line(char **rest)
{
    char *line = *rest;

    if (line == NULL || *line == '\0') {
        return NULL;
    }
    size_t len = strcspn(line, "\n");
    *rest = line[len] == '\0' ? NULL : line + len + 1;
    line[len] = '\0';
    line += strspn(line, " \t\r");
    for (len = strlen(line); len > 0 && strchr(" \t\r", line[len - 1]) != NULL;
         len--) {
        line[len - 1] = '\0';
    }
    return line;
}

char *import_word(char **rest)
{
    char *word = *rest + strspn(*rest, " \t");
    size_t len;

    if (*word == '\0') {
        return NULL;
    }
    if (*word == '"' || *word == '\'') {
        const char quote[] = {*word++, '\0'};
        len = strcspn(word, quote);
    } else {
        len = strcspn(word, " \t");
    }
    *rest = word + len + (word[len] != '\0');
    word[len] = '\0';
    return word;
}
