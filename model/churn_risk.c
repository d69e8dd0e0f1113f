/* churn_risk: the model's P(buy) with the warning signs on top, and when silence takes it across a
 * threshold.
 *
 * Between two steps of the warnings the risk of a silent customer only rises (P(buy) falls with T;
 * a subscription's risk stays). So its first crossing is at the start of a piece or inside the
 * first piece that ends above. Inside, the closed form's timer gives the minute, which the risk
 * itself then confirms: what a timer promises is what churn_risk_at says at that minute, to the
 * bit. */
#include <math.h>
#include <string.h>

#include "base/must.h"
#include "base/text.h"
#include "model/activity.h"
#include "model/churn.h"

#define LOGIT_MAX     35 /* of P(buy); 1 − logistic(−35) is below 1 by 6e-16 */
#define MS_PER_MINUTE INT64_C(60000)
#define CROSSING_MAX  (INT64_C(3652) * TEXT_MS_PER_DAY)

/* Times at which a warning or the subscription may change in silence. Bins matter from the time
 * when the oldest kept one is new until the longest window has left the newest one behind. */
#define BIN_STEPS_MAX (CUSTOMER_BINS_MAX + ACTIVITY_BINS_AFTER + 1)
#define STEPS_MAX     96
#define SMOOTHS_MAX   4
_Static_assert(BIN_STEPS_MAX + 3 * CUSTOMER_TICKETS_MAX + 2 * 4 + 1 + FEATURE_SILENCE_STEPS <=
                   STEPS_MAX,
               "steps fit");

/* --- warnings --- */

static bool lately(int64_t then_ms, int64_t at_ms, const struct params *params)
{
    return then_ms != INT64_MIN && then_ms <= at_ms && at_ms - then_ms < params->memory_ms;
}

static bool complaint_is_open(const struct ticket *ticket, int64_t at_ms)
{
    return ticket->complaint && ticket->opened_ms != INT64_MIN && ticket->opened_ms <= at_ms &&
           (ticket->resolved_ms == INT64_MIN || ticket->resolved_ms > at_ms);
}

static void warn(struct churn_risk *risk, enum warning warning, bool holds, double weight)
{
    risk->contribution[warning] = holds ? weight : 0;
}

static void warnings_at(const struct customer *customer, int64_t at_ms, const struct params *params,
                        struct churn_risk *risk)
{
    const struct activity activity = activity_of(customer, customer_bin_of(at_ms));
    risk->value[WARNING_ACTIVITY] = (double)activity.recent;
    risk->baseline[WARNING_ACTIVITY] =
        (double)activity.before * ACTIVITY_RECENT_DAYS / ACTIVITY_BEFORE_DAYS;
    warn(risk, WARNING_ACTIVITY, activity_declines(&activity, params), params->activity_decline);

    const int64_t poor = customer->score_metric == SURVEY_CSAT ? params->csat_low : params->nps_low;
    const bool scored = customer->score_last >= 0 && lately(customer->score_last_ms, at_ms, params);
    risk->value[WARNING_SATISFACTION] = scored ? customer->score_last : 0;
    risk->baseline[WARNING_SATISFACTION] = scored ? (double)poor : 0;
    warn(risk, WARNING_SATISFACTION, scored && customer->score_last <= poor,
         params->satisfaction_low);

    int open = 0, resolved = 0;
    for (int i = 0; i < customer->tickets; i++) {
        const struct ticket *ticket = &customer->ticket[i];
        open += complaint_is_open(ticket, at_ms);
        resolved += ticket->complaint && lately(ticket->resolved_ms, at_ms, params);
    }
    risk->value[WARNING_COMPLAINT_OPEN] = open;
    warn(risk, WARNING_COMPLAINT_OPEN, open > 0, params->complaint_open);
    risk->value[WARNING_COMPLAINT_RESOLVED] = resolved;
    warn(risk, WARNING_COMPLAINT_RESOLVED, resolved > 0, params->complaint_resolved);

