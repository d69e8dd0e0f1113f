/* learn: simulated populations in cells, fitted, against the fit of every single history; refusals;
 * the last matured window.
 *
 *   LC_FIT_CUSTOMERS=1000000 insight_learn_test     the same at full size, with the CPU it took */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/text.h"
#include "insight/estimate.h"
#include "insight/learn.h"

#define TODAY      20000
#define SPAN_DAYS  730 /* first purchases lie within this */
#define DAY_MS     TEXT_MS_PER_DAY
#define HORIZON_MS (90 * DAY_MS)

/* --- a population by MBG/NBD --- */

static uint64_t seed;

static double uniform(void)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ((double)(seed >> 11) + 0.5) / 9007199254740992.0;
}

/* Marsaglia and Tsang 2000. */
static double draw_gamma(double shape)
{
    if (shape < 1)
        return draw_gamma(shape + 1) * pow(uniform(), 1 / shape);
    for (double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);;) {
        double x = sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform());
        double v = (1 + c * x) * (1 + c * x) * (1 + c * x);

        if (v > 0 && log(uniform()) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

static double draw_beta(double a, double b)
{
    double x = draw_gamma(a);

    return x / (x + draw_gamma(b));
}

struct truth {
    double r, alpha, a, b;
};

/* spend_rate: of the customer's own gamma distribution of spend, 1/minor units. */
static void put_day(struct customer *c, int32_t day, double spend_rate)
{
    if (c->purchase_days > 0 && day == c->last_day)
        return;
    if (c->purchase_days == 0)
        c->first_day = day;
    c->last_day = day;
    c->purchase_days++;
    if (c->days_kept == CUSTOMER_DAYS_MAX)
        memmove(c->days, c->days + 1, sizeof *c->days * (CUSTOMER_DAYS_MAX - 1));
    else
        c->days_kept++;
    c->days[c->days_kept - 1] = (struct purchase_day){.day = day, .orders = 1, .spend_minor = 1000};
    if (c->purchase_days > 1) {
        c->repeat_days_paid++;
        c->repeat_spend_minor += 1 + (int64_t)(draw_gamma(5) / spend_rate);
    }
}

static void draw_customer(struct truth truth, struct customer *ret_customer)
{
    const double rate = draw_gamma(truth.r) / truth.alpha, leave = draw_beta(truth.a, truth.b);
    const double spend_rate = draw_gamma(4) / 2000;
    double at = TODAY - uniform() * SPAN_DAYS;

    customer_init(ret_customer);
    put_day(ret_customer, (int32_t)at, spend_rate);
    while (uniform() >= leave && (at += -log(uniform()) / rate) < TODAY)
        put_day(ret_customer, (int32_t)at, spend_rate);
}

/* --- fitting --- */

static struct histories histories;

static double cpu_s(void)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static size_t population_size(size_t otherwise)
{
    const char *text = getenv("LC_FIT_CUSTOMERS");

    return text ? (size_t)strtoul(text, NULL, 10) : otherwise;
}

/* Every history by itself, to the day. */
static struct fit_result exact_fit(struct fit_cell *cells, size_t count)
{
    struct fit_result result;
    struct fit_problem problem = {.model = FIT_MBG, .unit_days = 1, .cells = cells};

    problem.count = estimate_merge(cells, count);
    assert_int_equal(estimate_fit(&problem, &result), STATUS_OK);
    return result;
}

static void cells_fit_like_single_histories(void **state)
{
    static const struct truth truths[] = {
        {0.6, 30, 0.9, 2.5}, /* like a shop's */
        {0.525, 43.281, 0.891, 1.614},
        {1.5, 12, 0.5, 6}, /* frequent, and staying */
    };
    const size_t count = population_size(30000);
    struct params params;

    (void)state;
    params_default(&params);
    for (size_t i = 0; i < sizeof truths / sizeof *truths; i++) {
        struct fit_cell *singles = calloc(count, sizeof *singles);
        struct learn_lesson lessons[LEARN_SUBJECTS];
        struct insight insight;
        struct fit_result exact;
        double adding_s = 0, fitting_s;

        assert_non_null(singles);
        seed = 7 + i;
        histories_init(&histories, (TODAY + 1) * DAY_MS - 1, HORIZON_MS);
        for (size_t k = 0; k < count; k++) {
            struct customer customer;
            double began_s;

            draw_customer(truths[i], &customer);
            singles[k] =
                (struct fit_cell){.count = 1, .h = customer_history(&customer, TODAY * DAY_MS)};
            began_s = cpu_s();
            assert_int_equal(histories_add(&histories, &customer), STATUS_OK);
            adding_s += cpu_s() - began_s;
        }
        insight_init(&insight);
        fitting_s = cpu_s();
        assert_int_equal(learn_from(&histories, &params, &insight, lessons), STATUS_OK);
        fitting_s = cpu_s() - fitting_s;
        exact = exact_fit(singles, count);
        printf("%zu customers in %zu cells: added in %.2f s, fitted in %.2f s of CPU; exact fit of "
               "single histories beside:\n",
               count, histories.buying.count, adding_s, fitting_s);
        for (int p = 0; p < fit_params(FIT_MBG); p++)
            printf("  %-6s %10.5f %10.5f  %+.3f %%  (standard error %.2f %%)\n",
                   fit_param(FIT_MBG, p), lessons[LEARN_BUYING].fit.theta[p], exact.theta[p],
                   100 * (lessons[LEARN_BUYING].fit.theta[p] / exact.theta[p] - 1),
                   100 * exact.error[p] / exact.theta[p]);
        assert_int_equal(lessons[LEARN_BUYING].fit.verdict, FIT_OK);
        for (int p = 0; p < fit_params(FIT_MBG); p++)
            assert_true(fabs(lessons[LEARN_BUYING].fit.theta[p] / exact.theta[p] - 1) < 0.01);
        assert_int_equal(lessons[LEARN_SPEND].outcome, LEARN_TAKEN);
        assert_true(insight.fitted_gg);
        assert_true(insight_check(&insight) == NULL);
        histories_fini(&histories);
        free(singles);
    }
}

/* --- refusals and the window --- */

static void draw_population(struct truth truth, size_t count, struct histories *h)
{
    histories_init(h, (TODAY + 1) * DAY_MS - 1, HORIZON_MS);
    for (size_t k = 0; k < count; k++) {
        struct customer customer;

        draw_customer(truth, &customer);
        assert_int_equal(histories_add(h, &customer), STATUS_OK);
    }
}

static void too_few_are_refused_and_what_was_stays(void **state)
{
    struct learn_lesson lessons[LEARN_SUBJECTS];
    struct params params;
    struct insight insight;

    (void)state;
    params_default(&params);
    insight_init(&insight);
    insight.fitted_mbg = true;
    insight.mbg_r = insight.mbg_alpha = insight.mbg_a = insight.mbg_b = 1;
    seed = 3;
    draw_population((struct truth){0.6, 30, 0.9, 2.5}, 120, &histories);
    assert_true(histories.repeaters < FIT_REPEATERS_MIN);
    assert_int_equal(learn_from(&histories, &params, &insight, lessons), STATUS_OK);
    for (int i = 0; i < LEARN_SUBJECTS; i++) {
        assert_int_equal(lessons[i].outcome, LEARN_REFUSED);
        assert_int_equal(lessons[i].fit.verdict, FIT_FEW);
    }
    assert_true(insight.fitted_mbg);
    assert_true(insight.mbg_r == 1);
    assert_false(insight.fitted_gg);
    histories_fini(&histories);
}

static void nobody_leaves_is_refused(void **state)
{
    struct learn_lesson lessons[LEARN_SUBJECTS];
    struct params params;
    struct insight insight;

    (void)state;
    params_default(&params);
    insight_init(&insight);
    seed = 4;
    draw_population((struct truth){0.8, 40, 1e-4, 10}, 3000, &histories);
    assert_int_equal(learn_from(&histories, &params, &insight, lessons), STATUS_OK);
    assert_int_equal(lessons[LEARN_BUYING].outcome, LEARN_REFUSED);
    assert_int_equal(lessons[LEARN_BUYING].fit.verdict, FIT_NO_DROPOUT);
    assert_false(insight.fitted_mbg);
    histories_fini(&histories);
}

/* In force: what the population was drawn by, but for the window, in which all but a few stopped
 * buying. A fit over all of it says less of the window than one that expects nothing. */
static void a_fit_that_says_less_of_the_window_is_not_taken(void **state)
{
    struct learn_lesson lessons[LEARN_SUBJECTS];
    struct params params;
    struct insight insight, before;

    (void)state;
    params_default(&params);
    insight_init(&insight);
    seed = 5;
    histories_init(&histories, (TODAY + 1 + 90) * DAY_MS - 1, HORIZON_MS);
    for (size_t k = 0; k < 5000; k++) {
        struct customer customer;

        draw_customer((struct truth){0.6, 30, 0.9, 2.5}, &customer); /* until TODAY, 90 days ago */
        assert_int_equal(histories_add(&histories, &customer), STATUS_OK);
    }
    insight.fitted_mbg = true; /* nearly everybody is gone at once */
    insight.mbg_r = 0.5, insight.mbg_alpha = 900, insight.mbg_a = 9, insight.mbg_b = 0.5;
    before = insight;
    assert_int_equal(learn_from(&histories, &params, &insight, lessons), STATUS_OK);
    assert_int_equal(lessons[LEARN_BUYING].fit.verdict, FIT_OK);
    assert_int_equal(lessons[LEARN_BUYING].outcome, LEARN_WORSE);
    assert_true(lessons[LEARN_BUYING].loss > lessons[LEARN_BUYING].loss_in_force);
    assert_true(insight.mbg_r == before.mbg_r);
    assert_true(insight.mbg_b == before.mbg_b);
    /* against the shipped parameters, which expect more, it is taken */
    insight_init(&insight);
    assert_int_equal(learn_from(&histories, &params, &insight, lessons), STATUS_OK);
    assert_int_equal(lessons[LEARN_BUYING].outcome, LEARN_TAKEN);
    assert_true(insight.fitted_mbg);
    histories_fini(&histories);
}

/* --- the window itself, from the purchase days that are kept --- */

static const struct window_row {
    const char *name;
    int32_t first, later[4]; /* days before today; 0 ends */
    double x, t_x;           /* at its begin */
    bool counts, gone;
} window_rows[] = {
    {"a first purchase within the window is not asked about", 40, {0}, 0, 0, false, false},
    {"one purchase before it, none within", 200, {0}, 0, 0, true, true},
    {"one before, one within", 200, {10}, 0, 0, true, false},
    {"two before, none within", 200, {120}, 1, 80, true, true},
    {"two before, two within", 200, {120, 50, 3}, 1, 80, true, false},
    {"on the day the window begins is before it", 200, {90}, 1, 110, true, true},
    {"on its first day is within", 200, {89}, 0, 0, true, false},
};

static void the_window_is_told_from_the_kept_days(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof window_rows / sizeof *window_rows; i++) {
        const struct window_row *row = &window_rows[i];
        struct fit_cell *cells = NULL;
        struct customer customer;
        size_t count = 0;

        histories_init(&histories, (TODAY + 1) * DAY_MS - 1, HORIZON_MS);
        customer_init(&customer);
        put_day(&customer, TODAY - row->first, 1);
        for (int k = 0; k < 4 && row->later[k]; k++)
            put_day(&customer, TODAY - row->later[k], 1);
        assert_int_equal(histories_add(&histories, &customer), STATUS_OK);
        assert_int_equal(histories_window(&histories, &cells, &count), STATUS_OK);
        if (count != row->counts ||
            (count == 1 && (cells[0].gone != row->gone || cells[0].h.x != row->x ||
                            cells[0].h.t_x != row->t_x || cells[0].h.T != row->first - 90)))
            fail_msg("%s: %zu cells, x %g, t_x %g, T %g, gone %d", row->name, count, cells[0].h.x,
                     cells[0].h.t_x, cells[0].h.T, cells[0].gone);
        free(cells);
        histories_fini(&histories);
    }
}

