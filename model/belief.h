/* belief: the weights of the learned layer, from what became of customers.
 *
 * Logistic regression on top of the model: logit P(buy) = base + Σ weight·feature + Σ weight·sign.
 * The weights have a Gaussian belief that starts as the model with the configured warnings (prior
 * mean 0 for features, the settings for signs), and takes one matured lesson after the other by
 * Laplace's approximation with the full covariance (Spiegelhalter, Lauritzen 1990). A little
 * variance is added with every lesson, so that it never stops learning.
 *
 * Every lesson is a test first: with the weights of then, against plain P(buy) on the same lesson.
 * Only while the tested log loss is the better one are weights worth publishing. Pure, a plain
 * value; the order of lessons matters in the last digits only. */
#ifndef LC_MODEL_BELIEF_H
#define LC_MODEL_BELIEF_H

#include <stdbool.h>

#include "model/feature.h"

#define BELIEF_SIZE (FEATURE_COUNT + WARNING_COUNT)

/* What was known of a customer at some time: figures (SCALE: the model's logit P(buy)), and which
 * signs showed. */
struct lesson {
    double figure[FEATURE_COUNT];
    bool sign[WARNING_COUNT];
};

/* Log losses of the newest lessons, older ones fading (BELIEF_MEMORY). */
struct belief_test {
    double weight; /* of all below: the number of lessons, once faded */
    double plain, learned;
    double gain, gain_square; /* Σ (plain − learned), Σ its square */
};

struct belief {
    double mean[BELIEF_SIZE]; /* weights of features, then of warnings */
    double covariance[BELIEF_SIZE][BELIEF_SIZE];
    double plain_warning[WARNING_COUNT]; /* weights that plain P(buy) uses */
    double lessons;                      /* ever taken */
    struct belief_test test;
    bool better; /* worth publishing: see belief_take */
};

#define BELIEF_LESSONS_MIN 1000  /* tests before anything is published */
#define BELIEF_MEMORY      10000 /* lessons: a test fades to 1/e in so many */

/* A weight as a fold may use it (insight_check). */
struct belief_weights {
    double feature[FEATURE_COUNT], warning[WARNING_COUNT];
};

void belief_init(struct belief *ret_belief, const double plain_warning[WARNING_COUNT]);
/* The mean of the belief, held in the ranges of feature.h and warning.h: a sign never speaks for
 * the customer, engagement never against it. */
void belief_weights(const struct belief *belief, struct belief_weights *ret_weights);
/* logit P(buy) by such weights, and without them. */
double belief_logit(const struct belief_weights *weights, const struct lesson *lesson);
double belief_plain_logit(const struct belief *belief, const struct lesson *lesson);
/* Tests on the lesson, then takes it. `better` begins when the gain over plain P(buy) is two
 * standard errors above 0 and ends when it is no longer above 0. A lesson that is not finite is
 * left out. */
void belief_take(struct belief *belief, const struct lesson *lesson, bool bought);
/* NULL when it is one that belief_take could have made: finite, covariance symmetric with a
 * positive diagonal, counts not negative; else which fact does not hold. */
const char *belief_check(const struct belief *belief);

#endif
