/*
 * From the tree to a draft of the configuration: every value checked, every
 * fault reported, nothing believed that was not understood. The draft is then
 * written as normalised YAML (normal.h), which libcyaml loads (load.h).
 */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "base/addr.h"
#include "config/diag.h"
#include "config/endpoint.h"
#include "config/host.h"
#include "config/keys.h"
#include "config/source.h"
#include "config/tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CHECK_ENTRIES_MAX = 64,
    CHECK_PINS_MAX = 16,
    CHECK_MORE_MAX = 7, /* addresses of a server beside its first */
    CHECK_ZONES_MAX = 256,
};

/* What the entry `system` of hosts stands for. */
#define CHECK_SYSTEM_HOSTS "/etc/hosts"

/* One key's value: number for numbers, choices and switches, path for paths
 * and names, items for lists. */
struct draft_value {
    bool is_given;
    bool is_bad;    /* given, and not understood: number is the default */
    struct mark at; /* of the value in the file, when given */
    uint64_t number;
    char *path;   /* owned, absolute or relative to the working directory */
    char **items; /* owned, each too */
    size_t count;
};

struct draft_listen {
    struct addr addr;
    struct mark at;
};

/* Places to listen at: `listen`, `admin`. */
struct draft_places {
    struct draft_listen items[CHECK_ENTRIES_MAX];
    size_t count;
};

struct draft_server {
    struct addr addr;
    struct addr more[CHECK_MORE_MAX];
    size_t more_count;
    enum config_transport transport;
    char name[HOST_NAME_MAX_LEN + 1]; /* "": none */
    const char *pins[CHECK_PINS_MAX]; /* text in the tree */
    size_t pin_count;
    char *ca_file; /* owned */
    unsigned weight;
    char path[DIAG_PATH_MAX]; /* "servers[3]" */
    struct mark at;
};

/* Zeroed, it is empty. */
struct draft_pool {
    struct draft_server *servers; /* owned */
    size_t count;
};

/* What the names of one key of `zones` lead to. */
struct draft_target {
    char path[DIAG_PATH_MAX];                   /* "zones.cluster.local" */
    struct draft_value values[ZONE_KEYS_TOTAL]; /* not given: the common one */
    struct draft_pool pool;
    bool is_nxdomain;
    char *resolv_conf; /* owned */
};

/* A suffix; a range of addresses may be several. */
struct draft_zone {
    char *name; /* owned, "cluster.local." */
    struct mark at;
    size_t target;
};

