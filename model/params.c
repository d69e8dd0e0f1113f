/* params: defaults from params.def, and the contradictions between parameters that each are in
 * range. */
#include "model/params.h"

#include <stdbool.h>
#include <string.h>

#include "base/must.h"

void params_default(struct params *ret_params)
{
    /* All of the struct, padding too: copies compare equal byte by byte. */
    memset(ret_params, 0, sizeof *ret_params);
#define PARAM(section, name, type, fallback, min, max, unit, help) ret_params->name = fallback;
#include "model/params.def"
#undef PARAM
    ret_params->clock = FOLD_CLOCK_WALL;
    ret_params->reporting = CURRENCY_EUR;
    ret_params->rates[CURRENCY_EUR] = (struct currency_rate){.mantissa = 1, .scale = 0};
}

static bool rate_is_one(struct currency_rate rate)
{
    int64_t mantissa = rate.mantissa;
    for (int i = 0; i < rate.scale; i++) {
        if (mantissa % 10 != 0) {
            return false;
        }
        mantissa /= 10;
    }
    return mantissa == 1;
}

static void learn_models(struct params *params, const struct insight *insight)
{
    if (insight->fitted_mbg) {
        params->mbg_r = insight->mbg_r;
        params->mbg_alpha = insight->mbg_alpha;
        params->mbg_a = insight->mbg_a;
        params->mbg_b = insight->mbg_b;
        params->calibrated = 1;
    }
    if (insight->fitted_gg) {
        params->gg_p = insight->gg_p;
        params->gg_q = insight->gg_q;
        params->gg_gamma = insight->gg_gamma;
    }
    if (insight->fitted_sbg) {
        params->sbg_alpha = insight->sbg_alpha;
        params->sbg_beta = insight->sbg_beta;
    }
}

static void learn_warnings(struct params *params, const double weight[WARNING_COUNT])
{
    params->activity_decline = weight[WARNING_ACTIVITY];
    params->satisfaction_low = weight[WARNING_SATISFACTION];
    params->complaint_open = weight[WARNING_COMPLAINT_OPEN];
    params->complaint_resolved = weight[WARNING_COMPLAINT_RESOLVED];
    params->payment_trouble = weight[WARNING_PAYMENT];
    params->unsubscribed = weight[WARNING_UNSUBSCRIBED];
}

void params_warning_weights(const struct params *params, double ret_weight[WARNING_COUNT])
{
    ret_weight[WARNING_ACTIVITY] = params->activity_decline;
    ret_weight[WARNING_SATISFACTION] = params->satisfaction_low;
    ret_weight[WARNING_COMPLAINT_OPEN] = params->complaint_open;
    ret_weight[WARNING_COMPLAINT_RESOLVED] = params->complaint_resolved;
    ret_weight[WARNING_PAYMENT] = params->payment_trouble;
    ret_weight[WARNING_UNSUBSCRIBED] = params->unsubscribed;
}

void params_learn(struct params *params, const struct insight *insight)
{
    params->insight = *insight;
    if (params_learned(params))
        learn_warnings(params, insight->warning_weight);
    if (!params->use_fitted)
        return;
    learn_models(params, insight);
    if (insight->gap_ms > params->gap_max_ms)
        params->population_gap_ms = params->gap_max_ms;
    else if (insight->gap_ms >= params->gap_min_ms)
        params->population_gap_ms = insight->gap_ms;
    else if (insight->gap_ms > 0)
        params->population_gap_ms = params->gap_min_ms;
}

const char *params_contradiction(const struct params *params)
{
    const struct {
        bool holds;
        const char *sentence;
    } rows[] = {
        {params->gap_min_ms <= params->gap_max_ms, "stage.gap_min must not be above stage.gap_max"},
        {params->gap_min_ms <= params->population_gap_ms &&
             params->population_gap_ms <= params->gap_max_ms,
         "stage.population_gap must lie between stage.gap_min and stage.gap_max"},
        {params->decline_gaps <= params->churn_gaps,
         "stage.decline_gaps must not be above stage.churn_gaps"},
        {params->decline_min_ms <= params->churn_min_ms,
         "stage.decline_min must not be above stage.churn_min"},
        {params->loyal_keep_days <= params->loyal_days,
         "stage.loyal_keep_days must not be above stage.loyal_days"},
        {params->prospect_stalled_ms < params->forget_ms,
         "rules.prospect_stalled must be below stage.forget, or nobody is ever stalled"},
        {params->churn_risk_high <= params->churn_risk_critical,
         "rules.churn_risk_high must not be above rules.churn_risk_critical"},
        {params->churn_risk_clear <= params->churn_risk_high,
         "rules.churn_risk_clear must not be above rules.churn_risk_high"},
        {params->win_back_first_ms < params->win_back_second_ms,
         "rules.win_back_first must be below rules.win_back_second"},
        {params->renewal_second_ms < params->renewal_first_ms,
         "rules.renewal_second must be below rules.renewal_first (they count back from the end)"},
        {params->convert_lead <= params->convert_demo &&
             params->convert_demo <= params->convert_trial,
         "model.convert_lead, convert_demo and convert_trial must not fall along the funnel"},
        {params->tier_a + params->tier_b + params->tier_c <= 1,
         "tiers.tier_a, tier_b and tier_c together must not be above 1: tier D has the rest"},
        {params->reporting > CURRENCY_NONE && params->reporting < CURRENCY_COUNT,
         "the reporting currency must be one of ISO 4217"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!rows[i].holds) {
            return rows[i].sentence;
        }
    }
    if (!rate_is_one(params->rates[params->reporting])) {
        return "the rate of the reporting currency itself must be 1";
    }
    return NULL;
}
