/* feature: figures from the state, and the curves that bring each to order 1. */
#include "model/feature.h"

#include <math.h>

#include "base/must.h"
#include "base/text.h"
#include "model/customer.h"

#define SILENCE_FIRST_DAYS 10
#define ENGAGED_DAYS       30
#define WEIGHT_MAX         20.0 /* of a feature of order 1 no more is believable */

const char *feature_label(enum feature feature)
{
    static const char *const labels[FEATURE_COUNT] = {
#define FEATURE(id, name, weighed) [FEATURE_##id] = name,
        FEATURES_TABLE(FEATURE)
#undef FEATURE
    };
    MUST((unsigned)feature < FEATURE_COUNT);
    return labels[feature];
}

static int64_t silence_step_days(int i)
{
    return SILENCE_FIRST_DAYS * ((INT64_C(2) << i) - 1);
}

int64_t feature_silence_step_ms(int i)
{
    MUST(i >= 0);
    MUST(i < FEATURE_SILENCE_STEPS);
    return silence_step_days(i) * TEXT_MS_PER_DAY;
}

/* Steps reached. A whole number of days is exact in binary64, so that a step is reached at its
 * millisecond. */
static int silence_steps(double days)
{
    int steps = 0;
    while (steps < FEATURE_SILENCE_STEPS && days >= (double)silence_step_days(steps))
        steps++;
    return steps;
}

double feature_of(enum feature feature, double figure)
{
    switch (feature) {
    case FEATURE_FREQUENCY:
        return log1p(figure);
    case FEATURE_SILENCE:
        return silence_steps(figure) / 5.0;
    case FEATURE_SPEND:
        return log1p(fmax(0, figure)) / 5;
    case FEATURE_ENGAGEMENT:
        return log1p(figure) / 2;
    default:
        return figure;
    }
}

double feature_weight_min(enum feature feature)
{
    return feature == FEATURE_SCALE ? -0.9 : feature == FEATURE_ENGAGEMENT ? 0 : -WEIGHT_MAX;
}

double feature_weight_max(enum feature feature)
{
    return feature == FEATURE_SCALE ? 4 : WEIGHT_MAX;
}

void feature_figures(const struct customer *customer, int64_t at_ms, const struct params *params,
                     double ret_figure[FEATURE_COUNT])
{
    const struct history h = customer_history(customer, at_ms);
    const double spend = (double)customer->spend_minor / currency_minor_in_major(params->reporting);
    ret_figure[FEATURE_SCALE] = 0;
    ret_figure[FEATURE_LEVEL] = 1;
    ret_figure[FEATURE_FREQUENCY] = h.x;
    ret_figure[FEATURE_SILENCE] = h.T - h.t_x;
    ret_figure[FEATURE_SPEND] = spend / customer->purchase_days;
    ret_figure[FEATURE_ENGAGEMENT] = customer_events_between(customer, at_ms, ENGAGED_DAYS, 0);
}
