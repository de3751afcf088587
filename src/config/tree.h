/*
 * A YAML document as a small tree that knows where each word stands. Bounded
 * in depth and size; aliases and tags are refused, so a small file is a small
 * tree.
 */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include "base/attr.h"
#include "config/diag.h"
#include "config/source.h"

#include <stdbool.h>
#include <stddef.h>

enum { TREE_DEPTH_MAX = 32, TREE_NODES_MAX = 20000 };

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    bool is_quoted;            /* a scalar in quotes or a block */
    struct mark at;            /* first character */
    struct mark after;         /* a scalar: one past its last character */
    char *text;                /* a scalar's; "" in lists and maps */
    struct node *key;          /* a map's child: its key, any kind */
    struct node *first, *last; /* children of lists and maps */
    struct node *next;         /* sibling */
    struct node *older;        /* every node of the tree, for its end */
};

struct tree {
    struct node *root; /* NULL: the file holds no document */
    struct node *newest;
    size_t count;
    /* The text is broken behind the last pair of the root; what stands before
     * is good. An error is in the diagnostics. */
    bool is_cut;
};

/* Returns 0 (errors of syntax are in d, is_cut is set) | ERR_NOMEM. */
MUST_USE int tree_parse(const struct source *s, struct tree *out,
                        struct diag *d);

void tree_finish(struct tree *t);

/*
 * A scalar (len octets of text are copied; NULL: "") or an empty list or
 * mapping, as a child of parent (NULL: of none). Returns NULL: out of memory.
 */
struct node *tree_add(struct tree *t, struct node *parent, enum node_kind kind,
                      struct mark at, const char *text, size_t len);

/*
 * Put the root of value behind key, in place of what is there in t's root; t
 * without a document becomes a mapping, one that is none stays as it is. What
 * value has is t's afterwards. Returns 0 | ERR_NOMEM.
 */
MUST_USE int tree_put(struct tree *t, const char *key, struct mark at,
                      struct tree *value);

/* Is it a plain (unquoted) scalar that says nothing: "", "~", "null"? */
bool node_is_null(const struct node *n);

/* "a list", "a mapping", "a value". */
const char *node_kind_text(const struct node *n);

#endif
