/* rules: the table of alert kinds and what their functions share. The kinds themselves, one
 * function each, stand in rules_stage.c, rules_churn.c and rules_sell.c. */
#include "model/rules.h"
#include "base/must.h"
#include "base/text.h"
#include "model/rhythm.h"
#include "model/stage.h"

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

int64_t rule_later(int64_t left, int64_t right)
{
    return left > right ? left : right;
}

int64_t rule_sooner(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

/* Risk at which churn_risk opens. */
double rule_high(struct view *view)
{
    double threshold = rule_threshold(view);

    return threshold > view->params->churn_risk_high ? threshold : view->params->churn_risk_high;
}

int64_t rule_reaches(struct view *view, double risk)
{
    return churn_risk_crossing(view->customer, view->at_ms + 1, risk, view->params);
}

/* The one instance of a kind that has one, not holding. */
void rule_none_holds(uint32_t instance, rule_explain_fn *explain, struct rule_answer *ret_answer)
{
    *ret_answer = (struct rule_answer){
        .none = instance > 0, .only = true, .explain = explain, .next_ms = INT64_MAX};
}

/* A condition that silence alone brings about at starts_ms and (INT64_MAX: not) takes away at
 * ends_ms. */
void rule_holds_between(const struct view *view, int64_t starts_ms, int64_t ends_ms,
                        struct rule_answer *answer)
{
    answer->holds = view->at_ms >= starts_ms && view->at_ms < ends_ms;
    answer->band = 1;
    answer->since_ms = starts_ms;
    answer->next_ms = view->at_ms < starts_ms ? starts_ms
                      : view->at_ms < ends_ms ? ends_ms
                                              : INT64_MAX;
}

double rule_days(int64_t span_ms)
{
    return (double)span_ms / (double)TEXT_MS_PER_DAY;
}

void rule_reason(struct effect *effect, const char *feature, double value, double baseline,
                 double contribution)
{
    MUST(effect->reasons < EFFECT_REASONS_MAX);
    effect->reason[effect->reasons++] = (struct reason){
        .feature = feature, .value = value, .baseline = baseline, .contribution = contribution};
}

/* Silence against the customer's own rhythm, and how much it has bought. */
void rule_reason_rhythm(struct view *view, struct effect *effect)
{
    const struct customer *customer = view->customer;

    if (customer->purchase_days == 0)
        return;
    rule_reason(effect, "silence_days", rule_days(rhythm_silence_ms(customer, view->at_ms)),
                rule_days(rhythm_gap_ms(customer, view->params)), 0);
    rule_reason(effect, "purchase_days", customer->purchase_days, 0, 0);
}

void rule_reason_value(struct view *view, struct effect *effect)
{
    const struct value *value = rule_value(view);

    rule_reason(effect, "expected_spend_12m", value->purchases_12, 0,
                (double)(value->clv_minor + value->cost_minor));
    if (value->cost_minor != 0)
        rule_reason(effect, "service_cost", (double)value->cost_minor, 0,
                    -(double)value->cost_minor);
}

void rule_clears(struct effect *effect, const char *when, double amount)
{
    effect->clears_when = when;
    effect->clears_amount = amount;
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
