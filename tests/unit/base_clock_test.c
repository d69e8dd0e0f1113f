#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>

#include "base/clock.h"

static void test_the_wall_is_the_systems(void **state)
{
    struct clock clock = clock_system();
    int64_t before_ms = (int64_t)time(NULL) * 1000;
    int64_t now_ms = clock_wall_ms(&clock);

    (void)state;
    assert_true(now_ms >= before_ms - 1000); /* time() may lag by a tick */
    assert_true(now_ms < before_ms + 60000);
}

static void test_the_monotonic_never_goes_back(void **state)
{
    struct clock clock = clock_system();
    const struct timespec pause = {.tv_nsec = 5000000};
    int64_t first_ms = clock_mono_ms(&clock), last_ms = first_ms;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t now_ms = clock_mono_ms(&clock);

        assert_true(now_ms >= last_ms);
        last_ms = now_ms;
    }
    nanosleep(&pause, NULL);
    assert_true(clock_mono_ms(&clock) >= first_ms + 4);
}

static int64_t three(void *self)
{
    return *(const int64_t *)self + 3;
}

static int64_t five(void *self)
{
    return *(const int64_t *)self + 5;
}

static void test_a_port_gets_its_self(void **state)
{
    int64_t base_ms = 100;
    struct clock clock = {.wall_ms = three, .mono_ms = five, .self = &base_ms};

    (void)state;
    assert_int_equal(clock_wall_ms(&clock), 103);
    assert_int_equal(clock_mono_ms(&clock), 105);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_wall_is_the_systems),
        cmocka_unit_test(test_the_monotonic_never_goes_back),
        cmocka_unit_test(test_a_port_gets_its_self),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