    const bool trouble = lately(customer->last_ms[EVENT_PAYMENT_FAILED], at_ms, params) ||
                         lately(customer->last_ms[EVENT_PAYMENT_LATE], at_ms, params);
    risk->value[WARNING_PAYMENT] = trouble;
    warn(risk, WARNING_PAYMENT, trouble, params->payment_trouble);

    const bool left = lately(customer->last_ms[EVENT_UNSUBSCRIBED], at_ms, params);
    risk->value[WARNING_UNSUBSCRIBED] = left;
    warn(risk, WARNING_UNSUBSCRIBED, left, params->unsubscribed);
}

/* --- what was learned --- */

/* All but SCALE, which goes with the model's logit. */
static void features_at(const struct customer *customer, int64_t at_ms, const struct params *params,
                        struct churn_risk *risk)
{
    if (risk->subscribed || !params_learned(params)) {
        return;
    }
    feature_figures(customer, at_ms, params, risk->figure);
    for (int i = FEATURE_SCALE + 1; i < FEATURE_COUNT; i++) {
        risk->learned[i] =
            params->insight.feature_weight[i] * feature_of((enum feature)i, risk->figure[i]);
    }
}

/* How much of the model's logit is believed: 1 is all of it. */
static double scale_of(const struct churn_risk *risk, const struct params *params)
{
    const bool learned = params_learned(params) && !risk->subscribed;
    return learned ? 1 + params->insight.feature_weight[FEATURE_SCALE] : 1;
}

/* --- the risk --- */

static double horizon_days(const struct params *params)
{
    return (double)params->churn_horizon_ms / (double)TEXT_MS_PER_DAY;
}

static double logit_clamped(double p)
{
    return fmax(-LOGIT_MAX, fmin(LOGIT_MAX, log(p / (1 - p))));
}

/* p_alive, p_buy_model and base_logit. */
static void model_at(const struct customer *customer, int64_t at_ms, const struct params *params,
                     struct churn_risk *risk)
{
    if (risk->subscribed) {
        risk->p_alive = 1;
        risk->p_buy_model = 1 - churn_sbg(params->sbg_alpha, params->sbg_beta,
                                          (double)customer->subscription.renewals);
    } else {
        const struct mbg mbg = churn_mbg(params);
        const struct history history = customer_history(customer, at_ms);
        risk->p_alive = churn_mbg_alive(mbg, history);
        risk->p_buy_model =
            risk->p_alive * churn_mbg_buy_if_alive(mbg, history, horizon_days(params));
    }
    risk->base_logit = logit_clamped(risk->p_buy_model);
    if (!risk->subscribed && params_learned(params)) {
        risk->figure[FEATURE_SCALE] = risk->base_logit;
        risk->learned[FEATURE_SCALE] =
            params->insight.feature_weight[FEATURE_SCALE] * risk->base_logit;
    }
}

/* The sum in one fixed order: whoever adds base_logit, what was learned and the contributions up in
 * theirs gets the same bits. */
static void sum_up(struct churn_risk *risk)
{
    double logit = risk->base_logit;
    for (int i = 0; i < FEATURE_COUNT; i++) {
        logit += risk->learned[i];
    }
    for (int i = 0; i < WARNING_COUNT; i++) {
        logit += risk->contribution[i];
    }
    risk->risk = 1 / (1 + exp(logit));
}

void churn_risk_at(const struct customer *customer, int64_t at_ms, const struct params *params,
                   struct churn_risk *ret_risk)
{
    struct churn_risk risk = {0};
    risk.subscribed = customer_subscribed(customer, at_ms);
    if (risk.subscribed || customer->purchase_days > 0) {
        model_at(customer, at_ms, params, &risk);
        features_at(customer, at_ms, params, &risk);
        warnings_at(customer, at_ms, params, &risk);
        sum_up(&risk);
    }
    *ret_risk = risk;
}