struct draft {
    struct draft_value values[KEYS_TOTAL];
    struct draft_places listen, admin;
    struct draft_pool pool;
    bool has_random_case;         /* of pool */
    struct draft_target *targets; /* owned */
    size_t target_count;
    struct draft_zone *zones; /* owned */
    size_t zone_count;
    struct draft_zone root; /* ".", of no name; line 0: it is not in `zones` */
    struct draft_value allow;
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
bool check_switch(struct check *c, const struct node *n, const char *path,
                  uint64_t *out);
/* A scalar that says something; what is needed ("a name") for the message. */
bool check_scalar(struct check *c, const struct node *n, const char *path,
                  const char *what);

/* check_user.c: may `user` write what the program writes? */
void check_user_files(struct check *c);
/* The folder that path is in, the caller's to free; NULL: out of memory
 * (remembered). */
char *check_folder_of(struct check *c, const char *path);
/* Does the service make this folder at its first start? Until then a file in
 * it is worth a warning, which is given. */
bool check_is_to_come(struct check *c, const struct node *n, const char *path,
                      const char *folder);

/* check_file.c: as above; *out is the caller's to free. */
bool check_file(struct check *c, const struct key *key, const struct node *n,
                const char *path, char **out);
/* Nothing that a terminal would act on (else reported). */
bool check_printable(struct check *c, const struct node *n, const char *path);
/* The path as the program can use it, the caller's to free; NULL: out of
 * memory (remembered). */
char *check_resolve(struct check *c, const struct node *n);

/* check_word.c: as check_file(), of kinds SOCKET, LOG and USER; "off" is
 * NULL. */
bool check_word(struct check *c, const struct key *key, const struct node *n,
                const char *path, char **out);
/* A word for "on" where a place is needed (what: "off, stderr or a file"), or
 * one for "off" that is not the one. Reported, then true. */
bool check_is_switch(struct check *c, const struct node *n, const char *path,
                     const char *what);
/* Is the path too long for a unix socket, or is something else there? Reported,
 * then false. */
bool check_socket(struct check *c, const struct node *n, const char *path,
                  const char *resolved);

/* check_tap.c: as check_file(), of kinds TAP ("off" is NULL) and TEXT. */
bool check_tap(struct check *c, const struct node *n, const char *path,
               char **out);
bool check_any_text(struct check *c, const struct node *n, const char *path,
                    char **out);

/* check_list.c: a list of key->item, or one of them, in place of what v has. */
void check_list(struct check *c, const struct key *key, const struct node *n,
                struct draft_value *v);
/* Add item (taken; NULL: memory ran out) to v. Returns 0 | ERR_NOMEM (item is
 * freed). */
MUST_USE int draft_value_add(struct draft_value *v, char *item);
/* Add ranges as text. Returns 0 | ERR_NOMEM. */
MUST_USE int draft_value_add_ranges(struct draft_value *v,
                                    const struct cidr *ranges, size_t count);
void draft_value_finish(struct draft_value *v);

/* check_entry.c: call check_entry for each entry of the list n, or for n. */
typedef void check_entry_fn(struct check *c, const struct node *n,
                            const char *path, void *arg);
void check_entries(struct check *c, const struct node *n, const char *name,
                   check_entry_fn *check_entry, void *arg);
/* Is the entry a trap of YAML's ("- ::", "- [::1]")? Then it is reported. */
bool check_entry_form(struct check *c, const struct node *n, const char *path);
/* An IP address alone; false when it is not (reported). */
bool check_address(struct check *c, const struct node *n, const char *path,
                   struct addr *out);

/* check_listen.c: `listen` (ENDPOINT_LISTEN) and `admin`. */
void check_listen(struct check *c, const struct node *n, const char *name,
                  enum endpoint_role role, struct draft_places *out);

/* check_server.c: servers (ENDPOINT_SERVER, or of a zone) into out. */
void check_servers(struct check *c, const struct node *n, const char *path,
                   enum endpoint_role role, struct draft_pool *out);

/* check_pool.c: take s (and what it owns) into the pool, unless it is there
 * already, of another kind, or there is no room; then it is reported and false
 * is returned. */
bool check_pool_add(struct check *c, struct draft_server *s, const char *path,
                    struct draft_pool *pool);
/* Its addresses: 0 is the first, more_count the last. */
const struct addr *draft_server_address(const struct draft_server *s, size_t i);
void draft_pool_finish(struct draft_pool *p);

/* check_pin.c: the pins of s. */
bool check_pins(struct check *c, const struct node *n, const char *path,
                struct draft_server *s);

/* check_zone.c: `zones`, into the draft. */
void check_zones(struct check *c, const struct node *n);
void draft_target_finish(struct draft_target *t);

/* check_root.c: "." of `zones`, once it was read; and, when the whole file
 * was, into the place of `servers` (at servers, line 0: not given). */
void check_root(struct check *c, const struct draft_target *t);
void check_take_root(struct check *c, struct mark servers);

/* check_range.c: an address or one with a prefix? */
bool check_looks_like_range(const char *text);
/* A range of addresses (n is a scalar); false when it is not (reported). */
bool check_range(struct check *c, const struct node *n, const char *path,
                 struct cidr *out);

/* check_foreign.c: the keys of other proxies; true: it was one (reported). */
bool check_foreign(struct check *c, const struct node *pair, bool *is_servers);

/* check_rules.c: what no single value shows. */
void check_rules(struct check *c);

/* check_where.c: what no single address shows. */
void check_where(struct check *c);

#endif
