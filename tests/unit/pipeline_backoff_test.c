#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/backoff.h"

static void test_waits_double_up_to_the_maximum(void **state)
{
    static const int64_t waits_ms[] = {20, 40, 80, 160, 320, 640, 1280, 2560, 5000, 5000};
    struct backoff backoff = {0};
    int64_t now_ms = 1000;

    (void)state;
    for (size_t i = 0; i < sizeof waits_ms / sizeof *waits_ms; i++) {
        backoff_fail(&backoff, now_ms);
        assert_int_equal(backoff.until_ms - now_ms, waits_ms[i]);
        assert_false(backoff_ready(&backoff, backoff.until_ms - 1));
        assert_true(backoff_ready(&backoff, backoff.until_ms));
        now_ms = backoff.until_ms;
    }
}

static void test_a_zeroed_one_and_a_cleared_one_are_ready_at_any_time(void **state)
{
    struct backoff backoff = {0};

    (void)state;
    assert_true(backoff_ready(&backoff, INT64_MIN));
    backoff_fail(&backoff, 500);
    assert_false(backoff_ready(&backoff, 500));
    backoff_clear(&backoff);
    assert_true(backoff_ready(&backoff, 500));
    backoff_fail(&backoff, 500);
    assert_int_equal(backoff.until_ms, 500 + BACKOFF_FIRST_MS);
}

static void test_failing_for_ever_does_not_overflow(void **state)
{
    struct backoff backoff = {.tries = UINT32_MAX - 1};

    (void)state;
    backoff_fail(&backoff, 0);
    assert_int_equal(backoff.until_ms, BACKOFF_MAX_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_double_up_to_the_maximum),
        cmocka_unit_test(test_a_zeroed_one_and_a_cleared_one_are_ready_at_any_time),
        cmocka_unit_test(test_failing_for_ever_does_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
