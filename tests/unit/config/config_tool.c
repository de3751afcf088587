/*
 * For tests/lint/config_docs.py: prints the table of keys, or loads the files
 * named and prints what is said about them; exit code 1 when one does not load
 * without a word.
 */
#include "config/config.h"

#include <stdio.h>

static int load(const char *file)
{
    struct config *c = NULL;
    struct config_diagnostics d;
    int err = config_load(file, &c, &d);

    for (size_t i = 0; i < d.count; i++) {
        puts(d.lines[i]);
    }
    int code = err != 0 || d.count > 0;
    config_diagnostics_finish(&d);
    config_destroy(c);
    return code;
}

int main(int argc, char **argv)
{
    int code = 0;

    if (argc < 2) {
        config_print_keys(stdout);
    }
    for (int i = 1; i < argc; i++) {
        code |= load(argv[i]);
    }
    return code;
}
