/*
 * Making a policy, and the order in which its rules speak. A question's name
 * is taken apart once; each of its suffixes is then looked up once in the table
 * that all rules share, and, where there are lists, once in theirs.
 */
#include "policy/policy.h"

#include "base/err.h"
#include "base/log.h"
#include "dns/name.h"
#include "policy/inner.h"
#include "policy/lines.h"
#include "policy/local.h"
#include "policy/special.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ROOM "policy"

enum {
    HOSTS_FILE_MAX = 64 << 20,
    LIST_FILE_MAX = 256 << 20,
    EDE_FILTERED = 17, /* RFC 8914 section 4.18: the client's own wish */
    REASON_MAX = 128,
};

/* ---- making ---- */

/* What is being made, and where to say what is wrong. */
struct making {
    struct policy *p;
    const struct policy_options *options;
    bool is_strict;
    char *why;
    size_t why_len;
};

/*
 * The name of an option as a wire name; "*.name" is the name, since a name
 * always means all below it too. Returns its length | ERR_CONFIG.
 */
static int option_name(const struct making *m, const char *what,
                       const char *text, uint8_t out[DNS_NAME_MAX])
{
    const char *name = strncmp(text, "*.", 2) == 0 ? text + 2 : text;
    int len = dns_name_from_text(name, strlen(name), out);

    if (len < 0) {
        (void)snprintf(m->why, m->why_len, "%s: \"%.200s\" is not a name", what,
                       text);
        return ERR_CONFIG;
    }
    return len;
}

static int no_memory(const struct making *m)
{
    (void)snprintf(m->why, m->why_len, "%s", err_text(ERR_NOMEM));
    return ERR_NOMEM;
}

/* Mark each of the names. */
static int mark_names(const struct making *m, const char *what,
                      char *const *names, size_t count, enum names_mark mark)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t name[DNS_NAME_MAX];
        int len = option_name(m, what, names[i], name);
        struct names_node *node;

        if (len < 0) {
            return len;
        }
        if (names_add(&m->p->names, name, (size_t)len, &node) != 0) {
            return no_memory(m);
        }
        if ((mark == NAMES_NOISE_TLD && node->labels != 1) ||
            (mark == NAMES_NOISE && node->labels == 0)) {
            (void)snprintf(m->why, m->why_len, "%s: \"%.200s\" is not a %s",
                           what, names[i],
                           mark == NAMES_NOISE ? "search suffix"
                                               : "top-level domain");
            return ERR_CONFIG;
        }
        node->marks |= (uint8_t)mark;
    }
    return 0;
}

static int mark_all(const struct making *m)
{
    const struct policy_options *o = m->options;
    const struct {
        const char *what;
        char *const *names;
        size_t count;
        enum names_mark mark;
    } rows[] = {
        {"deny_names", o->deny_names, o->deny_name_count, NAMES_DENIED},
        {"deny_except", o->deny_except, o->deny_except_count, NAMES_EXCEPT},
        {"search_noise", o->search_noise, o->search_noise_count, NAMES_NOISE},
        {"search_noise_tlds", o->search_noise_tlds, o->search_noise_tld_count,
         NAMES_NOISE_TLD},
        {"rebind_allow", o->rebind_allow, o->rebind_allow_count, NAMES_REBIND},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int err = mark_names(m, rows[i].what, rows[i].names, rows[i].count,
                             rows[i].mark);
        if (err != 0) {
            return err;
        }
    }
    return 0;
}

static int add_zones(const struct making *m, const struct policy_zone *zones,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t name[DNS_NAME_MAX];
        int len = option_name(m, "zone", zones[i].name, name);
        struct names_node *node;

        if (len < 0) {
            return len;
        }
        if (names_add(&m->p->names, name, (size_t)len, &node) != 0) {
            return no_memory(m);
        }
        if (node->zone != 0) {
            (void)snprintf(m->why, m->why_len,
                           "zone: \"%.200s\" is there twice", zones[i].name);
            return ERR_CONFIG;
        }
        node->zone = (uint32_t)(i + 1);
        node->marks |= zones[i].is_nxdomain ? NAMES_ZONE_NX : 0;
    }
    m->p->zones = count;
    return 0;
}

static int take_hosts(const struct making *m, struct lines *l)
{
    return local_read_hosts(&m->p->names, l, m->options->local_ttl_s);
}

static int take_list(const struct making *m, struct lines *l)
{
    return deny_read(&m->p->deny, &m->p->names.key, l);
}

