/*
 * A hosts file. An address that was read has a name, and no more is kept than
 * what the file can have said.
 */
#include "policy/local.h"

#include "base/err.h"

#include "ask.h"

/* A line alone: what it says of its first name is there. */
static void try_line(struct span line)
{
    struct names t;
    int err;

    REQUIRE(names_init(&t, hash_key) == 0);
    err = local_hosts_line(&t, line, 60);
    REQUIRE(err == 0 || err == ERR_INVAL);
    /* names are of one octet at least, and each needs a blank before it; one
     * more for the reverse name; and the domains of each */
    REQUIRE(t.count <= 3 * (line.len / 2 + 1));
    names_finish(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    char path[32];
    char *paths[] = {path};
    struct policy_options o = {
        .local_ttl_s = 60, .hosts = paths, .hosts_count = 1};
    int file = input_file(octets, len, path);
    struct policy *p = input_policy(&o);

    try_line(span_of(octets, len));
    ask_words(p, octets, len);
    policy_release(p);
    (void)close(file);
    return 0;
}
