/* stage: which of the nine lifecycle stages a customer is in. One ordered list of rules; the first true row wins
 * (docs/MODELS.md, "Lifecycle stage"). Pure: the caller (fold.c) records the move. */
#ifndef LC_MODEL_STAGE_H
#define LC_MODEL_STAGE_H

#include "model/customer.h"

struct stage_verdict {
    enum stage stage;
    enum stage_reason reason;
};

/* Stage at `at_ms`, given the state as of then (the present stage matters: loyal is easier to keep than to enter). */
struct stage_verdict stage_of(const struct customer *customer, int64_t at_ms, const struct params *params);
/* Earliest time > at_ms at which stage_of() of a silent customer would answer something else, or the risk becomes or stops
 * being elevated; INT64_MAX never. */
int64_t stage_due(const struct customer *customer, int64_t at_ms, const struct params *params);
/* Risk ≥ decline_risk and ≥ base + decline_risk_rise: the test shared by `declining` and churn_risk. */
double stage_risk_threshold(const struct customer *customer, const struct params *params);
/* Times at which silence makes it declining or churned; INT64_MAX while a subscription term covers the silence. */
int64_t stage_decline_ms(const struct customer *customer, const struct params *params);
int64_t stage_churn_ms(const struct customer *customer, const struct params *params);
/* When a silent potential customer is forgotten; INT64_MAX for anybody else. */
int64_t stage_forget_ms(const struct customer *customer, const struct params *params);

#endif
