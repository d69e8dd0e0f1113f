/* stage: the ordered rules of docs/MODELS.md, "Lifecycle stage". stage_of() reads as the table
 * does. */
#include "model/stage.h"

#include "base/must.h"
#include "base/text.h"
#include "model/churn.h"
#include "model/rhythm.h"

/* --- the tests of the rows --- */

/* t + span, where "never" stays never. */
static int64_t after(int64_t at_ms, int64_t span_ms)
{
    return at_ms == INT64_MAX ? INT64_MAX : at_ms + span_ms;
}

/* When a silence of max(gaps · G, least) is over; not before the end of a term that covers it. */
static int64_t silence_ends(const struct customer *customer, double gaps, int64_t least_ms,
                            const struct params *params)
{
    int64_t silence_ms, ends_ms;

    if (customer->purchase_days == 0)
        return INT64_MAX;
    silence_ms = (int64_t)(gaps * (double)rhythm_gap_ms(customer, params));
    if (silence_ms < least_ms)
        silence_ms = least_ms;
    ends_ms = customer->last_purchase_ms + silence_ms;
    if (customer->subscription.state != SUBSCRIPTION_NONE &&
        customer->subscription.ends_ms > ends_ms)
        ends_ms = customer->subscription.ends_ms;
    return ends_ms;
}

int64_t stage_decline_ms(const struct customer *customer, const struct params *params)
{
    return silence_ends(customer, params->decline_gaps, params->decline_min_ms, params);
}

int64_t stage_churn_ms(const struct customer *customer, const struct params *params)
{
    return silence_ends(customer, params->churn_gaps, params->churn_min_ms, params);
}

/* End of a cancelled subscription after which nothing was bought; INT64_MAX: none. */
static int64_t subscription_end(const struct customer *customer)
{
    const struct subscription *subscription = &customer->subscription;

    if (subscription->state != SUBSCRIPTION_ENDED ||
        customer->last_purchase_ms > subscription->ends_ms)
        return INT64_MAX;
    return subscription->ends_ms;
}

/* A decline by risk stays until a purchase, as the table says, whatever the risk does. */
static bool declines_by_risk(const struct customer *customer, int64_t at_ms,
                             const struct params *params)
{
    if (customer->stage == STAGE_DECLINING && customer->stage_reason == STAGE_BY_RISK &&
        customer->last_purchase_ms <= customer->stage_since_ms)
        return true;
    return customer->risk_since_ms != INT64_MAX &&
           at_ms >= after(customer->risk_since_ms, params->decline_risk_for_ms);
}

bool stage_returned(const struct customer *customer)
{
    int64_t churn_day_ms;

    if (customer->churned_ms == INT64_MIN || customer->last_purchase_ms < customer->churned_ms)
        return false;
    churn_day_ms = text_day_of(customer->churned_ms) * TEXT_MS_PER_DAY;
    return customer_days_since(customer, churn_day_ms) == 1;
}

static bool is_loyal(const struct customer *customer, int64_t at_ms, const struct params *params)
{
    uint32_t days = customer_days_since(customer, at_ms - params->loyal_window_ms);

    if (customer->stage == STAGE_LOYAL)
        return days >= params->loyal_keep_days;
    return days >= params->loyal_days &&
           at_ms >= customer->first_day * TEXT_MS_PER_DAY + params->loyal_tenure_ms &&
           rhythm_silence_ms(customer, at_ms) <= rhythm_gap_ms(customer, params);
}

/* --- the table --- */

static struct stage_verdict potential(const struct customer *customer)
{
    if (customer->currencies > 0) /* it had bought */
        return (struct stage_verdict){customer->funnel, STAGE_BY_REFUND};
    if (customer->funnel == STAGE_LEAD)
        return (struct stage_verdict){STAGE_LEAD, STAGE_BY_FIRST_EVENT};
    return (struct stage_verdict){customer->funnel, STAGE_BY_FUNNEL};
}

struct stage_verdict stage_of(const struct customer *customer, int64_t at_ms,
                              const struct params *params)
{
    /* What a time-driven move to a stage of purchases is due to. */
    enum stage_reason bought =
        customer->last_purchase_ms == at_ms ? STAGE_BY_PURCHASE : STAGE_BY_TENURE;

    if (customer->touch_ms == INT64_MIN) /* nothing known, or erased */
        return (struct stage_verdict){STAGE_NONE, STAGE_BY_DELETE};
    if (customer->purchase_days == 0)
        return potential(customer);
    if (at_ms >= subscription_end(customer))
        return (struct stage_verdict){STAGE_CHURNED, STAGE_BY_SUBSCRIPTION};
    if (at_ms >= stage_churn_ms(customer, params))
        return (struct stage_verdict){STAGE_CHURNED, STAGE_BY_SILENCE};
    if (at_ms >= stage_decline_ms(customer, params))
        return (struct stage_verdict){STAGE_DECLINING, STAGE_BY_SILENCE};
    if (declines_by_risk(customer, at_ms, params))
        return (struct stage_verdict){STAGE_DECLINING, STAGE_BY_RISK};
    if (stage_returned(customer))
        return (struct stage_verdict){STAGE_WON_BACK, STAGE_BY_PURCHASE};
    if (is_loyal(customer, at_ms, params))
        return (struct stage_verdict){STAGE_LOYAL, bought};
    if (customer->purchase_days >= 2)
        return (struct stage_verdict){
            STAGE_GROWING, customer->stage == STAGE_LOYAL ? STAGE_BY_SILENCE : STAGE_BY_PURCHASE};
    return (struct stage_verdict){STAGE_NEW, STAGE_BY_PURCHASE};
}

