/*
 * resolved.conf of systemd: [Resolve], "Key=value", lists with spaces between
 * their words. Servers are "ADDRESS[:PORT][%INTERFACE][#NAME]".
 */
#include "cli/import.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { EXTRA_MAX = 64 };

struct resolved {
    struct import *im;
    struct mark at;
    bool is_here;     /* in [Resolve] */
    bool has_servers; /* DNS= had some */
    bool has_tls;
    bool is_without_stub;  /* DNSStubListener=no */
    bool is_without_hosts; /* ReadEtcHosts=no */
    struct {
        const char *text;
        struct mark at;
    } extra[EXTRA_MAX]; /* DNSStubListenerExtra=, in the text */
    size_t extra_count;
};

static void read_servers(struct resolved *r, char *value)
{
    for (char *word; (word = import_word(&value)) != NULL;) {
        (void)import_add(r->im, r->at, &(struct import_entry){.address = word});
        r->has_servers = true;
    }
}

static void read_fallback(struct resolved *r, char *value)
{
    if (!r->has_servers) {
        read_servers(r, value);
        r->has_servers = false;
    } else if (*value != '\0') {
        import_note(r->im, r->at.line,
                    "FallbackDNS: add them to servers, behind the others, if "
                    "they shall be asked when those fail");
    }
}

static void read_tls(struct resolved *r, const char *value)
{
    r->has_tls = true;
    if (strcasecmp(value, "opportunistic") == 0) {
        import_note(r->im, r->at.line,
                    "DNSOverTLS=opportunistic: dotstub verifies servers, and "
                    "never falls back to clear text");
    } else if (!import_is_yes(value)) {
        import_note(r->im, r->at.line,
                    "DNSOverTLS=%s: these servers were asked in clear text; "
                    "here they must take TLS",
                    value);
    }
}

/* "~." sends all names to these servers, as dotstub does anyway. */
static void read_domains(struct resolved *r, char *value)
{
    for (char *word; (word = import_word(&value)) != NULL;) {
        if (word[0] == '~') {
            if (strcmp(word, "~.") != 0) {
                import_note(r->im, r->at.line,
                            "Domains=%s: all names go to these servers here; "
                            "see zones for some of them to others",
                            word);
            }
        } else {
            import_note(r->im, r->at.line,
                        "Domains=%s: a search suffix belongs into resolv.conf",
                        word);
        }
    }
}

static void read_listener(struct resolved *r, char *value)
{
    if (r->extra_count == EXTRA_MAX) {
        diag_error(&r->im->faults, r->at, "DNSStubListenerExtra",
                   "more than %d", EXTRA_MAX);
        return;
    }
    r->extra[r->extra_count].text = value;
    r->extra[r->extra_count++].at = r->at;
}

/* With those the machine itself is served as well, unless the file says no;
 * without, dotstub's defaults do that. */
static void end_listeners(struct resolved *r)
{
    if (r->extra_count > 0 && !r->is_without_stub) {
        import_listen(r->im, r->extra[0].at, "127.0.0.1", "53");
        import_listen(r->im, r->extra[0].at, "::1", "53");
    }
    for (size_t i = 0; i < r->extra_count; i++) {
        const char *text = r->extra[i].text;
        bool has_protocol =
            strncmp(text, "udp:", 4) == 0 || strncmp(text, "tcp:", 4) == 0;

        import_listen(r->im, r->extra[i].at, text + (has_protocol ? 4 : 0),
                      "53");
    }
}

/* 127.0.0.53 is resolved's own; dotstub has the loopback's common address. */
static void read_stub(struct resolved *r, const char *value)
{
    bool is_off = strcasecmp(value, "no") == 0 ||
                  strcasecmp(value, "false") == 0 ||
                  strcasecmp(value, "off") == 0 || strcmp(value, "0") == 0;

    r->is_without_stub = is_off;
    if (is_off && r->extra_count == 0) {
        import_note(r->im, r->at.line,
                    "DNSStubListener=%s: dotstub has to listen somewhere, see "
                    "listen",
                    value);
    } else if (!is_off) {
        import_note(r->im, r->at.line,
                    "DNSStubListener=%s: on 127.0.0.1 and ::1, over UDP and "
                    "TCP, in place of 127.0.0.53",
                    value);
    }
}

