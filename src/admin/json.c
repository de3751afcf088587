/*
 * Small helps around Jansson.
 */
#include "admin/json.h"
#include "admin/json_report.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

const char *json_library_version(void)
{
    return jansson_version_str();
}

json_t *json_text(const char *text)
{
    json_t *out = json_string(text);

    if (out != NULL) {
        return out;
    }
    char *ascii = strdup(text);
    if (ascii == NULL) {
        return NULL;
    }
    for (char *p = ascii; *p != '\0'; p++) {
        *p = (unsigned char)*p < 0x80 ? *p : '?';
    }
    out = json_string(ascii);
    free(ascii);
    return out;
}

json_t *json_read(struct span text, char *why)
{
    json_error_t error;
    json_t *root = json_loadb((const char *)text.ptr, text.len,
                              JSON_REJECT_DUPLICATES, &error);

    if (json_is_object(root)) {
        return root;
    }
    if (why != NULL) {
        memcpy(why, root == NULL ? error.text : "not an object",
               root == NULL ? sizeof(error.text) : sizeof("not an object"));
    }
    json_decref(root);
    return NULL;
}

int json_write(const json_t *root, struct buf *out)
{
    char *text = json_dumps(root, JSON_COMPACT);

    if (text == NULL) {
        return ERR_NOMEM;
    }
    int err = buf_append(out, span_of(text, strlen(text)));
    free(text);
    return err;
}

const char *json_member_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL ? "" : text;
}

uint64_t json_member_count(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));

    return value < 0 ? 0 : (uint64_t)value;
}
