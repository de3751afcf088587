/*
 * From a foreign file's text to what was gathered of it: which kind it is, and
 * the reader of that kind.
 */
#include "cli/import.h"

#include "base/err.h"

#include <string.h>

/* Does a line of text begin with sign? */
static bool has_line(const char *text, const char *sign)
{
    size_t len = strlen(sign);

    while (text != NULL) {
        text += strspn(text, " \t");
        if (strncmp(text, sign, len) == 0) {
            return true;
        }
        text = strchr(text, '\n');
        text = text == NULL ? NULL : text + 1;
    }
    return false;
}

static const struct import_kind *kind_of(const char *text)
{
    for (size_t i = 0; i < import_kind_count; i++) {
        if (has_line(text, import_kinds[i].sign) ||
            (import_kinds[i].or_sign != NULL &&
             has_line(text, import_kinds[i].or_sign))) {
            return &import_kinds[i];
        }
    }
    return NULL;
}

/* Is root a mapping, and every key of it a word? */
static bool is_usable(struct import *im, const struct node *root)
{
    if (root == NULL || root->kind != NODE_MAP) {
        diag_error(&im->faults, (struct mark){.line = 1, .column = 1}, "",
                   "is no mapping of keys to values");
        return false;
    }
    for (const struct node *n = root->first; n != NULL; n = n->next) {
        if (n->key->kind != NODE_SCALAR) {
            diag_error(&im->faults, n->key->at, "", "a key is %s",
                       node_kind_text(n->key));
            return false;
        }
    }
    return true;
}

static int read_tree(struct import *im, const struct import_kind *kind,
                     struct source *s)
{
    struct tree tree = {.root = NULL};
    int err = source_clean(s, &im->faults);

    if (err == 0) {
        err = tree_parse(s, &tree, &im->faults);
    }
    if (err == 0 && im->faults.errors == 0 && is_usable(im, tree.root)) {
        kind->read_tree(im, tree.root);
    }
    tree_finish(&tree);
    return err;
}

/* Lines are of printable ASCII: nothing else reaches the terminal. */
static void read_text(struct import *im, const struct import_kind *kind,
                      struct source *s)
{
    for (size_t i = 0; i < s->len; i++) {
        unsigned char c = (unsigned char)s->text[i];
        if ((c < 0x20 && strchr("\t\r\n", c) == NULL) || c > 0x7e || c == 0) {
            s->text[i] = '?';
        }
    }
    kind->read_text(im, s);
}

int import_read(struct import *im, struct source *s,
                const struct import_kind **kind)
{
    if (*kind == NULL) {
        *kind = kind_of(s->text);
    }
    if (*kind == NULL) {
        diag_error(&im->faults, (struct mark){.line = 0}, "",
                   "is of no kind that is known; name it with --from "
                   "stubby, unbound, resolved, dnsdist, dnsdist-lua or proxy");
        return 0;
    }
    if ((*kind)->read_tree != NULL) {
        return read_tree(im, *kind, s);
    }
    read_text(im, *kind, s);
    return 0;
}
