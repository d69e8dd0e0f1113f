#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/timers.h"

struct fixture {
    struct arena arena;
    struct timers timers;
};

static void open_timers(struct fixture *fixture, int64_t horizon_ms, size_t bytes_max)
{
    arena_init(&fixture->arena, bytes_max);
    timers_init(&fixture->timers, &fixture->arena, horizon_ms);
}

static void test_nothing_beyond_the_horizon_is_kept(void **state)
{
    static const struct {
        int64_t at_ms;
        bool kept;
    } rows[] = {{99, true}, {100, true}, {101, false}, {INT64_MAX, false}, {INT64_MIN, true}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture fixture;
        struct heap_item item;

        open_timers(&fixture, 100, 1 << 20);
        assert_int_equal(timers_push(&fixture.timers, (struct heap_item){rows[i].at_ms, 1, 2}),
                         STATUS_OK);
        assert_int_equal(timers_pop(&fixture.timers, INT64_MAX, &item), rows[i].kept);
        arena_fini(&fixture.arena);
    }
}

static void test_they_come_in_order_of_time_then_customer_and_not_before_their_time(void **state)
{
    struct fixture fixture;
    struct heap_item item;

    (void)state;
    open_timers(&fixture, 1000, 1 << 20);
    assert_int_equal(timers_push(&fixture.timers, (struct heap_item){20, 7, 0}), STATUS_OK);
    assert_int_equal(timers_push(&fixture.timers, (struct heap_item){10, 9, 1}), STATUS_OK);
    assert_int_equal(timers_push(&fixture.timers, (struct heap_item){20, 3, 2}), STATUS_OK);
    assert_false(timers_pop(&fixture.timers, 9, &item));
    assert_true(timers_pop(&fixture.timers, 10, &item));
    assert_int_equal(item.index, 1);
    assert_false(timers_pop(&fixture.timers, 19, &item));
    assert_true(timers_pop(&fixture.timers, 20, &item));
    assert_int_equal(item.index, 2);
    assert_true(timers_pop(&fixture.timers, 20, &item));
    assert_int_equal(item.index, 0);
    assert_false(timers_pop(&fixture.timers, INT64_MAX, &item));
    arena_fini(&fixture.arena);
}

static void test_they_grow_with_what_they_hold_and_say_when_the_arena_is_full(void **state)
{
    struct fixture fixture;
    struct heap_item item;
    uint32_t held = 0;

    (void)state;
    open_timers(&fixture, INT64_MAX, 256 << 10);
    while (timers_push(&fixture.timers, (struct heap_item){-(int64_t)held, held, held}) ==
           STATUS_OK) {
        held++;
        assert_in_range(held, 1, 100000);
    }
    assert_in_range(held, 1000, 100000);
    for (uint32_t i = held; i-- > 0;) { /* what was kept before the refusal is all there */
        assert_true(timers_pop(&fixture.timers, INT64_MAX, &item));
        assert_int_equal(item.index, i);
    }
    assert_false(timers_pop(&fixture.timers, INT64_MAX, &item));
    arena_fini(&fixture.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_beyond_the_horizon_is_kept),
        cmocka_unit_test(test_they_come_in_order_of_time_then_customer_and_not_before_their_time),
        cmocka_unit_test(test_they_grow_with_what_they_hold_and_say_when_the_arena_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
