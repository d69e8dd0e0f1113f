/* rules_stage: what tells where a customer stands on its way: stage and tier, prospects, trials,
 * first steps, and winning back. */
#include "base/must.h"
#include "base/text.h"
#include "model/rhythm.h"
#include "model/rules.h"
#include "model/tally.h"

static void explain_stage_changed(struct view *view, struct effect *effect)
{
    static const char *const actions[STAGE_COUNT] = {
        [STAGE_NONE] = "stop_contact",   [STAGE_LEAD] = "nurture",
        [STAGE_DEMO] = "demo_follow_up", [STAGE_TRIAL] = "trial_support",
        [STAGE_NEW] = "welcome",         [STAGE_GROWING] = "develop",
        [STAGE_LOYAL] = "thank",         [STAGE_DECLINING] = "check_in",
        [STAGE_CHURNED] = "ask_why",     [STAGE_WON_BACK] = "welcome_back",
    };

    effect->action = actions[effect->to];
    rule_reason_rhythm(view, effect);
}

void rule_stage_changed(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    rule_none_holds(instance, explain_stage_changed, ret_answer);
    /* To be known at all is no move between stages. */
    ret_answer->holds = instance == 0 && view->moved &&
                        !(view->from == STAGE_NONE && view->customer->stage == STAGE_LEAD);
    ret_answer->instant = true;
    ret_answer->band = 1;
    ret_answer->since_ms = view->at_ms;
}

/* A promotion or demotion among A, B, C, D; to get a tier at all is none. */
static void explain_tier_changed(struct view *view, struct effect *effect)
{
    static const char *const actions[2][TIER_COUNT] = {
        {[TIER_A] = "personal_welcome",
         [TIER_B] = "thank",
         [TIER_C] = "develop",
         [TIER_D] = "none"},
        {[TIER_A] = "none",
         [TIER_B] = "personal_call",
         [TIER_C] = "retention_offer",
         [TIER_D] = "automate_service"},
    };

    effect->action = actions[view->tier_from < effect->tier_to][effect->tier_to];
    rule_reason_value(view, effect);
}

void rule_tier_changed(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    enum tier to = view->customer->tier;

    rule_none_holds(instance, explain_tier_changed, ret_answer);
    ret_answer->holds =
        instance == 0 && view->tier_from != TIER_NONE && to != TIER_NONE && to != view->tier_from;
    ret_answer->instant = true;
    ret_answer->band = 1;
    ret_answer->since_ms = view->at_ms;
}

/* Progress is a step of the funnel; to be there at all (again) counts as one. */
static int64_t progress_of(const struct customer *customer)
{
    return rule_later(customer->funnel_since_ms, customer->stage_since_ms);
}

static void explain_prospect_stalled(struct view *view, struct effect *effect)
{
    effect->action = view->customer->stage == STAGE_TRIAL  ? "trial_nudge"
                     : view->customer->stage == STAGE_DEMO ? "trial_offer"
                                                           : "demo_offer";
    rule_reason(effect, "days_without_progress",
                rule_days(view->at_ms - progress_of(view->customer)),
                rule_days(view->params->prospect_stalled_ms), 0);
    rule_clears(effect, "progress", 1);
}

void rule_prospect_stalled(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    rule_none_holds(instance, explain_prospect_stalled, ret_answer);
    if (instance > 0 || !customer_is_potential(view->customer))
        return;
    rule_holds_between(view, progress_of(view->customer) + view->params->prospect_stalled_ms,
                       INT64_MAX, ret_answer);
}

static void explain_trial_ending(struct view *view, struct effect *effect)
{
    effect->action = "conversion_offer";
    rule_reason(effect, "days_to_trial_end", rule_days(view->customer->trial_ends_ms - view->at_ms),
                rule_days(view->params->trial_ending_ms), 0);
    rule_clears(effect, "purchase", 1);
    effect->clears_at_ms = view->customer->trial_ends_ms;
}

void rule_trial_ending(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    const struct customer *customer = view->customer;

    rule_none_holds(instance, explain_trial_ending, ret_answer);
    if (instance > 0 || customer->stage != STAGE_TRIAL || customer->trial_ends_ms == INT64_MAX)
        return;
    ret_answer->key = (uint64_t)customer->trial_ends_ms;
    rule_holds_between(view, customer->trial_ends_ms - view->params->trial_ending_ms,
                       customer->trial_ends_ms, ret_answer);
}

static void explain_onboarding_needed(struct view *view, struct effect *effect)
{
    int64_t active_ms = tally_active_ms(view->customer);

    effect->action = "education";
    rule_clears(effect, "activity", 1);
    if (active_ms != INT64_MIN) /* its one purchase may be taken back as this ends */
        rule_reason(effect, "quiet_days", rule_days(view->at_ms - active_ms),
                    rule_days(view->params->onboarding_ms), 0);
}

void rule_onboarding_needed(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    rule_none_holds(instance, explain_onboarding_needed, ret_answer);
    if (instance > 0 || view->customer->stage != STAGE_NEW)
        return;
    rule_holds_between(view, tally_active_ms(view->customer) + view->params->onboarding_ms,
                       INT64_MAX, ret_answer);
}

static void explain_win_back(struct view *view, struct effect *effect)
{
    effect->action = effect->band >= 2 ? "last_offer" : "win_back_offer";
    rule_reason_rhythm(view, effect);
    rule_clears(effect, "purchase", 1);
}

/* Two offers an episode; the churn they belong to is their key. */
void rule_win_back(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    const struct customer *customer = view->customer;
    const struct params *params = view->params;
    int64_t second_ms;

    rule_none_holds(instance, explain_win_back, ret_answer);
    if (instance > 0 || customer->stage != STAGE_CHURNED)
        return;
    ret_answer->key = (uint64_t)customer->churned_ms;
    rule_holds_between(view, customer->churned_ms + params->win_back_first_ms, INT64_MAX,
                       ret_answer);
    second_ms =
        customer->churned_ms + rule_later(params->win_back_second_ms, params->win_back_first_ms);
    if (!ret_answer->holds)
        return;
    if (view->at_ms >= second_ms) {
        ret_answer->band = 2;
        ret_answer->next_ms = INT64_MAX;
    } else {
        ret_answer->next_ms = second_ms;
    }
}
