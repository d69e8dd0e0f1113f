#include "model/merge.h"

#include "model/episode.h"
#include "model/purchase.h"
#include "model/ticket.h"
#include <string.h>

static int64_t later(int64_t left, int64_t right)
{
    return left > right ? left : right;
}

static int64_t sooner(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

static uint32_t sum_u32(uint32_t left, uint32_t right)
{
    return left > UINT32_MAX - right ? UINT32_MAX : left + right;
}

static void merge_times(struct customer *into, const struct customer *from)
{
    into->now_ms = later(into->now_ms, from->now_ms);
    into->first_ms = sooner(into->first_ms, from->first_ms);
    into->touch_ms = later(into->touch_ms, from->touch_ms);
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        into->count[type] = sum_u32(into->count[type], from->count[type]);
        into->last_ms[type] = later(into->last_ms[type], from->last_ms[type]);
    }
}

/* Whose stage history goes on: of whoever bought last; else of the furthest in the funnel; else of
 * the one that has been there for longer. So joining a known customer with one that was made by the
 * Alias itself moves nothing. */
static bool history_is_of(const struct customer *from, const struct customer *into)
{
    if (into->stage == STAGE_NONE || from->stage == STAGE_NONE)
        return into->stage == STAGE_NONE;
    if (from->last_purchase_ms != into->last_purchase_ms)
        return from->last_purchase_ms > into->last_purchase_ms;
    if (from->stage != into->stage)
        return from->stage > into->stage;
    return from->stage_since_ms < into->stage_since_ms;
}

static void merge_stage(struct customer *into, const struct customer *from)
{
    if (history_is_of(from, into)) {
        into->stage = from->stage;
        into->stage_reason = from->stage_reason;
        into->stage_since_ms = from->stage_since_ms;
        into->stage_cause = from->stage_cause;
        into->returned = from->returned;
        into->churn_reason = from->churn_reason;
        into->risk_since_ms = from->risk_since_ms;
    }
    into->churned_ms = later(into->churned_ms, from->churned_ms);
    into->funnel = from->funnel > into->funnel ? from->funnel : into->funnel;
    into->funnel_since_ms = later(into->funnel_since_ms, from->funnel_since_ms);
    if (into->trial_ends_ms == INT64_MAX ||
        (from->trial_ends_ms != INT64_MAX && from->trial_ends_ms > into->trial_ends_ms))
        into->trial_ends_ms = from->trial_ends_ms;
}

static void merge_bins(struct customer *into, const struct customer *from)
{
    if (from->bin_newest == INT32_MIN)
        return;
    for (int32_t i = 0; i < CUSTOMER_BINS_MAX; i++) {
        int64_t day = ((int64_t)from->bin_newest - i) * CUSTOMER_BIN_DAYS;
        const struct activity_bin *bin = &from->bins[i];

        if (i == 0 || bin->events > 0 || bin->spend_minor != 0 || bin->cost_minor != 0)
            customer_activity_add(into, (int32_t)day, *bin);
    }
}

static void merge_profile(struct customer *into, const struct customer *from)
{
    into->categories |= from->categories;
    if (from->category_ms > into->category_ms ||
        (from->category_ms == into->category_ms &&
         memcmp(from->category, into->category, sizeof into->category) > 0)) {
        into->category_ms = from->category_ms;
        memcpy(into->category, from->category, sizeof into->category);
    }
    if (from->channel_ms < into->channel_ms ||
        (from->channel_ms == into->channel_ms &&
         memcmp(from->channel, into->channel, sizeof into->channel) < 0)) {
        into->channel_ms = from->channel_ms;
        memcpy(into->channel, from->channel, sizeof into->channel);
    }
    into->cost_minor = customer_money_add(into->cost_minor, from->cost_minor);
}

/* The newest word; of two at once the worse, CSAT before NPS. */
static void merge_scores(struct customer *into, const struct customer *from)
{
    into->scores = sum_u32(into->scores, from->scores);
    into->score_sum_pct = customer_money_add(into->score_sum_pct, from->score_sum_pct);
    if (from->score_last_ms < into->score_last_ms ||
        (from->score_last_ms == into->score_last_ms &&
         (from->score_metric < into->score_metric ||
          (from->score_metric == into->score_metric && from->score_last >= into->score_last))))
        return;
    into->score_last_ms = from->score_last_ms;
    into->score_metric = from->score_metric;
    into->score_last = from->score_last;
}

/* Who refused under either id has refused, until the next word on it. */
static void merge_consent(struct customer *into, const struct customer *from)
{
    for (int i = 0; i < CONSENT_PURPOSE_COUNT; i++) {
        into->consent_denied[i] = into->consent_denied[i] || from->consent_denied[i];
        into->consent_ms[i] = later(into->consent_ms[i], from->consent_ms[i]);
    }
}

static void merge_subscription(struct subscription *into, const struct subscription *from)
{
    into->renewals = sum_u32(into->renewals, from->renewals);
    if (from->changed_ms > into->changed_ms ||
        (from->changed_ms == into->changed_ms &&
         (from->state > into->state || (from->state == into->state && from->fp > into->fp)))) {
        into->changed_ms = from->changed_ms;
        into->state = from->state;
        into->fp = from->fp;
    }
    if (from->term_ms > into->term_ms ||
        (from->term_ms == into->term_ms && from->ends_ms < into->ends_ms)) {
        into->term_ms = from->term_ms;
        into->ends_ms = from->ends_ms;
    }
    if (from->plan_ms > into->plan_ms ||
        (from->plan_ms == into->plan_ms && memcmp(from->plan, into->plan, sizeof into->plan) > 0)) {
        into->plan_ms = from->plan_ms;
        memcpy(into->plan, from->plan, sizeof into->plan);
    }
}

/* The better of the two tiers, until the sum is assessed. */
static void merge_tier(struct customer *into, const struct customer *from)
{
    bool better = from->tier != TIER_NONE && (into->tier == TIER_NONE || from->tier < into->tier);

    into->value_minor = customer_money_add(into->value_minor, from->value_minor);
    into->assessed_ms = later(into->assessed_ms, from->assessed_ms);
    if (better || (from->tier == into->tier && from->tier_since_ms > into->tier_since_ms)) {
        into->tier = from->tier;
        into->tier_since_ms = from->tier_since_ms;
        into->tier_below_ms = from->tier_below_ms;
    }
}

void merge_customer(struct customer *into, const struct customer *from, const struct params *params)
{
    struct customer rest = *from; /* what is not given yet */

    merge_stage(into, from);
    merge_times(into, from);
    purchase_merge(into, &rest, params);
    merge_bins(into, &rest);
    merge_profile(into, from);
    merge_scores(into, from);
    ticket_merge(into, from);
    merge_consent(into, from);
    merge_subscription(&into->subscription, &from->subscription);
    merge_tier(into, from);
    episode_merge(into, from);
}
