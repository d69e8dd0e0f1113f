/* rules_sell: what to offer to whom, and whom to look after: growth, loyalty, referrals, key
 * customers, and those who cost more than they bring. */
#include <string.h>

#include "base/must.h"
#include "base/text.h"
#include "model/rhythm.h"
#include "model/rules.h"

#define UPSELL_DAYS 90

/* Spend of the 90 days up to the last purchase and of the 90 before; false once newer activity has
 * pushed a part of them out of the kept bins. */
static bool upsell_windows(const struct customer *customer, int64_t *ret_recent,
                           int64_t *ret_before)
{
    int64_t bought_ms = customer->last_purchase_ms;

    if (customer->purchase_days == 0 || customer->bin_newest > customer_bin_of(bought_ms))
        return false;
    *ret_recent = customer_spend_between(customer, bought_ms, UPSELL_DAYS, 0);
    *ret_before = customer_spend_between(customer, bought_ms, 2 * UPSELL_DAYS, UPSELL_DAYS);
    return true;
}

static void explain_upsell(struct view *view, struct effect *effect)
{
    int64_t recent, before;

    effect->action = "upgrade_offer";
    if (upsell_windows(view->customer, &recent, &before))
        rule_reason(effect, "spend_90d_minor", (double)recent, (double)before, 0);
    effect->clears_at_ms =
        view->customer->last_purchase_ms + rhythm_gap_ms(view->customer, view->params) + 1;
}

/* Rising spend as of the last purchase, while the customer keeps its own rhythm: then the time is
 * good for more. (Windows as of the last purchase, so that silence does not look like growth or
 * decline.) */
void rule_upsell(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    const struct customer *customer = view->customer;
    const struct params *params = view->params;
    const struct episode *episode = customer_episode(customer, KIND_UPSELL, 0);
    bool rising =
        episode != NULL && episode->phase == EPISODE_OPEN; /* unless the windows know better */
    int64_t bought_ms = customer->last_purchase_ms, recent, before;

    rule_none_holds(instance, explain_upsell, ret_answer);
    if (instance > 0 || customer->purchase_days < params->upsell_days_min ||
        (customer->stage != STAGE_GROWING && customer->stage != STAGE_LOYAL))
        return;
    if (upsell_windows(customer, &recent, &before))
        rising = before > 0 && (double)recent >= (1 + params->upsell_growth) * (double)before;
    if (rising)
        rule_holds_between(view, bought_ms, bought_ms + rhythm_gap_ms(customer, params) + 1,
                           ret_answer);
}

/* --- cross-sell --- */

/* The one category bought, as a bit; -1: none or several. */
static int only_category(const struct customer *customer)
{
    if (customer->categories == 0 || (customer->categories & (customer->categories - 1)) != 0)
        return -1;
    return __builtin_ctzll(customer->categories);
}

static void explain_cross_sell(struct view *view, struct effect *effect)
{
    const struct insight *insight = &view->params->insight;
    int bought = only_category(view->customer);

    effect->action = "next_category_offer";
    rule_clears(effect, "category", 1);
    effect->clears_at_ms =
        view->customer->last_purchase_ms + rhythm_gap_ms(view->customer, view->params) + 1;
    if (bought < 0)
        return; /* it ends: a second one was bought, or the purchase taken back */
    rule_reason(effect, "category_share", insight->category_share[bought] / 1000.0,
                view->params->cross_sell_share, 0);
    rule_reason_rhythm(view, effect);
    memcpy(effect->category, insight->category_name[insight->category_next[bought]],
           INSIGHT_NAME_MAX);
}

/* A second category is likely: of those who bought the customer's only one, enough bought another.
 * While the customer keeps its own rhythm, as for upsell. Whatever second category it buys ends it.
 */
void rule_cross_sell(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    const struct customer *customer = view->customer;
    const struct insight *insight = &view->params->insight;
    int bought = only_category(customer);

    rule_none_holds(instance, explain_cross_sell, ret_answer);
    if (instance > 0 || bought < 0 ||
        (customer->stage != STAGE_GROWING && customer->stage != STAGE_LOYAL))
        return;
    if (insight->category_next[bought] == bought ||
        insight->category_share[bought] < 1000 * view->params->cross_sell_share)
        return;
    rule_holds_between(view, customer->last_purchase_ms,
                       customer->last_purchase_ms + rhythm_gap_ms(customer, view->params) + 1,
                       ret_answer);
}

/* --- loyalty --- */

static int64_t milestones(const struct customer *customer, int64_t at_ms,
                          const struct params *params)
{
    int64_t first_ms = customer->first_day * TEXT_MS_PER_DAY;

    return at_ms < first_ms ? 0 : (at_ms - first_ms) / params->loyalty_every_ms;
}

static void explain_loyalty_milestone(struct view *view, struct effect *effect)
{
    effect->action = "reward";
    if (view->customer->purchase_days > 0)
        rule_reason(effect, "years", (double)milestones(view->customer, view->at_ms, view->params),
                    0, 0);
    rule_reason_rhythm(view, effect);
    effect->clears_at_ms = view->at_ms + view->params->expiry_ms;
}

/* An anniversary of the first purchase, of a customer who is loyal then; it can be celebrated as
 * long as the alert may be acted on. */
