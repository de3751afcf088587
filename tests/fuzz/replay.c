/*
 * main() of a fuzz target outside of libFuzzer: runs it once over every file
 * named, and over every file in each folder named, and fails when there is
 * none, so that a lost corpus is noticed. NAME.hex is hexadecimal digits,
 * blanks, and comments from "#" to the end of the line; other files are taken
 * as they are. Each input lies in memory of exactly its length, so that
 * AddressSanitizer and valgrind see a read past it.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len);

enum { INPUT_MAX = 1 << 24, PATH_LEN = 4096 };

static unsigned run_count;

__attribute__((noreturn)) static void give_up(const char *path,
                                              const char *what)
{
    (void)fprintf(stderr, "replay: %s: %s\n", path, what);
    exit(2);
}

static uint8_t *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    uint8_t *octets = malloc(INPUT_MAX);

    if (file == NULL || octets == NULL) {
        give_up(path, strerror(errno));
    }
    *len = fread(octets, 1, INPUT_MAX, file);
    if (ferror(file) || !feof(file)) {
        give_up(path, "cannot be read whole");
    }
    (void)fclose(file);
    return octets;
}

static int digit_value(uint8_t c)
{
    if (isdigit(c)) {
        return c - '0';
    }
    return isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/* Decode in place; returns the octets that come out. */
static size_t decode_hex(const char *path, uint8_t *text, size_t len)
{
    size_t digits = 0;
    bool is_comment = false;

    for (size_t i = 0; i < len; i++) {
        int value = digit_value(text[i]);

        is_comment = text[i] != '\n' && (is_comment || text[i] == '#');
        if (is_comment || isspace(text[i])) {
            continue;
        }
        if (value < 0) {
            give_up(path, "not hexadecimal");
        }
        if (digits % 2 == 0) {
            text[digits / 2] = (uint8_t)(value << 4);
        } else {
            text[digits / 2] = (uint8_t)(text[digits / 2] | value);
        }
        digits++;
    }
    if (digits % 2 != 0) {
        give_up(path, "half an octet at the end");
    }
    return digits / 2;
}

static void run_file(const char *path)
{
    size_t len;
    uint8_t *octets = read_file(path, &len);
    const char *suffix = strrchr(path, '.');
    uint8_t *exact;

    if (suffix != NULL && strcmp(suffix, ".hex") == 0) {
        len = decode_hex(path, octets, len);
    }
    exact = malloc(len == 0 ? 1 : len);
    if (exact == NULL) {
        give_up(path, strerror(errno));
    }
    memcpy(exact, octets, len);
    free(octets);
    (void)LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    run_count++;
}

static void run_folder(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;

    if (folder == NULL) {
        give_up(path, strerror(errno));
    }
    while ((entry = readdir(folder)) != NULL) {
        char file[PATH_LEN];
        struct stat info;
        int len = snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);

        if (len < 0 || len >= PATH_LEN || stat(file, &info) != 0) {
            give_up(path, "a file in it cannot be found");
        }
        if (S_ISREG(info.st_mode)) {
            run_file(file);
        }
    }
    (void)closedir(folder);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct stat info;

        if (stat(argv[i], &info) != 0) {
            give_up(argv[i], strerror(errno));
        }
        if (S_ISDIR(info.st_mode)) {
            run_folder(argv[i]);
        } else {
            run_file(argv[i]);
        }
    }
    printf("%u inputs\n", run_count);
    return run_count > 0 ? 0 : 1;
}
