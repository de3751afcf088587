/*
 * Unix sockets: who gets in, what is replaced and what is not; and input that
 * is waited for.
 */
#include "run.h"

#include "net/input.h"
#include "net/local.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct fixture {
    struct net_loop *loop;
    char folder[64];
    char path[128];
    struct net_local *local;
    struct net_stream *server, *client;
    unsigned uid;
    unsigned accepted;
    size_t got_len;
    bool has_ended;
};

static void on_server_read(void *arg, int err, struct span in)
{
    struct fixture *f = arg;

    if (err == ERR_NET_EOF) {
        net_stream_shutdown(f->server);
        return;
    }
    assert_int_equal(err, 0);
    assert_int_equal(net_stream_write(f->server, in), 0);
}

static void on_client_read(void *arg, int err, struct span in)
{
    struct fixture *f = arg;

    f->got_len += in.len;
    if (err != 0) {
        assert_int_equal(err, ERR_NET_EOF);
        f->has_ended = true;
        net_loop_stop(f->loop);
    }
}

static const struct net_stream_events server_events = {.on_read =
                                                           on_server_read};
static const struct net_stream_events client_events = {.on_read =
                                                           on_client_read};

static void on_accept(void *arg, struct net_stream *s, unsigned uid)
{
    struct fixture *f = arg;

    f->accepted++;
    f->uid = uid;
    f->server = s;
    net_stream_attach(s, &server_events, f);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->loop = loop_create();
    (void)snprintf(f->folder, sizeof(f->folder), "/tmp/test_local.XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->path, sizeof(f->path), "%s/socket", f->folder);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    net_stream_close(f->server);
    net_stream_close(f->client);
    net_local_close(f->local);
    net_loop_destroy(f->loop);
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

static void open_it(struct fixture *f)
{
    assert_int_equal(net_local_open(f->loop, f->path, on_accept, f, &f->local),
                     0);
}

static void echo(void **state)
{
    static uint8_t data[300000];
    struct fixture *f = *state;

    open_it(f);
    assert_int_equal(net_local_connect(f->loop, f->path, &f->client), 0);
    net_stream_attach(f->client, &client_events, f);
    assert_int_equal(net_stream_write(f->client, span_of(data, sizeof(data))),
                     0);
    net_stream_shutdown(f->client);
    loop_run(f->loop);
    assert_true(f->has_ended);
    assert_int_equal(f->got_len, sizeof(data));
    assert_int_equal(f->uid, geteuid());
    assert_int_equal(f->accepted, 1);
}

static void modes(void **state)
{
    struct fixture *f = *state;
    mode_t before = umask(0);
    struct stat st;
    char path[160];

    open_it(f);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    net_local_close(f->local);
    assert_int_not_equal(stat(f->path, &st), 0);

    (void)snprintf(path, sizeof(path), "%s/deep", f->folder);
    (void)snprintf(f->path, sizeof(f->path), "%s/deep/socket", f->folder);
    open_it(f);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    net_local_close(f->local);
    f->local = NULL;
    assert_int_equal(rmdir(path), 0);
    (void)umask(before);
}

/* Socket and folder become another user's, but nothing else that has taken
 * their place. */
static void given_away(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    char folder[160];
    char moved[160];

    if (geteuid() != 0) {
        skip();
    }
    (void)snprintf(folder, sizeof(folder), "%s/deep", f->folder);
    (void)snprintf(f->path, sizeof(f->path), "%s/deep/socket", f->folder);
    (void)snprintf(moved, sizeof(moved), "%s/moved", f->folder);
    open_it(f);
    assert_int_equal(net_local_give(f->local, 4711, 4712), 0);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_uid, 4711);
    assert_int_equal(st.st_gid, 4712);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_uid, 4711);

    assert_int_equal(rename(f->path, moved), 0);
    int fd = open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(net_local_give(f->local, 4711, 4712), ERR_NOTFOUND);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_uid, 0);
    close(fd);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(symlink(moved, f->path), 0);
    assert_int_equal(net_local_give(f->local, 0, 0), ERR_NOTFOUND);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(net_local_give(f->local, 0, 0), ERR_NOTFOUND);
    assert_int_equal(rename(moved, f->path), 0);
    net_local_close(f->local);
    f->local = NULL;
    assert_int_equal(rmdir(folder), 0);
}

