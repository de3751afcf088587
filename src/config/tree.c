/*
 * From libyaml's events to the tree. The parser of documents (yaml_document_t)
 * is not used: it recurses, follows aliases and forgets places.
 *
 * A builder keeps the nodes that are open; the depth is bounded, so the stack
 * is an array.
 */
#include "config/tree.h"

#include "base/err.h"
#include "config/flow.h"
#include "config/syntax.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* What one event asks of the loop. Errors (negative) end it too. */
enum step { STEP_MORE, STEP_END, STEP_CUT, STEP_AGAIN };

struct builder {
    struct tree *tree;
    struct diag *d;
    const struct source *source;
    struct flow *flow; /* what libyaml reads in place of the source */
    struct node *open[TREE_DEPTH_MAX];
    struct node *key[TREE_DEPTH_MAX]; /* of the pair begun at that depth */
    size_t depth;
    size_t documents;
    const char *variable; /* of every mark */
};

static struct mark mark_of(const struct builder *b, yaml_mark_t m)
{
    return (struct mark){(unsigned)m.line + 1, (unsigned)m.column + 1,
                         b->variable};
}

/* Report and stop: what follows would not be read as it was meant. */
static int refuse(struct builder *b, yaml_mark_t at, const char *what)
{
    diag_error(b->d, mark_of(b, at), NULL, "%s", what);
    return STEP_CUT;
}

static void append_child(struct node *parent, struct node *child)
{
    if (parent->last == NULL) {
        parent->first = child;
    } else {
        parent->last->next = child;
    }
    parent->last = child;
}

/* Put n where the document stands now: root, list item, key or value. */
static void place(struct builder *b, struct node *n)
{
    if (b->depth == 0) {
        b->tree->root = n;
        return;
    }
    struct node *parent = b->open[b->depth - 1];
    struct node **key = &b->key[b->depth - 1];
    assert(parent != NULL);
    if (parent->kind == NODE_MAP && *key == NULL) {
        *key = n;
        return;
    }
    n->key = *key;
    *key = NULL;
    append_child(parent, n);
}

static int add_node(struct builder *b, enum node_kind kind,
                    const yaml_event_t *e, struct node **out)
{
    struct tree *t = b->tree;

    if (t->count >= TREE_NODES_MAX) {
        return refuse(b, e->start_mark,
                      "more than 20000 values; is this the right file?");
    }
    struct node *n = calloc(1, sizeof(*n));
    if (n == NULL) {
        return ERR_NOMEM;
    }
    *n = (struct node){.kind = kind,
                       .at = mark_of(b, e->start_mark),
                       .after = mark_of(b, e->end_mark),
                       .older = t->newest};
    t->newest = n;
    t->count++;
    *out = n;
    return 0;
}

static int on_scalar(struct builder *b, const yaml_event_t *e)
{
    struct node *n = NULL;
    const char *text = (const char *)e->data.scalar.value;
    size_t len = e->data.scalar.length;

    if (!e->data.scalar.plain_implicit && !e->data.scalar.quoted_implicit) {
        return refuse(b, e->start_mark,
                      "YAML tags (!word) are not used here; leave it out");
    }
    if (memchr(text, '\0', len) != NULL) {
        return refuse(b, e->start_mark, "a NUL character in a value");
    }
    int err = add_node(b, NODE_SCALAR, e, &n);
    if (err != 0) {
        return err;
    }
    n->is_quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    n->text = strndup(text, len);
    if (n->text == NULL) {
        return ERR_NOMEM;
    }
    if (!n->is_quoted) {
        flow_restore(b->flow, b->source, n->at, n->text);
    }
    place(b, n);
    return STEP_MORE;
}

static int on_open(struct builder *b, enum node_kind kind,
                   const yaml_event_t *e)
{
    struct node *n = NULL;
    const yaml_char_t *tag = kind == NODE_MAP ? e->data.mapping_start.tag
                                              : e->data.sequence_start.tag;

    if (tag != NULL) {
        return refuse(b, e->start_mark,
                      "YAML tags (!word) are not used here; leave it out");
    }
    if (b->depth == TREE_DEPTH_MAX) {
        return refuse(b, e->start_mark, "nested deeper than 32 levels");
    }
    int err = add_node(b, kind, e, &n);
    if (err != 0) {
        return err;
    }
    place(b, n);
    b->key[b->depth] = NULL;
    b->open[b->depth++] = n;
    return STEP_MORE;
}

static int on_document(struct builder *b, const yaml_event_t *e)
{
    if (b->documents++ == 0) {
        return STEP_MORE;
    }
    diag_error(b->d, mark_of(b, e->start_mark), NULL,
               "a second document begins here; a configuration is one "
               "document: take the line with --- away");
    return STEP_END;
}

static int on_event(struct builder *b, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        return on_document(b, e);
    case YAML_SCALAR_EVENT:
        return on_scalar(b, e);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(b, NODE_LIST, e);
    case YAML_MAPPING_START_EVENT:
        return on_open(b, NODE_MAP, e);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return STEP_MORE;
    case YAML_ALIAS_EVENT:
        return refuse(b, e->start_mark,
                      "YAML aliases (*word) are not used here; write the "
                      "value out, or put it in quotes");
    case YAML_STREAM_END_EVENT:
        return STEP_END;
    default:
        return STEP_MORE;
    }
}

static int on_fault(struct builder *b, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        return ERR_NOMEM;
    }
    int err = flow_mend(b->flow, b->source, parser);
    if (err != ERR_NOTFOUND) {
        return err == 0 ? STEP_AGAIN : err;
    }
    syntax_explain(parser, b->source, b->d);
    return STEP_CUT;
}

