/* tier: see the header. The cuts come with the insight in force; a new insight re-arms everybody
 * (fold_rearm), so that all are assessed against it within the hour. */
#include "model/tier.h"

#include "base/must.h"
#include "model/rhythm.h"

#define GROWTH_DAYS 90

const char *tier_label(enum tier tier)
{
    static const char *const labels[] = {
        [TIER_NONE] = NULL, [TIER_A] = "A", [TIER_B] = "B", [TIER_C] = "C", [TIER_D] = "D"};

    MUST((unsigned)tier < TIER_COUNT);
    return labels[tier];
}

double tier_floor(enum tier tier, const struct params *params)
{
    double above = 0; /* share of those in the tier and above */

    MUST(tier > TIER_NONE);
    MUST(tier < TIER_COUNT);
    if (tier == TIER_D)
        return 0;
    above += params->tier_a;
    if (tier >= TIER_B)
        above += params->tier_b;
    if (tier >= TIER_C)
        above += params->tier_c;
    return above >= 1 ? 0 : 100 * (1 - above);
}

static enum tier tier_of(double percentile, const struct params *params)
{
    enum tier tier = TIER_A;

    while (percentile < tier_floor(tier, params))
        tier++;
    return tier;
}

static void move(struct customer *customer, enum tier tier, int64_t at_ms)
{
    customer->tier = tier;
    customer->tier_since_ms = at_ms;
    customer->tier_below_ms = INT64_MAX;
}

/* Below the present tier's floor by the margin: since when, and is it long enough? */
static void sink(struct customer *customer, double percentile, int64_t at_ms,
                 const struct params *params)
{
    if (percentile >= tier_floor(customer->tier, params) - params->demote_points) {
        customer->tier_below_ms = INT64_MAX;
        return;
    }
    if (customer->tier_below_ms == INT64_MAX)
        customer->tier_below_ms = at_ms;
    if (at_ms - customer->tier_below_ms >= params->demote_after_ms)
        move(customer, tier_of(percentile, params), at_ms);
}

void tier_assess(struct customer *customer, int64_t value_minor, int64_t at_ms,
                 const struct params *params)
{
    double percentile;
    enum tier tier;

    customer->value_minor = value_minor;
    customer->assessed_ms = at_ms;
    if (customer->purchase_days == 0) {
        move(customer, TIER_NONE, at_ms);
        return;
    }
    if (params->insight.buyers == 0)
        return;
    percentile = insight_percentile(&params->insight, value_minor);
    tier = tier_of(percentile, params);
    if (customer->tier == TIER_NONE || tier < customer->tier)
        move(customer, tier, at_ms);
    else if (tier > customer->tier)
        sink(customer, percentile, at_ms, params);
    else
        customer->tier_below_ms = INT64_MAX;
}

int64_t tier_due(const struct customer *customer, int64_t at_ms, const struct params *params)
{
    int64_t every_ms = params->reassess_ms, due_ms;

    if (customer->purchase_days == 0 || params->insight.buyers == 0)
        return INT64_MAX;
    if (customer->stage == STAGE_CHURNED)
        every_ms *= 4;
    due_ms = customer->assessed_ms == INT64_MIN ? at_ms + 1 : customer->assessed_ms + every_ms;
    if (customer->tier_below_ms != INT64_MAX &&
        customer->tier_below_ms + params->demote_after_ms < due_ms)
        due_ms = customer->tier_below_ms + params->demote_after_ms;
    return due_ms > at_ms ? due_ms : at_ms + 1;
}

enum customer_class tier_class(const struct customer *customer, int64_t at_ms,
                               const struct params *params)
{
    int64_t recent, before;

    if (customer->purchase_days == 0 || customer->stage == STAGE_CHURNED)
        return CLASS_NONE;
    if ((customer->tier == TIER_A || customer->tier == TIER_B) &&
        (double)rhythm_silence_ms(customer, at_ms) >=
            params->decline_gaps * (double)rhythm_gap_ms(customer, params))
        return CLASS_SLEEPING;
    recent = customer_spend_between(customer, at_ms, GROWTH_DAYS, 0);
    before = customer_spend_between(customer, at_ms, 2 * GROWTH_DAYS, GROWTH_DAYS);
    if (before > 0 && (double)recent >= (1 + params->upsell_growth) * (double)before)
        return CLASS_FAST_GROWING;
    if (customer->stage == STAGE_LOYAL)
        return CLASS_LOYAL;
    if ((customer->tier == TIER_C || customer->tier == TIER_D) && recent > before)
        return CLASS_NURTURE;
    return CLASS_NONE;
}

const char *tier_class_label(enum customer_class class)
{
    static const char *const labels[] = {[CLASS_NONE] = NULL,
                                         [CLASS_LOYAL] = "loyal",
                                         [CLASS_FAST_GROWING] = "fast_growing",
                                         [CLASS_SLEEPING] = "sleeping",
                                         [CLASS_NURTURE] = "worth_nurturing"};

    MUST((unsigned)class <= CLASS_NURTURE);
    return labels[class];
}
