/* stage: which of the nine lifecycle stages a customer is in. One ordered list of rules; the first
 * true row wins (docs/MODELS.md, "Lifecycle stage"). Pure: the caller (fold.c) records the move. */
#ifndef LC_MODEL_STAGE_H
#define LC_MODEL_STAGE_H

#include "model/customer.h"

struct stage_verdict {
    enum stage stage;
    enum stage_reason reason;
};

/* Stage at `at_ms`, given the state as of then (the present stage matters: loyal is easier to keep
 * than to enter). */
struct stage_verdict stage_of(const struct customer *customer, int64_t at_ms,
                              const struct params *params);
/* Earliest time > at_ms at which stage_of() of a silent customer would answer something else, or
 * the risk becomes or stops being elevated; INT64_MAX never. */
int64_t stage_due(const struct customer *customer, int64_t at_ms, const struct params *params);
/* The same, given when the risk next passes the threshold: up while risk_since_ms is INT64_MAX,
 * else down. For a caller that has worked it out already; stages in which the risk moves nothing do
 * not look at it. */
int64_t stage_due_given(const struct customer *customer, int64_t at_ms, int64_t risk_turns_ms,
                        const struct params *params);
/* New, growing, loyal, won back: a risk that has risen and stayed makes it decline. */
bool stage_watches_risk(enum stage stage);
/* Bought since it last churned, on one day so far: the test of won_back. */
bool stage_returned(const struct customer *customer);
/* Risk ≥ decline_risk and ≥ base + decline_risk_rise: the test shared by `declining` and
 * churn_risk. */
double stage_risk_threshold(const struct customer *customer, const struct params *params);
/* Times at which silence makes it declining or churned; INT64_MAX while a subscription term covers
 * the silence. */
int64_t stage_decline_ms(const struct customer *customer, const struct params *params);
int64_t stage_churn_ms(const struct customer *customer, const struct params *params);
/* When a silent potential customer is forgotten; INT64_MAX for anybody else. */
int64_t stage_forget_ms(const struct customer *customer, const struct params *params);

#endif
