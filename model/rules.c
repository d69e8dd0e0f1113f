/* rules: the alert kinds, one function each, in the order of kind.def. A rule says whether its
 * condition holds, since when, and when silence alone would next change that; episode.c does the
 * rest. README.md has the table. */
#include "base/must.h"
#include "base/text.h"
#include "model/rhythm.h"
#include "model/rule.h"
#include "model/stage.h"
#include "model/tally.h"

#define UPSELL_DAYS   90
#define RENEWAL_BANDS 3
#define SALT_TICKET   UINT64_C(0x7469636b65740003)

/* --- what several rules need --- */

const struct churn_risk *rule_risk(struct view *view)
{
    if (!view->has_risk)
        churn_risk_at(view->customer, view->at_ms, view->params, &view->risk);
    view->has_risk = true;
    return &view->risk;
}

const struct value *rule_value(struct view *view)
{
    if (!view->has_value)
        value_at(view->customer, view->at_ms, view->params, &view->value);
    view->has_value = true;
    return &view->value;
}

double rule_threshold(struct view *view)
{
    if (!view->has_threshold)
        view->threshold = stage_risk_threshold(view->customer, view->params);
    view->has_threshold = true;
    return view->threshold;
}

int64_t rule_crossing(struct view *view)
{
    if (!view->has_crossing)
        view->crossing_ms = churn_risk_crossing(view->customer, view->at_ms + 1,
                                                rule_threshold(view), view->params);
    view->has_crossing = true;
    return view->crossing_ms;
}

static int64_t later(int64_t left, int64_t right)
{
    return left > right ? left : right;
}

static int64_t sooner(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

/* Risk at which churn_risk opens. */
static double rule_high(struct view *view)
{
    double threshold = rule_threshold(view);

    return threshold > view->params->churn_risk_high ? threshold : view->params->churn_risk_high;
}

static int64_t rule_reaches(struct view *view, double risk)
{
    return churn_risk_crossing(view->customer, view->at_ms + 1, risk, view->params);
}

/* The one instance of a kind that has one, not holding. */
static void none_holds(uint32_t instance, rule_explain_fn *explain, struct rule_answer *ret_answer)
{
    *ret_answer =
        (struct rule_answer){.none = instance > 0, .explain = explain, .next_ms = INT64_MAX};
}

/* A condition that silence alone brings about at starts_ms and (INT64_MAX: not) takes away at
 * ends_ms. */
static void holds_between(const struct view *view, int64_t starts_ms, int64_t ends_ms,
                          struct rule_answer *answer)
{
    answer->holds = view->at_ms >= starts_ms && view->at_ms < ends_ms;
    answer->band = 1;
    answer->since_ms = starts_ms;
    answer->next_ms = view->at_ms < starts_ms ? starts_ms
                      : view->at_ms < ends_ms ? ends_ms
                                              : INT64_MAX;
}

static double days(int64_t span_ms)
{
    return (double)span_ms / (double)TEXT_MS_PER_DAY;
}

static void reason_add(struct effect *effect, const char *feature, double value, double baseline,
                       double contribution)
{
    MUST(effect->reasons < EFFECT_REASONS_MAX);
    effect->reason[effect->reasons++] = (struct reason){
        .feature = feature, .value = value, .baseline = baseline, .contribution = contribution};
}

/* Silence against the customer's own rhythm, and how much it has bought. */
static void reason_add_rhythm(struct view *view, struct effect *effect)
{
    const struct customer *customer = view->customer;

    if (customer->purchase_days == 0)
        return;
    reason_add(effect, "silence_days", days(rhythm_silence_ms(customer, view->at_ms)),
               days(rhythm_gap_ms(customer, view->params)), 0);
    reason_add(effect, "purchase_days", customer->purchase_days, 0, 0);
}

/* --- the kinds --- */

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
    reason_add_rhythm(view, effect);
}

static void rule_stage_changed(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    none_holds(instance, explain_stage_changed, ret_answer);
    /* To be known at all is no move between stages. */
    ret_answer->holds = instance == 0 && view->moved &&
                        !(view->from == STAGE_NONE && view->customer->stage == STAGE_LEAD);
    ret_answer->instant = true;
    ret_answer->band = 1;
    ret_answer->since_ms = view->at_ms;
}

/* The terms of logit P(buy): they sum to it exactly, in this order. */
static void explain_churn_risk(struct view *view, struct effect *effect)
{
    const struct churn_risk *risk = rule_risk(view);

    _Static_assert(WARNING_COUNT + 1 <= EFFECT_REASONS_MAX, "every term fits");
    effect->action = effect->band >= 2 ? "personal_call" : "retention_offer";
    reason_add(effect, "p_buy_model", risk->p_buy_model,
               1 - churn_risk_base(view->customer, view->params), risk->base_logit);
    for (int i = 0; i < WARNING_COUNT; i++)
        if (risk->contribution[i] < 0 || risk->contribution[i] > 0)
            reason_add(effect, warning_label((enum warning)i), risk->value[i], risk->baseline[i],
                       risk->contribution[i]);
}

