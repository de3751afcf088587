/*
 * A report as one JSON object, and back. The names of the members are those of
 * struct admin_report and of what it is made of, without "is_"; scripts rely on
 * them. Latencies have percentiles, and buckets that are pairs: the least value
 * above those of the bucket, and how many they are.
 */
#ifndef ADMIN_JSON_REPORT_H
#define ADMIN_JSON_REPORT_H

#include "admin/report.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"

/* Append the object, on one line without its end. Returns 0 | ERR_NOMEM |
 * ERR_LIMIT (out's bound). */
MUST_USE int json_report_write(const struct admin_report *r, struct buf *out);

/* A report that was read; texts in it may have control characters. */
struct json_report {
    struct admin_report report;
    void *tree; /* owned; what report points into */
};

/* Members that are missing or of another kind are 0 or "". Returns 0 |
 * ERR_INVAL (not an object) | ERR_NOMEM. */
MUST_USE int json_report_read(struct span text, struct json_report *out);

/* The version of Jansson that runs, static. */
const char *json_library_version(void);

/* Accepts a zeroed one; zeroes it. */
void json_report_finish(struct json_report *r);

#endif
