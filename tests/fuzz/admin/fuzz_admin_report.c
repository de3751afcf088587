/*
 * Reports as a daemon may send them. What was read, written and read again, is
 * the same report; and a frame of it fits the terminal.
 */
#include "admin/json_report.h"
#include "cli/top_frame.h"

#include "../require.h"

#include <string.h>

static void try_frame(const struct admin_report *r)
{
    const struct top_view view = {.now = r};
    const struct top_style style = {.columns = 30, .rows = 10};
    struct buf out;
    unsigned column = 0;
    unsigned rows = 0;

    buf_init(&out, 1 << 20);
    top_frame(&view, &style, &out);
    for (size_t i = 0; i < buf_len(&out); i++) {
        uint8_t c = out.data[i];
        REQUIRE(c == '\n' || c >= 0x20);
        column = c == '\n' ? 0 : column + ((c & 0xc0) != 0x80);
        REQUIRE(column <= style.columns);
        rows += c == '\n';
    }
    REQUIRE(rows <= style.rows);
    buf_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct json_report first;
    struct json_report second;
    struct buf one;
    struct buf two;

    if (json_report_read(span_of(octets, len), &first) != 0) {
        return 0;
    }
    buf_init(&one, 1 << 24);
    buf_init(&two, 1 << 24);
    REQUIRE(json_report_write(&first.report, &one) == 0);
    REQUIRE(json_report_read(buf_span(&one), &second) == 0);
    REQUIRE(json_report_write(&second.report, &two) == 0);
    REQUIRE(buf_len(&one) == buf_len(&two));
    REQUIRE(memcmp(buf_span(&one).ptr, buf_span(&two).ptr, buf_len(&one)) == 0);
    try_frame(&second.report);
    buf_finish(&one);
    buf_finish(&two);
    json_report_finish(&first);
    json_report_finish(&second);
    return 0;
}
