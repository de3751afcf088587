/*
 * Users by lists that an administrator, or an accident, may have written; and
 * what the permissions of files say of a user.
 */
#include "config/user.h"

#include "base/attr.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- names ---- */

static const struct name_case {
    const char *title;
    const char *list;
    const char *name;
    int err;
    unsigned uid, gid; /* if it is found */
} names[] = {
    {"the only one", "ann:x:1000:1001:Ann:/var/ann:/bin/sh\n", "ann", 0, 1000,
     1001},
    {"the last one, without an end of line",
     "root:x:0:0::/root:/bin/sh\nann:x:7:8:::", "ann", 0, 7, 8},
    {"the first of two", "ann:x:1:2:::\nann:x:3:4:::\n", "ann", 0, 1, 2},
    {"root", "root:x:0:0:root:/root:/bin/sh\n", "root", 0, 0, 0},
    {"behind lines that say nothing",
     "\n# ann:x:1:1:::\n   \n#\n\t\nann:x:5:6:::\n", "ann", 0, 5, 6},
    {"a comment is no user", "#ann:x:1:1:::\n", "#ann", ERR_NOTFOUND, 0, 0},
    {"the highest there is", "ann:x:4294967294:4294967294:::\n", "ann", 0,
     4294967294, 4294967294},
    {"nobody of that name", "ann:x:1:1:::\n", "bob", ERR_NOTFOUND, 0, 0},
    {"the beginning of a name", "anna:x:1:1:::\nan:x:2:2:::\n", "ann",
     ERR_NOTFOUND, 0, 0},
    {"another case", "Ann:x:1:1:::\n", "ann", ERR_NOTFOUND, 0, 0},
    {"no list", "", "ann", ERR_NOTFOUND, 0, 0},
    {"no name", "ann:x:1:1:::\n", "", ERR_NOTFOUND, 0, 0},
    {"in another field", "bob:ann:1:1:ann:/ann:ann\n", "ann", ERR_NOTFOUND, 0,
     0},
    /* What setresuid(2) takes for "as it is" would leave root in place. */
    {"user -1", "ann:x:-1:1:::\n", "ann", ERR_INVAL, 0, 0},
    {"group -1", "ann:x:1:-1:::\n", "ann", ERR_INVAL, 0, 0},
    {"user -1, in another way", "ann:x:4294967295:1:::\n", "ann", ERR_INVAL, 0,
     0},
    {"group -1, in another way", "ann:x:1:4294967295:::\n", "ann", ERR_INVAL, 0,
     0},
    /* The next one is 0 to whoever keeps 32 bits. */
    {"a user too high", "ann:x:4294967296:1:::\n", "ann", ERR_INVAL, 0, 0},
    {"a group too high", "ann:x:1:4294967296:::\n", "ann", ERR_INVAL, 0, 0},
    {"a user far too high", "ann:x:99999999999999999999:1:::\n", "ann",
     ERR_INVAL, 0, 0},
    /* What is missing is not 0. */
    {"only a name", "ann\nann:x:3:4:::\n", "ann", 0, 3, 4},
    {"no numbers", "ann:x\n", "ann", ERR_INVAL, 0, 0},
    {"no group", "ann:x:1000\n", "ann", ERR_INVAL, 0, 0},
    {"nothing behind the group", "ann:x:1000:1000\n", "ann", ERR_INVAL, 0, 0},
    {"an empty number", "ann:x::1:::\n", "ann", ERR_INVAL, 0, 0},
    {"an empty group", "ann:x:1::::\n", "ann", ERR_INVAL, 0, 0},
    {"a word for a number", "ann:x:ann:1:::\n", "ann", ERR_INVAL, 0, 0},
    {"something behind a number", "ann:x:1z:1:::\n", "ann", ERR_INVAL, 0, 0},
    {"something before it", "ann:x: 1:1:::\n", "ann", ERR_INVAL, 0, 0},
    {"a sign", "ann:x:+1:1:::\n", "ann", ERR_INVAL, 0, 0},
    {"a name and a part of the line", "ann:x:0:0:::\n", "ann:x", ERR_NOTFOUND,
     0, 0},
    {"a name that is a number", "1000:x:0:0:::\n", "1000", 0, 0, 0},
};

/* Nobody: what was not found leaves it as it is. */
static const struct config_user before = {77, 78};

static void check_name(const struct name_case *c, FILE *list)
{
    struct config_user user = before;
    int err = config_user_find_in(list, c->name, &user);
    unsigned uid = c->err == 0 ? c->uid : before.uid;
    unsigned gid = c->err == 0 ? c->gid : before.gid;

    if (err != c->err || user.uid != uid || user.gid != gid) {
        fail_msg("%s: %d, user %u, group %u", c->title, err, user.uid,
                 user.gid);
    }
}

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char empty[] = "\n";
        const char *text = names[i].list[0] == '\0' ? empty : names[i].list;
        FILE *list = fmemopen((char *)(uintptr_t)text, strlen(text), "r");

        assert_non_null(list);
        check_name(&names[i], list);
        assert_int_equal(fclose(list), 0);
    }
}

