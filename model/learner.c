/* learner: one Newton search along the one direction a lesson can move the weights in, and a
 * rank-one step of the covariance. */
#include "model/learner.h"

#include <math.h>
#include <stddef.h>

/* Standard deviations of the prior: wide enough that a few thousand lessons decide, narrow enough
 * that a hundred do not. */
#define DEVIATION_SCALE   0.1
#define DEVIATION_FEATURE 1.0
#define DEVIATION_WARNING 0.5
#define DRIFT             1e-6 /* variance added with a lesson to each weight below its prior's */
#define NEWTON_MAX        50
#define NEWTON_ENOUGH     1e-12
#define LOGIT_MAX         35
#define STANDARD_ERRORS   2

static double prior_variance(int i)
{
    const double deviation = i == FEATURE_SCALE  ? DEVIATION_SCALE
                             : i < FEATURE_COUNT ? DEVIATION_FEATURE
                                                 : DEVIATION_WARNING;
    return deviation * deviation;
}

void learner_init(struct learner *ret_learner, const double plain_warning[WARNING_COUNT])
{
    struct learner learner = {.lessons = 0};
    for (int i = 0; i < LEARNER_SIZE; i++) {
        learner.covariance[i][i] = prior_variance(i);
        if (i >= FEATURE_COUNT) {
            learner.plain_warning[i - FEATURE_COUNT] = plain_warning[i - FEATURE_COUNT];
            learner.mean[i] = plain_warning[i - FEATURE_COUNT];
        }
    }
    *ret_learner = learner;
}

static double held(double value, double low, double high)
{
    return fmax(low, fmin(high, value));
}

void learner_weights(const struct learner *learner, struct learner_weights *ret_weights)
{
    for (int i = 0; i < FEATURE_COUNT; i++) {
        ret_weights->feature[i] = held(learner->mean[i], feature_weight_min((enum feature)i),
                                       feature_weight_max((enum feature)i));
    }
    for (int i = 0; i < WARNING_COUNT; i++) {
        ret_weights->warning[i] = held(learner->mean[FEATURE_COUNT + i], WARNING_WEIGHT_MIN, 0);
    }
}

double learner_logit(const struct learner_weights *weights, const struct lesson *lesson)
{
    double logit = lesson->figure[FEATURE_SCALE];
    for (int i = 0; i < FEATURE_COUNT; i++) {
        logit += weights->feature[i] * feature_of((enum feature)i, lesson->figure[i]);
    }
    for (int i = 0; i < WARNING_COUNT; i++) {
        logit += lesson->sign[i] ? weights->warning[i] : 0;
    }
    return logit;
}

double learner_plain_logit(const struct learner *learner, const struct lesson *lesson)
{
    double logit = lesson->figure[FEATURE_SCALE];
    for (int i = 0; i < WARNING_COUNT; i++) {
        logit += lesson->sign[i] ? learner->plain_warning[i] : 0;
    }
    return logit;
}

/* −ln of the probability given to what happened. */
static double loss_of(double logit, bool bought)
{
    const double toward = held(bought ? logit : -logit, -LOGIT_MAX, LOGIT_MAX);
    return toward > 0 ? log1p(exp(-toward)) : log1p(exp(toward)) - toward;
}

/* --- testing --- */

static void judge(struct learner *learner)
{
    const struct learner_test *t = &learner->test;
    const double mean = t->gain / t->weight;
    const double variance = fmax(0, t->gain_square / t->weight - mean * mean);
    if (learner->better) {
        learner->better = mean > 0;
    } else {
        learner->better = learner->lessons >= LEARNER_LESSONS_MIN && mean > 0 &&
                          mean > STANDARD_ERRORS * sqrt(variance / t->weight);
    }
}

static void test(struct learner *learner, const struct lesson *lesson, bool bought)
{
    const double fade = 1 - 1.0 / LEARNER_MEMORY;
    struct learner_test *t = &learner->test;
    struct learner_weights weights;
    learner_weights(learner, &weights);
    const double plain = loss_of(learner_plain_logit(learner, lesson), bought);
    const double learned = loss_of(learner_logit(&weights, lesson), bought);
    const double gain = plain - learned;
    *t = (struct learner_test){.weight = fade * t->weight + 1,
                               .plain = fade * t->plain + plain,
                               .learned = fade * t->learned + learned,
                               .gain = fade * t->gain + gain,
                               .gain_square = fade * t->gain_square + gain * gain};
    learner->lessons++;
    judge(learner);
}

