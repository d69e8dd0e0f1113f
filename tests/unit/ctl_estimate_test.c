/* estimate: climbs end at the published parameters. CDNOW is not part of the project: its rows run
 * where the file lies beside the checkout (../shared/data) or LC_DATA names its folder. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "ctl/cells.h"
#include "insight/estimate.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* --- sBG: the survivors of Fader and Hardie 2007, table 1 --- */

static void check_cohort(const double left[8], double alpha, double beta, double loglik)
{
    struct fit_cell cells[8];
    struct fit_result result;
    for (int i = 0; i < 7; i++)
        cells[i] = (struct fit_cell){.count = left[i] - left[i + 1], .h = {.x = i}, .gone = true};
    cells[7] = (struct fit_cell){.count = left[7], .h = {.x = 7}};
    const struct fit_problem problem = {FIT_SBG, 1, cells, COUNT(cells), NULL};
    assert_int_equal(estimate_fit(&problem, &result), STATUS_OK);
    assert_int_equal(result.verdict, FIT_OK);
    assert_true(fabs(result.theta[0] - alpha) < 0.0005);
    assert_true(fabs(result.theta[1] - beta) < 0.0005);
    assert_true(fabs(result.loglik - loglik) < 0.005);
}

static void test_sbg_ends_at_the_published_parameters(void **state)
{
    (void)state;
    check_cohort((double[]){1000, 869, 743, 653, 593, 551, 517, 491}, 0.668, 3.806, -1611.16);
    check_cohort((double[]){1000, 631, 468, 382, 326, 289, 262, 241}, 0.704, 1.182, -1680.27);
}

/* Buys at one rate, nobody leaves: the refusal does not depend on which start came best. */
static void test_dropout_that_is_not_there_is_refused(void **state)
{
    struct fit_cell cells[12];
    double count = 5000;
    (void)state;
    for (int x = 0; x < 12; x++) { /* geometric counts; the last purchase x/(x + 1) of the way */
        cells[x] =
            (struct fit_cell){.count = count, .h = {.x = x, .t_x = 300.0 * x / (x + 1), .T = 300}};
        count = floor(count * 0.6);
    }
    const struct fit_problem problem = {FIT_MBG, 1, cells, COUNT(cells), NULL};
    struct fit_result result;
    assert_int_equal(estimate_fit(&problem, &result), STATUS_OK);
    assert_int_equal(result.verdict, FIT_NO_DROPOUT);
}

static void test_equal_histories_merge(void **state)
{
    struct fit_cell cells[] = {{.count = 1, .h = {2, 3, 9}},
                               {.count = 2, .h = {1, 3, 9}},
                               {.count = 4, .h = {2, 3, 9}},
                               {.count = 8, .h = {2, 3, 8}}};
    (void)state;
    assert_int_equal(estimate_merge(cells, 4), 3);
    assert_true(cells[0].count == 2);
    assert_true(cells[1].count == 8);
    assert_true(cells[2].count == 5);
    assert_int_equal(estimate_merge(cells, 0), 0);
}

/* --- CDNOW, the 1/10 sample to 1997-09-30, in weeks --- */

static bool cdnow(struct transactions *ret_transactions)
{
    char path[4096];
    const char *folder = getenv("LC_DATA");
    struct report report = {0};
    int n = folder
                ? snprintf(path, sizeof path, "%s/cdnow_sample.csv", folder)
                : snprintf(path, sizeof path, "%s/../shared/data/cdnow_sample.csv", LC_SOURCE_DIR);
    if (n < 0 || (size_t)n >= sizeof path || access(path, R_OK) != 0)
        return false;
    assert_int_equal(transactions_read(path, false, ret_transactions, &report), STATUS_OK);
    return true;
}

static void check_cdnow(const struct fit_problem *problem, const double theta[], double digit,
                        double loglik)
{
    struct fit_result result;
    assert_int_equal(estimate_fit(problem, &result), STATUS_OK);
    assert_int_equal(result.verdict, FIT_OK);
    for (int i = 0; i < fit_params(problem->model); i++)
        if (fabs(result.theta[i] - theta[i]) > digit / 2 * 1.0001)
            fail_msg("%s: %s is %.6g, published %.6g", fit_title(problem->model),
                     fit_param(problem->model, i), result.theta[i], theta[i]);
    if (loglik < 0)
        assert_true(fabs(result.loglik - loglik) <= 0.05001);
}

static void test_cdnow_ends_at_the_published_parameters(void **state)
{
    static const struct {
        enum fit_model model;
        double theta[FIT_PARAMS_MAX], loglik;
    } rows[] = {
        {FIT_BG, {0.243, 4.414, 0.793, 2.426}, -9582.4},
        {FIT_MBG, {0.525, 6.183, 0.891, 1.614}, -9582.1},
        {FIT_PARETO, {0.553, 10.578, 0.606, 11.669}, -9595.0},
    };
    struct transactions in;
    size_t count;
    struct cells histories, spend;
    int64_t until_ms;
    (void)state;
    if (!cdnow(&in))
        skip();
    assert_int_equal(text_time_parse(SPAN_LITERAL("1997-09-30"), &until_ms), STATUS_OK);
    struct buyer *buyers = transactions_buyers(&in, text_day_of(until_ms), 0, &count);
    assert_int_equal(count, 2357);
    assert_int_equal(cells_of_histories(buyers, count, 7, &histories), STATUS_OK);
    assert_int_equal(cells_of_spend(buyers, count, &spend), STATUS_OK);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct fit_problem problem = {rows[i].model, 7, histories.cells, histories.count,
                                            NULL};
        check_cdnow(&problem, rows[i].theta, 0.001, rows[i].loglik);
    }
    const struct fit_problem money = {FIT_GG, 1, spend.cells, spend.count, NULL};
    check_cdnow(&money, (double[]){6.25, 3.74, 15.44}, 0.01, 0);
    cells_close(&histories);
    cells_close(&spend);
    free(buyers);
    transactions_close(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sbg_ends_at_the_published_parameters),
        cmocka_unit_test(test_dropout_that_is_not_there_is_refused),
        cmocka_unit_test(test_equal_histories_merge),
        cmocka_unit_test(test_cdnow_ends_at_the_published_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
