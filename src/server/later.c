/*
 * Compared is with what runs, and not with the file as it was last read: that
 * may have asked for the same in vain.
 */
#include "server/later.h"

#include "base/text.h"
#include "server/notes.h"

static bool has_same_pages(const struct config *a, const struct config *b)
{
    bool is_same = a->admin_count == b->admin_count;

    for (size_t i = 0; i < a->admin_count && is_same; i++) {
        is_same = addr_equal(&a->admin[i], &b->admin[i]);
    }
    return is_same;
}

void later_tell(const struct config *start, unsigned workers,
                const struct config *next)
{
    /* 0, one for each processor, may have come to the number that is named. */
    if (start->workers != next->workers && next->workers != workers) {
        note_warning("workers: another number takes effect at the next start");
    }
    if (!text_equal(start->control, next->control)) {
        note_warning("control: another socket takes effect at the next start");
    }
    if (!text_equal(start->user, next->user)) {
        note_warning("user: another one takes effect at the next start");
    }
    if (start->sandbox != next->sandbox) {
        note_warning("sandbox: another value takes effect at the next start");
    }
    if (!has_same_pages(start, next)) {
        note_warning("admin: other addresses take effect at the next start");
    }
}
