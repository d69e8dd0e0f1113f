/* rhythm: the shrunk gap and the silence, with both clamps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "model/rhythm.h"

#define DAY         TEXT_MS_PER_DAY
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

struct gap_row {
    const char *name;
    uint32_t purchase_days;
    int32_t last_day; /* from the first */
    int64_t gap_ms;
};

/* The population's gap is 45 days; clamps 7 and 180 days. */
static const struct gap_row gap_rows[] = {
    {"one purchase has the population's rhythm", 1, 0, 45 * DAY},
    {"two purchases a day apart: (2·1/1 + 3·45)/5", 2, 1, 137 * DAY / 5},
    {"three in 20 days: (3·20/2 + 3·45)/6", 3, 20, 165 * DAY / 6},
    {"many purchases outweigh the population", 1001, 20000,
     (int64_t)(1001 * 20 + 135) * DAY / 1004},
    {"just above the shortest rhythm", 58, 287, (57 * 3 * 45 + 58 * 287) * DAY / (57 * 61)},
    {"just below it", 58, 285, 7 * DAY},
    {"the shortest rhythm believed", 1000, 999, 7 * DAY},
    {"the longest rhythm believed", 2, 4000, 180 * DAY},
    {"exactly the longest: (2·d + 135)/5 = 180 needs 382.5 days", 2, 382, 899 * DAY / 5},
    {"and one day more", 2, 383, 180 * DAY},
    {"the most days there can be", UINT32_MAX, INT32_MAX - 20000, 7 * DAY},
};

static void customer_of(uint32_t purchase_days, int32_t last_day, struct customer *ret_customer)
{
    memset(ret_customer, 0, sizeof *ret_customer);
    ret_customer->purchase_days = purchase_days;
    ret_customer->first_day = 20000;
    ret_customer->last_day = 20000 + last_day;
    ret_customer->last_purchase_ms = ret_customer->last_day * DAY + 1000;
}

static void test_gap(void **state)
{
    struct params params;
    (void)state;
    params_default(&params);
    for (size_t i = 0; i < COUNT(gap_rows); i++) {
        struct customer customer;
        customer_of(gap_rows[i].purchase_days, gap_rows[i].last_day, &customer);
        const int64_t gap = rhythm_gap_ms(&customer, &params);
        if (gap != gap_rows[i].gap_ms) {
            fail_msg("%s: %lld ms, not %lld", gap_rows[i].name, (long long)gap,
                     (long long)gap_rows[i].gap_ms);
        }
    }
}

static void test_the_population_gap_is_clamped_too(void **state)
{
    struct params params;
    struct customer customer;
    (void)state;
    params_default(&params);
    customer_of(1, 0, &customer);
    params.gap_max_ms = 40 * DAY;
    assert_int_equal(rhythm_gap_ms(&customer, &params), 40 * DAY);
}

static void test_silence_counts_from_the_last_purchase_and_is_never_negative(void **state)
{
    struct customer customer;
    (void)state;
    customer_of(3, 40, &customer);
    const int64_t last = customer.last_purchase_ms;
    assert_int_equal(rhythm_silence_ms(&customer, last + 5), 5);
    assert_int_equal(rhythm_silence_ms(&customer, last), 0);
    assert_int_equal(rhythm_silence_ms(&customer, last - 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_the_population_gap_is_clamped_too),
        cmocka_unit_test(test_silence_counts_from_the_last_purchase_and_is_never_negative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
