/*
 * A report in Prometheus' text format, version 0.0.4: every family with HELP
 * and TYPE, counters end in _total, units are seconds and bytes. The names are
 * a promise: dashboards and alerts rely on them.
 *
 * Labels: zone ("." or a zone's suffix) and server (as in the configuration);
 * transport, rule, reason, result where a family has parts.
 */
#ifndef ADMIN_METRICS_H
#define ADMIN_METRICS_H

#include "admin/http_text.h"
#include "admin/report.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Append all of r. */
void metrics_write(const struct admin_report *r, struct http_text *out);

#endif