/* --- when silence moves it --- */

static void sooner(int64_t *due_ms, int64_t candidate_ms, int64_t at_ms)
{
    if (candidate_ms > at_ms && candidate_ms < *due_ms)
        *due_ms = candidate_ms;
}

/* When a loyal customer has too few purchase days left in the window. */
static int64_t loyal_lost(const struct customer *customer, const struct params *params)
{
    int64_t keep = params->loyal_keep_days;

    if (keep > customer->days_kept)
        return INT64_MAX;
    return customer->days[customer->days_kept - keep].day * TEXT_MS_PER_DAY +
           params->loyal_window_ms + 1;
}

/* When tenure alone would make it loyal; INT64_MAX when the other conditions will not hold then. */
static int64_t loyal_won(const struct customer *customer, int64_t at_ms,
                         const struct params *params)
{
    int64_t tenure_ms = customer->first_day * TEXT_MS_PER_DAY + params->loyal_tenure_ms;

    if (tenure_ms <= at_ms || !is_loyal(customer, tenure_ms, params))
        return INT64_MAX;
    return tenure_ms;
}

bool stage_watches_risk(enum stage stage)
{
    return stage == STAGE_NEW || stage == STAGE_GROWING || stage == STAGE_LOYAL ||
           stage == STAGE_WON_BACK;
}

int64_t stage_due_given(const struct customer *customer, int64_t at_ms, int64_t risk_turns_ms,
                        const struct params *params)
{
    int64_t due_ms = INT64_MAX;

    if (customer->purchase_days == 0 || customer->stage == STAGE_CHURNED ||
        customer->stage == STAGE_NONE)
        return INT64_MAX;
    /* The end of a term changes which model speaks, and with it the risk and its threshold. */
    if (customer->subscription.state != SUBSCRIPTION_NONE)
        sooner(&due_ms, customer->subscription.ends_ms, at_ms);
    sooner(&due_ms, stage_churn_ms(customer, params), at_ms);
    if (customer->stage == STAGE_DECLINING)
        return due_ms;
    sooner(&due_ms, stage_decline_ms(customer, params), at_ms);
    sooner(&due_ms, after(customer->risk_since_ms, params->decline_risk_for_ms), at_ms);
    sooner(&due_ms, risk_turns_ms, at_ms);
    if (customer->stage == STAGE_LOYAL)
        sooner(&due_ms, loyal_lost(customer, params), at_ms);
    else if (customer->stage != STAGE_WON_BACK)
        sooner(&due_ms, loyal_won(customer, at_ms, params), at_ms);
    return due_ms;
}

int64_t stage_due(const struct customer *customer, int64_t at_ms, const struct params *params)
{
    int64_t turns_ms = INT64_MAX;

    if (customer->purchase_days > 0 && stage_watches_risk(customer->stage)) {
        double threshold = stage_risk_threshold(customer, params);

        turns_ms = customer->risk_since_ms == INT64_MAX
                       ? churn_risk_crossing(customer, at_ms + 1, threshold, params)
                       : churn_risk_clearing(customer, at_ms, threshold, params);
    }
    return stage_due_given(customer, at_ms, turns_ms, params);
}

double stage_risk_threshold(const struct customer *customer, const struct params *params)
{
    double risen = churn_risk_base(customer, params) + params->decline_risk_rise;

    return risen > params->decline_risk ? risen : params->decline_risk;
}

/* Something worth keeping: a word on consent that must outlive the silence, or the ids that became
 * this customer, whose redirects its erasure has to find. */
static bool worth_keeping(const struct customer *customer)
{
    if (customer->previous > 0)
        return true;
    for (int purpose = 0; purpose < CONSENT_PURPOSE_COUNT; purpose++)
        if (customer->consent_denied[purpose])
            return true;
    return customer->last_ms[EVENT_UNSUBSCRIBED] != INT64_MIN;
}

int64_t stage_forget_ms(const struct customer *customer, const struct params *params)
{
    int64_t forget_ms;

    if (!customer_is_potential(customer) || customer->purchase_days > 0 || worth_keeping(customer))
        return INT64_MAX;
    forget_ms = after(customer->touch_ms, params->forget_ms);
    if (customer->subscription.state != SUBSCRIPTION_NONE &&
        customer->subscription.ends_ms > forget_ms)
        forget_ms = customer->subscription.ends_ms;
    return forget_ms;
}