static void nobody_is_there(void **state)
{
    struct fixture *f = *state;
    char path[300];

    assert_int_equal(net_local_connect(f->loop, f->path, &f->client),
                     ERR_NOTFOUND);
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(net_local_connect(f->loop, path, &f->client), ERR_INVAL);
    assert_int_equal(net_local_connect(f->loop, "", &f->client), ERR_INVAL);
    assert_int_equal(net_local_open(f->loop, path, on_accept, f, &f->local),
                     ERR_INVAL);
    assert_int_equal(
        net_local_open(f->loop, "/tmp/none/none/none", on_accept, f, &f->local),
        ERR_NOTFOUND);
}

/* What is left of a process that was killed: a socket without a listener. */
static void stale_socket(void **state)
{
    struct fixture *f = *state;
    char moved[160];

    open_it(f);
    (void)snprintf(moved, sizeof(moved), "%s/moved", f->folder);
    assert_int_equal(rename(f->path, moved), 0);
    net_local_close(f->local); /* removes nothing: it is not there any more */
    assert_int_equal(rename(moved, f->path), 0);
    assert_int_equal(net_local_connect(f->loop, f->path, &f->client),
                     ERR_NET_REFUSED);
    open_it(f);
    assert_int_equal(net_local_connect(f->loop, f->path, &f->client), 0);
}

static void living_socket(void **state)
{
    struct fixture *f = *state;
    struct net_local *other = NULL;

    open_it(f);
    assert_int_equal(net_local_open(f->loop, f->path, on_accept, f, &other),
                     ERR_NET_IN_USE);
    assert_int_equal(net_local_connect(f->loop, f->path, &f->client), 0);
}

static void not_a_socket(void **state)
{
    struct fixture *f = *state;
    int fd = open(f->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(net_local_open(f->loop, f->path, on_accept, f, &f->local),
                     ERR_NET_IN_USE);
    assert_int_equal(unlink(f->path), 0);
}

/* Its name belongs to another one by now: that one stays. */
static void close_leaves_others(void **state)
{
    struct fixture *f = *state;
    struct net_local *first;

    open_it(f);
    first = f->local;
    assert_int_equal(unlink(f->path), 0);
    open_it(f);
    net_local_close(first);
    assert_int_equal(net_local_connect(f->loop, f->path, &f->client), 0);
}

struct typed {
    struct net_loop *loop;
    int fd;
    size_t len;
};

static void on_input(void *arg)
{
    struct typed *t = arg;
    char text[8];
    ssize_t n = read(t->fd, text, sizeof(text));

    if (n > 0) {
        t->len += (size_t)n;
    } else {
        net_loop_stop(t->loop);
    }
}

static void input(void **state)
{
    struct fixture *f = *state;
    struct net_input *in = NULL;
    struct typed t = {.loop = f->loop};
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    t.fd = ends[0];
    assert_int_equal(net_input_start(f->loop, ends[0], on_input, &t, &in), 0);
    assert_int_equal(write(ends[1], "0123456789", 10), 10);
    close(ends[1]);
    loop_run(f->loop);
    assert_int_equal(t.len, 10);
    net_input_close(in);
    close(ends[0]);
}

static void input_of_a_file(void **state)
{
    struct fixture *f = *state;
    struct net_input *in = NULL;
    FILE *file = tmpfile();

    assert_non_null(file);
    assert_int_equal(
        net_input_start(f->loop, fileno(file), on_input, NULL, &in),
        ERR_NET_OTHER);
    (void)fclose(file);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(echo),         TEST(modes),
        TEST(given_away),   TEST(nobody_is_there),
        TEST(stale_socket), TEST(living_socket),
        TEST(not_a_socket), TEST(close_leaves_others),
        TEST(input),        TEST(input_of_a_file),
    };
#undef TEST

    return cmocka_run_group_tests_name("net_local", tests, NULL, NULL);
}
