/*
 * The data of a record as zone files have it (RFC 1035 section 5.1, and the
 * document of each type); what is not known, or not as its type should be, as
 * RFC 3597 writes unknown types. What comes from the network is escaped: only
 * printable ASCII reaches the terminal.
 */
#ifndef CLI_PRINT_RDATA_H
#define CLI_PRINT_RDATA_H

#include "base/span.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Print the len octets at offset at of msg, which are inside of it: names in
 * them may point back into the message. */
void print_rdata(FILE *out, uint16_t type, struct span msg, size_t at,
                 size_t len);

/* Octets as text in quotes: \" and \\, others that do not print as \DDD. */
void print_quoted(FILE *out, struct span s);

/* RFC 4648 section 4, with padding. */
void print_base64(FILE *out, struct span s);

#endif
