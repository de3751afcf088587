/*
 * Where the dotstub that runs can be asked, by files that nobody could run it
 * with.
 */
#include "config/door.h"

#include "base/attr.h"
#include "base/err.h"
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_LISTEN  "127.0.0.1:53 [::1]:53 "
#define DEFAULT_CONTROL "/run/dotstub/control.sock"

static const struct door_case {
    const char *title;
    const char *text;
    const char *variable; /* NULL: none */
    const char *listen;   /* each with a blank behind it */
    const char *control;  /* "off"; "?": not known */
    const char *said;     /* a part of the one line; NULL: nothing */
} cases[] = {
    {"an empty file", "", NULL, DEFAULT_LISTEN, DEFAULT_CONTROL, NULL},
    {"both", "listen: 127.0.0.1:5300\ncontrol: /tmp/c.sock\n", NULL,
     "127.0.0.1:5300 ", "/tmp/c.sock", NULL},
    {"no socket", "control: off\n", NULL, DEFAULT_LISTEN, "off", NULL},
    {"other faults",
     "bogus: 1\nservers: what\nworkers: x\nlisten: ['::1']\n"
     "cache_file: /no/where\ncontrol: /tmp/c.sock\nquery_log: yes\n",
     NULL, "[::1]:53 ", "/tmp/c.sock", NULL},
    {"a good entry beside a bad one", "listen: [x, 127.0.0.1]\n", NULL,
     "127.0.0.1:53 ", DEFAULT_CONTROL, "t:1:10: warning: listen[0]: "},
    {"a bad listen", "listen: x\n", NULL, "", DEFAULT_CONTROL,
     "t:1:9: warning: listen: "},
    {"a bad control", "control: yes\n", NULL, DEFAULT_LISTEN, "?",
     "t:1:10: warning: control: "},
    {"not a mapping", "- a\n- b\n", NULL, DEFAULT_LISTEN, DEFAULT_CONTROL,
     NULL},
    {"a fault of syntax behind them",
     "listen: 127.0.0.1:1\ncontrol: /tmp/c.sock\nmore: [a, ::x]\n", NULL,
     "127.0.0.1:1 ", "/tmp/c.sock", "t:3:11: warning: "},
    {"before them",
     "more: [a, ::x]\nlisten:\n- 127.0.0.1:1\n# why\n  \n- 127.0.0.1:2\n"
     "control: /tmp/c.sock",
     NULL, "127.0.0.1:1 127.0.0.1:2 ", "/tmp/c.sock", "t:1:11: warning: "},
    {"in one of them", "listen: [127.0.0.1, ::x]\ncontrol: /tmp/c.sock\n", NULL,
     "", "/tmp/c.sock", "t:1:21: warning: "},
    {"in the other", "control: [\nlisten: 127.0.0.1:1\n", NULL, "127.0.0.1:1 ",
     "?", "t:3:1: warning: "},
    {"not text", "# \001\nlisten: 127.0.0.1:1\n", NULL, "127.0.0.1:1 ",
     DEFAULT_CONTROL, "t:1:3: warning: "},
    {"a fault of syntax and neither", "more: [a, ::x]\n", NULL, DEFAULT_LISTEN,
     DEFAULT_CONTROL, "t:1:11: warning: "},
    {"another key that begins like it",
     "{{\nlistener: x\nlisten: 127.0.0.1:1\n", NULL, "127.0.0.1:1 ",
     DEFAULT_CONTROL, "t:1:"},
    {"the environment first", "listen: 127.0.0.1:1\n",
     "DOTSTUB_LISTEN=127.0.0.1:2,127.0.0.1:3", "127.0.0.1:2 127.0.0.1:3 ",
     DEFAULT_CONTROL, NULL},
    {"in place of what is lost", "control: [\n", "DOTSTUB_CONTROL=/tmp/c.sock",
     DEFAULT_LISTEN, "/tmp/c.sock", "t:2:1: warning: "},
    {"other variables are not looked at", "", "DOTSTUB_CACHE_SIZE=much",
     DEFAULT_LISTEN, DEFAULT_CONTROL, NULL},
};

