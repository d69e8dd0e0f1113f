#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/heap.h"

#define ITEMS 200

static void test_items_come_out_in_order_of_time_then_key(void **state)
{
    struct heap_item items[ITEMS];
    struct heap heap;
    struct heap_item last = {.at_ms = INT64_MIN};
    uint32_t seed = 7, sum_in = 0, sum_out = 0;

    (void)state;
    heap_init(&heap, items, ITEMS);
    for (uint32_t i = 0; i < ITEMS; i++) {
        seed = seed * 1664525 + 1013904223;
        assert_true(heap_push(&heap, (struct heap_item){.at_ms = (int64_t)(seed >> 27) - 16,
                                                        .key = seed >> 8 & 15,
                                                        .index = i}));
        sum_in += i;
    }
    for (uint32_t i = 0; i < ITEMS; i++) {
        struct heap_item top = *heap_top(&heap);
        struct heap_item item = heap_pop(&heap);

        assert_int_equal(top.index, item.index);
        assert_true(item.at_ms > last.at_ms || (item.at_ms == last.at_ms && item.key >= last.key));
        sum_out += item.index;
        last = item;
    }
    assert_int_equal(sum_in, sum_out);
    assert_null(heap_top(&heap));
}

static void test_a_full_heap_refuses_and_keeps_what_it_has(void **state)
{
    struct heap_item items[2];
    struct heap heap;

    (void)state;
    heap_init(&heap, items, 2);
    assert_null(heap_top(&heap));
    assert_true(heap_push(&heap, (struct heap_item){.at_ms = 2}));
    assert_true(heap_push(&heap, (struct heap_item){.at_ms = 3}));
    assert_false(heap_push(&heap, (struct heap_item){.at_ms = 1}));
    assert_int_equal(heap_pop(&heap).at_ms, 2);
    assert_true(heap_push(&heap, (struct heap_item){.at_ms = 1}));
    assert_int_equal(heap_pop(&heap).at_ms, 1);
    assert_int_equal(heap_pop(&heap).at_ms, 3);
    assert_int_equal(heap.count, 0);
}

static void test_a_heap_of_nothing_is_full_and_empty(void **state)
{
    struct heap heap;

    (void)state;
    heap_init(&heap, NULL, 0);
    assert_false(heap_push(&heap, (struct heap_item){.at_ms = 1}));
    assert_null(heap_top(&heap));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_come_out_in_order_of_time_then_key),
        cmocka_unit_test(test_a_full_heap_refuses_and_keeps_what_it_has),
        cmocka_unit_test(test_a_heap_of_nothing_is_full_and_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