/* More purchases within the window than days are kept: what was before is not known. */
static void a_window_full_of_purchases_is_skipped(void **state)
{
    struct customer customer;

    (void)state;
    histories_init(&histories, (TODAY + 1) * DAY_MS - 1, HORIZON_MS);
    customer_init(&customer);
    put_day(&customer, TODAY - 200, 1);
    put_day(&customer, TODAY - 199, 1);
    for (int k = 40; k > 0; k--)
        put_day(&customer, TODAY - k, 1);
    assert_int_equal(histories_add(&histories, &customer), STATUS_OK);
    assert_int_equal(histories.window.count, 0);
    assert_int_equal(histories.window_skipped, 1);
    assert_int_equal(histories.buying.count, 1);
    histories_fini(&histories);
}

/* --- categories --- */

static void the_category_bought_together_most_is_next(void **state)
{
    struct learn_lesson lessons[LEARN_SUBJECTS];
    struct params params;
    struct insight insight;

    (void)state;
    params_default(&params);
    insight_init(&insight);
    histories_init(&histories, (TODAY + 1) * DAY_MS - 1, HORIZON_MS);
    for (int k = 0; k < 100; k++) {
        struct customer customer;

        customer_init(&customer);
        put_day(&customer, TODAY - 10, 1);
        /* 3 always; 5 with 40 of them, 7 with 10; 9 with 19 alone */
        customer.categories = (uint64_t)(1 << 3 | (k < 40) << 5 | (k >= 90) << 7 | (k < 19) << 9);
        assert_int_equal(histories_add(&histories, &customer), STATUS_OK);
    }
    assert_int_equal(learn_from(&histories, &params, &insight, lessons), STATUS_OK);
    assert_int_equal(insight.category_next[3], 5);
    assert_int_equal(insight.category_share[3], 400);
    assert_int_equal(insight.category_next[5], 3);
    assert_int_equal(insight.category_share[5], 1000);
    assert_int_equal(insight.category_share[7], 0); /* ten are chance */
    assert_int_equal(insight.category_share[9], 0);
    histories_fini(&histories);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_fit_like_single_histories),
        cmocka_unit_test(too_few_are_refused_and_what_was_stays),
        cmocka_unit_test(nobody_leaves_is_refused),
        cmocka_unit_test(a_fit_that_says_less_of_the_window_is_not_taken),
        cmocka_unit_test(the_window_is_told_from_the_kept_days),
        cmocka_unit_test(a_window_full_of_purchases_is_skipped),
        cmocka_unit_test(the_category_bought_together_most_is_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
