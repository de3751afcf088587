/*
 * The nearest word, by folding and then by edit distance (insert, delete,
 * replace, swap of neighbours). Words longer than FOLD_MAX have no neighbour.
 */
#include "config/suggest.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

enum { FOLD_MAX = 48, TOO_FAR = 3 };

/* Lower case, letters and digits only. Returns the length, 0 when too long. */
static size_t fold(const char *word, char out[FOLD_MAX])
{
    size_t len = 0;

    for (const char *p = word; *p != '\0'; p++) {
        if (strchr("_- ", *p) != NULL) {
            continue;
        }
        if (len == FOLD_MAX - 1) {
            len = 0;
            break;
        }
        out[len++] = (char)tolower((unsigned char)*p);
    }
    out[len] = '\0';
    return len;
}

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;

    return least < c ? least : c;
}

/* Optimal string alignment distance, three rows at a time. */
static unsigned edit_distance(const char *a, size_t a_len, const char *b,
                              size_t b_len)
{
    unsigned rows[3][FOLD_MAX];

    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3];
        const unsigned *above2 = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned cost = a[i - 1] != b[j - 1];
            row[j] =
                smallest(above[j] + 1, row[j - 1] + 1, above[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && above2[j - 2] + 1 < row[j]) {
                row[j] = above2[j - 2] + 1;
            }
        }
    }
    return rows[a_len % 3][b_len];
}

void suggest_init(struct suggest *s, const char *word)
{
    *s = (struct suggest){.word = word, .distance = TOO_FAR};
}

/* 0 is the same word, TOO_FAR and above is no relation. */
static unsigned distance_between(const char *word, const char *candidate)
{
    char a[FOLD_MAX];
    char b[FOLD_MAX];
    size_t a_len = fold(word, a);
    size_t b_len = fold(candidate, b);

    if (a_len == 0 || b_len == 0) {
        return TOO_FAR;
    }
    if (strcmp(a, b) == 0) {
        return 0;
    }
    if (a_len >= 3 && strncmp(a, b, a_len) == 0) {
        return 1;
    }
    /* One slip in a word of three to five letters, two in longer ones. */
    unsigned limit = a_len < 3 ? 0 : a_len < 6 ? 1 : 2;
    unsigned distance = edit_distance(a, a_len, b, b_len);
    return distance <= limit ? distance : TOO_FAR;
}

void suggest_offer(struct suggest *s, const char *candidate)
{
    unsigned distance = distance_between(s->word, candidate);

    if (distance < s->distance) {
        s->distance = distance;
        s->best = candidate;
    }
}

bool suggest_is_same(const char *a, const char *b)
{
    return distance_between(a, b) == 0;
}
