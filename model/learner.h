/* learner: the weights of the learned layer, from what became of customers.
 *
 * Logistic regression on top of the model: logit P(buy) = base + Σ weight·feature + Σ weight·sign.
 * The weights have a Gaussian belief that starts as the model with the configured warnings (prior
 * mean 0 for features, the settings for signs), and takes one matured lesson after the other by
 * Laplace's approximation with the full covariance (Spiegelhalter, Lauritzen 1990; Murphy 2012,
 * §8.5). A little variance is added with every lesson, so that it never stops learning.
 *
 * Every lesson is a test first: with the weights of then, against plain P(buy) on the same lesson.
 * Only while the tested log loss is the better one are weights worth publishing. Pure, a plain
 * value; the order of lessons matters in the last digits only. */
#ifndef LC_MODEL_LEARNER_H
#define LC_MODEL_LEARNER_H

#include <stdbool.h>

#include "model/feature.h"

#define LEARNER_SIZE (FEATURE_COUNT + WARNING_COUNT)

/* What was known of a customer at some time: figures (SCALE: the model's logit P(buy)), and which
 * signs showed. */
struct lesson {
    double figure[FEATURE_COUNT];
    bool sign[WARNING_COUNT];
};

/* Log losses of the newest lessons, older ones fading (LEARNER_MEMORY). */
struct learner_test {
    double weight; /* of all below: the number of lessons, once faded */
    double plain, learned;
    double gain, gain_square; /* Σ (plain − learned), Σ its square */
};

struct learner {
    double mean[LEARNER_SIZE]; /* weights of features, then of warnings */
    double covariance[LEARNER_SIZE][LEARNER_SIZE];
    double plain_warning[WARNING_COUNT]; /* weights that plain P(buy) uses */
    double lessons;                      /* ever taken */
    struct learner_test test;
    bool better; /* worth publishing: see learner_take */
};

#define LEARNER_LESSONS_MIN 1000  /* tests before anything is published */
#define LEARNER_MEMORY      10000 /* lessons: a test fades to 1/e in so many */

/* A weight as a fold may use it (insight_check). */
struct learner_weights {
    double feature[FEATURE_COUNT], warning[WARNING_COUNT];
};

void learner_init(struct learner *ret_learner, const double plain_warning[WARNING_COUNT]);
/* The mean of the belief, held in the ranges of feature.h and warning.h: a sign never speaks for
 * the customer, engagement never against it. */
void learner_weights(const struct learner *learner, struct learner_weights *ret_weights);
/* logit P(buy) by such weights, and without them. */
double learner_logit(const struct learner_weights *weights, const struct lesson *lesson);
double learner_plain_logit(const struct learner *learner, const struct lesson *lesson);
/* Tests on the lesson, then takes it. `better` begins when the gain over plain P(buy) is two
 * standard errors above 0 and ends when it is no longer above 0. A lesson that is not finite is
 * left out. */
void learner_take(struct learner *learner, const struct lesson *lesson, bool bought);
/* NULL when it is one that learner_take could have made: finite, covariance symmetric with a
 * positive diagonal, counts not negative; else which fact does not hold. */
const char *learner_check(const struct learner *learner);

#endif
