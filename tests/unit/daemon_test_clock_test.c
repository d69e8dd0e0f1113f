/* The workers' clock of the integration tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "daemon/test_clock.h"

static void only_three_integers_turn_it_on(void **state)
{
    static const struct {
        const char *text;
        bool on;
    } rows[] = {{NULL, false},          {"", false},      {"1", false},
                {"1:2", false},         {"1:2:0", false}, {"1:2:3", true},
                {"1:2:3:4", false},     {"1:2:x", false}, {"-1:-2:1000000", true},
                {"1:2:1000001", false}, {"1:2:3 ", false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool on = !rows[i].on;

        (void)test_clock_from(rows[i].text, &on);
        assert_int_equal(on, rows[i].on);
    }
}

static void it_runs_from_its_start_at_its_rate(void **state)
{
    struct clock system = clock_system(), fast;
    int64_t now_ms = clock_wall_ms(&system), mono_ms = clock_mono_ms(&system);
    char text[64];
    bool on;

    (void)state;
    snprintf(text, sizeof text, "%lld:1000:60", (long long)now_ms - 5000);
    fast = test_clock_from(text, &on);
    assert_true(on);
    assert_in_range(clock_wall_ms(&fast), 301000, 301000 + 60000);
    assert_in_range(clock_mono_ms(&fast), mono_ms * 60, mono_ms * 60 + 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_three_integers_turn_it_on),
        cmocka_unit_test(it_runs_from_its_start_at_its_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
