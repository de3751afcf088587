/*
 * The intrusive list: order, removal while walking, splicing.
 */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct item {
    char name;
    struct list node;
};

static struct item items[5] = {
    {.name = 'a'}, {.name = 'b'}, {.name = 'c'}, {.name = 'd'}, {.name = 'e'}};

static void assert_names(const struct list *head, const char *want)
{
    char forth[8] = "";
    char back[8] = "";
    size_t len = 0;

    for (struct list *n = head->next; n != head; n = n->next) {
        forth[len++] = CONTAINER_OF(n, struct item, node)->name;
    }
    assert_string_equal(forth, want);
    for (struct list *n = head->prev; n != head; n = n->prev) {
        back[--len] = CONTAINER_OF(n, struct item, node)->name;
    }
    assert_string_equal(back, want);
}

static void fill(struct list *head)
{
    list_init(head);
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        list_push_back(head, &items[i].node);
    }
}

static void keeps_order(void **state)
{
    struct list head;

    (void)state;
    list_init(&head);
    assert_true(list_is_empty(&head));
    list_push_back(&head, &items[1].node);
    list_push_front(&head, &items[0].node);
    list_push_back(&head, &items[3].node);
    list_insert_after(&items[1].node, &items[2].node);
    assert_false(list_is_empty(&head));
    assert_names(&head, "abcd");
    assert_ptr_equal(LIST_FIRST(&head, struct item, node), &items[0]);
}

static void removes_twice_without_harm(void **state)
{
    struct list head;

    (void)state;
    fill(&head);
    list_remove(&items[2].node);
    list_remove(&items[2].node);
    assert_names(&head, "abde");
}

static void walk_allows_removal(void **state)
{
    struct list head;

    (void)state;
    fill(&head);
    LIST_EACH (node, &head) {
        char name = CONTAINER_OF(node, struct item, node)->name;
        if (name != 'c') {
            list_remove(node);
        }
    }
    assert_names(&head, "c");
}

static void splices_to_the_end(void **state)
{
    struct list head, other;

    (void)state;
    fill(&head);
    list_init(&other);
    list_splice(&head, &other);
    assert_names(&head, "abcde");
    list_remove(&items[0].node);
    list_push_back(&other, &items[0].node);
    list_splice(&other, &head);
    assert_names(&other, "abcde");
    assert_true(list_is_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order),
        cmocka_unit_test(removes_twice_without_harm),
        cmocka_unit_test(walk_allows_removal),
        cmocka_unit_test(splices_to_the_end),
    };
    return cmocka_run_group_tests_name("base_list", tests, NULL, NULL);
}
