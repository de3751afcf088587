/*
 * What `dotstub import` gathers from another program's configuration, and how
 * it becomes one of dotstub's. A reader (import_*.c) for each kind of file
 * fills it; what has no equal becomes a comment, what cannot be read an error.
 */
#ifndef CLI_IMPORT_H
#define CLI_IMPORT_H

#include "base/attr.h"
#include "config/diag.h"
#include "config/endpoint.h"
#include "config/source.h"
#include "config/tree.h"
#include "tls/client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { IMPORT_SERVERS_MAX = 512, IMPORT_PINS_MAX = 8 };

struct import_server {
    char *zone; /* owned; NULL: of all names */
    struct endpoint at;
    struct tls_pin pins[IMPORT_PINS_MAX];
    size_t pin_count;
    char *ca_file; /* owned; NULL: the common one */
    unsigned weight;
};

/* Lines of YAML under way. */
struct import_text {
    FILE *out;
    char *data;
    size_t len;
};

struct import {
    struct diag faults; /* what cannot be read: there is no result then */
    struct import_server *servers;
    size_t server_count;
    struct import_text listen;   /* "  - …" */
    struct import_text settings; /* "key: value" */
    struct import_text notes;    /* "#   line 3: …" */
    struct import_text lost; /* zones without a server: "  \"…\": nxdomain" */
    bool is_incomplete;      /* something has to be added by hand */
    bool is_out_of_memory;
};

/* The kinds of files. */
struct import_kind {
    const char *name;    /* of --from */
    const char *title;   /* "stubby.yml" */
    const char *sign;    /* a line of such a file begins with it … */
    const char *or_sign; /* … or with this; may be NULL */
    void (*read_tree)(struct import *im, const struct node *root);
    void (*read_text)(struct import *im, const struct source *s); /* or that */
};

extern const struct import_kind import_kinds[];
extern const size_t import_kind_count;

/* ---- import.c ---- */

MUST_USE int import_init(struct import *im, const char *file);
void import_finish(struct import *im);

/* A comment on what is at line of the file. */
void import_note(struct import *im, unsigned line, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* A key of dotstub's, with its value in YAML; the first one counts. */
void import_set(struct import *im, const char *key, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* text as a scalar in double quotes; cut when it is longer than any path. */
struct import_quoted {
    char text[2048];
};
struct import_quoted import_quote(const char *text);

/* An address to listen on. port: where text has none, or NULL. */
void import_listen(struct import *im, struct mark at, const char *text,
                   const char *port);

/* What is known of a server; NULL: not given. */
struct import_entry {
    const char *address; /* in any notation of config/endpoint.h */
    const char *port;    /* where address has none */
    const char *name;    /* to authenticate, where address has none */
    const char *zone;    /* NULL: "." */
    bool is_plain;       /* it was asked in clear text … */
    bool is_tcp;         /* … over TCP alone */
};

/* Returns the server, to be added to, or NULL: it is none (a fault, or a note
 * where it could not be taken over, such as a name in place of an address). */
struct import_server *import_add(struct import *im, struct mark at,
                                 const struct import_entry *entry);

/* A server that is known by name alone: what says so is noted. */
void import_name(struct import *im, struct mark at, const char *what,
                 const char *name);

/* If zone (NULL and ".": all names) got no server, its names must not go to the
 * public ones: nothing is found there then. */
void import_end_zone(struct import *im, struct mark at, const char *zone);

/* A key whose value is a list, an entry at a time. *list: begins zeroed. */
struct import_list {
    char text[2048];
    size_t len;
    bool is_full; /* there were more */
};
void import_list_add(struct import_list *list, const char *entry);
/* Set key to it, if it has entries. */
void import_list_set(struct import *im, const char *key,
                     const struct import_list *list);

/* One more pin, as text. */
void import_pin(struct import *im, struct import_server *s, struct mark at,
                const char *text);

/* What others wrote has its place in one line of comment; ends it. */
void import_put_comment(FILE *out, const char *text);

/* The address, with its port where that is another one than usual; returns
 * text. */
const char *import_addr_text(const struct addr *a, uint16_t usual,
                             char text[ADDR_TEXT_MAX]);

/* Do both name the same zone? NULL: all names. */
bool import_is_same_zone(const char *a, const char *b);

/* ---- import_write.c ---- */

/* The result in *out, for the caller to free. Returns 0 | ERR_NOMEM. */
MUST_USE int import_write(struct import *im, const char *file,
                          const struct import_kind *kind, char **out,
                          size_t *len);

/* ---- import_read.c ---- */

/* Read s, which may be changed. *kind: NULL to find it by the content, then it
 * is set. What is wrong goes to the faults. Returns 0 | ERR_NOMEM | ERR_CONFIG
 * (a fault as well). */
MUST_USE int import_read(struct import *im, struct source *s,
                         const struct import_kind **kind);

/* ---- readers of trees ---- */

/* The value behind key in map; NULL: none, or it is no map. */
const struct node *import_get(const struct node *map, const char *key);

/* Its text when it is a scalar that says something, else NULL. */
const char *import_scalar(const struct node *map, const char *key);

/* "1", "yes", "true", "on". */
bool import_is_yes(const char *text);

/* Each reads a file of its kind; root is a mapping with words for keys. */
void import_stubby(struct import *im, const struct node *root);
void import_dnsdist(struct import *im, const struct node *root);
void import_proxy(struct import *im, const struct node *root);

/* ---- readers of lines ---- */

/* The next line of *rest without spaces around it, which may be cut up; NULL:
 * no more. */
char *import_line(char **rest);

/* The next word of *rest, in quotes or not; NULL: no more. */
char *import_word(char **rest);

/* Each reads a file of its kind; s is of printable ASCII. */
void import_unbound(struct import *im, const struct source *s);
void import_resolved(struct import *im, const struct source *s);
void import_lua(struct import *im, const struct source *s);

#endif