/* Read one file. When not strict, what could be read of it counts. */
static int read_file(const struct making *m, const char *path, size_t max,
                     int (*take)(const struct making *m, struct lines *l))
{
    char reason[REASON_MAX] = "cannot be read";
    struct lines l;
    int err = lines_open(&l, path, max, reason, sizeof(reason));

    if (err == 0) {
        err = take(m, &l);
        lines_close(&l);
    }
    if (err == ERR_NOMEM) {
        return no_memory(m);
    }
    if (err != 0 && !m->is_strict) {
        log_warning("%s: %s; going on without what is not read", path, reason);
        return 0;
    }
    if (err != 0) {
        (void)snprintf(m->why, m->why_len, "%s: %s", path, reason);
    }
    return err;
}

static int read_files(const struct making *m)
{
    const struct policy_options *o = m->options;
    int err = 0;

    for (size_t i = 0; i < o->hosts_count && err == 0; i++) {
        err = read_file(m, o->hosts[i], HOSTS_FILE_MAX, take_hosts);
    }
    for (size_t i = 0; i < o->deny_list_count && err == 0; i++) {
        err = read_file(m, o->deny_lists[i], LIST_FILE_MAX, take_list);
    }
    return err;
}

static void count_names(struct policy *p, const struct policy_options *o)
{
    p->denied_names = p->deny.count + o->deny_name_count;
    for (size_t i = 0; i < p->names.cap; i++) {
        const struct names_node *node = p->names.slots[i].node;

        p->local_names += node != NULL && node->records != NULL ? 1 : 0;
    }
}

static int fill(const struct making *m, const struct policy_zone *zones,
                size_t zone_count)
{
    const struct policy_options *o = m->options;
    int err = special_add(&m->p->names);

    if (err != 0) {
        return no_memory(m);
    }
    err = add_zones(m, zones, zone_count);
    if (err == 0) {
        err = mark_all(m);
    }
    if (err == 0) {
        err = local_add_records(&m->p->names, o->records, o->record_count,
                                o->local_ttl_s, m->why, m->why_len);
    }
    if (err == 0) {
        err = read_files(m);
    }
    if (err == 0 && answer_mark_above(m->p) != 0) {
        err = no_memory(m);
    }
    return err;
}

int policy_create(const struct policy_options *options,
                  const struct policy_zone *zones, size_t zone_count,
                  const uint8_t hash_key[16], bool is_strict,
                  struct policy **out, char *why, size_t why_len)
{
    struct making m = {.options = options,
                       .is_strict = is_strict,
                       .why = why,
                       .why_len = why_len};
    int err;

    m.p = calloc(1, sizeof(*m.p));
    if (m.p == NULL) {
        return no_memory(&m);
    }
    atomic_init(&m.p->references, 1);
    m.p->has_minimal_any = options->has_minimal_any;
    m.p->has_rebind_protection = options->has_rebind_protection;
    m.p->deny_answer = options->deny_answer;
    m.p->local_ttl_s = options->local_ttl_s;
    if (names_init(&m.p->names, hash_key) != 0) {
        err = no_memory(&m);
    } else {
        err = fill(&m, zones, zone_count);
    }
    if (err != 0) {
        policy_release(m.p);
        return err;
    }
    count_names(m.p, options);
    *out = m.p;
    return 0;
}

struct policy *policy_retain(struct policy *p)
{
    (void)atomic_fetch_add_explicit(&p->references, 1, memory_order_relaxed);
    return p;
}

void policy_release(struct policy *p)
{
    if (p == NULL || atomic_fetch_sub_explicit(&p->references, 1,
                                               memory_order_acq_rel) > 1) {
        return;
    }
    names_finish(&p->names);
    deny_finish(&p->deny);
    free(p);
}

void policy_counts(const struct policy *p, struct policy_counts *out)
{
    *out = (struct policy_counts){
        .local_names = p->local_names,
        .denied_names = p->denied_names,
        .zones = p->zones,
        .memory_len = sizeof(*p) + p->names.memory_len +
                      p->deny.cap * sizeof(*p->deny.slots),
    };
}

void policy_each_file(const struct policy_options *options,
                      void (*fn)(void *arg, const char *path), void *arg)
{
    for (size_t i = 0; i < options->hosts_count; i++) {
        fn(arg, options->hosts[i]);
    }
    for (size_t i = 0; i < options->deny_list_count; i++) {
        fn(arg, options->deny_lists[i]);
    }
}

/* ---- judging ---- */

static const struct policy_denial denied_by_name = {EDE_FILTERED,
                                                    "denied by name"};
static const struct policy_denial denied_by_list = {DNS_EDE_BLOCKED,
                                                    "denied by a list"};

/* What is known of a name and its suffixes, the longest of each kind. */
struct found {
    const struct names_node *whole, *zone, *special, *noise;
    unsigned marks; /* of all, enum names_mark */
};

/* Is what stands before the search suffix of so many labels a name of more
 * than one label that ends in a listed top-level domain? */
