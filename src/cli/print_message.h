/*
 * A DNS message for people, in the style of dig.
 */
#ifndef CLI_PRINT_MESSAGE_H
#define CLI_PRINT_MESSAGE_H

#include "base/attr.h"
#include "base/span.h"

#include <stdio.h>

/* All of it: header, OPT, question and the three sections. Returns 0 |
 * ERR_DNS_* (it cannot be read to its end). */
MUST_USE int print_message(FILE *out, struct span msg);

/* The data of the answer section's records alone, a line each. Returns as
 * print_message(). */
MUST_USE int print_message_short(FILE *out, struct span msg);

/* Why there is no more in it, on one line without an end: "SERVFAIL (No
 * Reachable Authority: "…")", from its code and its extended errors. */
void print_message_why(FILE *out, struct span msg);

/* The sentence of an extended error (RFC 8914), "" for a code without one. */
const char *print_ede_text(unsigned code);

#endif