static void load(const char *file, const char *variable,
                 struct config_door *door, char **said)
{
    struct config_diagnostics d;
    char *copy = variable == NULL ? NULL : strdup(variable);
    char *const environment[] = {copy, NULL};

    assert_int_equal(config_door_load(file, environment, door, &d), 0);
    assert_int_equal(d.errors > 0, door->is_nowhere);
    *said = expect_join(&d);
    config_diagnostics_finish(&d);
    free(copy);
}

static void check_case(const struct door_case *c, const char *file)
{
    struct config_door door;
    char listen[256] = "";
    size_t len = 0;
    char *said = NULL;

    load(file, c->variable, &door, &said);
    for (size_t i = 0; i < door.listen_count; i++) {
        char text[ADDR_TEXT_MAX];
        len += (size_t)snprintf(listen + len, sizeof(listen) - len, "%s ",
                                addr_text(&door.listen[i], text));
    }
    const char *control = door.is_control_bad    ? "?"
                          : door.control == NULL ? "off"
                                                 : door.control;
    if (strcmp(listen, c->listen) != 0 || strcmp(control, c->control) != 0 ||
        (c->said == NULL ? *said != '\0' : strstr(said, c->said) == NULL)) {
        fail_msg("%s: %s%s\n%s", c->title, listen, control, said);
    }
    free(said);
    config_door_finish(&door);
}

/* Files are told by their names: each is "t". */
static int set_up(void **state)
{
    static char folder[] = "/tmp/dotstub-door-XXXXXX";

    (void)state;
    return mkdtemp(folder) == NULL ? -1 : chdir(folder);
}

static int tear_down(void **state)
{
    char folder[256];

    (void)state;
    (void)unlink("t");
    return getcwd(folder, sizeof(folder)) == NULL ? -1 : rmdir(folder);
}

static void test_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        FILE *out = fopen("t", "w");

        assert_non_null(out);
        assert_true(fputs(cases[i].text, out) >= 0);
        assert_int_equal(fclose(out), 0);
        check_case(&cases[i], "t");
    }
}

/* What the file may say is not guessed; but an environment that the program
 * runs with, without a file, needs none. */
static void test_no_file(void **state)
{
    static const struct door_case none[] = {
        {"no file", NULL, NULL, "", "?", "none: cannot be read: "},
        {"no file but where it listens", NULL, "DOTSTUB_LISTEN=127.0.0.1:1",
         "127.0.0.1:1 ", "?", "none: warning: "},
        {"no file but the socket", NULL, "DOTSTUB_CONTROL=/tmp/c.sock", "",
         "/tmp/c.sock", "none: warning: "},
        {"no file, and no socket", NULL, "DOTSTUB_CONTROL=off", "", "off",
         "none: cannot be read: "},
        {"no file but servers", NULL, "DOTSTUB_SERVERS=192.0.2.1#a.example",
         DEFAULT_LISTEN, DEFAULT_CONTROL, "none: warning: "},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        check_case(&none[i], "none");
    }
    /* It is there, and servers are no reason not to read it. */
    static const struct door_case folder = {
        "a folder", NULL, "DOTSTUB_SERVERS=192.0.2.1#a.example",
        "",         "?",  ".: is a directory"};
    check_case(&folder, ".");
}

/* A relative path is of the configuration's folder. */
static void test_relative(void **state)
{
    static const struct door_case c = {"relative",     NULL,         NULL,
                                       DEFAULT_LISTEN, "./sub/sock", NULL};
    FILE *out = fopen("t", "w");

    (void)state;
    assert_non_null(out);
    assert_true(fputs("control: sub/sock\n", out) >= 0);
    assert_int_equal(fclose(out), 0);
    check_case(&c, "./t");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_relative),
    };

    return cmocka_run_group_tests_name("config_door", tests, set_up, tear_down);
}