static bool is_noise(const struct policy *p, const struct names_walk *w,
                     unsigned labels)
{
    const struct names_node *tld;

    if (w->labels < labels + 2) {
        return false;
    }
    tld = names_find_label(&p->names, w, w->labels - labels - 1);
    return tld != NULL && (tld->marks & NAMES_NOISE_TLD) != 0;
}

static void look_up(const struct policy *p, struct names_walk *w,
                    struct found *f)
{
    *f = (struct found){0};
    for (unsigned i = 0; i <= w->labels; i++) {
        const struct names_node *node = names_at(&p->names, w, i);

        if (!names_may_go_on(node, i)) {
            break;
        }
        if (node == NULL) {
            continue;
        }
        f->marks |= node->marks;
        f->zone = node->zone != 0 ? node : f->zone;
        f->special = node->special != 0 ? node : f->special;
        f->whole = i == w->labels ? node : NULL;
        if ((node->marks & NAMES_NOISE) != 0 && is_noise(p, w, i)) {
            f->noise = node;
        }
    }
}

static const struct policy_denial *
find_denial(const struct policy *p, struct names_walk *w, const struct found *f)
{
    if ((f->marks & NAMES_EXCEPT) != 0) {
        return NULL;
    }
    if ((f->marks & NAMES_DENIED) != 0) {
        return &denied_by_name;
    }
    return deny_holds(&p->deny, w) ? &denied_by_list : NULL;
}

/* Does a zone take the name from a rule that gives way to zones of so many
 * labels? The default pool ("."), for one, takes none. */
static bool is_claimed(const struct found *f, unsigned least)
{
    return f->zone != NULL && f->zone->labels >= least;
}

static bool is_special(const struct found *f)
{
    return f->special != NULL &&
           !is_claimed(f, special_claim_labels(f->special));
}

static struct policy_verdict judge_zone(const struct found *f)
{
    if (f->zone == NULL) {
        return (struct policy_verdict){.rule = POLICY_NONE};
    }
    return (struct policy_verdict){
        .rule = (f->zone->marks & NAMES_ZONE_NX) != 0 ? POLICY_ZONE_NX
                                                      : POLICY_NONE,
        .zone = f->zone->zone,
        .data = f->zone,
    };
}

/* A question of class IN. */
static struct policy_verdict judge(const struct policy *p,
                                   const struct dns_question *q,
                                   struct names_walk *w, const struct found *f)
{
    const struct policy_denial *denial;
    bool is_parents = f->special != NULL && f->special == f->whole &&
                      special_is_parents(f->special, q->type);

    if (f->whole != NULL && f->whole->records != NULL) {
        return (struct policy_verdict){POLICY_LOCAL, 0, f->whole};
    }
    denial = find_denial(p, w, f);
    if (denial != NULL) {
        return (struct policy_verdict){POLICY_DENIED, 0, denial};
    }
    /* A search suffix mostly lies in a zone: only one below it knows more. */
    if (f->noise != NULL && !is_claimed(f, f->noise->labels + 1u)) {
        return (struct policy_verdict){POLICY_NOISE, 0, f->noise};
    }
    if (is_special(f) && !is_parents) {
        return (struct policy_verdict){POLICY_SPECIAL, 0, f->special};
    }
    if (q->type == DNS_TYPE_ANY && p->has_minimal_any &&
        (f->zone == NULL || f->zone->labels == 0)) {
        return (struct policy_verdict){POLICY_ANY, 0, NULL};
    }
    return judge_zone(f);
}

void policy_judge(const struct policy *p, const struct dns_question *question,
                  struct policy_verdict *out)
{
    struct names_walk w;
    struct found f;

    names_walk_init(&w, &p->names.key, question->name, question->name_len);
    look_up(p, &w, &f);
    /* The other classes are name spaces of their own, of which only the zones
     * know; but special names tell as much there, and exist in none. Class ANY
     * asks for IN too. */
    if (question->klass == DNS_CLASS_IN || question->klass == CLASS_ANY) {
        *out = judge(p, question, &w, &f);
    } else if (is_special(&f)) {
        *out = (struct policy_verdict){POLICY_SPECIAL, 0, f.special};
    } else {
        *out = judge_zone(&f);
    }
}

/* ---- saying ---- */

const char *policy_rule_name(enum policy_rule r)
{
    static const char *const names[POLICY_RULES_TOTAL] = {
        "none", "local", "denied", "zone_nx", "noise", "special", "any",
    };

    return (unsigned)r < POLICY_RULES_TOTAL ? names[r] : "?";
}

int policy_ede(const struct policy_verdict *verdict, const char **text)
{
    const struct policy_denial *denial = verdict->data;

    *text = NULL;
    if (verdict->rule != POLICY_DENIED) {
        return DNS_EDE_NONE;
    }
    *text = denial->text;
    return denial->ede;
}
