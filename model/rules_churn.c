/* rules_churn: the warnings: risk, activity, satisfaction, complaints, renewals. */
#include "base/must.h"
#include "base/text.h"
#include "model/activity.h"
#include "model/relief.h"
#include "model/rules.h"
#include "model/stage.h"

#define RENEWAL_BANDS 3
#define SALT_TICKET   UINT64_C(0x7469636b65740003)

/* A and B are worth a human, C an offer, D what costs nothing; without tiers the band decides. */
static const char *retention_action(enum tier tier, uint8_t band)
{
    switch (tier) {
    case TIER_A:
    case TIER_B:
        return "personal_call";
    case TIER_C:
        return "retention_offer";
    case TIER_D:
        return "automated_message";
    default:
        return band >= 2 ? "personal_call" : "retention_offer";
    }
}

/* The terms of logit P(buy): they sum to it exactly, in this order. */
static void explain_churn_risk(struct view *view, struct effect *effect)
{
    const struct churn_risk *risk = rule_risk(view);
    bool ends = effect->phase == PHASE_RESOLVED || effect->phase == PHASE_RETRACTED;

    _Static_assert(1 + FEATURE_COUNT + WARNING_COUNT <= EFFECT_REASONS_MAX, "every term fits");
    effect->action = retention_action(view->customer->tier, effect->band);
    if (!ends)
        effect->clears_when = relief_of(view, &effect->clears_amount);
    rule_reason(effect, "p_buy_model", risk->p_buy_model,
                1 - churn_risk_base(view->customer, view->params), risk->base_logit);
    for (int i = 0; i < FEATURE_COUNT; i++)
        if (risk->learned[i] < 0 || risk->learned[i] > 0)
            rule_reason(effect, feature_label((enum feature)i), risk->figure[i], 0,
                        risk->learned[i]);
    for (int i = 0; i < WARNING_COUNT; i++)
        if (risk->contribution[i] < 0 || risk->contribution[i] > 0)
            rule_reason(effect, warning_label((enum warning)i), risk->value[i], risk->baseline[i],
                        risk->contribution[i]);
}

/* Opens at the threshold that `declining` uses too (rules.churn_risk_high when that is above),
 * closes churn_risk_clear below it. Churn takes over from it: stage_changed and win_back tell that.
 */
void rule_churn_risk(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    const struct customer *customer = view->customer;
    const struct params *params = view->params;
    const struct episode *episode = customer_episode(customer, KIND_CHURN_RISK, 0);
    bool open = episode != NULL && episode->phase == EPISODE_OPEN;
    double risk, high, critical;

    rule_none_holds(instance, explain_churn_risk, ret_answer);
    ret_answer->quiet = customer->stage == STAGE_CHURNED;
    if (instance > 0 || customer->purchase_days == 0 || customer->stage == STAGE_CHURNED)
        return;
    high = rule_high(view);
    critical = params->churn_risk_critical > high ? params->churn_risk_critical : high;
    risk = rule_risk(view)->risk;
    ret_answer->holds = risk >= (open ? high - params->churn_risk_clear : high);
    ret_answer->band = risk >= critical ? 2 : 1;
    ret_answer->since_ms = open ? episode->since_ms : view->at_ms;
    if (!ret_answer->holds) {
        ret_answer->next_ms =
            high == rule_threshold(view) ? rule_crossing(view) : rule_reaches(view, high);
        return;
    }
    ret_answer->next_ms = churn_risk_clearing(
        customer, view->at_ms, open ? high - params->churn_risk_clear : high, params);
    if (risk < critical)
        ret_answer->next_ms = rule_sooner(ret_answer->next_ms, rule_reaches(view, critical));
}

/* --- activity --- */

#define BIN_MS (CUSTOMER_BIN_DAYS * TEXT_MS_PER_DAY)