/* Opens at the threshold that `declining` uses too (rules.churn_risk_high when that is above),
 * closes churn_risk_clear below it. Churn takes over from it: stage_changed and win_back tell that.
 */
static void rule_churn_risk(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    const struct customer *customer = view->customer;
    const struct params *params = view->params;
    const struct episode *episode = customer_episode(customer, KIND_CHURN_RISK, 0);
    bool open = episode != NULL && episode->phase == EPISODE_OPEN;
    double risk, high, critical;

    none_holds(instance, explain_churn_risk, ret_answer);
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
        ret_answer->next_ms = sooner(ret_answer->next_ms, rule_reaches(view, critical));
}

static void explain_win_back(struct view *view, struct effect *effect)
{
    effect->action = effect->band >= 2 ? "last_offer" : "win_back_offer";
    reason_add_rhythm(view, effect);
}

/* Two offers an episode; the churn they belong to is their key. */
static void rule_win_back(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    const struct customer *customer = view->customer;
    const struct params *params = view->params;
    int64_t second_ms;

    none_holds(instance, explain_win_back, ret_answer);
    if (instance > 0 || customer->stage != STAGE_CHURNED)
        return;
    ret_answer->key = (uint64_t)customer->churned_ms;
    holds_between(view, customer->churned_ms + params->win_back_first_ms, INT64_MAX, ret_answer);
    second_ms = customer->churned_ms + later(params->win_back_second_ms, params->win_back_first_ms);
    if (!ret_answer->holds)
        return;
    if (view->at_ms >= second_ms) {
        ret_answer->band = 2;
        ret_answer->next_ms = INT64_MAX;
    } else {
        ret_answer->next_ms = second_ms;
    }
}

/* Progress is a step of the funnel; to be there at all (again) counts as one. */
static int64_t progress_of(const struct customer *customer)
{
    return later(customer->funnel_since_ms, customer->stage_since_ms);
}

static void explain_prospect_stalled(struct view *view, struct effect *effect)
{
    effect->action = view->customer->stage == STAGE_TRIAL  ? "trial_nudge"
                     : view->customer->stage == STAGE_DEMO ? "trial_offer"
                                                           : "demo_offer";
    reason_add(effect, "days_without_progress", days(view->at_ms - progress_of(view->customer)),
               days(view->params->prospect_stalled_ms), 0);
}

static void rule_prospect_stalled(struct view *view, uint32_t instance,
                                  struct rule_answer *ret_answer)
{
    none_holds(instance, explain_prospect_stalled, ret_answer);
    if (instance > 0 || !customer_is_potential(view->customer))
        return;
    holds_between(view, progress_of(view->customer) + view->params->prospect_stalled_ms, INT64_MAX,
                  ret_answer);
}

static void explain_onboarding_needed(struct view *view, struct effect *effect)
{
    int64_t active_ms = tally_active_ms(view->customer);

    effect->action = "education";
    if (active_ms != INT64_MIN) /* its one purchase may be taken back as this ends */
        reason_add(effect, "quiet_days", days(view->at_ms - active_ms),
                   days(view->params->onboarding_ms), 0);
}

static void rule_onboarding_needed(struct view *view, uint32_t instance,
                                   struct rule_answer *ret_answer)
{
    none_holds(instance, explain_onboarding_needed, ret_answer);
    if (instance > 0 || view->customer->stage != STAGE_NEW)
        return;
    holds_between(view, tally_active_ms(view->customer) + view->params->onboarding_ms, INT64_MAX,
                  ret_answer);
}

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
        reason_add(effect, "spend_90d_minor", (double)recent, (double)before, 0);
}

/* Rising spend as of the last purchase, while the customer keeps its own rhythm: then the time is
 * good for more. (Windows as of the last purchase, so that silence does not look like growth or
 * decline.) */
static void rule_upsell(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    const struct customer *customer = view->customer;
    const struct params *params = view->params;
    const struct episode *episode = customer_episode(customer, KIND_UPSELL, 0);
    bool rising =
        episode != NULL && episode->phase == EPISODE_OPEN; /* unless the windows know better */
    int64_t bought_ms = customer->last_purchase_ms, recent, before;

    none_holds(instance, explain_upsell, ret_answer);
    if (instance > 0 || customer->purchase_days < params->upsell_days_min ||
        (customer->stage != STAGE_GROWING && customer->stage != STAGE_LOYAL))
        return;
    if (upsell_windows(customer, &recent, &before))
        rising = before > 0 && (double)recent >= (1 + params->upsell_growth) * (double)before;
    if (rising)
        holds_between(view, bought_ms, bought_ms + rhythm_gap_ms(customer, params) + 1, ret_answer);
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
    for (uint8_t i = 0; i < customer->tickets; i++) {
        if (!is_unresolved(&customer->ticket[i]))
            continue;
        open++;
        oldest_ms = sooner(oldest_ms, customer->ticket[i].opened_ms);
    }
    reason_add(effect, "tickets_open", open, 0, 0);
    if (open > 0)
        reason_add(effect, "oldest_open_days", days(view->at_ms - oldest_ms),
                   days(view->params->complaint_open_ms), 0);
}

