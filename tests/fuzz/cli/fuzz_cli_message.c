/*
 * A server's message for people: whatever it holds, only printable ASCII
 * reaches the terminal, and what can be read is printed to its end.
 */
#include "base/err.h"
#include "cli/print_message.h"
#include "dns/message.h"

#include "../require.h"

#include <string.h>

static void require_printable(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        REQUIRE((text[i] >= 0x20 && text[i] <= 0x7e) || text[i] == '\n' ||
                text[i] == '\t');
    }
}

static void print(struct span msg, int (*fn)(FILE *, struct span))
{
    char *text = NULL;
    size_t len = 0;
    struct dns_response r;
    FILE *out = open_memstream(&text, &len);

    REQUIRE(out != NULL);
    int err = fn(out, msg);
    REQUIRE(fclose(out) == 0);
    /* A name that grows too long by its pointers is seen here alone. */
    REQUIRE(err == dns_response_parse(msg, &r) || err == ERR_DNS_NAME ||
            err == ERR_DNS_LOOP || err == ERR_DNS_LABEL ||
            err == ERR_DNS_SHORT);
    require_printable(text, len);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    print(span_of(octets, len), print_message);
    print(span_of(octets, len), print_message_short);
    return 0;
}