static int next(struct builder *b, yaml_parser_t *parser)
{
    yaml_event_t e;

    if (yaml_parser_parse(parser, &e) == 0) {
        return on_fault(b, parser);
    }
    int step = on_event(b, &e);
    yaml_event_delete(&e);
    return step;
}

static void drop_last_child(struct node *parent)
{
    struct node *before = NULL;

    for (struct node *n = parent->first; n != parent->last; n = n->next) {
        before = n;
    }
    parent->last = before;
    if (before == NULL) {
        parent->first = NULL;
    } else {
        before->next = NULL;
    }
}

/* What was open where the text broke is not to be believed: of a list or a
 * mapping behind a key at the top its last entry, else the last pair. A key
 * that was read after it shows that it had ended. */
static void drop_open(const struct builder *b)
{
    for (size_t i = b->depth < 2 ? b->depth : 2; i > 0; i--) {
        struct node *n = b->open[i - 1];
        bool has_later_key = b->depth == i && b->key[i - 1] != NULL;

        if (n->first != NULL && !has_later_key) {
            drop_last_child(n);
        }
        if (n->first != NULL) {
            return;
        }
    }
}

/* The whole text, or to where it breaks. There is no tree after an error, or
 * when it is to be done again. */
static int parse_once(struct builder *b)
{
    yaml_parser_t parser;
    const char *text = b->flow->text == NULL ? b->source->text : b->flow->text;
    int step = STEP_MORE;

    if (yaml_parser_initialize(&parser) == 0) {
        return ERR_NOMEM;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text,
                                 b->source->len);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    while (step == STEP_MORE) {
        step = next(b, &parser);
    }
    yaml_parser_delete(&parser);
    if (step < 0 || step == STEP_AGAIN) {
        tree_finish(b->tree);
    }
    return step;
}

int tree_parse(const struct source *s, struct tree *out, struct diag *d)
{
    struct flow flow = {.text = NULL};
    struct builder b = {.d = d, .source = s};
    int step = STEP_AGAIN;

    while (step == STEP_AGAIN) {
        *out = (struct tree){.root = NULL};
        b = (struct builder){.tree = out,
                             .d = d,
                             .source = s,
                             .flow = &flow,
                             .variable = s->variable};
        step = parse_once(&b);
    }
    flow_finish(&flow);
    if (step < 0) {
        return step;
    }
    out->is_cut = step == STEP_CUT;
    if (out->is_cut) {
        drop_open(&b);
    }
    return 0;
}

void tree_finish(struct tree *t)
{
    struct node *n = t->newest;

    while (n != NULL) {
        struct node *older = n->older;
        free(n->text);
        free(n);
        n = older;
    }
    *t = (struct tree){.root = NULL};
}

struct node *tree_add(struct tree *t, struct node *parent, enum node_kind kind,
                      struct mark at, const char *text, size_t len)
{
    struct node *n = calloc(1, sizeof(*n));

    if (n == NULL) {
        return NULL;
    }
    *n = (struct node){.kind = kind, .at = at, .after = at, .older = t->newest};
    t->newest = n;
    t->count++;
    n->text = kind == NODE_SCALAR ? strndup(text, len) : NULL;
    if (kind == NODE_SCALAR && n->text == NULL) {
        return NULL;
    }
    if (parent != NULL) {
        append_child(parent, n);
    }
    return n;
}

/* Take every pair of that key out of map; the tree still owns it. */
static void remove_pairs(struct node *map, const char *key)
{
    struct node *n = map->first;

    map->first = NULL;
    map->last = NULL;
    while (n != NULL) {
        struct node *next = n->next;
        n->next = NULL;
        if (n->key->kind != NODE_SCALAR || strcmp(n->key->text, key) != 0) {
            append_child(map, n);
        }
        n = next;
    }
}

/* Move all nodes of from to t. */
static void take_nodes(struct tree *t, struct tree *from)
{
    struct node *oldest = from->newest;

    while (oldest != NULL && oldest->older != NULL) {
        oldest = oldest->older;
    }
    if (oldest != NULL) {
        oldest->older = t->newest;
        t->newest = from->newest;
        t->count += from->count;
    }
    *from = (struct tree){.root = NULL};
}

int tree_put(struct tree *t, const char *key, struct mark at,
             struct tree *value)
{
    struct mark start = {1, 1, NULL};
    struct node *pair = value->root;

    take_nodes(t, value);
    if (t->root == NULL || node_is_null(t->root)) {
        t->root = tree_add(t, NULL, NODE_MAP, start, NULL, 0);
    }
    if (t->root == NULL) {
        return ERR_NOMEM;
    }
    if (t->root->kind != NODE_MAP || pair == NULL) {
        return 0;
    }
    pair->key = tree_add(t, NULL, NODE_SCALAR, at, key, strlen(key));
    if (pair->key == NULL) {
        return ERR_NOMEM;
    }
    remove_pairs(t->root, key);
    append_child(t->root, pair);
    return 0;
}

bool node_is_null(const struct node *n)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};

    if (n->kind != NODE_SCALAR || n->is_quoted) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcmp(n->text, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

const char *node_kind_text(const struct node *n)
{
    static const char *const texts[] = {
        [NODE_SCALAR] = "a value",
        [NODE_LIST] = "a list",
        [NODE_MAP] = "a mapping",
    };

    return texts[n->kind];
}
