/*
 * Servers of the command line go the way of those of the environment, so that
 * whatever may be written there may be written here, and nothing else.
 */
#include "cli/load_with.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define SERVERS_VARIABLE "DOTSTUB_SERVERS"

/* How a line on it begins: "environment DOTSTUB_SERVERS: warning: servers[1]:
 * …". */
static const char on_servers[] = "environment " SERVERS_VARIABLE ": ";

/* "a, b" for the environment; NULL: out of memory. */
static char *join(char *const *words, size_t count)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s%s", i == 0 ? "" : ", ", words[i]);
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* Nobody named a file, and there is none: no need to speak of it. */
static bool is_default_missing(const char *file)
{
    return strcmp(file, CLI_CONFIG_FILE) == 0 && access(file, F_OK) != 0;
}

/* A line on the servers, in the words of the command line. */
static void print_line(const char *line, const char *what)
{
    static const char warning[] = "warning: ";
    bool is_warning;

    line += sizeof(on_servers) - 1;
    is_warning = strncmp(line, warning, sizeof(warning) - 1) == 0;
    line += is_warning ? sizeof(warning) - 1 : 0;
    if (strncmp(line, "servers", 7) == 0) {
        const char *colon = strstr(line, ": ");
        line = colon == NULL ? line : colon + 2;
    }
    fprintf(stderr, "dotstub: %s%s: %s\n", is_warning ? warning : "", what,
            line);
}

/* Are they servers? Says what is wrong. */
static int check_servers(const char *text, const char *what)
{
    struct config_diagnostics d;
    struct config *config = NULL;
    char *variable = NULL;
    int err =
        asprintf(&variable, SERVERS_VARIABLE "=%s", text) < 0 ? ERR_NOMEM : 0;

    if (err != 0) {
        perror("dotstub");
        return CLI_FAILURE;
    }
    char *const environment[] = {variable, NULL};
    err = config_load_environ("/dev/null", environment, &config, &d);
    for (size_t i = 0; i < d.count; i++) {
        if (strncmp(d.lines[i], on_servers, sizeof(on_servers) - 1) == 0) {
            print_line(d.lines[i], what);
        }
    }
    bool is_bad = d.errors > 0;
    config_diagnostics_finish(&d);
    config_destroy(err == 0 ? config : NULL);
    free(variable);
    return is_bad ? CLI_USAGE : CLI_OK;
}

/* In place of what the environment has. */
static int put_servers(char *const *servers, size_t count, const char *what)
{
    char *text = join(servers, count);
    int code = text == NULL ? CLI_FAILURE : check_servers(text, what);

    if (text == NULL || (code == CLI_OK && setenv(SERVERS_VARIABLE, text, 1))) {
        perror("dotstub");
        code = CLI_FAILURE;
    }
    free(text);
    return code;
}

int load_with_servers(const struct cli_args *args, char *const *servers,
                      size_t count, const char *what, struct config **out)
{
    const char *file = args->config_file;

    if (count == 0) {
        *out = cli_load(file);
        return *out == NULL ? CLI_BAD_CONFIG : CLI_OK;
    }
    int code = put_servers(servers, count, what);
    if (code != CLI_OK) {
        return code;
    }
    *out = cli_load_quiet(is_default_missing(file) ? "/dev/null" : file,
                          on_servers);
    return *out == NULL ? CLI_BAD_CONFIG : CLI_OK;
}

struct setup *load_setup(struct config *config)
{
    uint8_t key[16];
    struct setup *setup = NULL;

    if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key) ||
        tls_global_init() != 0) {
        fprintf(stderr, "dotstub: the cryptography could not be started\n");
        config_destroy(config);
        return NULL;
    }
    if (setup_create(config, key, true, &setup) != 0) {
        tls_global_finish();
        return NULL;
    }
    return setup;
}

void load_setup_finish(struct setup *s)
{
    if (s != NULL) {
        setup_destroy(s);
        tls_global_finish();
    }
}
