/*
 * Servers of the command line go the way of those of the environment, so that
 * whatever may be written there may be written here, and nothing else.
 */
#include "cli/load_with.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define SERVERS_VARIABLE "DOTSTUB_SERVERS"

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

int load_with_servers(const struct cli_args *args, char *const *servers,
                      size_t count, struct config **out)
{
    if (count > 0) {
        char *text = join(servers, count);
        int rc = text == NULL ? -1 : setenv(SERVERS_VARIABLE, text, 1);

        free(text);
        if (rc != 0) {
            perror("dotstub");
            return CLI_FAILURE;
        }
    }
    *out = cli_load(count > 0 && is_default_missing(args->config_file)
                        ? "/dev/null"
                        : args->config_file);
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
