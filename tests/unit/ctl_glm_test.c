/* glm: against closed forms, and the first-order conditions of a maximum. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/glm.h"

/* One constant: the mean is the mean. */
static void test_a_constant_alone_is_the_mean(void **state)
{
    const double x[] = {1, 1, 1, 1}, bought[] = {0, 1, 0, 0}, days[] = {0, 3, 1, 2};
    struct glm glm;
    (void)state;
    assert_int_equal(glm_fit(GLM_LOGISTIC, 1, 4, x, bought, &glm), STATUS_OK);
    assert_true(fabs(glm_mean(&glm, x) - 0.25) < 1e-4);
    assert_int_equal(glm_fit(GLM_POISSON, 1, 4, x, days, &glm), STATUS_OK);
    assert_true(fabs(glm_mean(&glm, x) - 1.5) < 1e-4);
}

/* Two groups and an indicator are saturated: each group gets its own mean. */
static void test_an_indicator_gives_each_group_its_mean(void **state)
{
    const double x[] = {1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1};
    const double y[] = {1, 0, 0, 1, 1, 1, 0};
    struct glm glm;
    (void)state;
    assert_int_equal(glm_fit(GLM_LOGISTIC, 2, 7, x, y, &glm), STATUS_OK);
    assert_true(fabs(glm_mean(&glm, (double[]){1, 0}) - 1.0 / 3) < 1e-4);
    assert_true(fabs(glm_mean(&glm, (double[]){1, 1}) - 0.75) < 1e-4);
    assert_int_equal(glm_fit(GLM_POISSON, 2, 7, x, y, &glm), STATUS_OK);
    assert_true(fabs(glm_mean(&glm, (double[]){1, 1}) - 0.75) < 1e-4);
}

/* At a maximum the residuals are orthogonal to every feature, up to the ridge. */
static void test_residuals_are_orthogonal_to_the_features(void **state)
{
    enum { ROWS = 200 };
    double x[ROWS * 3], y[ROWS];
    (void)state;
    for (int i = 0; i < ROWS; i++) {
        x[3 * i] = 1;
        x[3 * i + 1] = sin(i);
        x[3 * i + 2] = cos(3 * i) * 0.5;
        y[i] = floor(fabs(3 * sin(7 * i + 1)) + x[3 * i + 1]) > 1;
    }
    for (int family = GLM_LOGISTIC; family <= GLM_POISSON; family++) {
        struct glm glm;
        assert_int_equal(glm_fit((enum glm_family)family, 3, ROWS, x, y, &glm), STATUS_OK);
        for (int k = 0; k < 3; k++) {
            double sum = 0;
            for (int i = 0; i < ROWS; i++)
                sum += (y[i] - glm_mean(&glm, &x[3 * i])) * x[3 * i + k] / ROWS;
            assert_true(fabs(sum) < 1e-4);
        }
    }
}

static void test_separated_and_repeated_features_stay_finite(void **state)
{
    const double x[] = {1, -2, -2, 1, -1, -1, 1, 1, 1, 1, 2, 2}, y[] = {0, 0, 1, 1};
    struct glm glm;
    (void)state;
    assert_int_equal(glm_fit(GLM_LOGISTIC, 3, 4, x, y, &glm), STATUS_OK);
    assert_true(glm_mean(&glm, &x[0]) < 0.01);
    assert_true(glm_mean(&glm, &x[9]) > 0.99);
    assert_true(isfinite(glm.weight[1]) && isfinite(glm.weight[2]));
}

static void test_rows_that_say_nothing_are_refused(void **state)
{
    const double x[] = {1, 1}, y[] = {1, 1}, differ[] = {1, 0};
    struct glm glm;
    (void)state;
    assert_int_equal(glm_fit(GLM_LOGISTIC, 1, 0, x, y, &glm), STATUS_REJECT);
    assert_int_equal(glm_fit(GLM_LOGISTIC, 1, 2, x, y, &glm), STATUS_REJECT);
    assert_int_equal(glm_fit(GLM_LOGISTIC, 1, 2, x, differ, &glm), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_constant_alone_is_the_mean),
        cmocka_unit_test(test_an_indicator_gives_each_group_its_mean),
        cmocka_unit_test(test_residuals_are_orthogonal_to_the_features),
        cmocka_unit_test(test_separated_and_repeated_features_stay_finite),
        cmocka_unit_test(test_rows_that_say_nothing_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