/* When silence alone next changes whether engagement declines: the windows step with the bins. */
static int64_t decline_turns(struct activity activity, const struct params *params)
{
    const int64_t last = (int64_t)activity.customer->bin_newest + ACTIVITY_BINS_AFTER;
    const bool declines = activity_declines(&activity, params);

    while (activity.bin < last) {
        activity_advance(&activity);
        if (activity_declines(&activity, params) != declines)
            return activity.bin * BIN_MS;
    }
    return INT64_MAX;
}

static void explain_activity_decline(struct view *view, struct effect *effect)
{
    struct activity activity = activity_of(view->customer, customer_bin_of(view->at_ms));
    int64_t before = activity.before, recent = activity.recent;
    /* 2 · recent · 90 ≥ before · 30 */
    int64_t enough =
        (before * ACTIVITY_RECENT_DAYS + 2 * ACTIVITY_BEFORE_DAYS - 1) / (2 * ACTIVITY_BEFORE_DAYS);

    effect->action = "check_in";
    rule_reason(effect, "events_30d", (double)recent,
                (double)before * ACTIVITY_RECENT_DAYS / ACTIVITY_BEFORE_DAYS, 0);
    rule_clears(effect, "engagement", enough > recent ? (double)(enough - recent) : 1);
}

void rule_activity_decline(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    const struct customer *customer = view->customer;
    struct activity activity;

    rule_none_holds(instance, explain_activity_decline, ret_answer);
    ret_answer->quiet = customer->stage == STAGE_CHURNED;
    if (instance > 0 || customer->purchase_days == 0 || customer->stage == STAGE_CHURNED)
        return;
    activity = activity_of(customer, customer_bin_of(view->at_ms));
    ret_answer->holds = activity_declines(&activity, view->params);
    ret_answer->band = 1;
    ret_answer->since_ms = view->at_ms;
    ret_answer->next_ms = decline_turns(activity, view->params);
}

/* --- satisfaction, complaints, renewals --- */

static int64_t poor_score(const struct view *view)
{
    return view->customer->score_metric == SURVEY_CSAT ? view->params->csat_low
                                                       : view->params->nps_low;
}

static void explain_satisfaction_drop(struct view *view, struct effect *effect)
{
    effect->action = "service_recovery";
    rule_reason(effect, view->customer->score_metric == SURVEY_CSAT ? "csat" : "nps",
                view->customer->score_last, (double)poor_score(view), 0);
    rule_clears(effect, "better_score", (double)(poor_score(view) + 1));
    effect->clears_at_ms = view->customer->score_last_ms + view->params->memory_ms;
}

/* The newest word was poor, and not too long ago to act on. */
void rule_satisfaction_drop(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    const struct customer *customer = view->customer;
    const struct params *params = view->params;

    rule_none_holds(instance, explain_satisfaction_drop, ret_answer);
    if (instance > 0 || customer->score_last_ms == INT64_MIN ||
        customer->score_last > poor_score(view))
        return;
    rule_holds_between(view, customer->score_last_ms, customer->score_last_ms + params->memory_ms,
                       ret_answer);
}

static bool is_unresolved(const struct ticket *ticket)
{
    return ticket->opened_ms != INT64_MIN && ticket->resolved_ms == INT64_MIN;
}

static void explain_complaint_open(struct view *view, struct effect *effect)
{
    const struct customer *customer = view->customer;
    int64_t oldest_ms = INT64_MAX;
    int open = 0;

    effect->action = "escalate";
    rule_clears(effect, "resolution", 1);
    for (uint8_t i = 0; i < customer->tickets; i++) {
        if (!is_unresolved(&customer->ticket[i]))
            continue;
        open++;
        oldest_ms = rule_sooner(oldest_ms, customer->ticket[i].opened_ms);
    }
    rule_reason(effect, "tickets_open", open, 0, 0);
    if (open > 0)
        rule_reason(effect, "oldest_open_days", rule_days(view->at_ms - oldest_ms),
                    rule_days(view->params->complaint_open_ms), 0);
}

