/* census: see the header. */
#include "insight/census.h"

#include <math.h>
#include <string.h>

#include "base/must.h"
#include "base/text.h"
#include "model/value.h"

#define PPM       1e6
#define TOP_SHARE 0.2

void census_init(struct census *ret_census, int64_t at_ms, const struct params *params)
{
    memset(ret_census, 0, sizeof *ret_census);
    ret_census->at_ms = at_ms;
    ret_census->params = params;
}

const char *census_channel_name(const struct census *census, int channel)
{
    MUST(channel < census->channels);
    if (channel == CENSUS_CHANNELS_MAX - 1)
        return "other";
    return census->channel_name[channel][0] ? census->channel_name[channel] : "unknown";
}

static struct census_group *channel_of(struct census *census, const struct customer *customer)
{
    char name[CUSTOMER_TEXT_MAX + 1] = "";
    int i = 0;

    memcpy(name, customer->channel, CUSTOMER_TEXT_MAX);
    while (i < census->channels && strcmp(census->channel_name[i], name) != 0)
        i++;
    if (i == census->channels && i < CENSUS_CHANNELS_MAX) {
        if (i < CENSUS_CHANNELS_MAX - 1)
            memcpy(census->channel_name[i], name, sizeof name);
        census->channels++;
    }
    return &census->channel[i < CENSUS_CHANNELS_MAX ? i : CENSUS_CHANNELS_MAX - 1];
}

static int64_t days_since(int64_t then_ms, int64_t at_ms)
{
    return then_ms == INT64_MIN || then_ms > at_ms ? 0 : (at_ms - then_ms) / TEXT_MS_PER_DAY;
}

static bool has_open_complaint(const struct customer *customer)
{
    for (int i = 0; i < customer->tickets; i++)
        if (customer->ticket[i].complaint && customer->ticket[i].opened_ms != INT64_MIN &&
            customer->ticket[i].resolved_ms == INT64_MIN)
            return true;
    return false;
}

/* One customer as a group of its own. */
static struct census_group figures_of(const struct census *census, const struct customer *c)
{
    const int64_t at_ms = census->at_ms;
    const bool bought = c->purchase_days > 0, running = customer_subscribed(c, at_ms);
    struct churn_risk risk;
    struct value value;

    churn_risk_at(c, at_ms, census->params, &risk);
    value_at(c, at_ms, census->params, &value);
    return (struct census_group){
        .customers = 1,
        .buyers = bought,
        .value_minor = value.clv_minor,
        .revenue_minor = c->spend_minor,
        .recent_minor = customer_spend_between(c, at_ms, CENSUS_RECENT_DAYS, 0),
        .cost_minor = c->cost_minor,
        .purchase_days = c->purchase_days,
        .at_risk = bought || risk.subscribed,
        .risk_ppm = bought || risk.subscribed ? (int64_t)rint(risk.risk * PPM) : 0,
        .scores = c->scores,
        .score_pct = c->score_sum_pct,
        .complained = c->count[EVENT_COMPLAINT_FILED] > 0,
        .complaining = has_open_complaint(c),
        .engagements = customer_events_between(c, at_ms, CENSUS_RECENT_DAYS, 0),
        .referrers = c->count[EVENT_REFERRAL_MADE] > 0,
        .late_payers = c->count[EVENT_PAYMENT_LATE] + c->count[EVENT_PAYMENT_FAILED] > 0,
        .renewals = c->subscription.renewals,
        .subscribers = running,
        .cross_buyers = __builtin_popcountll(c->categories) > 1,
        .loyal = c->stage == STAGE_LOYAL,
        .churned = c->stage == STAGE_CHURNED,
        .demos = bought || c->funnel == STAGE_DEMO || c->funnel == STAGE_TRIAL,
        .trials = bought || c->funnel == STAGE_TRIAL,
        .repeaters = c->purchase_days > 1,
        .stage_days = days_since(c->stage_since_ms, at_ms),
        .tenure_days = days_since(c->first_ms, at_ms),
    };
}

static void add(struct census_group *group, const struct census_group *more)
{
#define CENSUS_FIELD(name, help) group->name = customer_money_add(group->name, more->name);
    CENSUS_FIELDS_TABLE(CENSUS_FIELD)
#undef CENSUS_FIELD
}

void census_add(struct census *census, const struct customer *customer)
{
    struct census_group one;

    if (customer->stage == STAGE_NONE) {
        census->erased++;
        return;
    }
    one = figures_of(census, customer);
    add(&census->all, &one);
    add(&census->stage[customer->stage], &one);
    add(&census->tier[customer->tier], &one);
    add(&census->class[tier_class(customer, census->at_ms, census->params)], &one);
    add(channel_of(census, customer), &one);
    census->stage_reason[customer->stage][customer->stage_reason]++;
    if (customer->stage == STAGE_CHURNED)
        census->churn_reason[customer->churn_reason]++;
    if (customer->churned_ms != INT64_MIN) {
        census->ever_churned++;
        census->returned += customer->stage != STAGE_CHURNED;
    }
    if (one.buyers > 0) {
        spread_add(&census->value, one.value_minor);
        spread_add(&census->revenue, one.revenue_minor);
    }
}

void census_tell(const struct census *census, struct insight *insight)
{
    insight->buyers = census->value.count;
    for (int i = 0; i < INSIGHT_CUTS; i++)
        insight->value_cut_minor[i] = spread_quantile(&census->value, i);
    /* The exact ends may lie off the middle of their buckets. */
    for (int i = 1; i < INSIGHT_CUTS; i++)
        if (insight->value_cut_minor[i] < insight->value_cut_minor[i - 1])
            insight->value_cut_minor[i] = insight->value_cut_minor[i - 1];
    insight->value_gini = spread_gini(&census->value);
    insight->value_top20 = spread_top_share(&census->value, TOP_SHARE);
    insight->revenue_gini = spread_gini(&census->revenue);
    insight->revenue_top20 = spread_top_share(&census->revenue, TOP_SHARE);
}
