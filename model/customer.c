/* customer: the record itself: its empty form, its invariants, and the figures several modules
 * derive from it. */
#include "model/customer.h"

#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/text.h"
#include "model/effect.h"
#include "model/previous.h"

#define MONEY_MAX   INT64_C(4000000000000000000)
#define DAY_MAX     115000                  /* year 2284 */
#define TIME_MAX_MS INT64_C(10000000000000) /* year 2286: everything the fold admits is nearer */

void customer_init(struct customer *ret_customer)
{
    memset(ret_customer, 0, CUSTOMER_LISTS_OFFSET);
    ret_customer->now_ms = INT64_MIN;
    ret_customer->due_ms = INT64_MAX;
    ret_customer->first_ms = INT64_MAX;
    ret_customer->touch_ms = INT64_MIN;
    ret_customer->stage_since_ms = INT64_MIN;
    ret_customer->funnel = STAGE_LEAD;
    ret_customer->funnel_since_ms = INT64_MIN;
    ret_customer->trial_ends_ms = INT64_MAX;
    ret_customer->churned_ms = INT64_MIN;
    ret_customer->risk_since_ms = INT64_MAX;
    ret_customer->last_purchase_ms = INT64_MIN;
    ret_customer->bin_newest = INT32_MIN;
    ret_customer->channel_ms = INT64_MAX;
    ret_customer->category_ms = INT64_MIN;
    ret_customer->assessed_ms = INT64_MIN;
    ret_customer->tier_since_ms = INT64_MIN;
    ret_customer->tier_below_ms = INT64_MAX;
    ret_customer->score_last = -1;
    ret_customer->score_last_ms = INT64_MIN;
    ret_customer->erased_ms = INT64_MIN;
    ret_customer->subscription = (struct subscription){
        .changed_ms = INT64_MIN, .ends_ms = INT64_MAX, .term_ms = INT64_MIN, .plan_ms = INT64_MIN};
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        ret_customer->last_ms[type] = INT64_MIN;
    for (int purpose = 0; purpose < CONSENT_PURPOSE_COUNT; purpose++)
        ret_customer->consent_ms[purpose] = INT64_MIN;
    for (int i = 0; i < CUSTOMER_CAP_MAX; i++)
        ret_customer->marketing_ms[i] = INT64_MIN;
}

bool customer_is_empty(const struct customer *customer)
{
    return customer->now_ms == INT64_MIN;
}

bool customer_is_mark(const struct customer *customer)
{
    return customer->stage == STAGE_NONE && customer->erased_ms != INT64_MIN &&
           !customer_is_redirect(customer);
}

bool customer_is_potential(const struct customer *customer)
{
    return customer->stage == STAGE_LEAD || customer->stage == STAGE_DEMO ||
           customer->stage == STAGE_TRIAL;
}

/* --- invariants --- */

static bool time_or(int64_t ms, int64_t none)
{
    return ms == none || (ms > -TIME_MAX_MS && ms < TIME_MAX_MS);
}

static bool money(int64_t minor)
{
    return minor >= -MONEY_MAX && minor <= MONEY_MAX;
}

static const char *check_times(const struct customer *customer)
{
    if (!time_or(customer->now_ms, INT64_MIN) || !time_or(customer->touch_ms, INT64_MIN) ||
        !time_or(customer->first_ms, INT64_MAX) || !time_or(customer->erased_ms, INT64_MIN))
        return "a time is out of range";
    if (!time_or(customer->stage_since_ms, INT64_MIN) ||
        !time_or(customer->funnel_since_ms, INT64_MIN) ||
        !time_or(customer->trial_ends_ms, INT64_MAX) || !time_or(customer->churned_ms, INT64_MIN) ||
        !time_or(customer->risk_since_ms, INT64_MAX) ||
        !time_or(customer->last_purchase_ms, INT64_MIN))
        return "a time of the stage is out of range";
    if (customer->now_ms != INT64_MIN && customer->touch_ms > customer->now_ms)
        return "an event lies after fold time";
    if (customer->stage != STAGE_NONE && customer->first_ms > customer->touch_ms)
        return "the first event lies after the newest";
    if (customer->due_ms != INT64_MAX && customer->due_ms <= customer->now_ms)
        return "a timer is due before fold time";
    return NULL;
}

