/*
 * Gathering. Whatever of a foreign file reaches the result is quoted, or was
 * parsed and is written anew (import_write.c), so that no value can become a
 * key.
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
    {"stubby", "stubby.yml", "upstream_recursive_servers:", NULL, import_stubby,
     NULL},
    {"resolved", "resolved.conf", "[Resolve]", NULL, NULL, import_resolved},
    {"dnsdist", "dnsdist.yml", "backends:", NULL, import_dnsdist, NULL},
    {"dnsdist-lua", "dnsdist.conf", "newServer", NULL, NULL, import_lua},
    {"proxy", "a Python proxy's config.yml", "DNS_SERVERS:", NULL, import_proxy,
     NULL},
    {"unbound", "unbound.conf", "forward-zone:", "include-toplevel:", NULL,
     import_unbound},
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
        text_init(&im->settings) != 0 || text_init(&im->notes) != 0 ||
        text_init(&im->lost) != 0) {
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
    text_finish(&im->lost);
    diag_finish(&im->faults);
}

/* ---- gathering ---- */

void import_put_comment(FILE *out, const char *text)
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
    import_put_comment(im->notes.out, text);
}

/* Does a line of the settings say key? */
static bool is_set(struct import *im, const char *key)
{
    size_t len = strlen(key);

    (void)fflush(im->settings.out);
    for (const char *line = im->settings.data; line != NULL;) {
        if (strncmp(line, key, len) == 0 && line[len] == ':') {
            return true;
        }
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return false;
}

void import_set(struct import *im, const char *key, const char *fmt, ...)
{
    va_list args;

    if (is_set(im, key)) {
        return;
    }
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

const char *import_addr_text(const struct addr *a, uint16_t usual,
                             char text[ADDR_TEXT_MAX])
{
    return a->port == usual ? addr_ip_text(a, text) : addr_text(a, text);
}

void import_listen(struct import *im, struct mark at, const char *text,
                   const char *port)
{
    const struct import_entry e = {.address = text, .port = port};
    char joined[512];
    char why[HOST_WHY_MAX] = "is too long";
    char shown[ADDR_TEXT_MAX];
    char line[ADDR_TEXT_MAX + 16];
    struct endpoint found;

    if (!join(&e, "", joined) ||
        endpoint_parse(joined, ENDPOINT_LISTEN, &found, why) != 0) {
        diag_error(&im->faults, at, "", "%s", why);
        return;
    }
    (void)snprintf(line, sizeof(line), "  - \"%s\"\n",
                   import_addr_text(&found.addr, ENDPOINT_PORT_DNS, shown));
    (void)fflush(im->listen.out);
    if (strstr(im->listen.data, line) == NULL) { /* UDP and TCP are one here */
        fputs(line, im->listen.out);
    }
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

/* Is what stands for an address a name of the DNS? */
static bool is_name(const char *address)
{
    char host[HOST_NAME_MAX_LEN + 1];
    size_t len = strcspn(address, "@:#");

    if (len == 0 || len >= sizeof(host) || strncmp(address, "[", 1) == 0) {
        return false;
    }
    memcpy(host, address, len);
    host[len] = '\0';
    return host_looks_like_name(host) &&
           strpbrk(strrchr(host, '.'), "abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL;
}

void import_name(struct import *im, struct mark at, const char *what,
                 const char *name)
{
    import_note(im, at.line,
                "%s%s%s: dotstub wants addresses, not names: look it up, and "
                "write ADDRESS#NAME",
                what, *what == '\0' ? "" : " ", name);
}

struct import_server *import_add(struct import *im, struct mark at,
                                 const struct import_entry *entry)
{
    char text[512];
    char why[HOST_WHY_MAX] = "is too long";
    bool is_root = entry->zone == NULL || strcmp(entry->zone, ".") == 0;
    bool is_bare = entry->is_plain && !is_root;
    const char *scheme = entry->is_tcp ? "tcp://" : "udp://";
    struct endpoint found;

    if (is_name(entry->address)) {
        import_name(im, at, "", entry->address);
        return NULL;
    }
    if (!join(entry, is_bare ? scheme : "", text) ||
        endpoint_parse(text, is_bare ? ENDPOINT_ZONE : ENDPOINT_SERVER, &found,
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
    if (!is_bare && found.name[0] == '\0') {
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

bool import_is_same_zone(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcasecmp(a, b) == 0);
}

void import_end_zone(struct import *im, struct mark at, const char *zone)
{
    if (zone == NULL || strcmp(zone, ".") == 0) {
        return;
    }
    for (size_t i = 0; i < im->server_count; i++) {
        if (import_is_same_zone(im->servers[i].zone, zone)) {
            return;
        }
    }
    import_note(im, at.line,
                "zone %s has no server that could be taken over: its names are "
                "not asked of the other servers, but do not exist until you "
                "write its addresses in zones",
                zone);
    fprintf(im->lost.out, "  %s: nxdomain\n", import_quote(zone).text);
    im->is_incomplete = true;
}

void import_list_add(struct import_list *list, const char *entry)
{
    struct import_quoted q = import_quote(entry);

    if (list->is_full || list->len + strlen(q.text) + 3 > sizeof(list->text)) {
        list->is_full = true;
        return;
    }
    list->len +=
        (size_t)snprintf(list->text + list->len, sizeof(list->text) - list->len,
                         "%s%s", list->len == 0 ? "" : ", ", q.text);
}

void import_list_set(struct import *im, const char *key,
                     const struct import_list *list)
{
    if (list->is_full) {
        fprintf(im->notes.out, "#   there were more of %s than fit\n", key);
        im->is_incomplete = true;
    }
    if (list->len > 0) {
        import_set(im, key, "[%s]", list->text);
    }
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
