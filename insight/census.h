/* census: the figures of a whole population at one time: how value and revenue are spread, and for
 * each stage, tier, class and channel who is there and what they are worth. Added up customer by
 * customer in a walk; integers, so the order does not matter. */
#ifndef LC_INSIGHT_CENSUS_H
#define LC_INSIGHT_CENSUS_H

#include "insight/spread.h"
#include "model/churn.h"
#include "model/tier.h"

#define CENSUS_CHANNELS_MAX 32 /* the last one takes all that do not fit */
#define CENSUS_CLASSES      (CLASS_NURTURE + 1)
#define CENSUS_RECENT_DAYS  90

/* CENSUS_FIELD(name, what it sums over the customers of a group) */
#define CENSUS_FIELDS_TABLE(CENSUS_FIELD)                                                          \
    CENSUS_FIELD(customers, "customers")                                                           \
    CENSUS_FIELD(buyers, "with a purchase")                                                        \
    CENSUS_FIELD(value_minor, "expected 12-month value")                                           \
    CENSUS_FIELD(revenue_minor, "net spend of all time")                                           \
    CENSUS_FIELD(recent_minor, "net spend of the last 90 days")                                    \
    CENSUS_FIELD(cost_minor, "service cost of all time")                                           \
    CENSUS_FIELD(purchase_days, "purchase days")                                                   \
    CENSUS_FIELD(at_risk, "customers with a churn risk (buyers, subscribers)")                     \
    CENSUS_FIELD(risk_ppm, "their risk, millionths")                                               \
    CENSUS_FIELD(scores, "answers to surveys")                                                     \
    CENSUS_FIELD(score_pct, "their scores, 0-100")                                                 \
    CENSUS_FIELD(complained, "customers who ever complained")                                      \
    CENSUS_FIELD(complaining, "customers with an open complaint")                                  \
    CENSUS_FIELD(engagements, "engagements of the last 90 days")                                   \
    CENSUS_FIELD(referrers, "customers who made a referral")                                       \
    CENSUS_FIELD(late_payers, "customers with a late or failed payment")                           \
    CENSUS_FIELD(renewals, "renewals made")                                                        \
    CENSUS_FIELD(subscribers, "with a running subscription")                                       \
    CENSUS_FIELD(cross_buyers, "who bought of two categories or more")                             \
    CENSUS_FIELD(loyal, "in stage loyal")                                                          \
    CENSUS_FIELD(churned, "in stage churned")                                                      \
    CENSUS_FIELD(demos, "who came as far as a demo, a trial or a purchase")                        \
    CENSUS_FIELD(trials, "who came as far as a trial or a purchase")                               \
    CENSUS_FIELD(repeaters, "with two purchase days or more")                                      \
    CENSUS_FIELD(stage_days, "days since they entered their stage")                                \
    CENSUS_FIELD(tenure_days, "days since they were first seen")

struct census_group {
#define CENSUS_FIELD(name, help) int64_t name;
    CENSUS_FIELDS_TABLE(CENSUS_FIELD)
#undef CENSUS_FIELD
};

struct census {
    int64_t at_ms;
    const struct params *params;  /* borrowed; with the insight by which percentiles are told */
    struct spread value, revenue; /* of buyers */
    struct census_group all;
    struct census_group stage[STAGE_COUNT], tier[TIER_COUNT], class[CENSUS_CLASSES];
    struct census_group channel[CENSUS_CHANNELS_MAX];
    char channel_name[CENSUS_CHANNELS_MAX][CUSTOMER_TEXT_MAX + 1]; /* "" : none known */
    int channels;
    int64_t churn_reason[CHURN_REASON_COUNT]; /* of those in stage churned */
    int64_t stage_reason[STAGE_COUNT][STAGE_REASON_COUNT];
    int64_t ever_churned, returned; /* and of them those who bought again */
    int64_t erased;
};

void census_init(struct census *ret_census, int64_t at_ms, const struct params *params);
void census_add(struct census *census, const struct customer *customer);
/* Into an insight: the value cuts, how many buyers stand behind them, how uneven they are. */
void census_tell(const struct census *census, struct insight *insight);
/* Name of a channel: "unknown" for none, "other" for the rest. */
const char *census_channel_name(const struct census *census, int channel);

#endif