static const char *check_stage(const struct customer *customer)
{
    if (customer->stage >= STAGE_COUNT || customer->stage_reason >= STAGE_REASON_COUNT ||
        customer->churn_reason >= CHURN_REASON_COUNT)
        return "stage, reason or churn reason is unknown";
    if (customer->funnel < STAGE_LEAD || customer->funnel > STAGE_TRIAL)
        return "the funnel step is none";
    if (customer->stage == STAGE_NONE && customer->purchase_days > 0)
        return "purchases without a stage";
    if (customer_is_potential(customer) && customer->purchase_days > 0)
        return "a potential customer has bought";
    return NULL;
}

/* Of the times the fold admits (tally.c), with room. */
static bool day(int32_t day)
{
    return day >= -DAY_MAX && day <= DAY_MAX;
}

static const char *check_days(const struct customer *customer)
{
    uint8_t kept = customer->days_kept;

    if (kept > CUSTOMER_DAYS_MAX)
        return "more purchase days kept than there is room for";
    if (kept > customer->purchase_days || (kept == 0) != (customer->purchase_days == 0))
        return "purchase days kept do not fit their number";
    if ((customer->purchase_days == 0) != (customer->last_purchase_ms == INT64_MIN))
        return "the newest purchase does not fit the number of days";
    for (uint8_t i = 0; i < kept; i++) {
        if (customer->days[i].orders == 0)
            return "a purchase day without an order";
        if (!day(customer->days[i].day))
            return "a purchase day is out of range";
        if (!money(customer->days[i].spend_minor))
            return "a day's spend is out of range";
        if (i > 0 && customer->days[i - 1].day >= customer->days[i].day)
            return "purchase days are not in order";
    }
    if (kept > 0 && (customer->first_day > customer->days[0].day ||
                     customer->last_day != customer->days[kept - 1].day))
        return "first or last day is not that of the days kept";
    if (!day(customer->first_day) || !day(customer->last_day))
        return "the first or the last day is out of range";
    if (customer->bin_newest != INT32_MIN && (customer->bin_newest < -DAY_MAX / CUSTOMER_BIN_DAYS ||
                                              customer->bin_newest > DAY_MAX / CUSTOMER_BIN_DAYS))
        return "the activity bins are of no time";
    if (!money(customer->spend_minor) || !money(customer->first_day_spend_minor) ||
        !money(customer->repeat_spend_minor) || !money(customer->cost_minor))
        return "a sum is out of range";
    return NULL;
}

static const char *check_lists(const struct customer *customer)
{
    if (customer->orders_open > CUSTOMER_ORDERS_MAX)
        return "more orders kept than there is room for";
    for (uint8_t i = 0; i < customer->orders_open; i++) {
        const struct open_order *order = &customer->order[i];

        if (order->state > ORDER_CANCEL_WAITS || order->fp == 0 || !day(order->day) ||
            order->currency >= CURRENCY_COUNT)
            return "an order kept is malformed";
        if (order->left_native < 0 || order->left_minor < 0 || !money(order->left_native) ||
            !money(order->left_minor))
            return "what is left of an order is out of range";
    }
    if (customer->tickets > CUSTOMER_TICKETS_MAX)
        return "more tickets kept than there is room for";
    for (uint8_t i = 0; i < customer->tickets; i++)
        if (!time_or(customer->ticket[i].opened_ms, INT64_MIN) ||
            !time_or(customer->ticket[i].resolved_ms, INT64_MIN))
            return "a ticket's time is out of range";
    if (customer->currencies > CUSTOMER_CURRENCIES_MAX)
        return "more currencies kept than there is room for";
    for (uint8_t i = 0; i < customer->currencies; i++)
        if (customer->currency[i].currency <= CURRENCY_NONE ||
            customer->currency[i].currency >= CURRENCY_COUNT || !money(customer->currency[i].minor))
            return "a currency's spend is malformed";
    return NULL;
}

