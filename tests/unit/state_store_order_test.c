/* store_order: ascending, whatever the digits, at sizes on both sides of the change of method. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "state/store_inner.h"

#define COUNT_MAX 5000

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

static void test_orders_are_ascending_and_complete(void **state)
{
    static const struct {
        size_t count;
        uint64_t buckets, high;
    } rows[] = {{0, 1, 0},           {1, 1, 0},
                {2, 1, 0},           {32, 7, 0},
                {33, 7, 0},          {33, 1, 0},
                {1000, 200, 0},      {5000, 70000, 0},
                {4999, 1u << 31, 0}, {257, 256, UINT64_C(1) << 63}};
    struct arena arena;
    uint64_t seed = 1;

    (void)state;
    arena_init(&arena, (size_t)1 << 20);
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        uint64_t *order, sum = 0;

        arena_reset(&arena);
        order = store_order(rows[row].count, &arena);
        assert_non_null(order);
        for (size_t i = 0; i < rows[row].count; i++) {
            order[i] = (next(&seed) % rows[row].buckets << 32 | i) ^ (i % 2 ? rows[row].high : 0);
            sum += order[i];
        }
        store_order_sort(order, rows[row].count);
        for (size_t i = 0; i < rows[row].count; i++) {
            sum -= order[i];
            if (i > 0)
                assert_true(order[i - 1] < order[i]);
        }
        assert_int_equal(sum, 0);
    }
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_orders_are_ascending_and_complete)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
