/*
 * Landlock by its system calls (landlock(7)): the C library has no functions
 * for them, and headers older than the kernel lack names.
 */
#include "server/sandbox.h"

#include "base/err.h"
#include "base/log.h"
#include "server/notes.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOG_ROOM "server"

/* Names that came after the first version. */
enum {
    ACCESS_REFER = 1 << 13,      /* ABI 2 */
    ACCESS_TRUNCATE = 1 << 14,   /* ABI 3 */
    ACCESS_IOCTL_DEV = 1 << 15,  /* ABI 5 */
    ACCESS_CONNECT_TCP = 1 << 1, /* ABI 4, of the network */
    RULE_NET_PORT = 2,
    SCOPE_SIGNAL = 1 << 1, /* ABI 6 */

    DNS_PORT = 53,
    DOT_PORT = 853,
    PORTS = 1 << 16,
};

static const uint64_t to_read =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;

static const uint64_t to_write =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    ACCESS_TRUNCATE;

/* As of the newest version: the kernel takes what it is given exactly. */
struct ruleset_attr {
    uint64_t access_fs;
    uint64_t access_net;
    uint64_t scoped;
};

struct net_port_attr {
    uint64_t access;
    uint64_t port;
};

static bool is_locked_in;

/* The ports that TCP connections may go to; none: all. */
static struct {
    bool is_limited;
    bool may[PORTS];
} ports;

struct rules {
    int fd;
    uint64_t handled_fs; /* what this version knows of */
    bool has_net;
};

/* path and what is below it. One that does not exist needs no rule. */
static void allow_path(const struct rules *r, const char *path, uint64_t access)
{
    struct stat st;
    int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0) {
        return;
    }
    if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode)) {
        access &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                  ACCESS_TRUNCATE;
    }
    struct landlock_path_beneath_attr rule = {
        .allowed_access = access & r->handled_fs, .parent_fd = fd};
    if (syscall(SYS_landlock_add_rule, r->fd, LANDLOCK_RULE_PATH_BENEATH, &rule,
                0) != 0 &&
        errno != EBADFD) { /* a pipe without a name needs no rule */
        log_warning("sandbox: %s: %s", path, strerror(errno));
    }
    (void)close(fd);
}

/* The folder of a file: it may be replaced by another one. */
static void allow_folder(const struct rules *r, const char *file,
                         uint64_t access)
{
    char copy[PATH_MAX];

    if (file != NULL && strlen(file) < sizeof(copy)) {
        memcpy(copy, file, strlen(file) + 1);
        allow_path(r, dirname(copy), access);
    }
}

/* What is appended to. A file may be replaced by another one, in the folder
 * that it is really in; a device or a pipe stays what it is, and its folder,
 * most often /dev, is nothing to write to. */
static void allow_output(const struct rules *r, const char *file)
{
    struct stat st;

    if (stat(file, &st) == 0 && !S_ISREG(st.st_mode)) {
        allow_path(r, file, to_write);
        return;
    }
    char *target = realpath(file, NULL);
    allow_folder(r, target != NULL ? target : file, to_write);
    free(target);
}

struct visit {
    const struct rules *rules;
};

/* The folder of a file, and the one that it leads to if it is a link. */
static void allow_read_file(void *arg, const char *file)
{
    const struct visit *v = arg;
    char *target = realpath(file, NULL);

    allow_folder(v->rules, file, to_read);
    allow_folder(v->rules, target, to_read);
    free(target);
}

static void allow_port(const struct rules *r, uint16_t port)
{
    const struct net_port_attr rule = {ACCESS_CONNECT_TCP, port};

    if (!r->has_net || ports.may[port]) {
        return;
    }
    ports.may[port] = true;
    if (syscall(SYS_landlock_add_rule, r->fd, RULE_NET_PORT, &rule, 0) != 0) {
        log_warning("sandbox: port %u: %s", port, strerror(errno));
    }
}

static void allow_server(const struct rules *r, const struct config_server *s)
{
    struct visit visit = {r};

    allow_port(r, s->addr.port);
    for (size_t i = 0; i < s->more_count; i++) {
        allow_port(r, s->more[i].port);
    }
    if (s->ca_file != NULL) {
        allow_read_file(&visit, s->ca_file);
    }
}

static void allow_stores(const struct rules *r)
{
    static const char *const stores[] = {
        "/etc/ssl",
        "/etc/pki",
        "/etc/ca-certificates",
        "/usr/share/ca-certificates",
        "/usr/local/share/ca-certificates",
        "/var/lib/ca-certificates",
        "/usr/share/pki",
        "/usr/local/share/certs",
        "/usr/local/etc/ssl",
    };

    for (size_t i = 0; i < COUNT_OF(stores); i++) {
        allow_path(r, stores[i], to_read);
    }
}