static const char *check_tier(const struct customer *customer)
{
    if (customer->tier >= TIER_COUNT || !money(customer->value_minor))
        return "tier or value is out of range";
    if (!time_or(customer->assessed_ms, INT64_MIN) ||
        !time_or(customer->tier_since_ms, INT64_MIN) ||
        !time_or(customer->tier_below_ms, INT64_MAX))
        return "a time of the tier is out of range";
    return NULL;
}

static const char *check_episodes(const struct customer *customer)
{
    if (customer->episodes > CUSTOMER_EPISODES_MAX)
        return "more episodes kept than there is room for";
    for (uint8_t i = 0; i < customer->episodes; i++) {
        const struct episode *episode = &customer->episode[i];

        if (episode->kind >= KIND_COUNT || episode->phase > EPISODE_OPEN || episode->band == 0)
            return "an episode is malformed";
        if (!time_or(episode->since_ms, INT64_MIN) || !time_or(episode->ended_ms, INT64_MIN))
            return "an episode's time is out of range";
        if (episode->number == 0 || episode->number > customer->episode_count)
            return "an episode's number was never given";
    }
    return NULL;
}

const char *customer_check(const struct customer *customer)
{
    const struct subscription *subscription = &customer->subscription;
    const char *fault = check_times(customer);

    if (fault == NULL)
        fault = check_stage(customer);
    if (fault == NULL)
        fault = check_days(customer);
    if (fault == NULL)
        fault = check_lists(customer);
    if (fault == NULL)
        fault = check_tier(customer);
    if (fault == NULL)
        fault = check_episodes(customer);
    if (fault == NULL &&
        (subscription->state > SUBSCRIPTION_ENDED || !time_or(subscription->ends_ms, INT64_MAX) ||
         !time_or(subscription->changed_ms, INT64_MIN)))
        fault = "the subscription is malformed";
    if (fault == NULL && customer_is_redirect(customer) &&
        (customer->stage != STAGE_NONE || customer->into_len > EVENT_CUSTOMER_BYTES_MAX))
        fault = "a redirect that is a customer, too";
    if (fault == NULL && (customer->previous > PREVIOUS_MAX || customer->erased_offset < 0))
        fault = "what is kept of identity is out of range";
    if (fault == NULL && customer->score_metric > SURVEY_CSAT)
        fault = "the survey's metric is unknown";
    for (int type = 0; fault == NULL && type < EVENT_TYPE_COUNT; type++)
        if (!time_or(customer->last_ms[type], INT64_MIN))
            fault = "the time of an event type is out of range";
    for (int i = 0; fault == NULL && i < CUSTOMER_BINS_MAX; i++)
        if (!money(customer->bins[i].spend_minor) || !money(customer->bins[i].cost_minor))
            fault = "a bin's spend or cost is out of range";
    for (int i = 0; fault == NULL && i < CUSTOMER_CAP_MAX; i++)
        if (!time_or(customer->marketing_ms[i], INT64_MIN))
            fault = "the time of a marketing alert is out of range";
    return fault;
}

/* --- derived figures --- */

int customer_category_bit(struct span category)
{
    return (int)(hash_bytes(category, 0) % 64);
}

struct history customer_history(const struct customer *customer, int64_t at_ms)
{
    struct history history;
    int64_t first_ms = customer->first_day * TEXT_MS_PER_DAY;

    MUST(customer->purchase_days > 0);
    history.x = (double)(customer->purchase_days - 1);
    history.t_x = (double)customer->last_day - (double)customer->first_day;
    history.T = (double)(at_ms - first_ms) / (double)TEXT_MS_PER_DAY;
    if (history.T < history.t_x)
        history.T = history.t_x;
    return history;
}

static int32_t bin_of_day(int32_t day)
{
    return day >= 0 ? day / CUSTOMER_BIN_DAYS
                    : -((-day + CUSTOMER_BIN_DAYS - 1) / CUSTOMER_BIN_DAYS);
}

int32_t customer_bin_of(int64_t at_ms)
{
    return bin_of_day(text_day_of(at_ms));
}

