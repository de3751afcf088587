/*
 * Trust stores: files and directories, whole and damaged, and the environment.
 */
#include "fixture.h"

#include <pthread.h>
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

/* A file whose first certificate is not the one that is needed. */
static struct tls_trust *load_bundle(void)
{
    char text[16384];
    struct tls_trust *t;

    snprintf(text, sizeof(text), "%s%s", leaf_pem, ca_pem);
    assert_int_equal(
        tls_trust_load(put_text("bundle.pem", text), NULL, &t, NULL, 0), 0);
    return t;
}

/* All are trusted from the first handshake on, prepared for or not. */
static void test_all_are_trusted(void **state)
{
    (void)state;
    for (int is_prepared = 0; is_prepared <= 1; is_prepared++) {
        struct tls_trust *t = load_bundle();
        struct tls_client *client = tls_pair_client(t, "dns.example");
        struct tls_server *server = fix_server(MBEDTLS_SSL_VERSION_TLS1_3);
        struct tls_pair p;

        if (is_prepared != 0) {
            tls_client_prepare(client);
            tls_client_prepare(client);
        }
        tls_pair_init(&p, client, server);
        tls_pair_pump(&p);
        assert_string_equal(tls_session_error_text(p.session), "");
        assert_true(tls_session_is_ready(p.session));
        tls_pair_finish(&p);
        tls_client_destroy(client);
        tls_server_destroy(server);
        tls_trust_release(t);
    }
}

/* Never asked for what it holds. */
static void test_unused(void **state)
{
    struct tls_trust *t = load_bundle();

    (void)state;
    tls_trust_release(t);
}

static void *count_in_thread(void *arg)
{
    return (void *)(uintptr_t)tls_trust_count(arg);
}

static void test_threads(void **state)
{
    struct tls_trust *t = load_bundle();
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_in_thread, t),
                         0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *count = NULL;

        assert_int_equal(pthread_join(threads[i], &count), 0);
        assert_int_equal((uintptr_t)count, 2);
    }
    tls_trust_release(t);
}

/* What fd 2 gets while the certificates of file are counted. */
static void log_of(const char *file, char *out, size_t max)
{
    FILE *log = tmpfile();
    int stderr_fd = dup(STDERR_FILENO);
    size_t len;

    assert_non_null(log);
    assert_int_equal(dup2(fileno(log), STDERR_FILENO), STDERR_FILENO);
    assert_true(count_of(file, NULL) > 0);
    assert_int_equal(dup2(stderr_fd, STDERR_FILENO), STDERR_FILENO);
    close(stderr_fd);
    rewind(log);
    len = fread(out, 1, max - 1, log);
    out[len] = '\0';
    fclose(log);
}

static void test_damage_is_told(void **state)
{
    char text[16384];
    char log[1024];

    (void)state;
    snprintf(text, sizeof(text), "%s%s", ca_pem,
             "-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n");
    log_of(put_text("damaged.pem", text), log, sizeof(log));
    assert_contains(log, "1 certificates of ");
    assert_contains(log, "damaged.pem could not be read");
    log_of(put_text("ca.pem", ca_pem), log, sizeof(log));
    assert_string_equal(log, "");
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
        cmocka_unit_test(test_all_are_trusted),
        cmocka_unit_test(test_unused),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_damage_is_told),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_owners),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