/* A unix socket takes no rule: Landlock leaves connecting to one alone. */
static void allow_tap(const struct rules *r, const struct config *c)
{
    if (c->dnstap != NULL && c->tap.kind == CONFIG_TAP_FILE) {
        allow_folder(r, c->tap.path, to_write);
    } else if (c->dnstap != NULL && c->tap.kind == CONFIG_TAP_TCP) {
        allow_port(r, c->tap.addr.port);
    }
}

static void allow_setup(const struct rules *r, const struct setup *s)
{
    const struct config *c = s->config;
    struct visit visit = {r};

    setup_each_file(s->config, allow_read_file, &visit);
    for (size_t i = 0; i < s->pool_count; i++) {
        const struct config_pool *p = s->pools[i];
        for (size_t k = 0; p != NULL && k < p->server_count; k++) {
            allow_server(r, &p->servers[k]);
        }
    }
    /* Servers that come with a reload, or from a resolv.conf. */
    allow_port(r, DOT_PORT);
    allow_port(r, DNS_PORT);
    if (c->ca_file != NULL) {
        allow_read_file(&visit, c->ca_file);
    }
    if (c->ca_dir != NULL) {
        allow_path(r, c->ca_dir, to_read);
    }
    allow_folder(r, c->cache_file, to_write);
    allow_folder(r, c->control, to_write);
    if (c->query_log != NULL && !config_log_is_stderr(c->query_log)) {
        allow_output(r, c->query_log);
    }
    allow_tap(r, c);
}

static bool may_connect(const struct config_server *s)
{
    bool may = ports.may[s->addr.port];

    for (size_t i = 0; i < s->more_count; i++) {
        may = may && ports.may[s->more[i].port];
    }
    return may;
}

static int refuse_port(const char *whose, const struct config *next)
{
    note_error("%s: the process has locked itself in and cannot reach this "
               "port; %s",
               whose, sandbox_way_out(next));
    return ERR_NET_ACCESS;
}

int sandbox_may_reach(const struct setup *next)
{
    const struct config *c = next->config;

    if (ports.is_limited && c->dnstap != NULL &&
        c->tap.kind == CONFIG_TAP_TCP && !ports.may[c->tap.addr.port]) {
        return refuse_port(c->dnstap, c);
    }
    for (size_t i = 0; ports.is_limited && i < next->pool_count; i++) {
        const struct config_pool *p = next->pools[i];
        for (size_t k = 0; p != NULL && k < p->server_count; k++) {
            if (!may_connect(&p->servers[k])) {
                return refuse_port(p->servers[k].label, c);
            }
        }
    }
    return 0;
}

/* What this version of Landlock can forbid. Returns the file descriptor of the
 * rules, or -1. */
static int create_rules(long abi, struct rules *out)
{
    struct ruleset_attr attr = {.access_fs = (UINT64_C(1) << 13) - 1};
    size_t size = abi >= 6   ? sizeof(attr)
                  : abi >= 4 ? offsetof(struct ruleset_attr, scoped)
                             : offsetof(struct ruleset_attr, access_net);

    attr.access_fs |= abi >= 2 ? ACCESS_REFER : 0;
    attr.access_fs |= abi >= 3 ? ACCESS_TRUNCATE : 0;
    attr.access_fs |= abi >= 5 ? ACCESS_IOCTL_DEV : 0;
    attr.access_net = abi >= 4 ? ACCESS_CONNECT_TCP : 0;
    attr.scoped = abi >= 6 ? SCOPE_SIGNAL : 0;
    out->handled_fs = attr.access_fs;
    out->has_net = abi >= 4;
    out->fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    return out->fd;
}

int sandbox_landlock(const struct setup *s, const char *file)
{
    struct rules r;
    struct visit visit = {&r};
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
                       LANDLOCK_CREATE_RULESET_VERSION);

    if (abi <= 0) {
        return 0;
    }
    if (create_rules(abi, &r) < 0) {
        log_warning("sandbox: Landlock: %s", strerror(errno));
        return ERR_NET_OTHER;
    }
    allow_setup(&r, s);
    allow_stores(&r);
    allow_path(&r, "/proc/self", to_read);
    allow_path(&r, "/dev/urandom", to_read);
    allow_path(&r, "/dev/null", to_read | to_write);
    if (file != NULL) {
        allow_read_file(&visit, file);
    }
    long rc = syscall(SYS_landlock_restrict_self, r.fd, 0);
    int error = errno;
    (void)close(r.fd);
    if (rc != 0) {
        log_warning("sandbox: Landlock: %s", strerror(error));
        return ERR_NET_OTHER;
    }
    ports.is_limited = r.has_net;
    is_locked_in = true;
    return (int)abi;
}

bool sandbox_is_locked_in(void)
{
    return is_locked_in;
}
