/* customer_json: a state as one object, a function a member. What is not known is null, never a
 * sentinel and never left out: a reader can rely on every name (docs/FORMATS.md). */
#include "pipeline/customer_json.h"

#include "base/must.h"
#include "base/text.h"
#include "model/rhythm.h"
#include "model/tier.h"

static void time_put(struct json_writer *writer, const char *key, int64_t ms)
{
    json_put_key(writer, key);
    if (ms == INT64_MIN || ms == INT64_MAX)
        json_put_null(writer);
    else
        json_put_time(writer, ms);
}

static void text_put(struct json_writer *writer, const char *key, const char *text)
{
    json_put_key(writer, key);
    if (text)
        json_put_text(writer, text);
    else
        json_put_null(writer);
}

/* Of a zero-padded field of struct customer; null when empty. */
static void padded_put(struct json_writer *writer, const char *key,
                       const char text[CUSTOMER_TEXT_MAX])
{
    size_t len = strnlen(text, CUSTOMER_TEXT_MAX);

    json_put_key(writer, key);
    json_put_string(writer, len > 0 ? (struct span){text, len} : SPAN_ABSENT);
}

static void i64_put(struct json_writer *writer, const char *key, int64_t value)
{
    json_put_key(writer, key);
    json_put_i64(writer, value);
}

static void double_put(struct json_writer *writer, const char *key, double value)
{
    json_put_key(writer, key);
    json_put_double(writer, value);
}

static void bool_put(struct json_writer *writer, const char *key, bool value)
{
    json_put_key(writer, key);
    json_put_bool(writer, value);
}

static void object_put(struct json_writer *writer, const char *key)
{
    json_put_key(writer, key);
    json_put_object(writer);
}

static void cause_put(struct json_writer *writer, uint64_t cause)
{
    char text[] = "event:0123456789abcdef";

    if (cause == 0) {
        text_put(writer, "cause", "timer");
        return;
    }
    for (int i = 0; i < 16; i++)
        text[6 + i] = "0123456789abcdef"[cause >> (60 - 4 * i) & 15];
    text_put(writer, "cause", text);
}

static void stage_put(struct json_writer *writer, const struct customer *customer)
{
    bool churned = customer->churned_ms != INT64_MIN;

    object_put(writer, "stage");
    text_put(writer, "name", stage_label(customer->stage));
    time_put(writer, "since", customer->stage_since_ms);
    text_put(writer, "reason", stage_reason_label(customer->stage_reason));
    cause_put(writer, customer->stage_cause);
    text_put(writer, "funnel", stage_label(customer->funnel));
    time_put(writer, "trial_ends_at", customer->trial_ends_ms);
    time_put(writer, "churned_at", customer->churned_ms);
    text_put(writer, "churn_reason", churned ? churn_reason_label(customer->churn_reason) : NULL);
    json_put_object_end(writer);
}

static void history_put(struct json_writer *writer, const struct customer *customer, int64_t at_ms,
                        const struct params *params)
{
    struct history history = customer_history(customer, at_ms);

    i64_put(writer, "gap_ms", rhythm_gap_ms(customer, params));
    i64_put(writer, "silence_ms", rhythm_silence_ms(customer, at_ms));
    double_put(writer, "x", history.x);
    double_put(writer, "t_x", history.t_x);
    double_put(writer, "T", history.T);
}

static void date_put(struct json_writer *writer, const char *key, int32_t day)
{
    char text[TEXT_TIME_BYTES];
    size_t len = text_date_format((int64_t)day * TEXT_MS_PER_DAY, text);

    json_put_key(writer, key);
    json_put_string(writer, (struct span){text, len});
}

static void purchases_put(struct json_writer *writer, const struct customer *customer,
                          int64_t at_ms, const struct params *params)
{
    if (customer->purchase_days == 0) {
        text_put(writer, "purchases", NULL);
        return;
    }
    object_put(writer, "purchases");
    i64_put(writer, "days", customer->purchase_days);
    i64_put(writer, "orders", customer->orders);
    date_put(writer, "first", customer->first_day);
    date_put(writer, "last", customer->last_day);
    i64_put(writer, "spend_minor", customer->spend_minor);
    text_put(writer, "currency", currency_code(params->reporting));
    json_put_key(writer, "by_currency");
    json_put_array(writer);
    for (uint8_t i = 0; i < customer->currencies; i++) {
        json_put_object(writer);
        text_put(writer, "currency", currency_code(customer->currency[i].currency));
        i64_put(writer, "spend_minor", customer->currency[i].minor);
        json_put_object_end(writer);
    }
    json_put_array_end(writer);
    history_put(writer, customer, at_ms, params);
    json_put_object_end(writer);
}

