/* accuracy: figures small enough to work out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/accuracy.h"

static bool near(double value, double truth)
{
    return fabs(value - truth) < 1e-12;
}

static void test_each_figure_by_hand(void **state)
{
    const struct forecast f[] = {
        {0.9, 2, 50}, {0.6, 1, 40}, {0.6, 1, 30}, {0.2, 0.5, 20}, {0.1, 0.5, 10}};
    const struct outcome o[] = {{3, 60}, {0, 0}, {1, 20}, {1, 20}, {0, 0}};
    struct accuracy a;
    (void)state;
    assert_int_equal(accuracy_of(f, o, 5, &a), STATUS_OK);
    /* Pairs of a buyer (.9 .6 .2) and another (.6 .1): 1+1, ½+1, 0+1 of 6. */
    assert_true(near(a.auc, 4.5 / 6));
    assert_true(near(a.log_loss, -(log(0.9) + log(0.4) + log(0.6) + log(0.2) + log(0.9)) / 5));
    assert_true(near(a.brier, (0.01 + 0.36 + 0.16 + 0.64 + 0.01) / 5));
    assert_true(near(a.rmse, sqrt((1 + 1 + 0 + 0.25 + 0.25) / 5)));
    assert_true(near(a.ratio, 5.0 / 5));
    assert_true(near(a.caught, 0.6));
}

static void test_ranking_at_its_ends(void **state)
{
    const struct outcome o[] = {{0, 0}, {0, 0}, {1, 10}, {2, 30}};
    const struct forecast right[] = {{0.1, 0, 0}, {0.2, 0, 0}, {0.3, 1, 1}, {0.4, 1, 2}};
    const struct forecast wrong[] = {{0.4, 1, 2}, {0.3, 1, 1}, {0.2, 0, 0}, {0.1, 0, 0}};
    const struct forecast same[] = {{0.5, 1, 1}, {0.5, 1, 1}, {0.5, 1, 1}, {0.5, 1, 1}};
    struct accuracy a;
    (void)state;
    assert_int_equal(accuracy_of(right, o, 4, &a), STATUS_OK);
    assert_true(near(a.auc, 1));
    assert_true(near(a.caught, 0.8 * 30 / 40)); /* room for 0.8 of a customer */
    assert_int_equal(accuracy_of(wrong, o, 4, &a), STATUS_OK);
    assert_true(near(a.auc, 0));
    assert_true(near(a.caught, 0));
    assert_int_equal(accuracy_of(same, o, 4, &a), STATUS_OK);
    assert_true(near(a.auc, 0.5));
    assert_true(near(a.caught, 0.2)); /* ties share what they caught */
}

static void test_a_certain_forecast_that_fails_costs_a_finite_loss(void **state)
{
    const struct forecast f[] = {{1, 1, 1}, {0, 0, 0}};
    const struct outcome o[] = {{0, 0}, {1, 1}};
    struct accuracy a;
    (void)state;
    assert_int_equal(accuracy_of(f, o, 2, &a), STATUS_OK);
    assert_true(isfinite(a.log_loss) && a.log_loss > 30);
}

static void test_nothing_to_rank_is_refused(void **state)
{
    const struct forecast f[] = {{0.5, 1, 1}, {0.5, 1, 1}};
    const struct outcome none[] = {{0, 0}, {0, 0}}, all[] = {{1, 1}, {1, 1}},
                         one[] = {{1, 1}, {0, 0}};
    struct accuracy a;
    (void)state;
    assert_int_equal(accuracy_of(f, none, 2, &a), STATUS_REJECT);
    assert_int_equal(accuracy_of(f, all, 2, &a), STATUS_REJECT);
    assert_int_equal(accuracy_of(f, one, 2, &a), STATUS_OK);
    assert_int_equal(accuracy_of(f, one, 0, &a), STATUS_REJECT);
}

static void test_tenths_hold_everybody_once(void **state)
{
    enum { CUSTOMERS = 25 };
    struct forecast f[CUSTOMERS];
    struct outcome o[CUSTOMERS];
    struct accuracy_bin bins[ACCURACY_BINS];
    size_t sum = 0;
    (void)state;
    for (int i = 0; i < CUSTOMERS; i++) { /* descending, so that sorting has work */
        f[i] = (struct forecast){.p = 1 - i / 25.0};
        o[i] = (struct outcome){.days = i < 5};
    }
    assert_int_equal(accuracy_calibration(f, o, CUSTOMERS, bins), STATUS_OK);
    for (int i = 0; i < ACCURACY_BINS; i++) {
        sum += bins[i].customers;
        assert_true(i == 0 || bins[i].predicted > bins[i - 1].predicted);
        assert_true(bins[i].low <= bins[i].bought && bins[i].bought <= bins[i].high);
    }
    assert_int_equal(sum, CUSTOMERS);
    assert_true(near(bins[0].bought, 0));
    assert_true(near(bins[ACCURACY_BINS - 1].bought, 1));
    /* Wilson for 3 of 3: [n/(n + z²), 1]. */
    assert_int_equal(bins[ACCURACY_BINS - 1].customers, 3);
    assert_true(
        fabs(bins[ACCURACY_BINS - 1].low - 3 / (3 + 1.959963984540054 * 1.959963984540054)) < 1e-9);
}

static void test_fewer_customers_than_tenths(void **state)
{
    const struct forecast f[] = {{0.5, 1, 1}};
    const struct outcome o[] = {{1, 1}};
    struct accuracy_bin bins[ACCURACY_BINS];
    (void)state;
    assert_int_equal(accuracy_calibration(f, o, 1, bins), STATUS_OK);
    assert_int_equal(bins[0].customers, 0);
    assert_int_equal(bins[ACCURACY_BINS - 1].customers, 1);
    assert_true(bins[0].high == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_figure_by_hand),
        cmocka_unit_test(test_ranking_at_its_ends),
        cmocka_unit_test(test_a_certain_forecast_that_fails_costs_a_finite_loss),
        cmocka_unit_test(test_nothing_to_rank_is_refused),
        cmocka_unit_test(test_tenths_hold_everybody_once),
        cmocka_unit_test(test_fewer_customers_than_tenths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