void rule_complaint_open(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    const struct customer *customer = view->customer;
    const struct ticket *ticket = &customer->ticket[instance];

    *ret_answer = (struct rule_answer){.none = instance >= customer->tickets,
                                       .explain = explain_complaint_open,
                                       .next_ms = INT64_MAX};
    if (ret_answer->none)
        return;
    /* A complaint and a support ticket may share an id. */
    ret_answer->key = ticket->complaint ? ticket->fp : ticket->fp ^ SALT_TICKET;
    if (!is_unresolved(ticket))
        return;
    rule_holds_between(view, ticket->opened_ms + view->params->complaint_open_ms, INT64_MAX,
                       ret_answer);
}

/* First and second notice before the term ends, and a failed payment until the next renewal. A
 * notice whose time had passed when the term began is not given: a monthly term is not 30 days from
 * its end for news. */
struct renewal_band {
    int64_t starts_ms, ends_ms;
    bool given;
};

static void renewal_bands(const struct customer *customer, const struct params *params,
                          struct renewal_band ret_bands[RENEWAL_BANDS])
{
    const struct subscription *term = &customer->subscription;
    int64_t failed_ms = customer->last_ms[EVENT_PAYMENT_FAILED];
    bool known = term->ends_ms != INT64_MAX;
    int64_t first_ms = known ? term->ends_ms - params->renewal_first_ms : INT64_MIN;
    int64_t second_ms = known ? term->ends_ms - params->renewal_second_ms : INT64_MIN;

    ret_bands[0] =
        (struct renewal_band){first_ms, term->ends_ms, known && first_ms > term->term_ms};
    ret_bands[1] =
        (struct renewal_band){second_ms, term->ends_ms, known && second_ms > term->term_ms};
    ret_bands[2] = (struct renewal_band){failed_ms, failed_ms + params->renewal_first_ms,
                                         failed_ms > term->changed_ms};
}

static void explain_renewal_due(struct view *view, struct effect *effect)
{
    const struct subscription *term = &view->customer->subscription;
    struct renewal_band bands[RENEWAL_BANDS];
    int64_t ends_ms = INT64_MIN;

    effect->action = effect->band == 3 ? "payment_retry" : "renewal_offer";
    rule_clears(effect, "renewal", 1);
    renewal_bands(view->customer, view->params, bands);
    for (int i = 0; i < RENEWAL_BANDS; i++)
        if (bands[i].given)
            ends_ms = rule_later(ends_ms, bands[i].ends_ms);
    effect->clears_at_ms = ends_ms == INT64_MIN ? INT64_MAX : ends_ms;
    if (term->ends_ms != INT64_MAX)
        rule_reason(effect, "days_to_renewal", rule_days(term->ends_ms - view->at_ms), 0, 0);
    rule_reason(effect, "renewals", term->renewals, 0, 0);
    rule_reason(effect, "payments_failed", view->customer->count[EVENT_PAYMENT_FAILED], 0, 0);
}

void rule_renewal_due(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    const struct subscription *term = &view->customer->subscription;
    struct renewal_band bands[RENEWAL_BANDS];

    rule_none_holds(instance, explain_renewal_due, ret_answer);
    if (instance > 0 || term->state != SUBSCRIPTION_ACTIVE)
        return;
    renewal_bands(view->customer, view->params, bands);
    ret_answer->key = (uint64_t)term->ends_ms;
    ret_answer->since_ms = INT64_MAX;
    for (uint8_t i = 0; i < RENEWAL_BANDS; i++) {
        struct rule_answer band = {.next_ms = INT64_MAX};

        if (!bands[i].given)
            continue;
        rule_holds_between(view, bands[i].starts_ms, bands[i].ends_ms, &band);
        ret_answer->next_ms = rule_sooner(ret_answer->next_ms, band.next_ms);
        if (!band.holds)
            continue;
        ret_answer->holds = true;
        ret_answer->band = i + 1;
        ret_answer->since_ms = rule_sooner(ret_answer->since_ms, band.since_ms);
    }
}