/* A line has no bound: neither does one end in the middle, nor does its rest
 * count as a line of its own. */
static void test_long_lines(void **state)
{
    static const size_t lens[] = {200, 1000, 1023, 1024, 1025, 4096, 70000};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lens); i++) {
        const struct name_case cases[] = {
            {"behind a long line", NULL, "ann", 0, 3, 4},
            {"in a long line", NULL, "long", 0, 1, 2},
            {"in the comment of a long line", NULL, "bob", ERR_NOTFOUND, 0, 0},
        };
        char *filler = malloc(lens[i] + 1);
        FILE *list = tmpfile();

        assert_non_null(filler);
        assert_non_null(list);
        memset(filler, 'g', lens[i]);
        filler[lens[i]] = '\0';
        assert_true(fprintf(list, "long:x:1:2:%sbob:x:0:0:::\nann:x:3:4:%s::\n",
                            filler, filler) > 0);
        for (size_t k = 0; k < COUNT_OF(cases); k++) {
            rewind(list);
            check_name(&cases[k], list);
        }
        assert_int_equal(fclose(list), 0);
        free(filler);
    }
}

/* ---- numbers ---- */

static const struct {
    const char *name;
    int err;
    unsigned id;
} numbers[] = {
    {"0", 0, 0},
    {"1", 0, 1},
    {"0065534", 0, 65534},
    {"4294967294", 0, 4294967294},
    {"4294967295", ERR_INVAL, 0},
    {"4294967296", ERR_INVAL, 0},
    {"18446744073709551615", ERR_INVAL, 0},
    {"18446744073709551616", ERR_INVAL, 0},
    {"99999999999999999999999999", ERR_INVAL, 0},
    {"-1", ERR_NOTFOUND, 0},
    {"+1", ERR_NOTFOUND, 0},
    {" 1", ERR_NOTFOUND, 0},
    {"1x", ERR_NOTFOUND, 0},
    {"0x10", ERR_NOTFOUND, 0},
    {"", ERR_NOTFOUND, 0},
};

/* They are themselves, whoever has such a name. */
static void test_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct config_user user = before;
        int err = config_user_find(numbers[i].name, &user);
        unsigned uid = numbers[i].err == 0 ? numbers[i].id : before.uid;
        unsigned gid = numbers[i].err == 0 ? numbers[i].id : before.gid;

        if (err != numbers[i].err || user.uid != uid || user.gid != gid) {
            fail_msg("\"%s\": %d, user %u, group %u", numbers[i].name, err,
                     user.uid, user.gid);
        }
    }
}

/* ---- permissions ---- */

static char folder[] = "/tmp/test_user_XXXXXX";

/* Of another user, unless it says its own. */
static const struct {
    const char *title;
    unsigned folder_mode, file_mode, asked;
    bool is_own, is_refused;
} files[] = {
    {"open to all", 0755, 0644, R_OK, false, false},
    {"not to be written", 0755, 0644, W_OK, false, true},
    {"perhaps of a group, or of an access list", 0755, 0660, W_OK, false,
     false},
    {"read by a group, and written by nobody", 0755, 0640, W_OK, false, true},
    {"the owner's, and another asks", 0755, 0600, R_OK, false, true},
    {"the owner's, who asks", 0700, 0600, R_OK | W_OK, true, false},
    {"the owner's, who may not", 0700, 0066, R_OK, true, true},
    {"in a folder that is closed", 0700, 0666, R_OK, false, true},
    {"in a folder that is the owner's alone", 0700, 0666, R_OK, true, false},
};

static void test_permissions(void **state)
{
    const struct config_user own = {geteuid(), getegid()};
    const struct config_user other = {4000000001, 4000000001};
    char path[64];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/file", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        bool is_refused = files[i].is_refused;
        assert_int_equal(chmod(path, files[i].file_mode), 0);
        assert_int_equal(chmod(folder, files[i].folder_mode), 0);
        if (files[i].is_own && own.uid == 0) {
            is_refused = false; /* root may do anything */
        }
        if (config_user_is_refused(files[i].is_own ? &own : &other, path,
                                   files[i].asked) != is_refused) {
            fail_msg("%s: not %d", files[i].title, is_refused);
        }
    }
    assert_false(config_user_is_refused(&other, "/no/such/file", R_OK));
    assert_int_equal(chmod(folder, 0700), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_permissions),
    };

    return cmocka_run_group_tests_name("config_user", tests, NULL, NULL);
}
