/*
 * "Did you mean …?": the candidate nearest to a word. Spellings in other
 * cases (queryTimeout, query-timeout, QUERY_TIMEOUT) are the same word; then
 * come beginnings ("warn"), then words a slip of the keyboard or two away.
 */
#ifndef CONFIG_SUGGEST_H
#define CONFIG_SUGGEST_H

#include <stdbool.h>

struct suggest {
    const char *word;
    const char *best; /* NULL: none is near */
    unsigned distance;
};

void suggest_init(struct suggest *s, const char *word);

/* candidate lives as long as s. Earlier ones win ties. */
void suggest_offer(struct suggest *s, const char *candidate);

/* Are both the same word when case, '_', '-' and spaces do not count? */
bool suggest_is_same(const char *a, const char *b);

#endif