/* --- learning --- */

/* Where the logit comes to rest: prior normal(at, variance), one observation. The function is
 * rising and its derivative at least 1, so that Newton's step, held to the bracket that the
 * observation can move it in, converges. */
static double rest_of(double at, double variance, double y)
{
    double low = at - variance * (1 - y), high = at + variance * y, logit = at;
    for (int i = 0; i < NEWTON_MAX; i++) {
        const double p = 1 / (1 + exp(-logit));
        const double miss = logit - at - variance * (y - p);
        if (miss > 0) {
            high = logit;
        } else {
            low = logit;
        }
        const double next = held(logit - miss / (1 + variance * p * (1 - p)), low, high);
        if (fabs(next - logit) < NEWTON_ENOUGH) {
            return next;
        }
        logit = next;
    }
    return logit;
}

static void learn(struct learner *learner, const struct lesson *lesson, bool bought)
{
    double x[LEARNER_SIZE], cross[LEARNER_SIZE], at = lesson->figure[FEATURE_SCALE], variance = 0;
    for (int i = 0; i < LEARNER_SIZE; i++) {
        x[i] = i < FEATURE_COUNT ? feature_of((enum feature)i, lesson->figure[i])
                                 : lesson->sign[i - FEATURE_COUNT];
        at += learner->mean[i] * x[i];
    }
    for (int i = 0; i < LEARNER_SIZE; i++) {
        cross[i] = 0;
        for (int j = 0; j < LEARNER_SIZE; j++) {
            cross[i] += learner->covariance[i][j] * x[j];
        }
        variance += x[i] * cross[i];
    }
    variance = fmax(0, variance); /* rounding */
    const double logit = rest_of(at, variance, bought ? 1 : 0);
    const double p = 1 / (1 + exp(-logit));
    const double shrink = p * (1 - p) / (1 + p * (1 - p) * variance);
    for (int i = 0; i < LEARNER_SIZE; i++) {
        learner->mean[i] += cross[i] * ((bought ? 1 : 0) - p);
        for (int j = 0; j < LEARNER_SIZE; j++) {
            learner->covariance[i][j] -= cross[i] * cross[j] * shrink;
        }
        if (learner->covariance[i][i] < prior_variance(i)) {
            learner->covariance[i][i] += DRIFT;
        }
    }
}

static bool usable(const struct lesson *lesson)
{
    bool finite = fabs(lesson->figure[FEATURE_SCALE]) <= LOGIT_MAX;
    for (int i = 0; i < FEATURE_COUNT; i++) {
        finite = finite && isfinite(lesson->figure[i]);
    }
    return finite && lesson->figure[FEATURE_FREQUENCY] >= 0 &&
           lesson->figure[FEATURE_SILENCE] >= 0 && lesson->figure[FEATURE_ENGAGEMENT] >= 0;
}

void learner_take(struct learner *learner, const struct lesson *lesson, bool bought)
{
    if (!usable(lesson)) {
        return;
    }
    test(learner, lesson, bought);
    learn(learner, lesson, bought);
}

/* --- its invariants --- */

const char *learner_check(const struct learner *learner)
{
    const struct learner_test *t = &learner->test;
    for (int i = 0; i < LEARNER_SIZE; i++) {
        if (!isfinite(learner->mean[i])) {
            return "a weight is not finite";
        }
        if (!(learner->covariance[i][i] > 0 &&
              learner->covariance[i][i] <= prior_variance(i) + DRIFT)) {
            return "a variance is out of range";
        }
        for (int j = 0; j < i; j++) {
            if (!(learner->covariance[i][j] == learner->covariance[j][i])) {
                return "the covariance is not symmetric";
            }
        }
    }
    for (int i = 0; i < WARNING_COUNT; i++) {
        if (!(learner->plain_warning[i] >= WARNING_WEIGHT_MIN && learner->plain_warning[i] <= 0)) {
            return "a plain weight of a warning is out of range";
        }
    }
    if (!(learner->lessons >= 0 && isfinite(learner->lessons) && t->weight >= 0 &&
          t->weight <= LEARNER_MEMORY + 1 && isfinite(t->plain + t->learned + t->gain) &&
          t->gain_square >= 0 && isfinite(t->gain_square))) {
        return "its tests are out of range";
    }
    return NULL;
}
