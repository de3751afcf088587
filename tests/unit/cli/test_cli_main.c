/*
 * The command line of the program itself: exit codes and what is printed
 * where. $DOTSTUB names the program.
 */
#include "base/attr.h"

#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { ARGS_MAX = 5, TEXT_MAX = 16384 };

static const char good[] =
    "listen:\n  - 127.0.0.1:5300\n  - \"[::1]:5300\"\n"
    "servers:\n  - 192.0.2.1#dot.example\n  - 192.0.2.2#dot.example\n";
static const char bad[] =
    "listen:\n  - 127.0.0.1\nservres:\n  - 192.0.2.1#dot.example\n";

struct outcome {
    int code;
    char out[TEXT_MAX];
    char err[TEXT_MAX];
};

/* A file without a name, with this text, at its beginning. */
static FILE *file_with(const char *text)
{
    FILE *f = tmpfile();

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    rewind(f);
    return f;
}

static void read_back(FILE *f, char text[TEXT_MAX])
{
    rewind(f);
    text[fread(text, 1, TEXT_MAX - 1, f)] = '\0';
    (void)fclose(f);
}

/* Run the program; standard input is a file with this text. */
static void run(const char *const *args, const char *input, struct outcome *o)
{
    extern char **environ;
    const char *argv[ARGS_MAX + 2] = {getenv("DOTSTUB")};
    FILE *files[3] = {file_with(input), file_with(""), file_with("")};
    posix_spawn_file_actions_t actions;
    int status;
    pid_t pid;

    assert_non_null(argv[0]);
    memcpy(argv + 1, args, ARGS_MAX * sizeof(*args));
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            posix_spawn_file_actions_adddup2(&actions, fileno(files[i]), i), 0);
    }
    assert_int_equal(posix_spawn(&pid, argv[0], &actions, NULL,
                                 (char *const *)(uintptr_t)argv, environ),
                     0);
    (void)posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    o->code = WEXITSTATUS(status);
    (void)fclose(files[0]);
    read_back(files[1], o->out);
    read_back(files[2], o->err);
}

static size_t count_lines(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++) {
        count += *text == '\n';
    }
    return count;
}

