/*
 * Watched files, in a folder of the test's own. Each step changes something
 * and runs the loop until that is told; what must not be told is looked for
 * by a change that is, behind it.
 */
#include "run.h"

#include "net/watch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct bed {
    struct net_loop *loop;
    struct net_watch *watch;
    struct net_timer timer;
    int count;
    char home[128]; /* where the test began */
    char folder[64];
};

static void on_change(void *arg)
{
    struct bed *b = arg;

    b->count++;
    net_loop_stop(b->loop);
}

static void on_timer(struct net_timer *t)
{
    net_loop_stop(t->loop);
}

/* Paths are relative to the folder from here on. */
static void setup(struct bed *b)
{
    memset(b, 0, sizeof(*b));
    assert_non_null(getcwd(b->home, sizeof(b->home)));
    (void)snprintf(b->folder, sizeof(b->folder), "/tmp/watch_XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    assert_int_equal(chdir(b->folder), 0);
    b->loop = loop_create();
    net_timer_init(&b->timer, b->loop, on_timer);
}

static void teardown(struct bed *b)
{
    char command[128];

    net_watch_close(b->watch);
    net_timer_stop(&b->timer);
    net_loop_destroy(b->loop);
    assert_int_equal(chdir(b->home), 0);
    (void)snprintf(command, sizeof(command), "rm -r '%s'", b->folder);
    assert_int_equal(system(command), 0);
}

static void start(struct bed *b, const char *path)
{
    assert_int_equal(net_watch_start(b->loop, path, on_change, b, &b->watch),
                     0);
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* Run until something is told; it is one thing. */
static void expect(struct bed *b)
{
    b->count = 0;
    while (b->count == 0) {
        loop_run(b->loop);
    }
    assert_int_equal(b->count, 1);
}

static void expect_nothing_for(struct bed *b, uint64_t time_ms)
{
    b->count = 0;
    net_timer_start(&b->timer, time_ms);
    loop_run(b->loop);
    assert_int_equal(b->count, 0);
}

/* Nothing is told for longer than a change would wait. */
static void expect_nothing(struct bed *b)
{
    expect_nothing_for(b, 400);
}

static void made_written_replaced_removed(void **state)
{
    struct bed b;

    (void)state;
    setup(&b);
    start(&b, "hosts");
    put("hosts", "");
    expect(&b);
    put("hosts", "one");
    expect(&b);
    put("hosts", "two"); /* the same length */
    expect(&b);
    put("other", "three");
    assert_int_equal(rename("other", "hosts"), 0);
    expect(&b);
    assert_int_equal(unlink("hosts"), 0);
    expect(&b);
    put("hosts", "again");
    expect(&b);
    assert_int_equal(rename("hosts", "elsewhere"), 0);
    expect(&b);
    teardown(&b);
}

static void absolute_path(void **state)
{
    char path[128];
    struct bed b;

    (void)state;
    setup(&b);
    (void)snprintf(path, sizeof(path), "%s/hosts", b.folder);
    start(&b, path);
    put("hosts", "x");
    expect(&b);
    teardown(&b);
}

/* stat() finds the same time, size and inode: only the status change tells. */
static void written_with_its_time_put_back(void **state)
{
    struct stat before;
    struct bed b;

    (void)state;
    setup(&b);
    put("hosts", "one");
    assert_int_equal(stat("hosts", &before), 0);
    start(&b, "hosts");
    expect_nothing(&b); /* the clock of file systems ticks slowly */
    put("hosts", "two");
    struct timespec times[2] = {before.st_atim, before.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, "hosts", times, 0), 0);
    expect(&b);
    teardown(&b);
}

static void neighbours_are_not_told(void **state)
{
    struct bed b;

    (void)state;
    setup(&b);
    put("hosts", "one");
    start(&b, "hosts");
    put("hosts.swp", "x");
    put("hosts2", "x");
    assert_int_equal(unlink("hosts.swp"), 0);
    expect_nothing(&b);
    put("hosts", "two");
    expect(&b);
    teardown(&b);
}

/* A volume of Kubernetes: hosts -> ..data/hosts, ..data -> ..1, and an update
 * makes ..2 and renames a new link over ..data. */
static void data_link_is_swapped(void **state)
{
    struct bed b;

    (void)state;
    setup(&b);
    assert_int_equal(mkdir("..1", 0755), 0);
    put("..1/hosts", "one");
    assert_int_equal(symlink("..1", "..data"), 0);
    assert_int_equal(symlink("..data/hosts", "hosts"), 0);
    start(&b, "hosts");
    for (char i = '2'; i < '5'; i++) {
        char folder[] = {'.', '.', i, '\0'};
        char file[] = {'.', '.', i, '/', 'h', 'o', 's', 't', 's', '\0'};
        assert_int_equal(mkdir(folder, 0755), 0);
        put(file, "one");
        assert_int_equal(symlink(folder, "..tmp"), 0);
        assert_int_equal(rename("..tmp", "..data"), 0);
        expect(&b);
        put(file, "more"); /* the new folder is watched by now */
        expect(&b);
    }
    teardown(&b);
}

/* As /etc/resolv.conf often is. */
static void target_lies_elsewhere(void **state)
{
    struct bed b;

    (void)state;
    setup(&b);
    assert_int_equal(mkdir("run", 0755), 0);
    assert_int_equal(mkdir("etc", 0755), 0);
    assert_int_equal(mkdir("etc/deep", 0755), 0);
    assert_int_equal(symlink("deep/link", "etc/resolv.conf"), 0);
    assert_int_equal(symlink("../../run/file", "etc/deep/link"), 0);
    start(&b, "etc/resolv.conf"); /* it leads nowhere yet */
    put("run/file", "one");
    expect(&b);
    put("run/new", "two");
    assert_int_equal(rename("run/new", "run/file"), 0);
    expect(&b);
    put("etc/other", "three"); /* the link in the middle is replaced */
    assert_int_equal(symlink("../other", "etc/deep/new"), 0);
    assert_int_equal(rename("etc/deep/new", "etc/deep/link"), 0);
    expect(&b);
    put("etc/other", "four");
    expect(&b);
    put("run/file", "five"); /* no more of ours */
    expect_nothing(&b);
    teardown(&b);
}

static void absolute_link(void **state)
{
    char target[128];
    struct bed b;

    (void)state;
    setup(&b);
    assert_int_equal(mkdir("run", 0755), 0);
    (void)snprintf(target, sizeof(target), "%s/run/file", b.folder);
    assert_int_equal(symlink(target, "link"), 0);
    start(&b, "link");
    put("run/file", "one");
    expect(&b);
    teardown(&b);
}

static void folder_is_replaced(void **state)
{
    struct bed b;

    (void)state;
    setup(&b);
    assert_int_equal(mkdir("conf", 0755), 0);
    put("conf/hosts", "one");
    start(&b, "conf/hosts");
    assert_int_equal(unlink("conf/hosts"), 0);
    assert_int_equal(rmdir("conf"), 0);
    expect(&b);
    expect_nothing_for(&b, 1300); /* while it is looked for */
    assert_int_equal(mkdir("conf", 0755), 0);
    put("conf/hosts", "two");
    expect(&b);
    put("conf/hosts", "three");
    expect(&b);
    teardown(&b);
}

static void links_in_a_circle(void **state)
{
    struct bed b;

    (void)state;
    setup(&b);
    assert_int_equal(symlink("b", "a"), 0);
    assert_int_equal(symlink("a", "b"), 0);
    start(&b, "a");
    assert_int_equal(unlink("b"), 0);
    put("b", "an end");
    expect(&b);
    teardown(&b);
}

/* A program that starts later makes it, and the file in it. */
static void folder_that_comes_later(void **state)
{
    struct bed b;

    (void)state;
    setup(&b);
    start(&b, "later/hosts");
    expect_nothing_for(&b, 1300); /* while it is looked for */
    assert_int_equal(mkdir("later", 0755), 0);
    put("later/hosts", "one");
    expect(&b);
    put("later/hosts", "two");
    expect(&b);
    teardown(&b);
}

static void file_in_place_of_the_folder(void **state)
{
    struct bed b;

    (void)state;
    setup(&b);
    put("later", "x");
    start(&b, "later/hosts");
    assert_int_equal(unlink("later"), 0);
    assert_int_equal(mkdir("later", 0755), 0);
    put("later/hosts", "one");
    expect(&b);
    teardown(&b);
}

static void path_too_long(void **state)
{
    char *path = malloc(100001);
    struct bed b;

    (void)state;
    setup(&b);
    memset(path, 'x', 100000);
    path[100000] = '\0';
    struct net_watch *w = NULL;
    assert_int_equal(net_watch_start(b.loop, path, on_change, &b, &w),
                     ERR_NOTFOUND);
    assert_null(w);
    free(path);
    teardown(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_written_replaced_removed),
        cmocka_unit_test(absolute_path),
        cmocka_unit_test(written_with_its_time_put_back),
        cmocka_unit_test(neighbours_are_not_told),
        cmocka_unit_test(data_link_is_swapped),
        cmocka_unit_test(target_lies_elsewhere),
        cmocka_unit_test(absolute_link),
        cmocka_unit_test(folder_is_replaced),
        cmocka_unit_test(links_in_a_circle),
        cmocka_unit_test(folder_that_comes_later),
        cmocka_unit_test(file_in_place_of_the_folder),
        cmocka_unit_test(path_too_long),
    };

    return cmocka_run_group_tests_name("net_watch", tests, NULL, NULL);
}