static void value_put(struct json_writer *writer, const struct customer *customer, int64_t at_ms,
                      const struct params *params)
{
    struct value value;

    value_at(customer, at_ms, params, &value);
    object_put(writer, "value");
    i64_put(writer, "clv_minor", value.clv_minor);
    text_put(writer, "currency", currency_code(params->reporting));
    double_put(writer, "purchases_12", value.purchases_12);
    double_put(writer, "spend_minor", value.spend_minor);
    double_put(writer, "p_convert", value.p_convert);
    i64_put(writer, "cost_minor", value.cost_minor);
    json_put_object_end(writer);
}

static void tier_put(struct json_writer *writer, const struct customer *customer, int64_t at_ms,
                     const struct params *params)
{
    text_put(writer, "class", tier_class_label(tier_class(customer, at_ms, params)));
    if (customer->tier == TIER_NONE) {
        text_put(writer, "tier", NULL);
        return;
    }
    object_put(writer, "tier");
    text_put(writer, "name", tier_label(customer->tier));
    time_put(writer, "since", customer->tier_since_ms);
    time_put(writer, "assessed_at", customer->assessed_ms);
    i64_put(writer, "value_minor", customer->value_minor);
    double_put(writer, "percentile", insight_percentile(&params->insight, customer->value_minor));
    time_put(writer, "below_since", customer->tier_below_ms);
    json_put_object_end(writer);
}

/* A term of logit P(buy), unless it adds nothing. */
static void term_put(struct json_writer *writer, const char *feature, double value, double baseline,
                     double contribution)
{
    if (contribution == 0)
        return;
    json_put_object(writer);
    text_put(writer, "feature", feature);
    double_put(writer, "value", value);
    double_put(writer, "baseline", baseline);
    double_put(writer, "contribution", contribution);
    json_put_object_end(writer);
}

static void churn_put(struct json_writer *writer, const struct customer *customer, int64_t at_ms,
                      const struct params *params)
{
    struct churn_risk risk;

    churn_risk_at(customer, at_ms, params, &risk);
    if (customer->purchase_days == 0 && !risk.subscribed) {
        text_put(writer, "churn", NULL);
        return;
    }
    object_put(writer, "churn");
    double_put(writer, "risk", risk.risk);
    i64_put(writer, "horizon_days", params->churn_horizon_ms / TEXT_MS_PER_DAY);
    double_put(writer, "p_alive", risk.p_alive);
    double_put(writer, "p_buy_model", risk.p_buy_model);
    bool_put(writer, "subscribed", risk.subscribed);
    double_put(writer, "base_logit", risk.base_logit);
    json_put_key(writer, "warnings");
    json_put_array(writer);
    for (int i = 0; i < WARNING_COUNT; i++)
        term_put(writer, warning_label((enum warning)i), risk.value[i], risk.baseline[i],
                 risk.contribution[i]);
    json_put_array_end(writer);
    json_put_key(writer, "learned");
    json_put_array(writer);
    for (int i = 0; i < FEATURE_COUNT; i++)
        term_put(writer, feature_label((enum feature)i), risk.figure[i], 0, risk.learned[i]);
    json_put_array_end(writer);
    bool_put(writer, "calibrated", params->calibrated != 0);
    json_put_object_end(writer);
}

static void activity_put(struct json_writer *writer, const struct customer *customer, int64_t at_ms)
{
    object_put(writer, "activity");
    i64_put(writer, "events_30d", customer_events_between(customer, at_ms, 30, 0));
    i64_put(writer, "events_90d_before", customer_events_between(customer, at_ms, 120, 30));
    i64_put(writer, "spend_90d_minor", customer_spend_between(customer, at_ms, 90, 0));
    object_put(writer, "counts");
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        if (customer->count[type] > 0)
            i64_put(writer, event_type_title((enum event_type)type), customer->count[type]);
    json_put_object_end(writer);
    json_put_object_end(writer);
}

static void satisfaction_put(struct json_writer *writer, const struct customer *customer)
{
    int64_t open = 0;

    for (uint8_t i = 0; i < customer->tickets; i++)
        open += customer->ticket[i].fp != 0 && customer->ticket[i].resolved_ms == INT64_MIN;
    object_put(writer, "satisfaction");
    i64_put(writer, "surveys", customer->scores);
    json_put_key(writer, "average");
    if (customer->scores > 0)
        json_put_double(writer, (double)customer->score_sum_pct / customer->scores);
    else
        json_put_null(writer);
    text_put(writer, "metric",
             customer->score_last < 0                ? NULL
             : customer->score_metric == SURVEY_CSAT ? "csat"
                                                     : "nps");
    json_put_key(writer, "last_score");
    if (customer->score_last < 0)
        json_put_null(writer);
    else
        json_put_i64(writer, customer->score_last);
    time_put(writer, "last_at", customer->score_last_ms);
    i64_put(writer, "open_tickets", open);
    json_put_object_end(writer);
}

