/*
 * Texts of the numbers in the DNS wire format, as IANA's registries spell
 * them; numbers without a text there are written as RFC 3597 does.
 */
#include "dns/wire.h"

#include "base/attr.h"
#include "base/err.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct code_text {
    unsigned code;
    const char *text;
};

static const struct code_text types[] = {
    {1, "A"},       {2, "NS"},       {5, "CNAME"},       {6, "SOA"},
    {10, "NULL"},   {12, "PTR"},     {13, "HINFO"},      {15, "MX"},
    {16, "TXT"},    {17, "RP"},      {18, "AFSDB"},      {24, "SIG"},
    {25, "KEY"},    {28, "AAAA"},    {29, "LOC"},        {33, "SRV"},
    {35, "NAPTR"},  {37, "CERT"},    {39, "DNAME"},      {41, "OPT"},
    {42, "APL"},    {43, "DS"},      {44, "SSHFP"},      {45, "IPSECKEY"},
    {46, "RRSIG"},  {47, "NSEC"},    {48, "DNSKEY"},     {50, "NSEC3"},
    {52, "TLSA"},   {53, "SMIMEA"},  {51, "NSEC3PARAM"}, {55, "HIP"},
    {59, "CDS"},    {60, "CDNSKEY"}, {61, "OPENPGPKEY"}, {62, "CSYNC"},
    {63, "ZONEMD"}, {64, "SVCB"},    {65, "HTTPS"},      {99, "SPF"},
    {249, "TKEY"},  {250, "TSIG"},   {251, "IXFR"},      {252, "AXFR"},
    {255, "ANY"},   {256, "URI"},    {257, "CAA"},
};

static const struct code_text rcodes[] = {
    {0, "NOERROR"},  {1, "FORMERR"}, {2, "SERVFAIL"},  {3, "NXDOMAIN"},
    {4, "NOTIMP"},   {5, "REFUSED"}, {6, "YXDOMAIN"},  {7, "YXRRSET"},
    {8, "NXRRSET"},  {9, "NOTAUTH"}, {10, "NOTZONE"},  {11, "DSOTYPENI"},
    {16, "BADVERS"}, {17, "BADKEY"}, {18, "BADTIME"},  {19, "BADMODE"},
    {20, "BADNAME"}, {21, "BADALG"}, {22, "BADTRUNC"}, {23, "BADCOOKIE"},
};

static const char *code_text(const struct code_text *table, size_t count,
                             const char *prefix, unsigned code, char text[16])
{
    for (size_t i = 0; i < count; i++) {
        if (table[i].code == code) {
            (void)snprintf(text, 16, "%s", table[i].text);
            return text;
        }
    }
    (void)snprintf(text, 16, "%s%u", prefix, code);
    return text;
}

const char *dns_type_text(uint16_t type, char text[16])
{
    return code_text(types, COUNT_OF(types), "TYPE", type, text);
}

int dns_type_from_text(const char *text)
{
    char *end;

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (strcasecmp(types[i].text, text) == 0) {
            return (int)types[i].code;
        }
    }
    if (strncasecmp(text, "TYPE", 4) != 0 || text[4] < '0' || text[4] > '9') {
        return ERR_INVAL;
    }
    unsigned long code = strtoul(text + 4, &end, 10);
    return *end == '\0' && code <= UINT16_MAX ? (int)code : ERR_INVAL;
}

const char *dns_rcode_text(unsigned rcode, char text[16])
{
    return code_text(rcodes, COUNT_OF(rcodes), "RCODE", rcode, text);
}
