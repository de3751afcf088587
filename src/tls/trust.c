/*
 * Where trust anchors come from: files, directories, the system's store; and
 * who owns them. anchors.c parses them.
 *
 * Invariant: once is_complete is set nothing changes but the count of owners,
 * so all threads verify against one chain without locks (Mbed TLS guards what
 * it caches inside keys itself). Until then the chain belongs to the thread
 * that holds the lock, and none verifies against it.
 */
#include "tls/trust.h"

#include "base/err.h"
#include "base/log.h"
#include "base/siphash.h"
#include "tls/anchors.h"
#include "tls/private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/build_info.h>
#include <mbedtls/error.h>
#include <psa/crypto.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_ROOM "tls"

#if !defined(MBEDTLS_THREADING_C)
#    error "Mbed TLS must be built with MBEDTLS_THREADING_C: workers share it"
#endif

enum {
    FILE_LEN_MAX = 16 * 1024 * 1024,
    ORIGIN_LEN_MAX = 512,
    PATH_LEN_MAX = 4096,
};

struct tls_trust {
    atomic_uint owners;
    atomic_bool is_complete;
    pthread_mutex_t lock; /* guards anchors until is_complete */
    struct tls_anchors anchors;
    uint64_t print; /* of all octets, files in any order */
    char origin[ORIGIN_LEN_MAX];
};

/* Where the reason of a failure is written; nowhere when text is NULL. */
struct why {
    char *text;
    size_t len;
};

static const char *const system_files[] = {
    "/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine, Arch */
    "/etc/ssl/cert.pem",                  /* Alpine, OpenBSD, macOS */
    "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",                 /* SUSE */
    "/usr/local/share/certs/ca-root-nss.crt", /* FreeBSD */
    "/usr/local/etc/ssl/cert.pem",            /* FreeBSD */
};

#define SYSTEM_DIR "/etc/ssl/certs"

int tls_global_init(void)
{
    psa_status_t status = psa_crypto_init();

    if (status != PSA_SUCCESS) {
        log_error("psa_crypto_init failed with %d", (int)status);
        return ERR_TLS_SETUP;
    }
    return 0;
}

void tls_global_finish(void)
{
    mbedtls_psa_crypto_free();
}

PRINTF_LIKE(3, 4)
static int fail(const struct why *why, int err, const char *fmt, ...)
{
    va_list args;

    if (why->text != NULL && why->len > 0) {
        va_start(args, fmt);
        vsnprintf(why->text, why->len, fmt, args);
        va_end(args);
    }
    return err;
}

/* Read fd whole into *out (owned by the caller). */
static int read_all(int fd, size_t len, uint8_t **out, size_t *out_len)
{
    uint8_t *data = malloc(len + 1);
    size_t done = 0;

    if (data == NULL) {
        return ERR_NOMEM;
    }
    while (done < len) {
        ssize_t n = read(fd, data + done, len - done);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            free(data);
            return ERR_IO;
        }
        if (n == 0) {
            break;
        }
        done += (size_t)n;
    }
    *out = data;
    *out_len = done;
    return 0;
}

static int read_open_file(int fd, const char *path, const struct why *why,
                          uint8_t **out, size_t *out_len)
{
    struct stat st;
    int err;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return fail(why, ERR_NOTFOUND, "%s: not a regular file", path);
    }
    if (st.st_size > FILE_LEN_MAX) {
        return fail(why, ERR_TLS_SETUP, "%s: larger than %d MiB", path,
                    FILE_LEN_MAX / (1024 * 1024));
    }
    err = read_all(fd, (size_t)st.st_size, out, out_len);
    if (err == ERR_IO) {
        return fail(why, ERR_TLS_SETUP, "%s: %s", path, strerror(errno));
    }
    return err == 0 ? 0 : fail(why, err, "%s: %s", path, err_text(err));
}

static int read_file(const char *path, const struct why *why, uint8_t **out,
                     size_t *out_len)
{
    /* Without O_NONBLOCK, opening a fifo would wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int err;

    if (fd < 0) {
        return fail(why, ERR_NOTFOUND, "%s: %s", path, strerror(errno));
    }
    err = read_open_file(fd, path, why, out, out_len);
    close(fd);
    return err;
}

static int add_file(struct tls_trust *t, const char *path,
                    const struct why *why)
{
    static const uint8_t print_key[SIPHASH_KEY_LEN];
    uint8_t *data = NULL;
    size_t len = 0;
    int err = read_file(path, why, &data, &len);

    if (err != 0) {
        return err;
    }
    t->print += siphash_2_4(print_key, data, len);
    err = tls_anchors_add(&t->anchors, data, len);
    return err == 0 ? 0 : fail(why, err, "%s: %s", path, err_text(err));
}

static int add_dir(struct tls_trust *t, const char *path, const struct why *why)
{
    const struct why nowhere = {NULL, 0};
    DIR *dir = opendir(path);
    struct dirent *entry;
    char file[PATH_LEN_MAX];
    int err = 0;

    if (dir == NULL) {
        return fail(why, ERR_NOTFOUND, "%s: %s", path, strerror(errno));
    }
    while (err != ERR_NOMEM && (entry = readdir(dir)) != NULL) {
        int n = snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);

        /* What is hidden, dangling or no file is not meant to be read. */
        if (entry->d_name[0] != '.' && n > 0 && (size_t)n < sizeof(file)) {
            err = add_file(t, file, &nowhere);
        }
    }
    closedir(dir);
    return err != ERR_NOMEM ? 0 : fail(why, err, "%s: %s", path, err_text(err));
}