void rule_loyalty_milestone(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    const struct customer *customer = view->customer;
    int64_t number, since_ms;

    rule_none_holds(instance, explain_loyalty_milestone, ret_answer);
    if (instance > 0 || customer->stage != STAGE_LOYAL)
        return;
    number = milestones(customer, view->at_ms, view->params);
    since_ms = customer->first_day * TEXT_MS_PER_DAY + number * view->params->loyalty_every_ms;
    ret_answer->next_ms = since_ms + view->params->loyalty_every_ms;
    if (number == 0 || view->at_ms >= since_ms + view->params->expiry_ms)
        return;
    rule_holds_between(view, since_ms, since_ms + view->params->expiry_ms, ret_answer);
}

static bool is_delighted(const struct customer *customer, const struct params *params)
{
    int64_t high = customer->score_metric == SURVEY_CSAT ? params->csat_high : params->nps_high;

    return customer->score_last_ms != INT64_MIN && customer->score_last >= high;
}

static void explain_referral_ask(struct view *view, struct effect *effect)
{
    const struct customer *customer = view->customer;

    effect->action = "referral_programme";
    rule_reason(effect, customer->score_metric == SURVEY_CSAT ? "csat" : "nps",
                customer->score_last,
                (double)(customer->score_metric == SURVEY_CSAT ? view->params->csat_high
                                                               : view->params->nps_high),
                0);
    rule_reason(effect, "referrals", customer->count[EVENT_REFERRAL_MADE], 0, 0);
    effect->clears_at_ms = customer->score_last_ms + view->params->memory_ms;
}

void rule_referral_ask(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    const struct customer *customer = view->customer;

    rule_none_holds(instance, explain_referral_ask, ret_answer);
    if (instance > 0 || customer->stage != STAGE_LOYAL || !is_delighted(customer, view->params))
        return;
    rule_holds_between(view, customer->score_last_ms,
                       customer->score_last_ms + view->params->memory_ms, ret_answer);
}

/* --- those to look after --- */

/* The newest time both sides talked, or the customer became one to talk to. */
static int64_t contact_of(const struct customer *customer)
{
    static const enum event_type contacts[] = {EVENT_MESSAGE_RECEIVED, EVENT_DEMO_ATTENDED,
                                               EVENT_TICKET_OPENED,    EVENT_TICKET_RESOLVED,
                                               EVENT_COMPLAINT_FILED,  EVENT_COMPLAINT_RESOLVED,
                                               EVENT_SURVEY_RESPONDED};
    int64_t newest_ms = customer->tier_since_ms;

    for (size_t i = 0; i < sizeof contacts / sizeof contacts[0]; i++)
        newest_ms = rule_later(newest_ms, customer->last_ms[contacts[i]]);
    return newest_ms;
}

static void explain_key_customer_review(struct view *view, struct effect *effect)
{
    effect->action = "personal_visit";
    if (view->customer->purchase_days > 0)
        rule_reason_value(view, effect);
    rule_clears(effect, "contact", 1);
}

void rule_key_customer_review(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    const struct customer *customer = view->customer;

    rule_none_holds(instance, explain_key_customer_review, ret_answer);
    if (instance > 0 || customer->tier != TIER_A || customer->stage == STAGE_CHURNED)
        return;
    rule_holds_between(view, contact_of(customer) + view->params->key_review_ms, INT64_MAX,
                       ret_answer);
}

/* --- cost --- */

#define COST_DAYS  90
#define BIN_MS     (CUSTOMER_BIN_DAYS * TEXT_MS_PER_DAY)
#define COST_STEPS (COST_DAYS / CUSTOMER_BIN_DAYS + 2) /* then the window is empty */

/* Cost above spend in the 90 days up to then. */
static int64_t excess_at(const struct customer *customer, int64_t at_ms)
{
    return customer_money_add(customer_cost_between(customer, at_ms, COST_DAYS, 0),
                              -customer_spend_between(customer, at_ms, COST_DAYS, 0));
}

static void explain_cost_to_serve(struct view *view, struct effect *effect)
{
    int64_t cost = customer_cost_between(view->customer, view->at_ms, COST_DAYS, 0);
    int64_t spend = customer_spend_between(view->customer, view->at_ms, COST_DAYS, 0);

    effect->action = "cheaper_channel";
    effect->requires_approval = true;
    rule_reason(effect, "spend_90d", (double)spend, 0, (double)spend);
    rule_reason(effect, "service_cost_90d", (double)cost, 0, -(double)cost);
    rule_clears(
        effect, "spend_minor",
        (double)(excess_at(view->customer, view->at_ms) - view->params->cost_to_serve_minor));
}

void rule_cost_to_serve(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    const struct customer *customer = view->customer;
    int64_t limit = view->params->cost_to_serve_minor;
    int64_t bin = customer_bin_of(view->at_ms);

    rule_none_holds(instance, explain_cost_to_serve, ret_answer);
    if (instance > 0 || customer->tier != TIER_D || customer->cost_minor <= 0)
        return;
    ret_answer->holds = excess_at(customer, view->at_ms) > limit;
    ret_answer->band = 1;
    ret_answer->since_ms = view->at_ms;
    for (int64_t i = 1; i <= COST_STEPS && ret_answer->next_ms == INT64_MAX; i++)
        if ((excess_at(customer, (bin + i) * BIN_MS) > limit) != ret_answer->holds)
            ret_answer->next_ms = (bin + i) * BIN_MS;
}
