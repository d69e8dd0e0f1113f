#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

static void test_every_status_has_a_name(void **state)
{
    static const char *const names[] = {"ok",   "retry", "reject", "stale",
                                        "full", "gone",  "fenced", "fatal"};

    (void)state;
    assert_int_equal(STATUS_COUNT, sizeof(names) / sizeof(names[0]));
    for (int i = 0; i < STATUS_COUNT; i++)
        assert_string_equal(status_name((enum status)i), names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_status_has_a_name)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
