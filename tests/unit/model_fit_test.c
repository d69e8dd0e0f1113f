/* fit: gradients against differences, the published log-likelihoods of sBG, and every verdict on
 * both sides of its boundary. The climbs themselves are tested in ctl_estimate_test.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/churn.h"
#include "model/fit.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct fit_cell buyers[] = {
    {.count = 1411, .h = {0, 0, 240}},      {.count = 1, .h = {0, 0, 0}},
    {.count = 300, .h = {1, 20, 250}},      {.count = 90, .h = {2, 200, 230}},
    {.count = 40, .h = {7, 180, 260}},      {.count = 3, .h = {26, 265, 270}},
    {.count = 0.5, .h = {1.25, 30.5, 200}}, {.count = 2, .h = {3, 90, 90}},
};
static const struct fit_cell spenders[] = {
    {.count = 5, .h = {.x = 1}, .mean = 12.5},
    {.count = 2, .h = {.x = 4}, .mean = 80},
    {.count = 1, .h = {.x = 40}, .mean = 0.01},
};
/* Fader and Hardie 2007, the high end cohort's seven years. */
static const struct fit_cell high_end[] = {
    {.count = 131, .h = {.x = 0}, .gone = true}, {.count = 126, .h = {.x = 1}, .gone = true},
    {.count = 90, .h = {.x = 2}, .gone = true},  {.count = 60, .h = {.x = 3}, .gone = true},
    {.count = 42, .h = {.x = 4}, .gone = true},  {.count = 34, .h = {.x = 5}, .gone = true},
    {.count = 26, .h = {.x = 6}, .gone = true},  {.count = 491, .h = {.x = 7}},
};

#define PROBLEM(id, cells_)                                                                        \
    {                                                                                              \
        .model = id, .unit_days = 1, .cells = cells_, .count = COUNT(cells_)                       \
    }

static void check_gradient(const char *name, const struct fit_problem *problem, const double u[])
{
    const double step = 1e-4;
    double gradient[FIT_PARAMS_MAX], ignored[FIT_PARAMS_MAX];
    assert_true(isfinite(fit_loglik(problem, u, gradient)));
    for (int i = 0; i < fit_params(problem->model); i++) {
        double value[4], at[FIT_PARAMS_MAX] = {u[0], u[1], u[2], u[3]};
        for (int k = 0; k < 4; k++) { /* five points: error of step^4 */
            at[i] = u[i] + step * (double[]){-2, -1, 1, 2}[k];
            value[k] = fit_loglik(problem, at, ignored);
        }
        const double slope = (value[0] - 8 * value[1] + 8 * value[2] - value[3]) / (12 * step);
        if (!(fabs(slope - gradient[i]) <=
              1e-6 * fmax(1, fabs(slope)) + 1e-11 * fabs(value[0]) / step))
            fail_msg("%s, %s: d/d ln %s is %.12g, not %.12g", name, fit_title(problem->model),
                     fit_param(problem->model, i), slope, gradient[i]);
    }
}

static void test_the_gradient_is_that_of_the_likelihood(void **state)
{
    static const struct fit_prior prior = {{-0.64, 3.77, -0.11, 0.48}, 4};
    static const struct fit_problem problems[] = {
        {FIT_MBG, 1, buyers, COUNT(buyers), &prior},
        PROBLEM(FIT_MBG, buyers),
        PROBLEM(FIT_BG, buyers),
        PROBLEM(FIT_PARETO, buyers),
        PROBLEM(FIT_NBD, buyers),
        PROBLEM(FIT_GG, spenders),
        PROBLEM(FIT_SBG, high_end),
    };
    static const struct {
        const char *name;
        double u[FIT_PARAMS_MAX];
    } rows[] = {
        {"an ordinary population", {-0.6, 3.8, -0.1, 0.5}},
        {"all parameters one", {0, 0, 0, 0}},
        {"very mixed", {-3, 2, -4, -2}},
        {"hardly mixed", {4, 6, 5, 6}},
        {"outside the bounds, on the wall", {7.5, -8, 7.2, -7.9}},
    };
    (void)state;
    for (size_t p = 0; p < COUNT(problems); p++)
        for (size_t i = 0; i < COUNT(rows); i++)
            check_gradient(rows[i].name, &problems[p], rows[i].u);
}

static void test_the_likelihood_is_the_sum_of_the_daemons(void **state)
{
    const struct fit_problem problem = PROBLEM(FIT_MBG, buyers);
    const struct mbg m = {.r = 0.525, .alpha = 43.281, .a = 0.891, .b = 1.614};
    const double u[] = {log(m.r), log(m.alpha), log(m.a), log(m.b)};
    double gradient[FIT_PARAMS_MAX], sum = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(buyers); i++)
        sum += buyers[i].count * churn_mbg_loglik(m, buyers[i].h);
    assert_true(fabs(fit_loglik(&problem, u, gradient) - sum) < 1e-9);
}

static void test_nothing_overflows_far_out(void **state)
{
    const double far[] = {700, -700, 700, -700};
    const struct fit_problem problem = PROBLEM(FIT_PARETO, buyers);
    double gradient[FIT_PARAMS_MAX];
    (void)state;
    assert_true(isfinite(fit_loglik(&problem, far, gradient)));
    for (int i = 0; i < 4; i++)
        assert_true(isfinite(gradient[i]));
}

