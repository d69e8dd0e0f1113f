/* The belief against populations whose truth is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "model/belief.h"

static const double plain[WARNING_COUNT] = {-0.6, -0.5, -1.0, -0.3, -0.4, -0.3};

static double draw(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) / 16777216.0;
}

static struct lesson lesson_at_random(uint32_t *seed)
{
    struct lesson lesson = {.figure = {[FEATURE_SCALE] = 4 * draw(seed) - 3,
                                       [FEATURE_LEVEL] = 1,
                                       [FEATURE_FREQUENCY] = floor(5 * draw(seed)),
                                       [FEATURE_SILENCE] = 200 * draw(seed),
                                       [FEATURE_SPEND] = 80 * draw(seed),
                                       [FEATURE_ENGAGEMENT] = floor(9 * draw(seed))}};
    for (int i = 0; i < WARNING_COUNT; i++) {
        lesson.sign[i] = draw(seed) < 0.2;
    }
    return lesson;
}

/* What the world does: a logit of its own. */
static bool buys(double logit, uint32_t *seed)
{
    return draw(seed) < 1 / (1 + exp(-logit));
}

static void it_starts_as_the_model(void **state)
{
    uint32_t seed = 1;
    struct belief belief;
    struct belief_weights weights;
    (void)state;
    belief_init(&belief, plain);
    belief_weights(&belief, &weights);
    assert_null(belief_check(&belief));
    assert_false(belief.better);
    for (int i = 0; i < 100; i++) {
        const struct lesson lesson = lesson_at_random(&seed);
        assert_true(belief_logit(&weights, &lesson) == belief_plain_logit(&belief, &lesson));
    }
}

static void every_lesson_is_a_test_before_it_is_learned(void **state)
{
    uint32_t seed = 2;
    struct belief belief;
    (void)state;
    belief_init(&belief, plain);
    const struct lesson lesson = lesson_at_random(&seed);
    const double logit = belief_plain_logit(&belief, &lesson);
    belief_take(&belief, &lesson, true);
    assert_true(fabs(belief.test.plain - log1p(exp(-logit))) < 1e-15);
    assert_true(belief.test.learned == belief.test.plain);
    assert_true(belief.test.gain == 0);
    struct belief_weights weights;
    belief_weights(&belief, &weights);
    assert_true(belief_logit(&weights, &lesson) > logit);
}

/* Complaints weigh thrice as much, payment trouble nothing, unsubscribing is a good sign, who
 * spends more buys more, and P(buy) is too sure of itself. */
static double truth_of(const struct lesson *lesson)
{
    double logit = 0.8 * lesson->figure[FEATURE_SCALE] - 0.5 +
                   1.5 * feature_of(FEATURE_SPEND, lesson->figure[FEATURE_SPEND]);
    for (int i = 0; i < WARNING_COUNT; i++) {
        const double weight = i == WARNING_COMPLAINT_OPEN ? -3
                              : i == WARNING_PAYMENT      ? 0
                              : i == WARNING_UNSUBSCRIBED ? 0.4
                                                          : plain[i];
        logit += lesson->sign[i] ? weight : 0;
    }
    return logit;
}

static void it_finds_the_weights_of_a_population(void **state)
{
    uint32_t seed = 3;
    struct belief belief;
    struct belief_weights weights;
    (void)state;
    belief_init(&belief, plain);
    for (int i = 0; i < 60000; i++) {
        const struct lesson lesson = lesson_at_random(&seed);
        belief_take(&belief, &lesson, buys(truth_of(&lesson), &seed));
    }
    assert_null(belief_check(&belief));
    belief_weights(&belief, &weights);
    assert_true(fabs(weights.feature[FEATURE_SCALE] + 0.2) < 0.05);
    assert_true(fabs(weights.feature[FEATURE_LEVEL] + 0.5) < 0.15);
    assert_true(fabs(weights.feature[FEATURE_SPEND] - 1.5) < 0.2);
    assert_true(fabs(weights.feature[FEATURE_FREQUENCY]) < 0.1);
    assert_true(fabs(weights.feature[FEATURE_SILENCE]) < 0.1);
    assert_true(fabs(weights.warning[WARNING_COMPLAINT_OPEN] + 3) < 0.25);
    assert_true(weights.warning[WARNING_PAYMENT] > -0.12);
    assert_true(weights.warning[WARNING_UNSUBSCRIBED] == 0);
    assert_true(belief.better);
    assert_true(belief.test.learned < belief.test.plain);
    assert_true(fabs(belief.test.plain - belief.test.learned - belief.test.gain) <
                1e-9 * belief.test.plain);
}

