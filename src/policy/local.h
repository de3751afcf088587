/*
 * Local data: what records and hosts files put into the table of names.
 */
#ifndef POLICY_LOCAL_H
#define POLICY_LOCAL_H

#include "base/attr.h"
#include "base/span.h"
#include "policy/lines.h"
#include "policy/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOCAL_DATA_MAX = NAMES_RECORDS_LEN_MAX - 12 };

/* One record, read from its text. */
struct local_record {
    uint8_t name[DNS_NAME_MAX];
    uint8_t name_len;
    bool has_ttl;
    uint32_t ttl_s;
    uint16_t type;
    uint16_t data_len;
    uint8_t data[LOCAL_DATA_MAX];
};

/*
 * Read "name [ttl] [IN] type data" (TTL and class in either order; a name is
 * absolute with or without its final dot): A, AAAA, CNAME, MX, PTR, SRV, TXT.
 * Returns 0 | ERR_CONFIG (why: what is wrong).
 */
MUST_USE int local_record_parse(struct span text, struct local_record *out,
                                char *why, size_t why_len);

/*
 * Add records, and for each address among them a PTR at its reverse name
 * unless one is there: the first name of an address is what it is called.
 * Returns 0 | ERR_CONFIG (why names the record) | ERR_NOMEM.
 */
MUST_USE int local_add_records(struct names *t, char *const *texts,
                               size_t count, uint32_t ttl_s, char *why,
                               size_t why_len);

/*
 * The name of an address's PTR (RFC 1035 section 3.5, RFC 3596 section 2.5):
 * ip of 4 or 16 octets. Returns its length.
 */
size_t local_reverse_name(const uint8_t *ip, size_t ip_len,
                          uint8_t out[DNS_NAME_MAX]);

/* Let the address's reverse name have a PTR to target, unless it has one or
 * the address is all zeros (that is nobody's). Returns 0 | ERR_NOMEM. */
MUST_USE int local_add_reverse(struct names *t, const uint8_t *ip,
                               size_t ip_len, uint32_t ttl_s,
                               const uint8_t *target, size_t target_len);

/*
 * Take in one line of a hosts file: an address, the name that it is called by,
 * other names. A name that cannot be taken in does not keep the others out. An
 * address with a scope is passed over: no answer can carry its scope, and it is
 * of no use without.
 * Returns 0 | ERR_INVAL (line or one of its names not usable) | ERR_NOMEM.
 */
MUST_USE int local_hosts_line(struct names *t, struct span line,
                              uint32_t ttl_s);

/* Take in a hosts file. Returns 0 | ERR_IO | ERR_NOMEM. */
MUST_USE int local_read_hosts(struct names *t, struct lines *l, uint32_t ttl_s);

#endif
