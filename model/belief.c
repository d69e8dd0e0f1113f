/* belief: one Newton search along the one direction a lesson can move the weights in, and a
 * rank-one step of the covariance. */
#include "model/belief.h"

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

void belief_init(struct belief *ret_belief, const double plain_warning[WARNING_COUNT])
{
    struct belief belief = {.lessons = 0};
    for (int i = 0; i < BELIEF_SIZE; i++) {
        belief.covariance[i][i] = prior_variance(i);
        if (i >= FEATURE_COUNT) {
            belief.plain_warning[i - FEATURE_COUNT] = plain_warning[i - FEATURE_COUNT];
            belief.mean[i] = plain_warning[i - FEATURE_COUNT];
        }
    }
    *ret_belief = belief;
}

static double held(double value, double low, double high)
{
    return fmax(low, fmin(high, value));
}

void belief_weights(const struct belief *belief, struct belief_weights *ret_weights)
{
    for (int i = 0; i < FEATURE_COUNT; i++) {
        ret_weights->feature[i] = held(belief->mean[i], feature_weight_min((enum feature)i),
                                       feature_weight_max((enum feature)i));
    }
    for (int i = 0; i < WARNING_COUNT; i++) {
        ret_weights->warning[i] = held(belief->mean[FEATURE_COUNT + i], WARNING_WEIGHT_MIN, 0);
    }
}

double belief_logit(const struct belief_weights *weights, const struct lesson *lesson)
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

double belief_plain_logit(const struct belief *belief, const struct lesson *lesson)
{
    double logit = lesson->figure[FEATURE_SCALE];
    for (int i = 0; i < WARNING_COUNT; i++) {
        logit += lesson->sign[i] ? belief->plain_warning[i] : 0;
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

static void judge(struct belief *belief)
{
    const struct belief_test *t = &belief->test;
    const double mean = t->gain / t->weight;
    const double variance = fmax(0, t->gain_square / t->weight - mean * mean);
    if (belief->better) {
        belief->better = mean > 0;
    } else {
        belief->better = belief->lessons >= BELIEF_LESSONS_MIN && mean > 0 &&
                         mean > STANDARD_ERRORS * sqrt(variance / t->weight);
    }
}

static void test(struct belief *belief, const struct lesson *lesson, bool bought)
{
    const double fade = 1 - 1.0 / BELIEF_MEMORY;
    struct belief_test *t = &belief->test;
    struct belief_weights weights;
    belief_weights(belief, &weights);
    const double plain = loss_of(belief_plain_logit(belief, lesson), bought);
    const double learned = loss_of(belief_logit(&weights, lesson), bought);
    const double gain = plain - learned;
    *t = (struct belief_test){.weight = fade * t->weight + 1,
                              .plain = fade * t->plain + plain,
                              .learned = fade * t->learned + learned,
                              .gain = fade * t->gain + gain,
                              .gain_square = fade * t->gain_square + gain * gain};
    belief->lessons++;
    judge(belief);
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

static void learn(struct belief *belief, const struct lesson *lesson, bool bought)
{
    double x[BELIEF_SIZE], cross[BELIEF_SIZE], at = lesson->figure[FEATURE_SCALE], variance = 0;
    for (int i = 0; i < BELIEF_SIZE; i++) {
        x[i] = i < FEATURE_COUNT ? feature_of((enum feature)i, lesson->figure[i])
                                 : lesson->sign[i - FEATURE_COUNT];
        at += belief->mean[i] * x[i];
    }
    for (int i = 0; i < BELIEF_SIZE; i++) {
        cross[i] = 0;
        for (int j = 0; j < BELIEF_SIZE; j++) {
            cross[i] += belief->covariance[i][j] * x[j];
        }
        variance += x[i] * cross[i];
    }
    variance = fmax(0, variance); /* rounding */
    const double logit = rest_of(at, variance, bought ? 1 : 0);
    const double p = 1 / (1 + exp(-logit));
    const double shrink = p * (1 - p) / (1 + p * (1 - p) * variance);
    for (int i = 0; i < BELIEF_SIZE; i++) {
        belief->mean[i] += cross[i] * ((bought ? 1 : 0) - p);
        for (int j = 0; j < BELIEF_SIZE; j++) {
            belief->covariance[i][j] -= cross[i] * cross[j] * shrink;
        }
        if (belief->covariance[i][i] < prior_variance(i)) {
            belief->covariance[i][i] += DRIFT;
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

void belief_take(struct belief *belief, const struct lesson *lesson, bool bought)
{
    if (!usable(lesson)) {
        return;
    }
    test(belief, lesson, bought);
    learn(belief, lesson, bought);
}

/* --- its invariants --- */

const char *belief_check(const struct belief *belief)
{
    const struct belief_test *t = &belief->test;
    for (int i = 0; i < BELIEF_SIZE; i++) {
        if (!isfinite(belief->mean[i])) {
            return "a weight is not finite";
        }
        if (!(belief->covariance[i][i] > 0 &&
              belief->covariance[i][i] <= prior_variance(i) + DRIFT)) {
            return "a variance is out of range";
        }
        for (int j = 0; j < i; j++) {
            if (!(belief->covariance[i][j] == belief->covariance[j][i])) {
                return "the covariance is not symmetric";
            }
        }
    }
    for (int i = 0; i < WARNING_COUNT; i++) {
        if (!(belief->plain_warning[i] >= WARNING_WEIGHT_MIN && belief->plain_warning[i] <= 0)) {
            return "a plain weight of a warning is out of range";
        }
    }
    if (!(belief->lessons >= 0 && isfinite(belief->lessons) && t->weight >= 0 &&
          t->weight <= BELIEF_MEMORY + 1 && isfinite(t->plain + t->learned + t->gain) &&
          t->gain_square >= 0 && isfinite(t->gain_square))) {
        return "its tests are out of range";
    }
    return NULL;
}
