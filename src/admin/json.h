/*
 * Private to admin: small helps around Jansson, the one place that knows it.
 */
#ifndef ADMIN_JSON_H
#define ADMIN_JSON_H

#include "admin/report.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"

#include <jansson.h>

/* A string; octets that are not UTF-8 become '?'. NULL: no memory. */
json_t *json_text(const char *text);

/* The one object that text is; NULL: it is none (why: 1 line, JSON_ERROR_TEXT
 * LENGTH octets, may be NULL). Members that come twice are refused. */
json_t *json_read(struct span text, char *why);

/* Append root as one line without its end. Returns 0 | ERR_NOMEM | ERR_LIMIT */
MUST_USE int json_write(const json_t *root, struct buf *out);

/* The member, if it is of that kind; else what stands for none. */
const char *json_member_text(const json_t *object, const char *key);
uint64_t json_member_count(const json_t *object, const char *key);

/* The tree of a report (see json_report.h); NULL: no memory. */
json_t *json_report_tree(const struct admin_report *r);

#endif
