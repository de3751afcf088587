/*
 * What was gathered, as a configuration of dotstub's.
 */
#include "cli/import.h"

#include "base/err.h"
#include "tls/chain.h"

#include <stdlib.h>
#include <string.h>

static void write_server(FILE *out, const struct import_server *s,
                         const char *indent)
{
    char text[ADDR_TEXT_MAX];
    char pin[TLS_PIN_TEXT_MAX];

    if (s->at.transport != CONFIG_TLS) {
        fprintf(out, "%s- \"%s://%s\"\n", indent,
                s->at.transport == CONFIG_TCP ? "tcp" : "udp",
                s->at.addr.family == 6
                    ? addr_text(&s->at.addr, text)
                    : import_addr_text(&s->at.addr, ENDPOINT_PORT_DNS, text));
        return;
    }
    if (s->pin_count == 0 && s->ca_file == NULL && s->weight == 1) {
        fprintf(out, "%s- \"%s%s%s\"\n", indent,
                import_addr_text(&s->at.addr, ENDPOINT_PORT_DOT, text),
                s->at.name[0] != '\0' ? "#" : "", s->at.name);
        return;
    }
    fprintf(out, "%s- address: \"%s\"\n", indent,
            addr_ip_text(&s->at.addr, text));
    if (s->at.addr.port != ENDPOINT_PORT_DOT) {
        fprintf(out, "%s  port: %u\n", indent, s->at.addr.port);
    }
    if (s->at.name[0] != '\0') {
        fprintf(out, "%s  name: \"%s\"\n", indent, s->at.name);
    }
    for (size_t i = 0; i < s->pin_count; i++) {
        if (i == 0) {
            fprintf(out, "%s  pins:\n", indent);
        }
        fprintf(out, "%s    - \"%s\"\n", indent,
                tls_pin_text(&s->pins[i], pin));
    }
    if (s->ca_file != NULL) {
        fprintf(out, "%s  ca_file: %s\n", indent,
                import_quote(s->ca_file).text);
    }
    if (s->weight != 1) {
        fprintf(out, "%s  weight: %u\n", indent, s->weight);
    }
}

static void write_servers_of(FILE *out, const struct import *im,
                             const char *zone, const char *indent)
{
    for (size_t i = 0; i < im->server_count; i++) {
        if (import_is_same_zone(im->servers[i].zone, zone)) {
            write_server(out, &im->servers[i], indent);
        }
    }
}

static bool was_seen(const struct import *im, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (import_is_same_zone(im->servers[i].zone, im->servers[at].zone)) {
            return true;
        }
    }
    return false;
}

static void write_zones(FILE *out, const struct import *im)
{
    bool is_first = im->lost.len == 0;

    if (!is_first) {
        fprintf(out, "\nzones:\n%s", im->lost.data);
    }
    for (size_t i = 0; i < im->server_count; i++) {
        const char *zone = im->servers[i].zone;
        if (zone == NULL || was_seen(im, i)) {
            continue;
        }
        fprintf(out, "%s  %s:\n", is_first ? "\nzones:\n" : "",
                import_quote(zone).text);
        is_first = false;
        write_servers_of(out, im, zone, "    ");
    }
}

static bool has_servers(const struct import *im)
{
    for (size_t i = 0; i < im->server_count; i++) {
        if (im->servers[i].zone == NULL) {
            return true;
        }
    }
    return false;
}

static void write_all(FILE *out, const struct import *im, const char *file,
                      const struct import_kind *kind)
{
    const char *slash = strrchr(file, '/');

    fputs("# dotstub's configuration, made from ", out);
    import_put_comment(out, file);
    if (strcmp(slash == NULL ? file : slash + 1, kind->title) != 0) {
        fprintf(out, "# (%s).\n", kind->title);
    }
    if (im->notes.len > 0) {
        fprintf(out,
                "#\n# What has no equal, or means something else now:\n"
                "%s",
                im->notes.data);
    }
    if (im->listen.len > 0) {
        fprintf(out, "\nlisten:\n%s", im->listen.data);
    }
    if (has_servers(im)) {
        fputs("\nservers:\n", out);
        write_servers_of(out, im, NULL, "  ");
    } else {
        fputs("\n# No server over TLS is in that file; for instance:\n"
              "# servers: quad9\n",
              out);
    }
    if (im->settings.len > 0) {
        fprintf(out, "\n%s", im->settings.data);
    }
    write_zones(out, im);
}

int import_write(struct import *im, const char *file,
                 const struct import_kind *kind, char **out, size_t *len)
{
    FILE *f = open_memstream(out, len);

    if (f == NULL) {
        return ERR_NOMEM;
    }
    (void)fflush(im->notes.out);
    (void)fflush(im->listen.out);
    (void)fflush(im->settings.out);
    (void)fflush(im->lost.out);
    write_all(f, im, file, kind);
    if (fclose(f) != 0 || im->is_out_of_memory) {
        free(*out);
        return ERR_NOMEM;
    }
    return 0;
}
