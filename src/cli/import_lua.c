/*
 * dnsdist.conf in Lua: newServer(), setLocal(), addLocal(), setACL(), addACL()
 * and setServerPolicy() with plain arguments on one line, which is how most
 * files have them. Lua is not run: what is computed is not seen.
 */
#include "cli/import.h"

#include "policy/access.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { VALUE_LEN = 300 };

struct lua {
    struct import *im;
    struct mark at;
    struct import_list allow;
    bool has_acl;
};

/* A value of a table: key = "text", key = word. Empty: it has none. */
static void value_of(const char *table, const char *key, char out[VALUE_LEN])
{
    size_t key_len = strlen(key);

    out[0] = '\0';
    for (const char *p = table; (p = strstr(p, key)) != NULL; p += key_len) {
        const char *v = p + key_len + strspn(p + key_len, " \t");
        bool is_word = p == table || !(isalnum((unsigned char)p[-1]) ||
                                       p[-1] == '_' || p[-1] == '"');
        size_t len;

        if (!is_word || *v != '=') {
            continue;
        }
        v += 1 + strspn(v + 1, " \t");
        if (*v == '"' || *v == '\'') {
            const char quote[] = {*v++, '\0'};
            len = strcspn(v, quote);
        } else {
            len = strcspn(v, ",} \t)");
        }
        (void)snprintf(out, VALUE_LEN, "%.*s", (int)(len < VALUE_LEN ? len : 0),
                       v);
        return;
    }
}

/* The first text in quotes of the arguments. */
static void first_text(const char *arguments, char out[VALUE_LEN])
{
    const char *v = strpbrk(arguments, "\"'");
    size_t len = 0;

    if (v != NULL) {
        const char quote[] = {*v++, '\0'};
        len = strcspn(v, quote);
    }
    (void)snprintf(out, VALUE_LEN, "%.*s",
                   (int)(v != NULL && len < VALUE_LEN ? len : 0),
                   v != NULL ? v : "");
}

static void new_server(struct lua *l, const char *arguments)
{
    char address[VALUE_LEN];
    char name[VALUE_LEN] = "";
    char tls[VALUE_LEN] = "";
    char validates[VALUE_LEN] = "";
    bool is_table = strchr(arguments, '{') != NULL;

    if (is_table) {
        value_of(arguments, "address", address);
        value_of(arguments, "subjectName", name);
        value_of(arguments, "tls", tls);
        value_of(arguments, "validateCertificates", validates);
    } else {
        first_text(arguments, address);
    }
    if (address[0] == '\0') {
        import_note(l->im, l->at.line,
                    "newServer: its address is not on this line; left out");
        return;
    }
    if (strcasecmp(validates, "false") == 0) {
        import_note(l->im, l->at.line,
                    "validateCertificates: dotstub always does");
    }
    (void)import_add(l->im, l->at,
                     &(struct import_entry){
                         .address = address,
                         .name = name[0] != '\0' ? name : NULL,
                         .is_plain = tls[0] == '\0',
                     });
}

static void listen_on(struct lua *l, const char *arguments)
{
    char address[VALUE_LEN];

    first_text(arguments, address);
    if (address[0] != '\0') {
        import_listen(l->im, l->at, address, "53");
    }
}

static void set_policy(struct lua *l, const char *arguments)
{
    static const struct {
        const char *theirs, *ours;
    } words[] = {{"firstAvailable", "failover"},
                 {"roundrobin", "round_robin"},
                 {"wrandom", "round_robin"},
                 {"leastOutstanding", "fastest"}};

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strstr(arguments, words[i].theirs) != NULL) {
            import_set(l->im, "strategy", "%s", words[i].ours);
            return;
        }
    }
    import_note(l->im, l->at.line, "setServerPolicy: see strategy");
}

/* All texts in quotes. */
static void add_allowed(struct lua *l, const char *arguments)
{
    for (const char *v = arguments; (v = strpbrk(v, "\"'")) != NULL;) {
        const char quote[] = {*v++, '\0'};
        size_t len = strcspn(v, quote);
        char text[VALUE_LEN];
        struct cidr range;

        (void)snprintf(text, sizeof(text), "%.*s",
                       (int)(len < VALUE_LEN ? len : 0), v);
        if (cidr_parse(text, strlen(text), &range) == 0) {
            import_list_add(&l->allow, text);
        } else {
            import_note(l->im, l->at.line, "%s: is no range, see allow", text);
        }
        v += len + (v[len] != '\0');
    }
}

static void set_allowed(struct lua *l, const char *arguments)
{
    l->allow = (struct import_list){.len = 0};
    l->has_acl = true;
    add_allowed(l, arguments);
}

/* To what dnsdist allows unless it is told. */
static void add_to_acl(struct lua *l, const char *arguments)
{
    static const char *const defaults[] = {
        "127.0.0.0/8",    "10.0.0.0/8",    "100.64.0.0/10",
        "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
        "::1/128",        "fc00::/7",      "fe80::/10"};

    for (size_t i = 0; i < COUNT_OF(defaults) && !l->has_acl; i++) {
        import_list_add(&l->allow, defaults[i]);
    }
    l->has_acl = true;
    add_allowed(l, arguments);
}

static const struct {
    const char *name;
    void (*read)(struct lua *l, const char *arguments);
} calls[] = {
    {"newServer", new_server}, {"setLocal", listen_on},
    {"addLocal", listen_on},   {"setServerPolicy", set_policy},
    {"setACL", set_allowed},   {"addACL", add_to_acl},
};

static void read_line(struct lua *l, char *line)
{
    char *comment = strstr(line, "--");
    size_t len;

    if (comment != NULL) {
        *comment = '\0';
    }
    len = strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                       "0123456789_");
    if (len == 0) {
        return;
    }
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        if (strlen(calls[i].name) == len &&
            strncmp(line, calls[i].name, len) == 0) {
            calls[i].read(l, line + len);
            return;
        }
    }
    import_note(l->im, l->at.line, "%.*s: left out", (int)len, line);
}

void import_lua(struct import *im, const struct source *s)
{
    struct lua l = {.im = im};
    char *copy = strdup(s->text);
    char *rest = copy;

    if (copy == NULL) {
        im->is_out_of_memory = true;
        return;
    }
    for (char *line; (line = import_line(&rest)) != NULL;) {
        l.at = (struct mark){.line = l.at.line + 1, .column = 1};
        read_line(&l, line);
    }
    import_list_set(im, "allow", &l.allow);
    free(copy);
}
