/* spread: quantiles, shares and Gini against the exact ones of the same amounts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "insight/spread.h"

#define PEOPLE 20000

static struct spread spread;
static int64_t amounts[PEOPLE];

static int ascending(const void *left, const void *right)
{
    int64_t l = *(const int64_t *)left, r = *(const int64_t *)right;

    return l < r ? -1 : l > r;
}

/* Amounts over six decades, some of them zero or below; the same each time. */
static void fill(void)
{
    uint64_t state = 12345;

    spread_init(&spread);
    for (int i = 0; i < PEOPLE; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        amounts[i] = (int64_t)exp((double)(state >> 40) / (1 << 24) * 14) - 2;
        spread_add(&spread, amounts[i]);
    }
    qsort(amounts, PEOPLE, sizeof *amounts, ascending);
}

static void quantiles_are_within_half_a_percent(void **state)
{
    (void)state;
    fill();
    for (int p = 0; p <= 100; p++) {
        int64_t rank = (PEOPLE * (int64_t)p + 99) / 100;
        int64_t exact = amounts[rank > 0 ? rank - 1 : 0], told = spread_quantile(&spread, p);

        if (p > 0 && p < 100 && exact <= 0)
            assert_int_equal(told, 0);
        else
            assert_true(fabs((double)(told - exact)) <= 0.005 * fabs((double)exact) + 1);
    }
    assert_int_equal(spread_quantile(&spread, 0), amounts[0]);
    assert_int_equal(spread_quantile(&spread, 100), amounts[PEOPLE - 1]);
}

static void shares_and_gini_are_within_a_hundred_thousandth(void **state)
{
    double whole = 0, held = 0, area = 0, lorenz[SPREAD_LORENZ];

    (void)state;
    fill();
    for (int i = 0; i < PEOPLE; i++)
        whole += amounts[i] > 0 ? (double)amounts[i] : 0;
    for (int i = 0; i < PEOPLE; i++) {
        double more = amounts[i] > 0 ? (double)amounts[i] / whole : 0;

        area += (held + held + more) / PEOPLE;
        held += more;
        if (i + 1 == PEOPLE * 4 / 5)
            assert_true(fabs(1 - held - spread_top_share(&spread, 0.2)) < 1e-5);
    }
    assert_true(fabs(1 - area - spread_gini(&spread)) < 1e-5);
    spread_lorenz(&spread, lorenz);
    assert_true(lorenz[0] == 0);
    assert_true(fabs(lorenz[100] - 1) < 1e-12);
    for (int i = 1; i < SPREAD_LORENZ; i++)
        assert_true(lorenz[i] >= lorenz[i - 1]);
}

static void the_ends_of_the_scale_hold(void **state)
{
    (void)state;
    spread_init(&spread);
    assert_int_equal(spread_quantile(&spread, 50), 0);
    assert_true(spread_gini(&spread) == 0);
    assert_true(spread_top_share(&spread, 0.2) == 0);
    spread_add(&spread, -5);
    assert_true(spread_gini(&spread) == 0); /* nothing to share out */
    spread_add(&spread, INT64_MAX);
    spread_add(&spread, INT64_MAX); /* the sum is held, not overflown */
    spread_add(&spread, INT64_MIN);
    assert_int_equal(spread_quantile(&spread, 0), INT64_MIN);
    assert_int_equal(spread_quantile(&spread, 100), INT64_MAX);
    assert_int_equal(spread_quantile(&spread, 50), 0);
    assert_true(spread_gini(&spread) > 0);
}

static void one_who_has_all_is_told_from_equals(void **state)
{
    (void)state;
    spread_init(&spread);
    for (int i = 0; i < 1000; i++)
        spread_add(&spread, 700);
    assert_true(fabs(spread_gini(&spread)) < 1e-12);
    assert_true(fabs(spread_top_share(&spread, 0.2) - 0.2) < 1e-12);
    spread_init(&spread);
    for (int i = 0; i < 1000; i++)
        spread_add(&spread, i == 0 ? 700 : 0);
    assert_true(fabs(spread_gini(&spread) - 0.999) < 1e-12);
    assert_true(fabs(spread_top_share(&spread, 0.2) - 1) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_within_half_a_percent),
        cmocka_unit_test(shares_and_gini_are_within_a_hundred_thousandth),
        cmocka_unit_test(the_ends_of_the_scale_hold),
        cmocka_unit_test(one_who_has_all_is_told_from_equals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