static void test_usage_errors(void **state)
{
    static const struct {
        const char *args[ARGS_MAX];
        const char *want; /* in the one line on standard error */
    } cases[] = {
        {{"chek"}, "unknown command 'chek'; did you mean 'check'?"},
        {{"xyzzy"}, "unknown command 'xyzzy' ("},
        {{"--confg", "x"}, "unknown option '--confg'; did you mean '--config'"},
        {{"check", "--halp"}, "unknown option '--halp'; did you mean '--help'"},
        {{"version", "-c", "x"}, "unknown option '-c'"},
        {{"run", "-x"}, "unknown option '-x'"},
        {{"run", "-c"}, "a file name is missing after '-c'"},
        {{"--config"}, "a file name is missing after '--config'"},
        {{"run", "file.yaml"}, "unexpected argument 'file.yaml'"},
        {{"check", "x.yaml"},
         "unexpected argument 'x.yaml'; did you mean -c x.yaml?"},
        {{"check", "-c", "x", "y"}, "unexpected argument 'y' ("},
        {{"version", "x"}, "unexpected argument 'x' ("},
        {{"--vresion"},
         "unknown option '--vresion'; did you mean '--version'?"},
        {{"help", "run", "check"}, "unexpected argument 'check'"},
        {{"help", "rum"}, "unknown command 'rum'; did you mean 'run'?"},
        {{"--version", "now"}, "unexpected argument 'now'"},
        {{"check", "x"}, "unexpected argument 'x' (see dotstub help check)"},
        {{"-c", "x", "chek"}, "unknown command 'chek'; did you mean 'check'?"},
        {{"-c", "x", "help", "run"}, "unknown option '-c'"},
        {{"-c"}, "a file name is missing after '-c'"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct outcome o;

        run(cases[i].args, "", &o);
        assert_int_equal(o.code, 64);
        assert_string_equal(o.out, "");
        assert_int_equal(count_lines(o.err), 1);
        if (strstr(o.err, cases[i].want) == NULL) {
            fail_msg("%s instead of %s", o.err, cases[i].want);
        }
    }
}

static void test_prints(void **state)
{
    static const struct {
        const char *args[ARGS_MAX];
        const char *input;
        const char *want; /* on standard output, at its beginning */
    } cases[] = {
        {{"version"}, "", "dotstub "},
        {{"--version"}, "", "dotstub "},
        {{"-V"}, "", "dotstub "},
        {{"--help"}, "", "usage: dotstub [COMMAND]"},
        {{"-h"}, "", "usage: dotstub [COMMAND]"},
        {{"help"}, "", "usage: dotstub [COMMAND]"},
        {{"help", "keys"}, "", "usage: dotstub keys"},
        {{"help", "check"}, "", "usage: dotstub check"},
        {{"check", "--help"}, "", "usage: dotstub check"},
        {{"run", "-h"}, "", "usage: dotstub [run]"},
        {{"version", "--help"}, "", "usage: dotstub version"},
        {{"keys"}, "", "listen\t"},
        {{"check", "-c", "-"},
         good,
         "<stdin> is good: 2 servers, listening on 127.0.0.1:5300, "
         "[::1]:5300\n"},
        {{"check", "--config=-"}, good, "<stdin> is good: "},
        {{"-c", "-", "check"}, good, "<stdin> is good: "},
        {{"-c-", "check"}, good, "<stdin> is good: "},
        {{"--config", "-", "check"}, good, "<stdin> is good: "},
        {{"--config=-", "check"}, good, "<stdin> is good: "},
        {{"-c", "-", "check", "-h"}, "", "usage: dotstub check"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct outcome o;

        run(cases[i].args, cases[i].input, &o);
        assert_int_equal(o.code, 0);
        assert_string_equal(o.err, "");
        if (strncmp(o.out, cases[i].want, strlen(cases[i].want)) != 0) {
            fail_msg("%s instead of %s", o.out, cases[i].want);
        }
    }
}

static void test_bad_config(void **state)
{
    static const char *const cases[][ARGS_MAX] = {
        {"check", "-c", "-"}, {"run", "-c", "-"}, {"-c", "-"}};
    static const char *const missing[ARGS_MAX] = {"-c", "/nowhere/x.yaml"};
    struct outcome o;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        run(cases[i], bad, &o);
        assert_int_equal(o.code, 2);
        assert_string_equal(o.out, "");
        assert_non_null(strstr(o.err, ":3:1: servres"));
        assert_non_null(strstr(o.err, "servers"));
    }
    run(missing, "", &o);
    assert_int_equal(o.code, 2);
    assert_non_null(strstr(o.err, "/nowhere/x.yaml"));
}

static void test_no_default_file(void **state)
{
    static const char *const args[][ARGS_MAX] = {{"check"}, {"run"}, {NULL}};
    struct outcome o;

    (void)state;
    if (access("/etc/dotstub", F_OK) == 0) {
        skip(); /* this machine is configured */
    }
    for (size_t i = 0; i < COUNT_OF(args); i++) {
        run(args[i], "", &o);
        assert_int_equal(o.code, 2);
        assert_string_equal(o.err,
                            "/etc/dotstub/dotstub.yaml: cannot be read: No "
                            "such file or directory (-c FILE names another)\n");
    }
}

/* It cannot listen there: one clear line, exit code 1. (A server with a pin
 * needs no store of certificates.) */
static void test_cannot_start(void **state)
{
    static const char *const args[ARGS_MAX] = {"-c", "-"};
    static const char config[] = "listen:\n  - 192.0.2.1:5300\n"
                                 "servers:\n"
                                 "  - address: 127.0.0.1\n"
                                 "    port: 1\n"
                                 "    pins: [sha256/AAAAAAAAAAAAAAAAAAAAAAAA"
                                 "AAAAAAAAAAAAAAAAAAA=]\n"
                                 "workers: 2\n";
    struct outcome o;

    (void)state;
    run(args, config, &o);
    assert_int_equal(o.code, 1);
    assert_string_equal(o.out, "");
    assert_non_null(strstr(o.err, "cannot listen on 192.0.2.1:5300 (UDP): "));
}

static void test_full_disk(void **state)
{
    extern char **environ;
    char *argv[] = {getenv("DOTSTUB"), (char[]){"version"}, NULL};
    posix_spawn_file_actions_t actions;
    int status;
    pid_t pid;

    (void)state;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/full", O_WRONLY, 0),
        0);
    assert_int_equal(
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0),
        0);
    assert_int_equal(posix_spawn(&pid, argv[0], &actions, NULL, argv, environ),
                     0);
    (void)posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage_errors),
        cmocka_unit_test(test_prints),
        cmocka_unit_test(test_bad_config),
        cmocka_unit_test(test_no_default_file),
        cmocka_unit_test(test_cannot_start),
        cmocka_unit_test(test_full_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
