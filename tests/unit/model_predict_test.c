/* predict: BG/NBD and Pareto/NBD against values computed in 50 digits and more (tests/reference),
 * the published conditional expectations, and their own definitions; MBG/NBD is checked in
 * model_churn_test.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/churn.h"
#include "model/pareto.h"
#include "model/predict.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

struct rival_case {
    enum fit_model model;
    double p0, p1, p2, p3;
    double x, t_x, T, horizon;
    double loglik, alive, buy, expected;
};

static const struct rival_case cases[] = {
#include "tests/reference/rival_cases.inc"
};

static void check(size_t row, const char *what, double value, double truth, double scale)
{
    if (!(fabs(value - truth) <= 1e-11 * scale))
        fail_msg("row %zu, %s: %s is %.17g, not %.17g", row, fit_title(cases[row].model), what,
                 value, truth);
}

static void test_rivals_agree_with_50_digits(void **state)
{
    (void)state;
    assert_true(COUNT(cases) >= 100);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct rival_case *c = &cases[i];
        const struct predictor p = {c->model, {c->p0, c->p1, c->p2, c->p3}};
        const struct history h = {c->x, c->t_x, c->T};
        check(i, "ln L", predict_loglik(&p, h), c->loglik, fmax(1, fabs(c->loglik)));
        check(i, "P(alive)", predict_alive(&p, h), c->alive, c->alive + 1e-300);
        check(i, "P(buys)", predict_buy(&p, h, c->horizon), c->buy, c->buy + 1e-300);
        check(i, "E", predict_expected(&p, h, c->horizon), c->expected, c->expected + 1e-300);
    }
}

/* FHL05: a customer with x = 2, t_x = 30.43, T = 38.86 is expected to buy 1.226 times in 39 weeks.
 */
static void test_the_published_expectation_of_bg(void **state)
{
    const struct predictor p = {FIT_BG, {0.243, 4.414, 0.793, 2.426}};
    (void)state;
    assert_true(fabs(predict_expected(&p, (struct history){2, 30.43, 38.86}, 39) - 1.226) < 0.001);
}

static void test_a_one_time_buyer_of_bg_is_alive_for_ever(void **state)
{
    const struct predictor p = {FIT_BG, {0.243, 30.9, 0.793, 2.426}};
    (void)state;
    assert_true(predict_alive(&p, (struct history){0, 0, 36525}) == 1);
    assert_true(isinf(predict_alive_timer(&p, (struct history){0, 0, 5}, 0.01)));
    assert_true(predict_alive(&p, (struct history){1, 30, 36525}) < 0.5);
}

/* At its time the figure is the threshold; a customer below it at once gets the time asked from. */
static void test_timers_arrive_at_their_threshold(void **state)
{
    static const struct predictor models[] = {
        {FIT_MBG, {0.525, 43.281, 0.891, 1.614}},
        {FIT_BG, {0.243, 30.9, 0.793, 2.426}},
        {FIT_PARETO, {0.553, 74.05, 0.606, 81.7}},
    };
    static const struct history histories[] = {{1, 30, 40}, {5, 200, 210}, {40, 300, 300}};
    (void)state;
    for (size_t m = 0; m < COUNT(models); m++)
        for (size_t i = 0; i < COUNT(histories); i++) {
            struct history h = histories[i];
            const double buy = predict_buy_timer(&models[m], h, 90, 0.2);
            const double alive = predict_alive_timer(&models[m], h, 0.3);
            assert_true(buy > h.T && alive > h.t_x);
            h.T = buy;
            assert_true(fabs(predict_buy(&models[m], h, 90) - 0.2) < 1e-11);
            h.T = alive;
            assert_true(fabs(predict_alive(&models[m], h) - 0.3) < 1e-11);
            assert_true(predict_buy_timer(&models[m], histories[i], 90, 0.9999) == histories[i].T);
            assert_true(predict_alive_timer(&models[m], histories[i], 1) == histories[i].t_x);
        }
    /* One purchase: nothing but P(buys) tells a BG/NBD customer to be gone. */
    assert_true(predict_buy_timer(&models[1], (struct history){0, 0, 10}, 90, 0.1) > 10);
    assert_true(isinf(predict_buy_timer(&models[2], (struct history){1, 30, 40}, 90, 1e-30)));
}

static void test_times_asked_together_and_alone_agree(void **state)
{
    static const enum fit_model models[] = {FIT_MBG, FIT_BG, FIT_PARETO};
    const double times[] = {0, 1, 30, 365};
    double each[4];
    (void)state;
    for (size_t m = 0; m < COUNT(models); m++) {
        const struct predictor p = {models[m], {0.5, 40, 0.8, 2}};
        const struct history h = {3, 90, 120};
        predict_expected_each(&p, h, 4, times, each);
        assert_true(each[0] == 0);
        for (int i = 1; i < 4; i++)
            assert_true(fabs(each[i] / predict_expected(&p, h, times[i]) - 1) < 1e-13);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rivals_agree_with_50_digits),
        cmocka_unit_test(test_the_published_expectation_of_bg),
        cmocka_unit_test(test_a_one_time_buyer_of_bg_is_alive_for_ever),
        cmocka_unit_test(test_timers_arrive_at_their_threshold),
        cmocka_unit_test(test_times_asked_together_and_alone_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
