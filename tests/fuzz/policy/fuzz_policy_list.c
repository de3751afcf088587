/*
 * A list of denied names. A line that is one name and nothing else denies it,
 * whatever the other lines are.
 */
#include "base/addr.h"
#include "policy/names.h"

#include "ask.h"

#include <stdbool.h>

/* Is the line a host's name alone? */
static bool is_name(const uint8_t *line, size_t len, uint8_t name[DNS_NAME_MAX],
                    size_t *name_len)
{
    struct addr a;
    int got = names_from_host((const char *)line, len, name);

    *name_len = got > 0 ? (size_t)got : 0;
    return got > 0 && addr_parse_ip((const char *)line, len, &a) != 0;
}

static void require_denied(const struct policy *p, const uint8_t *text,
                           size_t len)
{
    size_t begin = 0;

    for (size_t at = 0; at <= len; at++) {
        uint8_t name[DNS_NAME_MAX];
        size_t name_len;

        if (at < len && text[at] != '\n') {
            continue;
        }
        /* not the first line: it may begin with a mark of its encoding */
        if (begin > 0 && is_name(text + begin, at - begin, name, &name_len)) {
            REQUIRE(ask(p, name, name_len, DNS_TYPE_A) == POLICY_DENIED);
        }
        begin = at + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    char path[32];
    char *paths[] = {path};
    struct policy_options o = {
        .local_ttl_s = 60,
        .deny_lists = paths,
        .deny_list_count = 1,
        .deny_answer = len % 2 == 0 ? POLICY_DENY_NXDOMAIN : POLICY_DENY_ZERO,
    };
    int file = input_file(octets, len, path);
    struct policy *p = input_policy(&o);

    ask_words(p, octets, len);
    require_denied(p, octets, len);
    policy_release(p);
    (void)close(file);
    return 0;
}
