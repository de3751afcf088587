/*
 * Reading and writing the lines of the control socket. What comes from outside
 * is checked here, whole, before anything is done.
 */
#include "admin/control_message.h"

#include "admin/json.h"
#include "base/err.h"
#include "dns/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- words ---- */

static const struct {
    const char *name;
    bool has_name, needs_name, has_level;
} commands[] = {
    [CONTROL_STATS] = {"stats", false, false, false},
    [CONTROL_FLUSH] = {"flush", true, false, false},
    [CONTROL_RELOAD] = {"reload", false, false, false},
    [CONTROL_LOG_LEVEL] = {"log-level", false, false, true},
    [CONTROL_EXPLAIN] = {"explain", true, true, false},
};

int control_read_name(const char *text, struct control_request *out)
{
    int len = dns_name_from_text(text, strlen(text), out->name);

    if (len <= 0) {
        return ERR_INVAL;
    }
    out->name_len = (uint16_t)len;
    return 0;
}

int control_read_type(const char *text, struct control_request *out)
{
    int type = dns_type_from_text(text);

    if (type <= 0) {
        return ERR_INVAL;
    }
    out->type = (uint16_t)type;
    return 0;
}

int control_read_level(const char *text, struct control_request *out)
{
    for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
        if (strcasecmp(text, log_level_name((enum log_level)level)) == 0) {
            out->level = (enum log_level)level;
            return 0;
        }
    }
    return ERR_INVAL;
}

/* ---- requests ---- */

/* A member that is a string, and what it should be. */
struct word {
    const char *key;
    const char *want;
    int (*read)(const char *text, struct control_request *out);
};

static const struct word name_word = {"name", "a domain name",
                                      control_read_name};
static const struct word type_word = {"type", "a record type",
                                      control_read_type};
static const struct word level_word = {
    "level", "error, warning, notice, info or debug", control_read_level};

static int read_word(const json_t *o, const struct word *w, bool is_needed,
                     struct control_request *out, char *why)
{
    const json_t *member = json_object_get(o, w->key);
    const char *text = json_string_value(member);

    if (member == NULL && !is_needed) {
        return 0;
    }
    if (text == NULL || w->read(text, out) != 0) {
        (void)snprintf(why, CONTROL_WHY_LEN, "\"%s\" has to be %s", w->key,
                       w->want);
        return ERR_INVAL;
    }
    return 0;
}

static int read_command(const json_t *o, struct control_request *out, char *why)
{
    const char *name = json_member_text(o, "command");

    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            out->command = (enum control_command)i;
            return 0;
        }
    }
    (void)snprintf(why, CONTROL_WHY_LEN,
                   "\"command\" has to be stats, flush, reload, log-level or "
                   "explain");
    return ERR_INVAL;
}

static int read_request(const json_t *o, struct control_request *out, char *why)
{
    int err = read_command(o, out, why);

    if (err == 0 && commands[out->command].has_name) {
        err = read_word(o, &name_word, commands[out->command].needs_name, out,
                        why);
        if (err == 0) {
            err = read_word(o, &type_word, false, out, why);
        }
        out->with_subtree = json_is_true(json_object_get(o, "subtree"));
    }
    if (err == 0 && commands[out->command].has_level) {
        err = read_word(o, &level_word, true, out, why);
    }
    return err;
}

int control_request_read(struct span line, struct control_request *out,
                         char why[CONTROL_WHY_LEN])
{
    char text[JSON_ERROR_TEXT_LENGTH];
    json_t *o = json_read(line, text);

    *out = (struct control_request){.type = 0};
    if (o == NULL) {
        (void)snprintf(why, CONTROL_WHY_LEN, "not a JSON object: %s", text);
        return ERR_INVAL;
    }
    int err = read_request(o, out, why);
    json_decref(o);
    return err;
}

int control_request_write(const struct control_request *r, struct buf *out)
{
    char name[DNS_NAME_TEXT_MAX];
    char type[16];
    json_t *o = json_pack("{s:s}", "command", commands[r->command].name);

    if (r->name_len > 0) {
        const char *text =
            dns_name_to_text(span_of(r->name, r->name_len), name);
        (void)json_object_set_new(o, "name", json_string(text));
    }
    if (r->type != 0) {
        (void)json_object_set_new(o, "type",
                                  json_string(dns_type_text(r->type, type)));
    }
    if (r->with_subtree) {
        (void)json_object_set_new(o, "subtree", json_true());
    }
    if (commands[r->command].has_level) {
        (void)json_object_set_new(o, "level",
                                  json_string(log_level_name(r->level)));
    }
    int err = json_write(o, out);
    json_decref(o);
    return err == 0 ? buf_append(out, span_of("\n", 1)) : err;
}

/* ---- answers ---- */

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    return at == NULL ? -1 : (int)(at - digits);
}

static int read_message(const char *hex, struct control_answer *out)
{
    size_t len = strlen(hex) / 2;

    if (len == 0) {
        return 0;
    }
    out->message = malloc(len);
    if (out->message == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit(hex[2 * i]);
        int low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            return ERR_INVAL;
        }
        out->message[i] = (uint8_t)(high << 4 | low);
    }
    out->message_len = len;
    return 0;
}

static int read_report(const json_t *report, struct control_answer *out)
{
    if (!json_is_object(report)) {
        return 0;
    }
    out->report = json_dumps(report, JSON_COMPACT);
    return out->report == NULL ? ERR_NOMEM : 0;
}

int control_answer_read(struct span line, struct control_answer *out)
{
    json_t *o = json_read(line, NULL);

    *out = (struct control_answer){.tree = o};
    if (o == NULL) {
        return ERR_INVAL;
    }
    out->error = json_member_text(o, "error");
    out->text = json_member_text(o, "text");
    out->step = json_member_text(o, "step");
    out->at_us = json_member_count(o, "at_us");
    out->removed = json_member_count(o, "removed");
    out->is_end =
        json_is_true(json_object_get(o, "end")) || out->error[0] != '\0';
    int err = read_report(json_object_get(o, "report"), out);
    if (err == 0) {
        err = read_message(json_member_text(o, "message"), out);
    }
    if (err != 0) {
        control_answer_finish(out);
    }
    return err;
}

void control_answer_finish(struct control_answer *a)
{
    free(a->report);
    free(a->message);
    json_decref(a->tree);
    *a = (struct control_answer){.tree = NULL};
}
