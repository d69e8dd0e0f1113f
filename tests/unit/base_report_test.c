#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/report.h"

static void test_the_words_are_formatted(void **state)
{
    struct report report;

    (void)state;
    report_set(&report, "redis-oom", "%s is full after %d writes", "redis", 7);
    assert_string_equal(report.code, "redis-oom");
    assert_string_equal(report.text, "redis is full after 7 writes");
}

static void test_nobody_wants_the_words(void **state)
{
    (void)state;
    report_set(NULL, "redis-oom", "%d", 1);
}

static void test_long_words_are_cut_at_the_bounds(void **state)
{
    struct report report;
    char code[REPORT_CODE_MAX + 1], text[REPORT_TEXT_MAX + 1];

    (void)state;
    memset(code, 'c', sizeof(code));
    memset(text, 't', sizeof(text));
    code[REPORT_CODE_MAX] = text[REPORT_TEXT_MAX] = '\0';
    report_set(&report, code, "%s", text);
    assert_int_equal(strlen(report.code), REPORT_CODE_MAX - 1);
    assert_int_equal(strlen(report.text), REPORT_TEXT_MAX - 1);
    report_set(&report, code + 1, "%s", text + 1);
    assert_string_equal(report.code, code + 1);
    assert_string_equal(report.text, text + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_words_are_formatted),
        cmocka_unit_test(test_nobody_wants_the_words),
        cmocka_unit_test(test_long_words_are_cut_at_the_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
