/*
 * Lines of the control socket. A request that is understood is written and
 * understood again as the same one; an answer is never more than it says.
 */
#include "admin/control_message.h"

#include "base/err.h"

#include "../require.h"

#include <string.h>

static void try_request(struct span line)
{
    struct control_request first;
    struct control_request second;
    char why[CONTROL_WHY_LEN] = "";
    struct buf text;

    if (control_request_read(line, &first, why) != 0) {
        REQUIRE(why[0] != '\0');
        return;
    }
    REQUIRE(first.name_len <= DNS_NAME_MAX);
    buf_init(&text, 2 * CONTROL_LINE_MAX);
    REQUIRE(control_request_write(&first, &text) == 0);
    REQUIRE(buf_len(&text) <= CONTROL_LINE_MAX);
    REQUIRE(control_request_read(buf_span(&text), &second, why) == 0);
    REQUIRE(memcmp(&first, &second, sizeof(first)) == 0);
    buf_finish(&text);
}

static void try_answer(struct span line)
{
    struct control_answer a;

    if (control_answer_read(line, &a) == 0) {
        REQUIRE(a.message_len <= line.len / 2);
        REQUIRE(a.error != NULL && a.text != NULL && a.step != NULL);
        REQUIRE(a.error[0] == '\0' || a.is_end);
    }
    control_answer_finish(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    try_request(span_of(octets, len));
    try_answer(span_of(octets, len));
    return 0;
}