static void test_sbg_has_the_published_likelihood_and_top(void **state)
{
    const struct fit_problem problem = PROBLEM(FIT_SBG, high_end);
    const double u[] = {log(0.668088), log(3.806090)};
    struct fit_result result;
    (void)state;
    fit_judge(&problem, u, 0, &result);
    assert_int_equal(result.verdict, FIT_OK);
    assert_true(fabs(result.loglik + 1611.16) < 0.005);
    assert_true(result.repeaters == 509);
    assert_true(result.error[0] > 0.05 && result.error[0] < 0.2);
}

/* The Hessian by differences of differences: −∂²/∂u_i² at the top, against 1/se² only when nothing
 * is correlated; so NBD's two are checked as a matrix. */
static void test_standard_errors_invert_the_curvature(void **state)
{
    const struct fit_problem problem = PROBLEM(FIT_SBG, high_end);
    const double u[] = {log(0.668088), log(3.806090)}, step = 1e-3;
    double gradient[FIT_PARAMS_MAX], f[3][3];
    struct fit_result result;
    (void)state;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            const double at[] = {u[0] + (i - 1) * step, u[1] + (j - 1) * step};
            f[i][j] = fit_loglik(&problem, at, gradient);
        }
    const double aa = -(f[2][1] - 2 * f[1][1] + f[0][1]) / (step * step);
    const double bb = -(f[1][2] - 2 * f[1][1] + f[1][0]) / (step * step);
    const double ab = -(f[2][2] - f[2][0] - f[0][2] + f[0][0]) / (4 * step * step);
    fit_judge(&problem, u, 0, &result);
    assert_true(fabs(result.error[0] / (0.668088 * sqrt(bb / (aa * bb - ab * ab))) - 1) < 1e-3);
    assert_true(fabs(result.error[1] / (3.806090 * sqrt(aa / (aa * bb - ab * ab))) - 1) < 1e-3);
}

static enum fit_verdict verdict_of(enum fit_model model, const struct fit_cell *cells, size_t count,
                                   const double u[], double loglik_nbd)
{
    const struct fit_problem problem = {model, 1, cells, count, NULL};
    struct fit_result result;
    fit_judge(&problem, u, loglik_nbd, &result);
    return result.verdict;
}

static void test_every_verdict_on_both_sides(void **state)
{
    const double top[] = {log(0.668088), log(3.806090)}, off[] = {log(0.8), log(3.8)};
    struct fit_cell few[] = {{.count = 99, .h = {.x = 0}, .gone = true},
                             {.count = 1000, .h = {.x = 1}}};
    double gradient[FIT_PARAMS_MAX];
    (void)state;
    assert_int_equal(verdict_of(FIT_SBG, high_end, COUNT(high_end), top, 0), FIT_OK);
    assert_int_equal(verdict_of(FIT_SBG, high_end, COUNT(high_end), off, 0), FIT_STUCK);
    assert_int_equal(verdict_of(FIT_SBG, few, 2, top, 0), FIT_FEW);
    few[0].count = 100;
    assert_int_not_equal(verdict_of(FIT_SBG, few, 2, top, 0), FIT_FEW);

    const double u[] = {-0.6, 3.8, -0.1, 0.5}, edge[] = {-0.6, 3.8, -0.1, log(1000) - 0.005};
    const struct fit_problem problem = PROBLEM(FIT_MBG, buyers);
    const double loglik = fit_loglik(&problem, u, gradient);
    assert_int_equal(verdict_of(FIT_MBG, buyers, COUNT(buyers), u, loglik - 2.99), FIT_NO_DROPOUT);
    assert_int_equal(verdict_of(FIT_MBG, buyers, COUNT(buyers), u, loglik - 3.01), FIT_STUCK);
    assert_int_equal(verdict_of(FIT_MBG, buyers, COUNT(buyers), edge, -1e9), FIT_AT_BOUND);

    /* One renewal only: every pair of one mean explains it, a ridge and no top. */
    const struct fit_cell flat[] = {{.count = 500, .h = {.x = 0}, .gone = true},
                                    {.count = 500, .h = {.x = 1}}};
    const double ridge[] = {0, 0};
    assert_int_equal(verdict_of(FIT_SBG, flat, 2, ridge, 0), FIT_INDEFINITE);
}

static void test_every_verdict_has_words(void **state)
{
    (void)state;
    for (int v = FIT_OK; v <= FIT_STUCK; v++) {
        assert_true(fit_verdict_name((enum fit_verdict)v)[0] != '\0');
        assert_true(fit_verdict_reason((enum fit_verdict)v)[0] != '\0');
        assert_true(v == FIT_OK || fit_verdict_help((enum fit_verdict)v)[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_gradient_is_that_of_the_likelihood),
        cmocka_unit_test(test_the_likelihood_is_the_sum_of_the_daemons),
        cmocka_unit_test(test_nothing_overflows_far_out),
        cmocka_unit_test(test_sbg_has_the_published_likelihood_and_top),
        cmocka_unit_test(test_standard_errors_invert_the_curvature),
        cmocka_unit_test(test_every_verdict_on_both_sides),
        cmocka_unit_test(test_every_verdict_has_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