/* Where the model is right there is nothing to gain, and next to nothing is lost. */
static void where_the_model_is_right_nothing_is_published(void **state)
{
    int better = 0;
    (void)state;
    for (uint32_t population = 1; population <= 20; population++) {
        uint32_t seed = population * 7919;
        struct belief belief;
        belief_init(&belief, plain);
        for (int i = 0; i < 5000; i++) {
            const struct lesson lesson = lesson_at_random(&seed);
            belief_take(&belief, &lesson, buys(belief_plain_logit(&belief, &lesson), &seed));
        }
        better += belief.better;
        assert_true(belief.test.gain / belief.test.weight > -0.02);
    }
    assert_true(better <= 1);
}

static void nothing_is_published_before_enough_tests(void **state)
{
    uint32_t seed = 5;
    struct belief belief;
    (void)state;
    belief_init(&belief, plain);
    for (int i = 1; i <= BELIEF_LESSONS_MIN; i++) {
        const struct lesson lesson = lesson_at_random(&seed);
        belief_take(&belief, &lesson, buys(truth_of(&lesson), &seed));
        assert_true(i == BELIEF_LESSONS_MIN || !belief.better);
    }
    assert_true(belief.better);
}

static void it_is_withdrawn_when_its_tests_no_longer_beat_the_model(void **state)
{
    uint32_t seed = 6;
    struct belief belief;
    (void)state;
    belief_init(&belief, plain);
    for (int i = 0; i < 3000; i++) {
        const struct lesson lesson = lesson_at_random(&seed);
        belief_take(&belief, &lesson, buys(belief_plain_logit(&belief, &lesson) - 2, &seed));
    }
    assert_true(belief.better);
    /* As if all of that had faded: from now on the model is right. */
    belief.test = (struct belief_test){0};
    for (int i = 0; i < 100; i++) {
        const struct lesson lesson = lesson_at_random(&seed);
        belief_take(&belief, &lesson, buys(belief_plain_logit(&belief, &lesson), &seed));
    }
    assert_true(belief.test.gain < 0);
    assert_false(belief.better);
}

static void what_is_not_finite_is_left_out(void **state)
{
    uint32_t seed = 7;
    struct belief belief, before;
    (void)state;
    belief_init(&belief, plain);
    before = belief;
    for (int i = 0; i < FEATURE_COUNT; i++) {
        for (int k = 0; k < 3; k++) {
            struct lesson lesson = lesson_at_random(&seed);
            lesson.figure[i] = (double[]){NAN, INFINITY, -INFINITY}[k];
            belief_take(&belief, &lesson, k == 1);
        }
    }
    assert_memory_equal(&belief, &before, sizeof belief);
}

static void certainty_that_fails_moves_it_no_further_than_its_belief_allows(void **state)
{
    struct belief belief;
    (void)state;
    belief_init(&belief, plain);
    for (int i = 0; i < 1000; i++) {
        const struct lesson lesson = {.figure = {[FEATURE_SCALE] = i % 2 ? 35 : -35,
                                                 [FEATURE_LEVEL] = 1,
                                                 [FEATURE_FREQUENCY] = 1e5,
                                                 [FEATURE_SPEND] = 1e13}};
        belief_take(&belief, &lesson, i % 2 == 0);
    }
    assert_null(belief_check(&belief));
}

static void damage_is_noticed(void **state)
{
    struct belief whole, belief;
    (void)state;
    belief_init(&whole, plain);
    belief = whole;
    belief.mean[2] = NAN;
    assert_non_null(belief_check(&belief));
    belief = whole;
    belief.covariance[1][1] = 0;
    assert_non_null(belief_check(&belief));
    belief = whole;
    belief.covariance[1][0] = 0.1;
    assert_non_null(belief_check(&belief));
    belief = whole;
    belief.plain_warning[0] = 0.1;
    assert_non_null(belief_check(&belief));
    belief = whole;
    belief.test.weight = -1;
    assert_non_null(belief_check(&belief));
    belief = whole;
    belief.test.gain_square = INFINITY;
    assert_non_null(belief_check(&belief));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_starts_as_the_model),
        cmocka_unit_test(every_lesson_is_a_test_before_it_is_learned),
        cmocka_unit_test(it_finds_the_weights_of_a_population),
        cmocka_unit_test(where_the_model_is_right_nothing_is_published),
        cmocka_unit_test(nothing_is_published_before_enough_tests),
        cmocka_unit_test(it_is_withdrawn_when_its_tests_no_longer_beat_the_model),
        cmocka_unit_test(what_is_not_finite_is_left_out),
        cmocka_unit_test(certainty_that_fails_moves_it_no_further_than_its_belief_allows),
        cmocka_unit_test(damage_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
