/*
 * What is answered here, and which servers a name goes to: hosts files,
 * records, deny lists, special names, search noise, zones.
 *
 * A policy is made once from its options and files, never changes, and is
 * shared by all workers; a new one takes its place when a file or the
 * configuration changes. It reads no clock and no socket; its files are read
 * while it is made.
 *
 * Order of what decides, the first that knows the name:
 *   1  records and hosts files (and the reverse names that they imply)
 *   2  deny_except; then deny_names and deny_lists (a name and all below it)
 *   3  search noise, unless a zone lies below the search suffix (the suffix
 *      itself mostly lies in a zone: svc.cluster.local in cluster.local)
 *   4  special names (special.c), unless a zone lies at the special suffix or
 *      below it; for reverse names above it too, but below in-addr.arpa and
 *      ip6.arpa ("172.in-addr.arpa" holds 16.172.in-addr.arpa)
 *   5  zones (the longest suffix)
 *   6  minimal_any (where no zone but "." holds the name)
 *   7  the default pool
 * That is for class IN, and for class ANY, which asks for it too; the other
 * classes know zones alone. A DS at a zone's own name goes to the zone like
 * the rest: the public parent of a split name knows nothing of it.
 *
 * A name that a rule says is not there is there, without data, when something
 * known here lies below it: local data, a zone with servers, a special name
 * that is (RFC 8020 section 2).
 *
 * Files: policy.c (the order), names.c (a table of names and suffixes), lines.c
 * (files), hosts.c and records.c (local data), deny.c (lists), special.c
 * (special names), answer.c (messages), rebind.c.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/attr.h"
#include "base/span.h"
#include "dns/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct policy;

enum policy_deny_answer {
    POLICY_DENY_NXDOMAIN, /* no such name */
    POLICY_DENY_ZERO,     /* 0.0.0.0 and ::; NODATA for other types */
};

/* A suffix with servers of its own, or (is_nxdomain) with none at all. */
struct policy_zone {
    const char *name; /* "cluster.local." */
    bool is_nxdomain;
};

/* Every text is owned by whoever owns the options; checked before. */
struct policy_options {
    char **hosts; /* hosts files */
    size_t hosts_count;
    char **records; /* "router.lan 300 A 192.0.2.1": as in a zone file */
    size_t record_count;
    uint32_t local_ttl_s; /* of hosts, and of records without one; 60 */

    char **deny_lists; /* files: a domain a line, or hosts format */
    size_t deny_list_count;
    char **deny_names;
    size_t deny_name_count;
    char **deny_except; /* names (and all below) that no list denies */
    size_t deny_except_count;
    enum policy_deny_answer deny_answer;

    char **search_noise; /* search suffixes: below them, names that end in a
                            top-level domain of search_noise_tlds do not exist
                            ("www.example.com.svc.cluster.local") */
    size_t search_noise_count;
    char **search_noise_tlds; /* "com", "org" … */
    size_t search_noise_tld_count;

    bool has_minimal_any;       /* RFC 8482 */
    bool has_rebind_protection; /* private addresses in answers of the default
                                   pool are not believed */
    char **rebind_allow;        /* names (and all below) where they are */
    size_t rebind_allow_count;
};

/* Parse one line of records. Returns 0 | ERR_CONFIG (why: what is wrong). */
MUST_USE int policy_record_check(const char *text, size_t len, char *why,
                                 size_t why_len);

/*
 * Make a policy, reading its files. Zone i of zones is number i + 1 in
 * verdicts. A file that cannot be read is an error when is_strict (at start:
 * nothing may be served that should have been denied), else a warning; lines
 * that are not understood are counted and skipped, with one warning a file.
 * Addresses of hosts files with a scope ("fe80::1%lo0") are passed over.
 * hash_key: octets that nobody can guess. why (why_len octets) names file and
 * reason. Returns 0 | ERR_NOTFOUND | ERR_IO | ERR_CONFIG | ERR_NOMEM.
 */
MUST_USE int policy_create(const struct policy_options *options,
                           const struct policy_zone *zones, size_t zone_count,
                           const uint8_t hash_key[16], bool is_strict,
                           struct policy **out, char *why, size_t why_len);

/* One more owner; each gives it back with policy_release(). Thread-safe. */
struct policy *policy_retain(struct policy *p);
/* Accepts NULL. */
void policy_release(struct policy *p);

/* Which rule answered. */
enum policy_rule {
    POLICY_NONE, /* no rule: it goes to the servers of a zone */
    POLICY_LOCAL,
    POLICY_DENIED,  /* EDE 15 (Blocked); 17 (Filtered) for deny_names */
    POLICY_ZONE_NX, /* the zone has no servers */
    POLICY_NOISE,
    POLICY_SPECIAL, /* RFC 6761 and its like */
    POLICY_ANY,     /* RFC 8482 */
    POLICY_RULES_TOTAL
};

/* "local", "denied" …, static. */
const char *policy_rule_name(enum policy_rule r);

struct policy_verdict {
    enum policy_rule rule;
    unsigned zone;    /* POLICY_NONE: 0 is the default pool, i + 1 zone i */
    const void *data; /* the policy's own; valid as long as the policy */
};

/*
 * Who answers this question? Reads the name once; allocates nothing; any
 * thread. Under 1 us with a million names denied.
 */
void policy_judge(const struct policy *p, const struct dns_question *question,
                  struct policy_verdict *out);

/*
 * Write the answer of a verdict that is not POLICY_NONE as a server's message
 * would be: id 0, QR, RA, AA where it is authoritative, the question as
 * spelt, records, no OPT; for a negative answer a SOA (RFC 2308, TTL as
 * local_ttl_s). CNAMEs of records are followed within records and hosts; one
 * that leads elsewhere ends the answer there.
 * cap: at least 4096. Returns the octets written.
 */
size_t policy_write(const struct policy *p, const struct dns_question *question,
                    const struct policy_verdict *verdict, uint8_t *out,
                    size_t cap);

/* The extended error that belongs to the verdict, or DNS_EDE_NONE; *text is
 * static, or NULL. */
int policy_ede(const struct policy_verdict *verdict, const char **text);

/*
 * Does this answer of the default pool have a private, loopback or link-local
 * address (RFC 1918, 4193, 3927, 6598, 5735; their IPv4-mapped forms too) for a
 * name where rebind protection holds? False when it is off.
 */
bool policy_is_rebinding(const struct policy *p,
                         const struct dns_question *question,
                         struct span message, const struct dns_response *r);

/* What was read, for logs and statistics. */
struct policy_counts {
    size_t local_names; /* with the reverse names of addresses */
    size_t denied_names, zones;
    size_t memory_len; /* octets, of all tables */
};
void policy_counts(const struct policy *p, struct policy_counts *out);

/* Calls fn with each file that the policy was made from (watch them). */
void policy_each_file(const struct policy_options *options,
                      void (*fn)(void *arg, const char *path), void *arg);

#endif
