/*
 * Another program's configuration: the first octet says which kind it is to be
 * read as. Whatever it holds, the result has no key but those that are meant,
 * nothing but printable text, and can be given to the reader of
 * configurations.
 */
#include "base/err.h"
#include "cli/import.h"

#include "../require.h"

#include <string.h>

static void require_line(const char *line, size_t len)
{
    static const char *const keys[] = {
        "listen:",      "servers:", "zones:",      "padding_block:",
        "ecs:",         "allow:",   "strategy:",   "ca_file:",
        "ca_dir:",      "hosts:",   "cache_size:", "query_timeout:",
        "serve_stale:",
    };

    if (len == 0 || line[0] == '#' || line[0] == ' ') {
        return;
    }
    bool is_meant = false;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        is_meant = is_meant || strncmp(line, keys[i], strlen(keys[i])) == 0;
    }
    REQUIRE(is_meant);
}

static void require_result(const char *text, size_t len)
{
    struct config_diagnostics d;
    struct config *config = NULL;

    REQUIRE(strlen(text) == len);
    for (const char *line = text; *line != '\0';) {
        size_t line_len = strcspn(line, "\n");
        require_line(line, line_len);
        line += line_len + (line[line_len] == '\n');
    }
    (void)!config_load_text(text, len, "result", &config, &d);
    config_diagnostics_finish(&d);
    config_destroy(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct import im;
    struct source s = {.text = NULL};
    const struct import_kind *kind;
    char *text = NULL;
    size_t text_len = 0;

    if (len == 0) {
        return 0;
    }
    size_t which = octets[0] % (import_kind_count + 1);
    kind = which == import_kind_count ? NULL : &import_kinds[which];
    REQUIRE(import_init(&im, "theirs") == 0);
    int err = source_copy((const char *)octets + 1, len - 1, &s, &im.faults);
    if (err == 0) {
        err = import_read(&im, &s, &kind);
    }
    REQUIRE(err == 0 || im.faults.errors > 0);
    if (im.faults.errors == 0) {
        REQUIRE(import_write(&im, "theirs", kind, &text, &text_len) == 0);
        require_result(text, text_len);
    }
    free(text);
    source_finish(&s);
    import_finish(&im);
    return 0;
}
