/*
 * Trust anchors. Invariant: after tls_trust_load() nothing changes but the
 * count of owners, so all threads verify against one chain without locks
 * (Mbed TLS guards what it caches inside keys itself).
 *
 * A store of 144 certificates is read in half a millisecond: PEM is decoded
 * here, into one block of DER for each file, which the certificates point into.
 */
#include "tls/trust.h"

#include "base/err.h"
#include "base/log.h"
#include "base/span.h"
#include "tls/pem.h"
#include "tls/private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/build_info.h>
#include <mbedtls/error.h>
#include <psa/crypto.h>
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

/* The DER of one file's certificates; they point into it. */
struct der_block {
    struct der_block *next;
    uint8_t data[];
};

struct tls_trust {
    atomic_uint owners;
    size_t count;
    size_t bad_count; /* certificates that could not be read */
    struct der_block *blocks;
    mbedtls_x509_crt chain;
    mbedtls_x509_crt *last; /* of chain; where the next one goes */
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

/* The same certificate, octet for octet: directories hold each one twice, by
 * its name and by its hash. */
static bool has_certificate(const struct tls_trust *t, struct span der)
{
    if (t->count == 0) {
        return false;
    }
    for (const mbedtls_x509_crt *c = &t->chain; c != NULL; c = c->next) {
        if (c->raw.len == der.len && memcmp(c->raw.p, der.ptr, der.len) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether der, which must outlive t, was taken into the chain. */
static bool add_certificate(struct tls_trust *t, struct span der)
{
    int ret;

    if (has_certificate(t, der)) {
        return false;
    }
    ret = mbedtls_x509_crt_parse_der_nocopy(t->last, der.ptr, der.len);
    if (ret != 0) {
        log_debug("a certificate could not be read: -0x%04x", (unsigned)-ret);
        t->bad_count++;
        return false;
    }
    if (t->count > 0) {
        t->last = t->last->next;
    }
    t->count++;
    return true;
}

static void add_pem(struct tls_trust *t, struct span text, uint8_t *der)
{
    size_t len;
    int err;

    while ((err = tls_pem_next(&text, der, &len)) != ERR_NOTFOUND) {
        if (err != 0) {
            t->bad_count++;
        } else if (add_certificate(t, span_of(der, len))) {
            der += len;
        }
    }
}

/* Take the certificates of a file's content; none is not an error. */
static int add_content(struct tls_trust *t, struct span content)
{
    bool is_pem = tls_pem_is_pem(content);
    size_t max = is_pem ? tls_base64_max(content.len) : content.len;
    size_t count_before = t->count;
    struct der_block *block = malloc(sizeof(*block) + max);

    if (block == NULL) {
        return ERR_NOMEM;
    }
    if (is_pem) {
        add_pem(t, content, block->data);
    } else if (content.len > 0) {
        memcpy(block->data, content.ptr, content.len);
        add_certificate(t, span_of(block->data, content.len));
    }
    if (t->count == count_before) {
        free(block);
        return 0;
    }
    block->next = t->blocks;
    t->blocks = block;
    return 0;
}

static int add_file(struct tls_trust *t, const char *path,
                    const struct why *why)
{
    uint8_t *data = NULL;
    size_t len = 0;
    int err = read_file(path, why, &data, &len);

    if (err != 0) {
        return err;
    }
    err = add_content(t, span_of(data, len));
    free(data);
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
    if (err == 0 && t->count == 0) {
        return fail(why, ERR_TLS_SETUP, "%s: no usable certificate%s",
                    t->origin,
                    t->bad_count > 0 ? " (those found are damaged)" : "");
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
        if (t->count > 0) {
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
    mbedtls_x509_crt_free(&t->chain);
    while (t->blocks != NULL) {
        struct der_block *next = t->blocks->next;

        free(t->blocks);
        t->blocks = next;
    }
    free(t);
}

int tls_trust_load(const char *file, const char *dir, struct tls_trust **out,
                   char *why, size_t why_len)
{
    const struct why reason = {why, why_len};
    struct tls_trust *t = calloc(1, sizeof(*t));
    int err;

    if (t == NULL) {
        return fail(&reason, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    }
    atomic_init(&t->owners, 1);
    mbedtls_x509_crt_init(&t->chain);
    t->last = &t->chain;
    if (file == NULL && dir == NULL) {
        err = load_system(t, &reason);
    } else {
        err = load_named(t, file, dir, &reason);
    }
    if (err != 0) {
        destroy(t);
        return err;
    }
    if (t->bad_count > 0) {
        log_warning("%zu certificates of %s could not be read and are not "
                    "trusted",
                    t->bad_count, t->origin);
    }
    *out = t;
    return 0;
}

size_t tls_trust_count(const struct tls_trust *t)
{
    return t->count;
}

const char *tls_trust_origin(const struct tls_trust *t)
{
    return t->origin;
}

mbedtls_x509_crt *tls_trust_chain(struct tls_trust *t)
{
    return &t->chain;
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
