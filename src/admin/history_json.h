/*
 * Private to admin: the numbers of now and of the last hour, for the page's
 * script.
 */
#ifndef ADMIN_HISTORY_JSON_H
#define ADMIN_HISTORY_JSON_H

#include "admin/history.h"
#include "admin/http_text.h"

/* Append one object. The step that goes on, until wall_s, becomes the last
 * sample when it is long enough; h may get places for servers. */
void history_json_write(const struct admin_report *r, struct history *h,
                        uint64_t wall_s, struct http_text *out);

#endif