static void note_origin(struct tls_trust *t, const char *path)
{
    size_t len = strlen(t->origin);

    snprintf(t->origin + len, sizeof(t->origin) - len, "%s%s",
             len == 0 ? "" : " and ", path);
}

/* Load what was named. Each must exist; together they must give one. */
static int load_named(struct tls_trust *t, const char *file, const char *dir,
                      const struct why *why)
{
    int err = 0;

    if (file != NULL) {
        err = add_file(t, file, why);
        note_origin(t, file);
    }
    if (err == 0 && dir != NULL) {
        err = add_dir(t, dir, why);
        note_origin(t, dir);
    }
    if (err == 0 && t->anchors.count == 0) {
        return fail(
            why, ERR_TLS_SETUP, "%s: no usable certificate%s", t->origin,
            t->anchors.bad_count > 0 ? " (those found are damaged)" : "");
    }
    return err;
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* What the environment names is used or is an error, as falling back to the
 * system's store could trust more than was asked for. */
static int load_system(struct tls_trust *t, const struct why *why)
{
    const struct why nowhere = {NULL, 0};
    const char *file = environment("SSL_CERT_FILE");
    const char *dir = environment("SSL_CERT_DIR");

    /* The first that is set, as elsewhere the directory mostly holds the
     * file's content once more. */
    if (file != NULL || dir != NULL) {
        return load_named(t, file, file != NULL ? NULL : dir, why);
    }
    for (size_t i = 0; i < COUNT_OF(system_files); i++) {
        int err = add_file(t, system_files[i], &nowhere);

        if (err == ERR_NOMEM) {
            return fail(why, err, "%s: %s", system_files[i], err_text(err));
        }
        if (t->anchors.count > 0) {
            note_origin(t, system_files[i]);
            return 0;
        }
    }
    if (load_named(t, NULL, SYSTEM_DIR, &nowhere) == 0) {
        return 0;
    }
    return fail(why, ERR_NOTFOUND,
                "no store of trusted certificates on this system (looked for "
                "%s and others); install ca-certificates or name a file",
                system_files[0]);
}

static void destroy(struct tls_trust *t)
{
    tls_anchors_finish(&t->anchors);
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}

static int create(struct tls_trust **out)
{
    struct tls_trust *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        return ERR_NOMEM;
    }
    if (pthread_mutex_init(&t->lock, NULL) != 0) {
        free(t);
        return ERR_NOMEM;
    }
    atomic_init(&t->owners, 1);
    atomic_init(&t->is_complete, false);
    tls_anchors_init(&t->anchors);
    *out = t;
    return 0;
}

int tls_trust_load(const char *file, const char *dir, struct tls_trust **out,
                   char *why, size_t why_len)
{
    const struct why reason = {why, why_len};
    struct tls_trust *t;
    int err = create(&t);

    if (err != 0) {
        return fail(&reason, err, "%s", err_text(err));
    }
    if (file == NULL && dir == NULL) {
        err = load_system(t, &reason);
    } else {
        err = load_named(t, file, dir, &reason);
    }
    if (err != 0) {
        destroy(t);
        return err;
    }
    *out = t;
    return 0;
}

static void complete(struct tls_trust *t)
{
    tls_anchors_read_rest(&t->anchors);
    if (t->anchors.bad_count > 0) {
        log_warning("%zu certificates of %s could not be read and are not "
                    "trusted",
                    t->anchors.bad_count, t->origin);
    }
}

void tls_trust_complete(struct tls_trust *t)
{
    if (atomic_load_explicit(&t->is_complete, memory_order_acquire)) {
        return;
    }
    (void)pthread_mutex_lock(&t->lock);
    if (!atomic_load_explicit(&t->is_complete, memory_order_relaxed)) {
        complete(t);
        atomic_store_explicit(&t->is_complete, true, memory_order_release);
    }
    (void)pthread_mutex_unlock(&t->lock);
}

size_t tls_trust_count(struct tls_trust *t)
{
    tls_trust_complete(t);
    return t->anchors.count;
}

bool tls_trust_equal(const struct tls_trust *a, const struct tls_trust *b)
{
    return a == b || (a != NULL && b != NULL && a->print == b->print);
}

const char *tls_trust_origin(const struct tls_trust *t)
{
    return t->origin;
}

mbedtls_x509_crt *tls_trust_chain(struct tls_trust *t)
{
    return &t->anchors.chain;
}

struct tls_trust *tls_trust_retain(struct tls_trust *t)
{
    atomic_fetch_add_explicit(&t->owners, 1, memory_order_relaxed);
    return t;
}

void tls_trust_release(struct tls_trust *t)
{
    if (t != NULL &&
        atomic_fetch_sub_explicit(&t->owners, 1, memory_order_acq_rel) == 1) {
        destroy(t);
    }
}
