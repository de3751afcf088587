/*
 * IPv6 addresses in lists of one line: [127.0.0.1, ::1]. Inside brackets YAML
 * takes a ':' at the beginning or the end of a word for a mark of its own, so
 * what everybody writes is an error of syntax. Where libyaml has found that
 * error at an address, it is given the text once more with letters in place of
 * the colons; whoever reads its events puts them back. Text that is YAML is
 * never changed.
 */
#ifndef CONFIG_FLOW_H
#define CONFIG_FLOW_H

#include "base/attr.h"
#include "config/source.h"

#include <stddef.h>
#include <yaml.h>

enum { FLOW_MAX = 128 };

/* Zeroed, nothing is changed. */
struct flow {
    char *text; /* the source's, changed; owned; NULL: nothing was */
    size_t count;
    struct {
        struct mark at;
        size_t len;
    } words[FLOW_MAX]; /* in the order of the text */
};

/*
 * Is what parser stumbled over such an address? Then it is changed in f, and
 * the text is to be parsed anew. Returns 0 | ERR_NOTFOUND (it is not) |
 * ERR_NOMEM.
 */
MUST_USE int flow_mend(struct flow *f, const struct source *s,
                       const yaml_parser_t *parser);

/* The address back into value, a plain word that begins at at. */
void flow_restore(const struct flow *f, const struct source *s, struct mark at,
                  char *value);

void flow_finish(struct flow *f);

#endif
