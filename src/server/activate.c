/*
 * Sockets passed by the service manager, and messages to it.
 */
#include "server/activate.h"

#include "base/err.h"
#include "base/log.h"
#include "net/inherit.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LOG_ROOM "server"

enum { FIRST_FD = 3, TEXT_LEN = 512, NAME_MAX_LEN = 255 };

static struct {
    struct addr addrs[NET_INHERIT_MAX]; /* each once */
    size_t count;
    int fd; /* to the service manager; 0: none */
    struct sockaddr_un to;
    socklen_t to_len;
} manager;

/* A number in the environment; 0: not there. */
static unsigned long number_of(const char *name)
{
    const char *text = getenv(name);

    return text == NULL ? 0 : strtoul(text, NULL, 10);
}

/* ---- sockets ---- */

static void keep_addr(const struct addr *addr)
{
    for (size_t i = 0; i < manager.count; i++) {
        if (addr_equal(&manager.addrs[i], addr)) {
            return; /* UDP and TCP of one address */
        }
    }
    manager.addrs[manager.count++] = *addr;
}

/* What FileDescriptorName= says of the socket i, not ended: its name and the
 * length. Names are parted by colons, and may be anything else. */
static const char *name_of(unsigned long i, int *len)
{
    const char *name = getenv("LISTEN_FDNAMES");

    for (; i > 0 && name != NULL; i--) {
        name = strchr(name, ':');
        name = name == NULL ? NULL : name + 1;
    }
    if (name == NULL || *name == '\0' || *name == ':') {
        name = "unknown"; /* as sd_listen_fds_with_names(3) calls it */
    }
    size_t end = strcspn(name, ":");
    *len = end < NAME_MAX_LEN ? (int)end : NAME_MAX_LEN;
    return name;
}

static void tell_socket(int fd, const char *name, int name_len,
                        const struct addr *addr)
{
    char text[ADDR_TEXT_MAX];
    int type = SOCK_STREAM;
    socklen_t len = sizeof(type);

    (void)getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
    log_info("socket '%.*s' from the service manager: %s (%s)", name_len, name,
             addr_text(addr, text), type == SOCK_DGRAM ? "UDP" : "TCP");
}

int activate_sockets(void)
{
    unsigned long count = number_of("LISTEN_FDS");

    if (count == 0 || number_of("LISTEN_PID") != (unsigned long)getpid()) {
        return 0;
    }
    for (unsigned long i = 0; i < count; i++) {
        struct addr addr;
        int fd = FIRST_FD + (int)i;
        int name_len;
        const char *name = name_of(i, &name_len);
        int err = net_inherit(fd, &addr);
        if (err != 0) {
            log_error("socket %lu, '%.*s', from the service manager is neither "
                      "UDP nor listening on TCP",
                      i, name_len, name);
            return err;
        }
        keep_addr(&addr);
        tell_socket(fd, name, name_len, &addr);
    }
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    log_info("%lu sockets from the service manager: listen is not used", count);
    return 0;
}

int activate_listen(struct config *config)
{
    struct addr *listen;

    if (manager.count == 0) {
        return 0;
    }
    listen = calloc(manager.count, sizeof(*listen));
    if (listen == NULL) {
        return ERR_NOMEM;
    }
    memcpy(listen, manager.addrs, manager.count * sizeof(*listen));
    free(config->listen);
    config->listen = listen;
    config->listen_count = manager.count;
    return 0;
}

/* ---- messages ---- */

void notify_open(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path == NULL ? 0 : strlen(path);

    if (len < 2 || len >= sizeof(manager.to.sun_path) ||
        (path[0] != '/' && path[0] != '@')) {
        return;
    }
    manager.to.sun_family = AF_UNIX;
    memcpy(manager.to.sun_path, path, len);
    if (path[0] == '@') {
        manager.to.sun_path[0] = '\0'; /* an abstract name */
    }
    manager.to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        manager.fd = fd;
    }
}

void notify(const char *format, ...)
{
    char text[TEXT_LEN];
    va_list args;

    if (manager.fd == 0) {
        return;
    }
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len > 0 && (size_t)len < sizeof(text) &&
        sendto(manager.fd, text, (size_t)len, MSG_NOSIGNAL,
               (const struct sockaddr *)&manager.to, manager.to_len) < 0) {
        log_debug("service manager: %s", strerror(errno));
    }
}

void notify_reloading(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    notify("RELOADING=1\nMONOTONIC_USEC=%llu",
           (unsigned long long)now.tv_sec * 1000000 +
               (unsigned long long)now.tv_nsec / 1000);
}

uint64_t notify_watchdog_ms(void)
{
    unsigned long pid = number_of("WATCHDOG_PID");

    if (manager.fd == 0 || (pid != 0 && pid != (unsigned long)getpid())) {
        return 0;
    }
    return number_of("WATCHDOG_USEC") / 1000 / 2;
}