/* The base, from the model's P(buy) at that time. */
static double base_learned(const struct customer *customer, double p_buy,
                           const struct params *params)
{
    struct churn_risk risk = {.base_logit = logit_clamped(p_buy)};
    features_at(customer, customer->last_day * TEXT_MS_PER_DAY, params, &risk);
    risk.learned[FEATURE_SCALE] = params->insight.feature_weight[FEATURE_SCALE] * risk.base_logit;
    risk.learned[FEATURE_ENGAGEMENT] = 0;
    sum_up(&risk);
    return risk.risk;
}

double churn_risk_base(const struct customer *customer, const struct params *params)
{
    if (customer_subscribed(customer, customer->now_ms)) {
        return churn_sbg(params->sbg_alpha, params->sbg_beta,
                         (double)customer->subscription.renewals);
    }
    if (customer->purchase_days == 0) {
        return 0;
    }
    struct history history = customer_history(customer, customer->now_ms);
    history.T = history.t_x;
    const double p_buy = churn_mbg_buy(churn_mbg(params), history, horizon_days(params));
    return params_learned(params) ? base_learned(customer, p_buy, params) : 1 - p_buy;
}

/* --- steps --- */

struct steps {
    int64_t from_ms, until_ms; /* (from, until] is kept */
    int count;
    int64_t at_ms[STEPS_MAX]; /* ascending, may repeat */
};

static void step_add(struct steps *steps, int64_t at_ms)
{
    if (at_ms <= steps->from_ms || at_ms > steps->until_ms) {
        return;
    }
    MUST(steps->count < STEPS_MAX);
    int i = steps->count++;
    for (; i > 0 && steps->at_ms[i - 1] > at_ms; i--) {
        steps->at_ms[i] = steps->at_ms[i - 1];
    }
    steps->at_ms[i] = at_ms;
}

static void step_add_window(struct steps *steps, int64_t then_ms, const struct params *params)
{
    if (then_ms != INT64_MIN) {
        step_add(steps, then_ms);
        step_add(steps, then_ms + params->memory_ms);
    }
}

/* The bins in which the activity warning comes or goes, or in which what was learned of engagement
 * changes. */
static void step_add_bins(struct steps *steps, const struct customer *customer,
                          const struct params *params)
{
    const int64_t last = (int64_t)customer->bin_newest + ACTIVITY_BINS_AFTER;
    int64_t bin = customer_bin_of(steps->from_ms);
    if (bin < last - BIN_STEPS_MAX) {
        bin = last - BIN_STEPS_MAX;
    }
    struct activity activity = activity_of(customer, bin);
    while (activity.bin < last) {
        const struct activity before = activity;
        activity_advance(&activity);
        if (activity_declines(&activity, params) != activity_declines(&before, params) ||
            (params_learned(params) && activity.recent != before.recent)) {
            step_add(steps, activity.bin * CUSTOMER_BIN_DAYS * TEXT_MS_PER_DAY);
        }
    }
}

static void steps_of(const struct customer *customer, int64_t from_ms, const struct params *params,
                     struct steps *ret_steps)
{
    ret_steps->from_ms = from_ms;
    ret_steps->until_ms = from_ms + CROSSING_MAX;
    ret_steps->count = 0;
    step_add_bins(ret_steps, customer, params);
    if (customer->score_last >= 0) {
        step_add_window(ret_steps, customer->score_last_ms, params);
    }
    step_add_window(ret_steps, customer->last_ms[EVENT_PAYMENT_FAILED], params);
    step_add_window(ret_steps, customer->last_ms[EVENT_PAYMENT_LATE], params);
    step_add_window(ret_steps, customer->last_ms[EVENT_UNSUBSCRIBED], params);
    for (int i = 0; i < customer->tickets; i++) {
        if (customer->ticket[i].complaint) {
            step_add(ret_steps, customer->ticket[i].opened_ms);
            step_add_window(ret_steps, customer->ticket[i].resolved_ms, params);
        }
    }
    if (customer->subscription.state != SUBSCRIPTION_NONE) {
        step_add(ret_steps, customer->subscription.ends_ms);
    }
    for (int i = 0; i < FEATURE_SILENCE_STEPS && params_learned(params); i++) {
        step_add(ret_steps, customer->last_day * TEXT_MS_PER_DAY + feature_silence_step_ms(i));
    }
}

