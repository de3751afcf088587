/*
 * The dashboard: one page without anything from elsewhere. It is a table of
 * numbers; its script (page/page.js) draws charts in place of them from
 * /api/history.json, again and again.
 */
#ifndef ADMIN_PAGE_H
#define ADMIN_PAGE_H

#include "admin/http_text.h"
#include "admin/report.h"

/* The Content-Security-Policy that goes with it, static. */
const char *page_csp(void);

/* Append the page, with the numbers of r. */
void page_write(const struct admin_report *r, struct http_text *out);

#endif
