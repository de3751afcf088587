/*
 * The table of special names. Not in it, on purpose:
 *
 * ipv4only.arpa and its reverse names (RFC 8880 section 7): a resolver that
 * only forwards passes them on, for the one above it may do DNS64, and its
 * answer is how clients learn the prefix.
 *
 * example, example.com, .net, .org (RFC 6761 section 6.5): resolvers do not
 * treat them specially; they exist.
 */
#include "policy/special.h"

#include "base/err.h"
#include "dns/name.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    TYPE_DS = 43,
    REVERSE_LABELS = 3, /* special names of so many labels and more are reverse
                           names, the others are not */
};

#define ZEROS_7  "0.0.0.0.0.0.0."
#define ZEROS_31 ZEROS_7 ZEROS_7 ZEROS_7 ZEROS_7 "0.0.0."

static const struct special_row {
    const char *name;
    enum special_kind kind;
    bool has_parent;     /* the public DNS delegates it, unsigned */
    uint8_t first, last; /* last above 0: not the name itself, but each of
                            these numbers as a label before it */
} special_rows[] = {
    /* RFC 6761 sections 6.2 to 6.4 */
    {"localhost", SPECIAL_LOCALHOST, false, 0, 0},
    {"invalid", SPECIAL_NXDOMAIN, false, 0, 0},
    {"test", SPECIAL_NXDOMAIN, false, 0, 0},
    /* RFC 6762 section 22.1: multicast DNS */
    {"local", SPECIAL_NXDOMAIN, false, 0, 0},
    /* RFC 7686 section 2 */
    {"onion", SPECIAL_NXDOMAIN, false, 0, 0},
    /* RFC 9476 section 3 */
    {"alt", SPECIAL_NXDOMAIN, false, 0, 0},
    /* ICANN Board, 29 July 2024: reserved for private use */
    {"internal", SPECIAL_NXDOMAIN, false, 0, 0},
    /* RFC 8375 section 4 */
    {"home.arpa", SPECIAL_EMPTY, true, 0, 0},
    /* RFC 9462 section 4 and 6.4: no designated resolver. Ours are reached in
     * clear text on purpose. */
    {"resolver.arpa", SPECIAL_NODATA, false, 0, 0},

    /* RFC 6761 section 6.3, with the names between them and their zone: what
     * has names below it exists (RFC 8020 section 2) */
    {"1.0.0.127.in-addr.arpa", SPECIAL_LOOPBACK, false, 0, 0},
    {"0.0.127.in-addr.arpa", SPECIAL_EMPTY, false, 0, 0},
    {"0.127.in-addr.arpa", SPECIAL_EMPTY, false, 0, 0},
    {"1." ZEROS_31 "ip6.arpa", SPECIAL_LOOPBACK, false, 0, 0},

    /* RFC 6303 section 4.1: RFC 1918 */
    {"10.in-addr.arpa", SPECIAL_EMPTY, true, 0, 0},
    {"172.in-addr.arpa", SPECIAL_EMPTY, true, 16, 31},
    {"168.192.in-addr.arpa", SPECIAL_EMPTY, true, 0, 0},
    /* section 4.2: this network, loopback, link-local, documentation,
     * broadcast */
    {"0.in-addr.arpa", SPECIAL_EMPTY, true, 0, 0},
    {"127.in-addr.arpa", SPECIAL_EMPTY, true, 0, 0},
    {"254.169.in-addr.arpa", SPECIAL_EMPTY, true, 0, 0},
    {"2.0.192.in-addr.arpa", SPECIAL_EMPTY, true, 0, 0},
    {"100.51.198.in-addr.arpa", SPECIAL_EMPTY, true, 0, 0},
    {"113.0.203.in-addr.arpa", SPECIAL_EMPTY, true, 0, 0},
    {"255.255.255.255.in-addr.arpa", SPECIAL_EMPTY, true, 0, 0},
    /* sections 4.3 to 4.6: unspecified, locally assigned, link-local,
     * documentation */
    {"0." ZEROS_31 "ip6.arpa", SPECIAL_EMPTY, true, 0, 0},
    {"d.f.ip6.arpa", SPECIAL_EMPTY, true, 0, 0},
    {"8.e.f.ip6.arpa", SPECIAL_EMPTY, true, 0, 0},
    {"9.e.f.ip6.arpa", SPECIAL_EMPTY, true, 0, 0},
    {"a.e.f.ip6.arpa", SPECIAL_EMPTY, true, 0, 0},
    {"b.e.f.ip6.arpa", SPECIAL_EMPTY, true, 0, 0},
    {"8.b.d.0.1.0.0.2.ip6.arpa", SPECIAL_EMPTY, true, 0, 0},
    /* RFC 6598 section 4, RFC 7793: shared address space */
    {"100.in-addr.arpa", SPECIAL_EMPTY, true, 64, 127},
};
_Static_assert(COUNT_OF(special_rows) < 256, "a row fits an octet");

static int add_name(struct names *t, const char *text, size_t row)
{
    uint8_t name[DNS_NAME_MAX];
    int len = dns_name_from_text(text, strlen(text), name);
    struct names_node *node;
    int err;

    assert(len > 0);
    err = names_add(t, name, (size_t)len, &node);
    if (err != 0) {
        return err;
    }
    node->special = (uint8_t)(row + 1);
    return 0;
}

/* One label after the other: "16.172.in-addr.arpa" … */
static int add_numbers(struct names *t, const struct special_row *r, size_t row)
{
    for (unsigned i = r->first; i <= r->last; i++) {
        char text[64];
        int err;

        (void)snprintf(text, sizeof(text), "%u.%s", i, r->name);
        err = add_name(t, text, row);
        if (err != 0) {
            return err;
        }
    }
    return 0;
}

int special_add(struct names *t)
{
    for (size_t i = 0; i < COUNT_OF(special_rows); i++) {
        const struct special_row *r = &special_rows[i];
        int err = r->last == 0 ? add_name(t, r->name, i) : add_numbers(t, r, i);

        if (err != 0) {
            return err;
        }
    }
    return 0;
}

enum special_kind special_kind_of(const struct names_node *node)
{
    return special_rows[node->special - 1].kind;
}

unsigned special_claim_labels(const struct names_node *node)
{
    return node->labels < REVERSE_LABELS ? node->labels : REVERSE_LABELS;
}

bool special_is_parents(const struct names_node *node, uint16_t type)
{
    return type == TYPE_DS && special_rows[node->special - 1].has_parent;
}
