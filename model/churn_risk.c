/* churn_risk: the model's P(buy) with the warning signs on top, and when silence takes it across a
 * threshold.
 *
 * Between two steps of the warnings the risk of a silent customer only rises (P(buy) falls with T;
 * a subscription's risk stays). So its first crossing is at the start of a piece or inside the
 * first piece that ends above. Inside, the closed form's timer gives the minute, which the risk
 * itself then confirms: what a timer promises is what churn_risk_at says at that minute, to the
 * bit. */
#include <math.h>

#include "base/must.h"
#include "base/text.h"
#include "model/churn.h"

#define LOGIT_MAX     35 /* of P(buy); 1 − logistic(−35) is below 1 by 6e-16 */
#define MS_PER_MINUTE INT64_C(60000)
#define CROSSING_MAX  (INT64_C(3652) * TEXT_MS_PER_DAY)

/* Times at which a warning or the subscription may change in silence. Bins of 10 days matter from
 * the time when the newest filled one is in the future until 120 days' windows have left it behind.
 */
#define BIN_STEPS_MAX (2 * CUSTOMER_BINS_MAX + 2)
#define STEPS_MAX     96
_Static_assert(BIN_STEPS_MAX + 3 * CUSTOMER_TICKETS_MAX + 2 * 4 + 1 <= STEPS_MAX, "steps fit");

const char *warning_label(enum warning warning)
{
    static const char *const labels[WARNING_COUNT] = {
        [WARNING_ACTIVITY] = "activity_decline",
        [WARNING_SATISFACTION] = "satisfaction_low",
        [WARNING_COMPLAINT_OPEN] = "complaint_open",
        [WARNING_COMPLAINT_RESOLVED] = "complaint_resolved",
        [WARNING_PAYMENT] = "payment_trouble",
        [WARNING_UNSUBSCRIBED] = "unsubscribed",
    };
    MUST((unsigned)warning < WARNING_COUNT);
    return labels[warning];
}

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
    const int64_t recent = customer_events_between(customer, at_ms, 30, 0);
    const int64_t before = customer_events_between(customer, at_ms, 120, 30);
    risk->value[WARNING_ACTIVITY] = (double)recent;
    risk->baseline[WARNING_ACTIVITY] = (double)before / 3; /* of 30 days */
    warn(risk, WARNING_ACTIVITY, before >= params->activity_min && 6 * recent < before,
         params->activity_decline);

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

/* --- the risk --- */

static double horizon_days(const struct params *params)
{
    return (double)params->churn_horizon_ms / (double)TEXT_MS_PER_DAY;
}

static double logit_clamped(double p)
{
    return fmax(-LOGIT_MAX, fmin(LOGIT_MAX, log(p) - log1p(-p)));
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
        risk->p_buy_model = churn_mbg_buy(mbg, history, horizon_days(params));
    }
    risk->base_logit = logit_clamped(risk->p_buy_model);
}

/* The sum in one fixed order: whoever adds base_logit and the contributions up in theirs gets the
 * same bits. */
static void sum_up(struct churn_risk *risk)
{
    double logit = risk->base_logit;
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
        warnings_at(customer, at_ms, params, &risk);
        sum_up(&risk);
    }
    *ret_risk = risk;
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
    return 1 - churn_mbg_buy(churn_mbg(params), history, horizon_days(params));
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

static void step_add_bins(struct steps *steps, const struct customer *customer,
                          const struct params *params)
{
    int64_t events = 0;
    for (int i = 0; i < CUSTOMER_BINS_MAX; i++) {
        events += customer->bins[i].events;
    }
    if (events < params->activity_min) {
        return; /* no window can hold enough for the warning */
    }
    for (int64_t i = -CUSTOMER_BINS_MAX; i <= CUSTOMER_BINS_MAX + 1; i++) {
        step_add(steps, (customer->bin_newest + i) * CUSTOMER_BIN_DAYS * TEXT_MS_PER_DAY);
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

/* The risk inside one piece: same warnings, same subscription as at its start. */
static double risk_in_piece(const struct customer *customer, int64_t minute,
                            const struct params *params, const struct churn_risk *start)
{
    struct churn_risk risk = *start;
    if (!risk.subscribed && customer->purchase_days > 0) {
        model_at(customer, minute * MS_PER_MINUTE, params, &risk);
        sum_up(&risk);
    }
    return risk.risk;
}

/* Where the smooth part alone says the threshold is reached; only a guess, so any answer is right.
 */
static int64_t minute_guess(const struct customer *customer, int64_t low, int64_t high,
                            double threshold, const struct params *params,
                            const struct churn_risk *start)
{
    double warnings = 0;
    for (int i = 0; i < WARNING_COUNT; i++) {
        warnings += start->contribution[i];
    }
    const double theta = 1 / (1 + threshold / (1 - threshold) * exp(warnings));
    const struct history history = customer_history(customer, low * MS_PER_MINUTE);
    const double days = churn_mbg_buy_timer(churn_mbg(params), history.x, history.t_x, history.T,
                                            horizon_days(params), theta);
    const double minutes = ceil((customer->first_day + days) * (24 * 60));
    if (!(minutes < (double)high)) {
        return high;
    }
    return minutes > (double)low ? (int64_t)minutes : low + 1;
}

/* First minute in (low, high] at the threshold, given risk(low) < threshold ≤ risk(high) and one
 * piece. */
static int64_t minute_crossing(const struct customer *customer, int64_t low, int64_t high,
                               double threshold, const struct params *params,
                               const struct churn_risk *start)
{
    int64_t probe = minute_guess(customer, low, high, threshold, params, start);
    for (int64_t stride = 1; high - low > 1;) {
        if (risk_in_piece(customer, probe, params, start) >= threshold) {
            high = probe;
            probe -= stride;
        } else {
            low = probe;
            probe += stride;
        }
        stride *= 2;
        if (probe <= low || probe >= high) {
            probe = low + (high - low) / 2;
        }
    }
    return high;
}

int64_t churn_risk_crossing(const struct customer *customer, int64_t from_ms, double threshold,
                            const struct params *params)
{
    struct steps steps;
    steps_of(customer, from_ms, params, &steps);
    int64_t low = minute_from(from_ms);
    for (int i = 0; i <= steps.count; i++) {
        /* The piece holds the minutes low … end − 1. */
        const int64_t end =
            minute_from(i < steps.count ? steps.at_ms[i] : steps.until_ms + MS_PER_MINUTE);
        if (end <= low) {
            continue;
        }
        struct churn_risk start;
        churn_risk_at(customer, low * MS_PER_MINUTE, params, &start);
        if (start.risk >= threshold) {
            return low * MS_PER_MINUTE;
        }
        if (risk_in_piece(customer, end - 1, params, &start) >= threshold) {
            return minute_crossing(customer, low, end - 1, threshold, params, &start) *
                   MS_PER_MINUTE;
        }
        low = end;
    }
    return INT64_MAX;
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
    for (int i = 0; i < steps.count; i++) {
        const int64_t minute = minute_from(steps.at_ms[i]);
        if (minute > next && risk_at_minute(customer, minute, params) < threshold) {
            return minute * MS_PER_MINUTE;
        }
    }
    return INT64_MAX;
}