static void rule_complaint_open(struct view *view, uint32_t instance,
                                struct rule_answer *ret_answer)
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
    holds_between(view, ticket->opened_ms + view->params->complaint_open_ms, INT64_MAX, ret_answer);
}

static int64_t poor_score(const struct view *view)
{
    return view->customer->score_metric == SURVEY_CSAT ? view->params->csat_low
                                                       : view->params->nps_low;
}

static void explain_satisfaction_drop(struct view *view, struct effect *effect)
{
    effect->action = "service_recovery";
    reason_add(effect, view->customer->score_metric == SURVEY_CSAT ? "csat" : "nps",
               view->customer->score_last, (double)poor_score(view), 0);
}

/* The newest word was poor, and not too long ago to act on. */
static void rule_satisfaction_drop(struct view *view, uint32_t instance,
                                   struct rule_answer *ret_answer)
{
    const struct customer *customer = view->customer;
    const struct params *params = view->params;

    none_holds(instance, explain_satisfaction_drop, ret_answer);
    if (instance > 0 || customer->score_last_ms == INT64_MIN ||
        customer->score_last > poor_score(view))
        return;
    holds_between(view, customer->score_last_ms, customer->score_last_ms + params->memory_ms,
                  ret_answer);
}

static void explain_renewal_due(struct view *view, struct effect *effect)
{
    const struct subscription *term = &view->customer->subscription;

    effect->action = effect->band == 3 ? "payment_retry" : "renewal_offer";
    if (term->ends_ms != INT64_MAX)
        reason_add(effect, "days_to_renewal", days(term->ends_ms - view->at_ms), 0, 0);
    reason_add(effect, "renewals", term->renewals, 0, 0);
    reason_add(effect, "payments_failed", view->customer->count[EVENT_PAYMENT_FAILED], 0, 0);
}

/* First and second notice before the term ends, and a failed payment until the next renewal. A
 * notice whose time had passed when the term began is not given: a monthly term is not 30 days from
 * its end for news. */
static void rule_renewal_due(struct view *view, uint32_t instance, struct rule_answer *ret_answer)
{
    const struct subscription *term = &view->customer->subscription;
    const struct params *params = view->params;
    int64_t failed_ms = view->customer->last_ms[EVENT_PAYMENT_FAILED];
    bool known = term->ends_ms != INT64_MAX;
    int64_t first_ms = known ? term->ends_ms - params->renewal_first_ms : INT64_MIN;
    int64_t second_ms = known ? term->ends_ms - params->renewal_second_ms : INT64_MIN;
    struct {
        int64_t starts_ms, ends_ms;
        bool given;
    } bands[RENEWAL_BANDS] = {
        {first_ms, term->ends_ms, known && first_ms > term->term_ms},
        {second_ms, term->ends_ms, known && second_ms > term->term_ms},
        {failed_ms, failed_ms + params->renewal_first_ms, failed_ms > term->changed_ms},
    };

    none_holds(instance, explain_renewal_due, ret_answer);
    if (instance > 0 || term->state != SUBSCRIPTION_ACTIVE)
        return;
    ret_answer->key = (uint64_t)term->ends_ms;
    ret_answer->since_ms = INT64_MAX;
    for (uint8_t i = 0; i < RENEWAL_BANDS; i++) {
        struct rule_answer band = {.next_ms = INT64_MAX};

        if (!bands[i].given)
            continue;
        holds_between(view, bands[i].starts_ms, bands[i].ends_ms, &band);
        ret_answer->next_ms = sooner(ret_answer->next_ms, band.next_ms);
        if (!band.holds)
            continue;
        ret_answer->holds = true;
        ret_answer->band = i + 1;
        ret_answer->since_ms = sooner(ret_answer->since_ms, band.since_ms);
    }
}

/* --- the table --- */

rule_fn *rule_of(enum kind kind)
{
    static rule_fn *const rules[KIND_COUNT] = {
#define KIND(name, label, rule, severity, marketing, cooldown) rule,
#include "model/kind.def"
#undef KIND
    };

    MUST(kind < KIND_COUNT);
    return rules[kind];
}

int64_t rule_cooldown_ms(enum kind kind, const struct params *params)
{
    switch (kind) {
#define KIND(name, label, rule, severity, marketing, cooldown)                                     \
    case KIND_##name:                                                                              \
        return cooldown;
#include "model/kind.def"
#undef KIND
    case KIND_COUNT:
        break;
    }
    MUST(kind < KIND_COUNT);
    return 0;
}
