/* currency: the table, and conversions on both sides of every rounding and bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/currency.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define LIMIT       INT64_C(9000000000000000)

static void test_every_code_finds_itself(void **state)
{
    (void)state;
    for (int i = CURRENCY_NONE + 1; i < CURRENCY_COUNT; i++) {
        const char *code = currency_code((enum currency)i);
        assert_int_equal(strlen(code), 3);
        assert_int_equal(currency_find(span_of(code)), i);
        assert_in_range(currency_exponent((enum currency)i), 0, 4);
    }
}

static void test_what_is_no_code_finds_none(void **state)
{
    static const char *const words[] = {"",    "E",   "EU",  "EURO",  "eur",
                                        "Eur", "XXX", "DEM", "\0\0\0"};
    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        assert_int_equal(currency_find(span_of(words[i])), CURRENCY_NONE);
    }
    assert_int_equal(currency_find((struct span){"\0\0\0", 3}), CURRENCY_NONE);
    assert_int_equal(currency_find(SPAN_ABSENT), CURRENCY_NONE);
    assert_int_equal(currency_find((struct span){"EURO", 3}), CURRENCY_EUR);
}

static void test_exponents_of_iso_4217(void **state)
{
    (void)state;
    assert_int_equal(currency_exponent(CURRENCY_EUR), 2);
    assert_int_equal(currency_exponent(CURRENCY_JPY), 0);
    assert_int_equal(currency_exponent(CURRENCY_KWD), 3);
    assert_int_equal(currency_exponent(CURRENCY_CLF), 4);
    assert_string_equal(currency_code(CURRENCY_NONE), "");
}

struct convert_row {
    const char *name;
    int64_t minor;
    enum currency from, to;
    struct currency_rate rate;
    enum status status;
    int64_t result;
};

static const struct convert_row convert_rows[] = {
    {"the same currency", 12345, CURRENCY_EUR, CURRENCY_EUR, {1, 0}, STATUS_OK, 12345},
    {"a plain rate", 10000, CURRENCY_USD, CURRENCY_EUR, {92, 2}, STATUS_OK, 9200},
    {"yen to euro: no minor unit to two digits",
     1000,
     CURRENCY_JPY,
     CURRENCY_EUR,
     {61, 4},
     STATUS_OK,
     610},
    {"euro to yen: two digits to none", 610, CURRENCY_EUR, CURRENCY_JPY, {164, 0}, STATUS_OK, 1000},
    {"dinar to euro: three digits to two",
     1000,
     CURRENCY_KWD,
     CURRENCY_EUR,
     {3, 0},
     STATUS_OK,
     300},
    {"a half rounds down to even", 5, CURRENCY_USD, CURRENCY_EUR, {5, 1}, STATUS_OK, 2},
    {"a half rounds up to even", 7, CURRENCY_USD, CURRENCY_EUR, {5, 1}, STATUS_OK, 4},
    {"just below a half rounds down",
     7,
     CURRENCY_USD,
     CURRENCY_EUR,
     {499999999999, 12},
     STATUS_OK,
     3},
    {"just above a half rounds up",
     5,
     CURRENCY_USD,
     CURRENCY_EUR,
     {500000000001, 12},
     STATUS_OK,
     3},
    {"negative amounts round alike", -7, CURRENCY_USD, CURRENCY_EUR, {5, 1}, STATUS_OK, -4},
    {"nothing", 0, CURRENCY_USD, CURRENCY_EUR, {92, 2}, STATUS_OK, 0},
    {"the greatest amount", LIMIT, CURRENCY_USD, CURRENCY_EUR, {1, 0}, STATUS_OK, LIMIT},
    {"the least amount", -LIMIT, CURRENCY_USD, CURRENCY_EUR, {1, 0}, STATUS_OK, -LIMIT},
    {"an amount past it", LIMIT + 1, CURRENCY_USD, CURRENCY_EUR, {1, 12}, STATUS_REJECT, 0},
    {"the least integer", INT64_MIN, CURRENCY_USD, CURRENCY_EUR, {1, 12}, STATUS_REJECT, 0},
    {"a result past it", LIMIT, CURRENCY_USD, CURRENCY_EUR, {1000000000001, 12}, STATUS_REJECT, 0},
    {"a result that only just fits",
     LIMIT / 100,
     CURRENCY_JPY,
     CURRENCY_EUR,
     {1, 0},
     STATUS_OK,
     LIMIT},
    {"and the next does not",
     LIMIT / 100 + 1,
     CURRENCY_JPY,
     CURRENCY_EUR,
     {1, 0},
     STATUS_REJECT,
     0},
    {"the greatest of everything",
     LIMIT,
     CURRENCY_JPY,
     CURRENCY_CLF,
     {1000000000000000, 0},
     STATUS_REJECT,
     0},
    {"the smallest of everything", 1, CURRENCY_CLF, CURRENCY_JPY, {1, 12}, STATUS_OK, 0},
    {"no rate", 100, CURRENCY_USD, CURRENCY_EUR, {0, 0}, STATUS_REJECT, 0},
    {"from no currency", 100, CURRENCY_NONE, CURRENCY_EUR, {1, 0}, STATUS_REJECT, 0},
    {"to no currency", 100, CURRENCY_EUR, CURRENCY_NONE, {1, 0}, STATUS_REJECT, 0},
};

static void test_conversion(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(convert_rows); i++) {
        const struct convert_row *row = &convert_rows[i];
        int64_t result = -77;
        const enum status status =
            currency_convert(row->minor, row->from, row->to, row->rate, &result);
        if (status != row->status || result != (status == STATUS_OK ? row->result : -77)) {
            fail_msg("%s: %s, %lld", row->name, status_name(status), (long long)result);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_finds_itself),
        cmocka_unit_test(test_what_is_no_code_finds_none),
        cmocka_unit_test(test_exponents_of_iso_4217),
        cmocka_unit_test(test_conversion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