/* --- crossings, on the grid of whole minutes --- */

static int64_t minute_from(int64_t ms)
{
    return ms / MS_PER_MINUTE + (ms % MS_PER_MINUTE > 0);
}

static double risk_at_minute(const struct customer *customer, int64_t minute,
                             const struct params *params)
{
    struct churn_risk risk;
    churn_risk_at(customer, minute * MS_PER_MINUTE, params, &risk);
    return risk.risk;
}

/* From which minute on the smooth part is at the threshold, if the signs stayed as they are. */
struct smooth {
    double contribution[WARNING_COUNT];
    double learned[FEATURE_COUNT]; /* SCALE is 0 here: it goes with the smooth part */
    int64_t minute;                /* INT64_MAX: never */
};

/* Most customers have no more than two different sets of signs in ten years: each is solved once.
 */
struct smooths {
    int count;
    struct smooth at[SMOOTHS_MAX];
};

static double risk_under(const struct customer *customer, int64_t minute,
                         const struct params *params, const struct churn_risk *signs)
{
    struct churn_risk risk = *signs;
    model_at(customer, minute * MS_PER_MINUTE, params, &risk);
    sum_up(&risk);
    return risk.risk;
}

/* What the closed form says, in minutes since 1970 and parts of one. */
struct forecast {
    double minute; /* INFINITY: never */
    bool sure;     /* so far inside a minute that no rounding can move it into another */
};

/* Rounding moves a forecast by less than 1e-6 of a minute for any customer of 200 years; at logits
 * near the clamp the closed form does not know of it. */
#define SURE_MINUTES 0.01
#define SURE_LOGIT   (LOGIT_MAX - 1)

static struct forecast smooth_forecast(const struct customer *customer, int64_t low,
                                       double threshold, const struct params *params,
                                       const struct churn_risk *signs)
{
    double logit = log((1 - threshold) / threshold);
    for (int i = 0; i < FEATURE_COUNT; i++) {
        logit -= signs->learned[i];
    }
    for (int i = 0; i < WARNING_COUNT; i++) {
        logit -= signs->contribution[i];
    }
    logit /= scale_of(signs, params);
    const struct history history = customer_history(customer, low * MS_PER_MINUTE);
    const double days =
        churn_mbg_logit_timer(churn_mbg(params), history, horizon_days(params), logit);
    const double minute = (customer->first_day + days) * (24 * 60);
    const double part = minute - floor(minute);
    return (struct forecast){.minute = minute,
                             .sure = fabs(logit) < SURE_LOGIT && minute > (double)low + 1 &&
                                     part > SURE_MINUTES && part < 1 - SURE_MINUTES};
}

/* First minute in (low, last] at the threshold, else last + 1; known is that risk(low) is below. */
static int64_t smooth_search(const struct customer *customer, int64_t low, int64_t last,
                             int64_t probe, double threshold, const struct params *params,
                             const struct churn_risk *signs)
{
    /* risk(low) < threshold ≤ risk(high), where last + 1 stands for "never". */
    int64_t high = last + 1;
    for (int64_t stride = 1; high - low > 1; stride *= 2) {
        if (risk_under(customer, probe, params, signs) >= threshold) {
            high = probe;
            probe -= stride;
        } else {
            low = probe;
            probe += stride;
        }
        if (probe <= low || probe >= high) {
            probe = low + (high - low) / 2;
        }
    }
    return high;
}

/* First minute in [low, last] at the threshold under fixed signs, else INT64_MAX. */
static int64_t smooth_crossing(const struct customer *customer, int64_t low, int64_t last,
                               double threshold, const struct params *params,
                               const struct churn_risk *signs)
{
    const struct forecast forecast = smooth_forecast(customer, low, threshold, params, signs);
    int64_t minute = last;
    if (forecast.minute <= (double)last) {
        minute = (int64_t)ceil(forecast.minute);
        if (forecast.sure) {
            return minute;
        }
    }
    if (risk_under(customer, low, params, signs) >= threshold) {
        return low;
    }
    minute = minute > low ? minute : low + 1;
    minute = smooth_search(customer, low, last, minute, threshold, params, signs);
    return minute <= last ? minute : INT64_MAX;
}

