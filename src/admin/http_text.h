/*
 * Private to admin: text that grows, for answers over HTTP. The first failure
 * is remembered, so that writers need not look at each step.
 */
#ifndef ADMIN_HTTP_TEXT_H
#define ADMIN_HTTP_TEXT_H

#include "base/attr.h"
#include "base/buf.h"

enum { HTTP_TEXT_MAX = 4 << 20 }; /* octets; far above what there is to say */

struct http_text {
    struct buf buf;
    int err; /* 0 | ERR_NOMEM | ERR_LIMIT: what follows is not added */
};

void http_text_init(struct http_text *t);
void http_text_finish(struct http_text *t);

void http_text_append(struct http_text *t, struct span octets);

/* Append as printf() would. */
void http_text_add(struct http_text *t, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* Append n thousandths or millionths as a decimal number: "1.5", "0.000128". */
void http_text_milli(struct http_text *t, uint64_t n);
void http_text_micro(struct http_text *t, uint64_t n);

/*
 * Append words so that they stay words where they are put: in plain text,
 * between tags or in an attribute, in a JSON string, in the value of a label of
 * Prometheus. What is not printable ASCII becomes '?'.
 */
void http_text_words(struct http_text *t, const char *words);
void http_text_html(struct http_text *t, const char *words);
void http_text_json(struct http_text *t, const char *words);
void http_text_label(struct http_text *t, const char *words);

#endif