static const char *subscription_label(enum subscription_state state)
{
    static const char *const labels[] = {[SUBSCRIPTION_NONE] = "none",
                                         [SUBSCRIPTION_ACTIVE] = "active",
                                         [SUBSCRIPTION_PAUSED] = "paused",
                                         [SUBSCRIPTION_ENDED] = "ended"};

    MUST((unsigned)state <= SUBSCRIPTION_ENDED);
    return labels[state];
}

static void subscription_put(struct json_writer *writer, const struct subscription *subscription)
{
    if (subscription->state == SUBSCRIPTION_NONE) {
        text_put(writer, "subscription", NULL);
        return;
    }
    object_put(writer, "subscription");
    text_put(writer, "state", subscription_label(subscription->state));
    time_put(writer, "ends_at", subscription->ends_ms);
    i64_put(writer, "renewals", subscription->renewals);
    padded_put(writer, "plan", subscription->plan);
    json_put_object_end(writer);
}

static void consent_put(struct json_writer *writer, const struct customer *customer)
{
    object_put(writer, "consent");
    bool_put(writer, "marketing", !customer->consent_denied[CONSENT_MARKETING]);
    bool_put(writer, "analytics", !customer->consent_denied[CONSENT_ANALYTICS]);
    json_put_object_end(writer);
}

static void alerts_put(struct json_writer *writer, const struct customer *customer)
{
    object_put(writer, "alerts");
    i64_put(writer, "told", customer->alert_count);
    json_put_key(writer, "open");
    json_put_array(writer);
    for (uint8_t i = 0; i < customer->episodes; i++) {
        const struct episode *episode = &customer->episode[i];

        if (episode->phase != EPISODE_OPEN)
            continue;
        json_put_object(writer);
        text_put(writer, "kind", kind_label((enum kind)episode->kind));
        text_put(writer, "band", kind_band_label((enum kind)episode->kind, episode->band));
        i64_put(writer, "episode", episode->number);
        time_put(writer, "since", episode->since_ms);
        bool_put(writer, "told", episode->told);
        json_put_object_end(writer);
    }
    json_put_array_end(writer);
    json_put_object_end(writer);
}

static void step_put(struct json_writer *writer, const struct outlook_step *step)
{
    json_put_object(writer);
    time_put(writer, "at", step->at_ms);
    if (step->forgotten) {
        text_put(writer, "kind", "forgotten");
    } else {
        text_put(writer, "kind", kind_label(step->kind));
        text_put(writer, "phase", phase_label(step->phase));
        text_put(writer, "band", kind_band_label(step->kind, step->band));
        text_put(writer, "from", stage_label(step->from));
        text_put(writer, "to", stage_label(step->to));
        double_put(writer, "risk", step->risk);
    }
    json_put_object_end(writer);
}

void customer_json_write(struct json_writer *writer, struct span id,
                         const struct customer *customer, int64_t at_ms,
                         const struct params *params, const struct outlook_step *steps,
                         uint32_t step_count)
{
    json_put_object(writer);
    json_put_key(writer, "customer");
    json_put_string(writer, id);
    time_put(writer, "at", at_ms);
    time_put(writer, "first_seen", customer->first_ms);
    time_put(writer, "last_seen", customer->touch_ms);
    padded_put(writer, "channel", customer->channel);
    padded_put(writer, "category", customer->category);
    time_put(writer, "erased_at", customer->erased_ms);
    stage_put(writer, customer);
    purchases_put(writer, customer, at_ms, params);
    value_put(writer, customer, at_ms, params);
    tier_put(writer, customer, at_ms, params);
    churn_put(writer, customer, at_ms, params);
    activity_put(writer, customer, at_ms);
    satisfaction_put(writer, customer);
    subscription_put(writer, &customer->subscription);
    consent_put(writer, customer);
    alerts_put(writer, customer);
    time_put(writer, "next_timer_at", customer->due_ms);
    json_put_key(writer, "if_silent");
    json_put_array(writer);
    for (uint32_t i = 0; i < step_count; i++)
        step_put(writer, &steps[i]);
    json_put_array_end(writer);
    json_put_object_end(writer);
}
