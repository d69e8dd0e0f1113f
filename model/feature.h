/* feature: what the learned layer (model/belief.h) looks at besides the warning signs: figures of
 * a customer that P(buy) does not see, or that this population weighs otherwise than the model.
 *
 * In silence every one of them but SCALE is constant between steps whose times are known, so that
 * the crossing of a threshold stays computable: whole doublings of silence instead of its
 * logarithm, engagement in the customer's ten-day bins. */
#ifndef LC_MODEL_FEATURE_H
#define LC_MODEL_FEATURE_H

#include <stdint.h>

#include "model/warning.h"

struct customer;
struct params;

/* FEATURE(id, name in alerts, figure → what is weighed). Append only: records list weights in this
 * order. */
#define FEATURES_TABLE(FEATURE)                                                                    \
    FEATURE(SCALE, "p_buy_scale", "logit P(buy) of the model, as it is")                           \
    FEATURE(LEVEL, "population_level", "1")                                                        \
    FEATURE(FREQUENCY, "repeat_days", "ln(1 + repeat purchase days)")                              \
    FEATURE(SILENCE, "silence_days", "a fifth for each of 10, 30, 70, 150 … days reached")         \
    FEATURE(SPEND, "mean_spend", "ln(1 + net spend a purchase day, major units)/5")                \
    FEATURE(ENGAGEMENT, "events_30d", "ln(1 + engagement events of the last 30 days)/2")

enum feature {
#define FEATURE(id, name, weighed) FEATURE_##id,
    FEATURES_TABLE(FEATURE)
#undef FEATURE
        FEATURE_COUNT
};

const char *feature_label(enum feature feature);
/* What a figure weighs, of order 1. */
double feature_of(enum feature feature, double figure);
/* The figures at a time; SCALE, the model's logit, is left to the caller and 0 here. */
void feature_figures(const struct customer *customer, int64_t at_ms, const struct params *params,
                     double ret_figure[FEATURE_COUNT]);
/* Silence after which SILENCE steps for the i-th time, i from 0; ten steps make 28 years. */
#define FEATURE_SILENCE_STEPS 10
int64_t feature_silence_step_ms(int i);

/* The range of a weight that a fold may use. P(buy) keeps falling with silence (SCALE above −1),
 * and engagement never speaks against the customer: then a sign of life can only put off what
 * silence brings, which the fold's short way leans on. */
double feature_weight_min(enum feature feature);
double feature_weight_max(enum feature feature);

#endif