static void read_hosts(struct resolved *r, const char *value)
{
    r->is_without_hosts = !import_is_yes(value);
}

static void read_stale(struct resolved *r, const char *value)
{
    char *end;
    unsigned long seconds = strtoul(value, &end, 10);

    if (*value != '\0' && *end == '\0' && seconds <= 604800) {
        import_set(r->im, "serve_stale", "%lu%s", seconds,
                   seconds == 0 ? "" : "s");
    } else {
        import_note(r->im, r->at.line, "StaleRetentionSec: see serve_stale");
    }
}

static void read_cache(struct resolved *r, const char *value)
{
    if (strcasecmp(value, "no-negative") == 0) {
        import_note(r->im, r->at.line,
                    "Cache=no-negative: see max_negative_ttl");
    } else if (!import_is_yes(value)) {
        import_set(r->im, "cache_size", "0");
    }
}

static void read_dnssec(struct resolved *r, const char *value)
{
    if (strcasecmp(value, "no") != 0 && strcasecmp(value, "false") != 0) {
        import_note(r->im, r->at.line,
                    "DNSSEC=%s: dotstub passes DNSSEC records on and checks "
                    "none itself",
                    value);
    }
}

static void read_pair(struct resolved *r, const char *key, char *value)
{
    if (strcasecmp(key, "DNS") == 0) {
        read_servers(r, value);
    } else if (strcasecmp(key, "FallbackDNS") == 0) {
        read_fallback(r, value);
    } else if (strcasecmp(key, "DNSOverTLS") == 0) {
        read_tls(r, value);
    } else if (strcasecmp(key, "Domains") == 0) {
        read_domains(r, value);
    } else if (strcasecmp(key, "DNSStubListenerExtra") == 0) {
        read_listener(r, value);
    } else if (strcasecmp(key, "DNSStubListener") == 0) {
        read_stub(r, value);
    } else if (strcasecmp(key, "ReadEtcHosts") == 0) {
        read_hosts(r, value);
    } else if (strcasecmp(key, "StaleRetentionSec") == 0) {
        read_stale(r, value);
    } else if (strcasecmp(key, "Cache") == 0) {
        read_cache(r, value);
    } else if (strcasecmp(key, "DNSSEC") == 0) {
        read_dnssec(r, value);
    } else {
        import_note(r->im, r->at.line, "%s: left out", key);
    }
}

static void read_line(struct resolved *r, char *line)
{
    char *value;

    if (*line == '\0' || *line == '#' || *line == ';') {
        return;
    }
    if (*line == '[') {
        r->is_here = strcmp(line, "[Resolve]") == 0;
        return;
    }
    value = strchr(line, '=');
    if (value == NULL) {
        diag_error(&r->im->faults, r->at, "", "\"%s\" is no \"Key=value\"",
                   diag_quote(line).text);
        return;
    }
    for (char *end = value; end > line && strchr(" \t", end[-1]) != NULL;) {
        *--end = '\0';
    }
    *value++ = '\0';
    value += strspn(value, " \t");
    if (r->is_here) {
        read_pair(r, line, value);
    }
}

void import_resolved(struct import *im, const struct source *s)
{
    struct resolved r = {.im = im};
    char *copy = strdup(s->text);
    char *rest = copy;

    if (copy == NULL) {
        im->is_out_of_memory = true;
        return;
    }
    for (char *line; (line = import_line(&rest)) != NULL;) {
        r.at = (struct mark){.line = r.at.line + 1, .column = 1};
        read_line(&r, line);
    }
    end_listeners(&r);
    import_set(im, "hosts", r.is_without_hosts ? "[]" : "system");
    if (!r.has_tls && im->server_count > 0) {
        import_note(im, r.at.line,
                    "without DNSOverTLS=yes these servers may have been asked "
                    "in clear text; here they must take TLS");
    }
    free(copy);
}