/* Indices [from, to) of the bins of a window; empty when from >= to. */
static void bin_window(const struct customer *customer, int64_t at_ms, int from_days, int to_days,
                       int *ret_from, int *ret_to)
{
    int32_t newest = customer_bin_of(at_ms);
    int64_t oldest = (int64_t)newest - from_days / CUSTOMER_BIN_DAYS;
    int64_t last = to_days == 0 ? newest : (int64_t)newest - to_days / CUSTOMER_BIN_DAYS - 1;
    int64_t from = (int64_t)customer->bin_newest - last;
    int64_t to = (int64_t)customer->bin_newest - oldest + 1;

    *ret_from = from < 0 ? 0 : from > CUSTOMER_BINS_MAX ? CUSTOMER_BINS_MAX : (int)from;
    *ret_to = to < 0 ? 0 : to > CUSTOMER_BINS_MAX ? CUSTOMER_BINS_MAX : (int)to;
}

uint32_t customer_events_between(const struct customer *customer, int64_t at_ms, int from_days,
                                 int to_days)
{
    uint32_t events = 0;
    int from, to;

    bin_window(customer, at_ms, from_days, to_days, &from, &to);
    for (int i = from; i < to; i++)
        events += customer->bins[i].events;
    return events;
}

int64_t customer_spend_between(const struct customer *customer, int64_t at_ms, int from_days,
                               int to_days)
{
    int64_t spend = 0;
    int from, to;

    bin_window(customer, at_ms, from_days, to_days, &from, &to);
    for (int i = from; i < to; i++)
        spend = customer_money_add(spend, customer->bins[i].spend_minor);
    return spend;
}

int64_t customer_cost_between(const struct customer *customer, int64_t at_ms, int from_days,
                              int to_days)
{
    int64_t cost = 0;
    int from, to;

    bin_window(customer, at_ms, from_days, to_days, &from, &to);
    for (int i = from; i < to; i++)
        cost = customer_money_add(cost, customer->bins[i].cost_minor);
    return cost;
}

uint32_t customer_days_since(const struct customer *customer, int64_t since_ms)
{
    uint32_t days = 0;

    for (uint8_t i = customer->days_kept; i-- > 0;) {
        if (customer->days[i].day * TEXT_MS_PER_DAY < since_ms)
            break;
        days++;
    }
    return days;
}

bool customer_subscribed(const struct customer *customer, int64_t at_ms)
{
    return customer->subscription.state != SUBSCRIPTION_NONE &&
           at_ms < customer->subscription.ends_ms;
}

const struct episode *customer_episode(const struct customer *customer, uint8_t kind, uint64_t key)
{
    for (uint8_t i = 0; i < customer->episodes; i++)
        if (customer->episode[i].kind == kind && customer->episode[i].key == key)
            return &customer->episode[i];
    return NULL;
}

void customer_activity_add(struct customer *customer, int32_t day, struct activity_bin more)
{
    int32_t bin = bin_of_day(day);
    struct activity_bin *at;

    if (customer->bin_newest == INT32_MIN)
        customer->bin_newest = bin;
    if (bin > customer->bin_newest) {
        int64_t shift = (int64_t)bin - customer->bin_newest;

        if (shift > CUSTOMER_BINS_MAX)
            shift = CUSTOMER_BINS_MAX;
        for (int64_t i = CUSTOMER_BINS_MAX - 1; i >= shift; i--)
            customer->bins[i] = customer->bins[i - shift];
        for (int64_t i = 0; i < shift; i++)
            customer->bins[i] = (struct activity_bin){0};
        customer->bin_newest = bin;
    }
    if (customer->bin_newest - bin >= CUSTOMER_BINS_MAX)
        return;
    at = &customer->bins[customer->bin_newest - bin];
    at->events += more.events;
    at->spend_minor = customer_money_add(at->spend_minor, more.spend_minor);
    at->cost_minor = customer_money_add(at->cost_minor, more.cost_minor);
}

int64_t customer_money_add(int64_t left, int64_t right)
{
    int64_t sum;

    if (__builtin_add_overflow(left, right, &sum))
        return left < 0 ? -MONEY_MAX : MONEY_MAX;
    return sum < -MONEY_MAX ? -MONEY_MAX : sum > MONEY_MAX ? MONEY_MAX : sum;
}
