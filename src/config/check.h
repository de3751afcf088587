/*
 * From the tree to a draft of the configuration: every value checked, every
 * fault reported, nothing believed that was not understood. The draft is then
 * written as normalised YAML (normal.h), which libcyaml loads (load.h).
 */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "base/addr.h"
#include "config/diag.h"
#include "config/host.h"
#include "config/keys.h"
#include "config/source.h"
#include "config/tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHECK_ENTRIES_MAX = 64, CHECK_PINS_MAX = 16, CHECK_PATH_MAX = 16 };

/* One key's value: number for numbers and choices, path for paths. */
struct draft_value {
    bool is_given;
    bool is_bad;    /* given, and not understood: number is the default */
    struct mark at; /* of the value in the file, when given */
    uint64_t number;
    char *path; /* owned, absolute or relative to the working directory */
};

struct draft_listen {
    struct addr addr;
    struct mark at;
};

struct draft_server {
    struct addr addr;
    char name[HOST_NAME_MAX_LEN + 1]; /* "": none */
    const char *pins[CHECK_PINS_MAX]; /* text in the tree */
    size_t pin_count;
    char *ca_file; /* owned */
    unsigned weight;
    char path[CHECK_PATH_MAX]; /* "servers[3]" */
    struct mark at;
};

struct draft {
    struct draft_value values[KEYS_TOTAL];
    struct draft_listen listen[CHECK_ENTRIES_MAX];
    size_t listen_count;
    struct draft_server servers[CHECK_ENTRIES_MAX];
    size_t server_count;
};

struct check {
    const char *file; /* relative paths are relative to its folder */
    const struct source *source;
    struct diag *d;
    struct draft *draft;
};

/* Another program's or another habit's word for a key. */
struct synonym {
    const char *word, *name;
};

/* The keys of one mapping, and where each was seen. */
struct key_set {
    const char *const *names;
    size_t count;
    const struct synonym *synonyms; /* ends with a NULL word */
    struct mark *seen;              /* count of them, line 0: not yet */
    const char *path;               /* of the mapping; "" at the top */
    const struct node *first;       /* the first pair of the mapping */
};

/* Check the whole tree. Faults are in c->d; returns 0 | ERR_NOMEM. */
MUST_USE int check_tree(struct check *c, const struct tree *tree);

/* Free what the draft owns. */
void draft_finish(struct draft *draft);

/* check_key.c: which key of set the pair says, -1 when none (reported). */
int check_key(struct check *c, const struct key_set *set,
              const struct node *pair);

/* Does a pair of the mapping say the key itself, to the letter? */
bool check_says(const struct key_set *set, const char *name);

/* "servers[0]" and ".port" into out; returns out. */
const char *check_path_join(char out[DIAG_PATH_MAX], const char *parent,
                            const char *name);

/* check_value.c: false when there was a fault (reported). */
bool check_number(struct check *c, const struct key *key, const struct node *n,
                  const char *path, uint64_t *out);
bool check_choice(struct check *c, const struct key *key, const struct node *n,
                  const char *path, uint64_t *out);
/* A scalar that says something; what is needed ("a name") for the message. */
bool check_scalar(struct check *c, const struct node *n, const char *path,
                  const char *what);

/* check_file.c: as above; *out is the caller's to free. */
bool check_file(struct check *c, const struct key *key, const struct node *n,
                const char *path, char **out);

/* check_entry.c: call check_entry for each entry of the list n, or for n. */
typedef void check_entry_fn(struct check *c, const struct node *n,
                            const char *path);
void check_entries(struct check *c, const struct node *n, const char *name,
                   check_entry_fn *check_entry);
/* Is the entry a trap of YAML's ("- ::", "- [::1]")? Then it is reported. */
bool check_entry_form(struct check *c, const struct node *n, const char *path);
/* An IP address alone; false when it is not (reported). */
bool check_address(struct check *c, const struct node *n, const char *path,
                   struct addr *out);

/* check_listen.c, check_server.c: the lists, into the draft. */
void check_listen(struct check *c, const struct node *n);
void check_servers(struct check *c, const struct node *n);

/* check_foreign.c: the keys of other proxies; true: it was one (reported). */
bool check_foreign(struct check *c, const struct node *pair, bool *is_servers);

/* check_rules.c: what no single value shows. */
void check_rules(struct check *c);

#endif