/* The same, from what was solved before. Pieces come in order of time, so that what was found from
 * an earlier `low` holds for a later one. */
static int64_t smooth_remembered(const struct customer *customer, int64_t low, int64_t last,
                                 double threshold, const struct params *params,
                                 const struct churn_risk *signs, struct smooths *smooths)
{
    for (int i = 0; i < smooths->count; i++) {
        const struct smooth *smooth = &smooths->at[i];
        if (memcmp(smooth->contribution, signs->contribution, sizeof smooth->contribution) == 0 &&
            memcmp(smooth->learned, signs->learned, sizeof smooth->learned) == 0) {
            return smooth->minute;
        }
    }
    const int64_t minute = smooth_crossing(customer, low, last, threshold, params, signs);
    if (smooths->count < SMOOTHS_MAX) {
        struct smooth *smooth = &smooths->at[smooths->count++];
        memcpy(smooth->contribution, signs->contribution, sizeof smooth->contribution);
        memcpy(smooth->learned, signs->learned, sizeof smooth->learned);
        smooth->minute = minute;
    }
    return minute;
}

int64_t churn_risk_crossing(const struct customer *customer, int64_t from_ms, double threshold,
                            const struct params *params)
{
    struct steps steps;
    struct smooths smooths;
    if (threshold > 1) {
        return INT64_MAX;
    }
    steps_of(customer, from_ms, params, &steps);
    smooths.count = 0;
    const int64_t last = minute_from(steps.until_ms);
    int64_t low = minute_from(from_ms);
    for (int i = 0; i <= steps.count; i++) {
        /* The piece holds the minutes low … end − 1. */
        const int64_t end = i < steps.count ? minute_from(steps.at_ms[i]) : last + 1;
        if (end <= low) {
            continue;
        }
        struct churn_risk signs = {0};
        int64_t minute;
        signs.subscribed = customer_subscribed(customer, low * MS_PER_MINUTE);
        if (signs.subscribed || customer->purchase_days == 0) {
            const double risk = risk_at_minute(customer, low, params);
            minute = risk >= threshold ? low : INT64_MAX;
        } else {
            features_at(customer, low * MS_PER_MINUTE, params, &signs);
            warnings_at(customer, low * MS_PER_MINUTE, params, &signs);
            minute = smooth_remembered(customer, low, last, threshold, params, &signs, &smooths);
            minute = minute < low ? low : minute;
        }
        if (minute < end) {
            return minute * MS_PER_MINUTE;
        }
        low = end;
    }
    return INT64_MAX;
}

/* No warning can make the risk lower than the model's own, which only rises until a term begins or
 * ends. What was learned can. */
static bool never_below(const struct customer *customer, int64_t minute, double threshold,
                        const struct params *params)
{
    const struct churn_risk none = {0};
    return customer->purchase_days > 0 && !params_learned(params) &&
           customer->subscription.state == SUBSCRIPTION_NONE &&
           risk_under(customer, minute, params, &none) >= threshold;
}

int64_t churn_risk_clearing(const struct customer *customer, int64_t from_ms, double threshold,
                            const struct params *params)
{
    struct steps steps;
    steps_of(customer, from_ms, params, &steps);
    /* The risk only rises inside a piece: it can fall below at the start of one. */
    const int64_t next = from_ms / MS_PER_MINUTE + (from_ms % MS_PER_MINUTE >= 0);
    if (risk_at_minute(customer, next, params) < threshold) {
        return next * MS_PER_MINUTE;
    }
    if (never_below(customer, next, threshold, params)) {
        return INT64_MAX;
    }
    for (int i = 0; i < steps.count; i++) {
        const int64_t minute = minute_from(steps.at_ms[i]);
        if (minute > next && risk_at_minute(customer, minute, params) < threshold) {
            return minute * MS_PER_MINUTE;
        }
    }
    return INT64_MAX;
}
