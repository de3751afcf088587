/*
 * The policy against a model that compares texts: random rules over a small
 * alphabet of labels, so that names meet them in every way.
 */
#include "fixture.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

enum { ROUNDS = 200, QUESTIONS = 300, RULES_MAX = 12, NAME_LEN = 64 };

/* Lists of names as texts in lower case, with a final dot. */
struct rules {
    char names[RULES_MAX][NAME_LEN];
    size_t count;
};

struct model {
    struct rules zones, listed, named, except, noise;
    bool is_nxdomain[RULES_MAX];
};

static const char *const tlds[] = {"com", "org"};

/* A name of up to max labels; the labels are few. */
static void random_name(struct rng *r, unsigned max, char *out)
{
    static const char *const labels[] = {"a",   "b",   "aa",    "com",
                                         "org", "lan", "local", "12345678"};
    unsigned count = rng_below(r, max + 1);

    (void)strcpy(out, count == 0 ? "." : "");
    while (count-- > 0) {
        (void)strcat(strcat(out, labels[rng_below(r, 8)]), ".");
    }
}

static void random_rules(struct rng *r, struct rules *out, bool may_be_root)
{
    out->count = 0;
    for (unsigned i = rng_below(r, RULES_MAX); i > 0; i--) {
        char *name = out->names[out->count];
        bool is_new = true;

        random_name(r, 4, name);
        for (size_t j = 0; j < out->count; j++) {
            is_new = is_new && strcmp(out->names[j], name) != 0;
        }
        if (is_new && (may_be_root || strcmp(name, ".") != 0)) {
            out->count++;
        }
    }
}

/* ---- the model ---- */

static bool is_below(const char *name, const char *suffix)
{
    size_t len = strlen(name), suffix_len = strlen(suffix);

    if (strcmp(suffix, ".") == 0) {
        return true;
    }
    return len >= suffix_len &&
           strcasecmp(name + len - suffix_len, suffix) == 0 &&
           (len == suffix_len || name[len - suffix_len - 1] == '.');
}

/* The longest that holds the name, from 1 on; 0: none. */
static size_t longest(const struct rules *r, const char *name)
{
    size_t best = 0, best_len = 0;

    for (size_t i = 0; i < r->count; i++) {
        size_t len = strlen(r->names[i]);

        if (is_below(name, r->names[i]) && len > best_len) {
            best = i + 1;
            best_len = len;
        }
    }
    return best;
}

/* Length of the longest search suffix that the name is noise below; 0: none. */
static size_t noise_len(const struct model *m, const char *name)
{
    size_t best = 0;

    for (size_t i = 0; i < m->noise.count; i++) {
        const char *suffix = m->noise.names[i];

        for (size_t j = 0; j < 2; j++) {
            char tail[NAME_LEN + 8];

            (void)snprintf(tail, sizeof(tail), "%s.%s", tlds[j], suffix);
            if (is_below(name, tail) && strcasecmp(name, tail) != 0 &&
                strlen(suffix) > best) {
                best = strlen(suffix);
            }
        }
    }
    return best;
}

static void model_answer(const struct model *m, const char *name,
                         char want[NAME_LEN])
{
    size_t zone = longest(&m->zones, name);
    size_t zone_len = zone == 0 ? 0 : strlen(m->zones.names[zone - 1]);
    size_t noise = noise_len(m, name);
    bool is_denied =
        longest(&m->named, name) != 0 || longest(&m->listed, name) != 0;

    if (is_denied && longest(&m->except, name) == 0) {
        (void)strcpy(want, "denied");
    } else if (noise != 0 && zone_len <= noise) {
        (void)strcpy(want, "noise");
    } else if (is_below(name, "local.") && zone_len < strlen("local.")) {
        (void)strcpy(want, "special");
    } else if (zone != 0 && m->is_nxdomain[zone - 1]) {
        (void)strcpy(want, "zone_nx");
    } else {
        (void)snprintf(want, NAME_LEN, "none %zu", zone);
    }
}

/* ---- the policy ---- */

static size_t as_texts(struct rules *r, char **out)
{
    for (size_t i = 0; i < r->count; i++) {
        out[i] = r->names[i];
    }
    return r->count;
}

static char *write_list(const struct rules *r)
{
    char text[RULES_MAX * NAME_LEN] = "";

    for (size_t i = 0; i < r->count; i++) {
        (void)strcat(strcat(text, r->names[i]), "\n");
    }
    return make_text_file(text);
}

static struct policy *as_policy(struct model *m, struct rng *r)
{
    char *named[RULES_MAX], *except[RULES_MAX], *noise[RULES_MAX];
    char zone_texts[RULES_MAX][NAME_LEN + 1];
    const char *zones[RULES_MAX + 1];
    char *list = write_list(&m->listed);
    struct policy_options o = {
        .local_ttl_s = 60,
        TEXTS(deny_lists, deny_list_count, list),
        .deny_names = named,
        .deny_name_count = as_texts(&m->named, named),
        .deny_except = except,
        .deny_except_count = as_texts(&m->except, except),
        .search_noise = noise,
        .search_noise_count = as_texts(&m->noise, noise),
        TEXTS(search_noise_tlds, search_noise_tld_count, tlds[0], tlds[1]),
    };
    struct policy *p;

    for (size_t i = 0; i < m->zones.count; i++) {
        m->is_nxdomain[i] = rng_below(r, 4) == 0;
        (void)snprintf(zone_texts[i], sizeof(zone_texts[i]), "%s%s",
                       m->is_nxdomain[i] ? "!" : "", m->zones.names[i]);
        zones[i] = zone_texts[i];
    }
    zones[m->zones.count] = NULL;
    p = make_policy(&o, zones);
    drop_file(list);
    return p;
}

/* The policy's answer begins as the model's. */
static void require_same(const struct policy *p, const struct model *m,
                         const char *name)
{
    char want[NAME_LEN];
    const char *got = answer(p, name, DNS_TYPE_A);

    model_answer(m, name, want);
    if (strncmp(got, want, strlen(want)) != 0) {
        fail_msg("%s: \"%s\", not \"%s\"", name, got, want);
    }
}

static void policies_do_as_the_model(void **state)
{
    struct rng r;

    (void)state;
    rng_seed(&r, 2026);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct model m;
        struct policy *p;

        random_rules(&r, &m.zones, true);
        random_rules(&r, &m.listed, false);
        random_rules(&r, &m.named, true);
        random_rules(&r, &m.except, false);
        random_rules(&r, &m.noise, false);
        m.named.count = rng_below(&r, 2) == 0 ? 0 : m.named.count;
        m.listed.count = rng_below(&r, 2) == 0 ? 0 : m.listed.count;
        p = as_policy(&m, &r);
        for (unsigned i = 0; i < QUESTIONS; i++) {
            char name[NAME_LEN];

            random_name(&r, 6, name);
            if (rng_below(&r, 2) == 0) {
                name[0] = (char)(name[0] >= 'a' ? name[0] - 32 : name[0]);
            }
            require_same(p, &m, name);
        }
        policy_release(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_do_as_the_model),
    };
    return cmocka_run_group_tests_name("policy_model", tests, NULL, NULL);
}
