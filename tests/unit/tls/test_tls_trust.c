/*
 * Trust stores: files and directories, whole and damaged, and the environment.
 */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder for the test's files, removed afterwards. */
static char folder[] = "/tmp/test_tls_trust_XXXXXX";
static char *ca_pem, *leaf_pem;

static char *path_of(const char *name)
{
    static char paths[16][256];
    static unsigned next;
    char *path = paths[next++ % 16];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static const char *put(const char *name, struct span content)
{
    char *path = path_of(name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(content.ptr, 1, content.len, file), content.len);
    assert_int_equal(fclose(file), 0);
    return path;
}

static const char *put_text(const char *name, const char *text)
{
    return put(name, span_of(text, strlen(text)));
}

static int setup(void **state)
{
    if (fix_setup(state) != 0 || mkdtemp(folder) == NULL) {
        return -1;
    }
    ca_pem = tls_cert_pem(&fix.ca);
    leaf_pem = tls_cert_pem(&fix.leaf);
    return 0;
}

static int teardown(void **state)
{
    char command[300];

    free(ca_pem);
    free(leaf_pem);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command) == 0 ? fix_teardown(state) : -1;
}

/* Load; on success give the count and release, else why is kept. */
static char why[256];

static int count_of(const char *file, const char *dir)
{
    struct tls_trust *t = NULL;
    int err = tls_trust_load(file, dir, &t, why, sizeof(why));
    int count;

    if (err != 0) {
        assert_null(t);
        assert_true(why[0] != '\0');
        return err;
    }
    count = (int)tls_trust_count(t);
    tls_trust_release(t);
    return count;
}

static void test_files(void **state)
{
    char text[16384];

    (void)state;
    assert_int_equal(count_of(put_text("ca.pem", ca_pem), NULL), 1);
    assert_int_equal(
        count_of(put("ca.der", span_of(fix.ca.crt.raw.p, fix.ca.crt.raw.len)),
                 NULL),
        1);
    snprintf(text, sizeof(text), "# roots\n%s\n%s", ca_pem, leaf_pem);
    assert_int_equal(count_of(put_text("two.pem", text), NULL), 2);
    snprintf(text, sizeof(text), "%s%s%s", ca_pem, leaf_pem, ca_pem);
    assert_int_equal(count_of(put_text("twice.pem", text), NULL), 2);
}

static void test_damage_is_passed_over(void **state)
{
    char text[16384];

    (void)state;
    snprintf(text, sizeof(text),
             "-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n"
             "%s-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n%s",
             ca_pem, leaf_pem);
    assert_int_equal(count_of(put_text("damaged.pem", text), NULL), 2);
}

static void test_failures(void **state)
{
    (void)state;
    assert_int_equal(count_of(path_of("missing.pem"), NULL), ERR_NOTFOUND);
    assert_contains(why, "missing.pem: No such file or directory");
    assert_int_equal(count_of(NULL, path_of("missing")), ERR_NOTFOUND);
    assert_contains(why, "missing: No such file or directory");
    assert_int_equal(count_of(folder, NULL), ERR_NOTFOUND);
    assert_contains(why, "not a regular file");
    assert_int_equal(count_of(put_text("empty.pem", ""), NULL), ERR_TLS_SETUP);
    assert_contains(why, "empty.pem: no usable certificate");
    assert_int_equal(count_of(put_text("text.pem", "hello"), NULL),
                     ERR_TLS_SETUP);
    assert_contains(why, "(those found are damaged)");
    /* A reason is not wanted by everybody. */
    {
        struct tls_trust *t;

        assert_int_equal(
            tls_trust_load(path_of("missing.pem"), NULL, &t, NULL, 0),
            ERR_NOTFOUND);
    }
}

static void test_directory(void **state)
{
    const char *dir = path_of("dir");

    (void)state;
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(count_of(NULL, dir), ERR_TLS_SETUP);
    put_text("dir/ca.pem", ca_pem);
    put_text("dir/README", "no certificate here");
    assert_int_equal(mkdir(path_of("dir/sub"), 0700), 0);
    assert_int_equal(symlink("ca.pem", path_of("dir/0123abcd.0")), 0);
    assert_int_equal(symlink("gone.pem", path_of("dir/gone")), 0);
    assert_int_equal(mkfifo(path_of("dir/fifo"), 0600), 0);
    assert_int_equal(count_of(NULL, dir), 1);
    /* Together with a file. */
    assert_int_equal(count_of(put_text("leaf.pem", leaf_pem), dir), 2);
}

static void test_environment(void **state)
{
    struct tls_trust *t;
    const char *dir = path_of("env");

    (void)state;
    assert_int_equal(mkdir(dir, 0700), 0);
    put_text("env/both.pem", leaf_pem);
    put_text("env/ca.pem", ca_pem);
    setenv("SSL_CERT_FILE", put_text("env.pem", ca_pem), 1);
    setenv("SSL_CERT_DIR", dir, 1);
    assert_int_equal(tls_trust_load(NULL, NULL, &t, why, sizeof(why)), 0);
    assert_int_equal(tls_trust_count(t), 1);
    assert_string_equal(tls_trust_origin(t), getenv("SSL_CERT_FILE"));
    tls_trust_release(t);

    setenv("SSL_CERT_FILE", "", 1);
    assert_int_equal(count_of(NULL, NULL), 2);
    /* Never more than what was asked for. */
    setenv("SSL_CERT_FILE", path_of("missing.pem"), 1);
    assert_int_equal(count_of(NULL, NULL), ERR_NOTFOUND);
    assert_contains(why, "missing.pem");
    unsetenv("SSL_CERT_FILE");
    unsetenv("SSL_CERT_DIR");
}

static void test_owners(void **state)
{
    struct tls_trust *t;

    (void)state;
    assert_int_equal(
        tls_trust_load(put_text("ca.pem", ca_pem), NULL, &t, NULL, 0), 0);
    assert_ptr_equal(tls_trust_retain(t), t);
    tls_trust_release(t);
    assert_int_equal(tls_trust_count(t), 1);
    tls_trust_release(t);
    tls_trust_release(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_damage_is_passed_over),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_directory),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_owners),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
