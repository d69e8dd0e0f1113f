#include "model/tally.h"

#include "base/must.h"
#include "base/text.h"
#include "model/purchase.h"
#include "model/ticket.h"

/* 1900-01-01 and 2200-01-01: what text_time_parse() takes; a record's own timestamp is checked here
 * only. */
#define TIME_MIN_MS  INT64_C(-2208988800000)
#define TIME_MAX_MS  INT64_C(7258118400000)
#define AMOUNT_MAX   INT64_C(9000000000000000)
#define PERCENT_NPS  10
#define PERCENT_CSAT 25

static bool in_range(int64_t ms)
{
    return ms >= TIME_MIN_MS && ms < TIME_MAX_MS;
}

static const char *refuses_amount(const struct event *event, const struct params *params)
{
    int64_t minor;

    if (event->amount_minor < 0)
        return "the amount is negative";
    if (event->amount_minor > AMOUNT_MAX)
        return "the amount is out of range";
    if (event->currency <= CURRENCY_NONE || event->currency >= CURRENCY_COUNT)
        return "the currency is unknown";
    if (purchase_convert(event->amount_minor, event->currency, params, &minor) != STATUS_OK)
        return "no rate is configured for the currency, or the amount is out of range in the "
               "reporting currency";
    return NULL;
}

/* Types whose amount means something. */
static bool has_price(enum event_type type)
{
    return type == EVENT_ORDER_COMPLETED || type == EVENT_ORDER_REFUNDED ||
           type == EVENT_SERVICE_COST_RECORDED || type == EVENT_SUBSCRIPTION_STARTED ||
           type == EVENT_SUBSCRIPTION_RENEWED || type == EVENT_SUBSCRIPTION_UPGRADED;
}

const char *tally_refuses(const struct event *event, const struct params *params)
{
    MUST(event->type < EVENT_TYPE_COUNT);
    if (!in_range(event->time_ms))
        return "the time is out of range";
    if ((event->has & EVENT_HAS_ENDS) && !in_range(event->ends_ms))
        return "the end of the term is out of range";
    if ((event->has & event_type_required(event->type)) != event_type_required(event->type))
        return "a required field is missing";
    if (event->type == EVENT_ORDER_REFUNDED && !(event->has & (EVENT_HAS_ORDER | EVENT_HAS_AMOUNT)))
        return "a refund names neither an order nor an amount";
    if (event->type == EVENT_SURVEY_RESPONDED &&
        (event->metric > SURVEY_CSAT || event->score < (event->metric == SURVEY_CSAT) ||
         event->score > (event->metric == SURVEY_CSAT ? 5 : 10)))
        return "the score is out of its metric's range";
    if (has_price(event->type) && (event->has & EVENT_HAS_AMOUNT))
        return refuses_amount(event, params);
    return NULL;
}

bool tally_is_activity(enum event_type type)
{
    return event_type_group(type) == EVENT_ENGAGEMENT && type != EVENT_UNSUBSCRIBED;
}

bool tally_is_purchase(const struct event *event)
{
    if (event->type == EVENT_ORDER_COMPLETED)
        return true;
    return event_type_group(event->type) == EVENT_SUBSCRIPTION && has_price(event->type) &&
           (event->has & EVENT_HAS_AMOUNT) && event->amount_minor > 0;
}

int64_t tally_active_ms(const struct customer *customer)
{
    int64_t newest_ms = customer->last_purchase_ms;

    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        if (customer->last_ms[type] > newest_ms && tally_is_activity((enum event_type)type))
            newest_ms = customer->last_ms[type];
    return newest_ms;
}

/* At most CUSTOMER_TEXT_MAX bytes, not in the middle of a UTF-8 character, zero padded. */
static void text_keep(char kept[CUSTOMER_TEXT_MAX], struct span text)
{
    size_t len = text.len;

    if (len > CUSTOMER_TEXT_MAX) {
        len = CUSTOMER_TEXT_MAX;
        while (len > 0 && ((unsigned char)text.at[len] & 0xc0) == 0x80)
            len--;
    }
    memset(kept, 0, CUSTOMER_TEXT_MAX);
    if (len > 0)
        memcpy(kept, text.at, len);
}

static void add_channel(struct customer *customer, const struct event *event)
{
    char channel[CUSTOMER_TEXT_MAX];

    if (event->channel.len == 0 || event->time_ms > customer->channel_ms)
        return;
    text_keep(channel, event->channel);
    if (event->time_ms == customer->channel_ms &&
        memcmp(channel, customer->channel, sizeof(channel)) >= 0)
        return;
    customer->channel_ms = event->time_ms;
    memcpy(customer->channel, channel, sizeof(channel));
}

static void add_funnel(struct customer *customer, const struct event *event)
{
    enum stage step = event->type == EVENT_DEMO_ATTENDED   ? STAGE_DEMO
                      : event->type == EVENT_TRIAL_STARTED ? STAGE_TRIAL
                      : event->type == EVENT_TRIAL_ENDED   ? STAGE_TRIAL
                                                           : STAGE_LEAD;

    if (step > customer->funnel)
        customer->funnel = step;
    /* The end of a trial is no progress. */
    if (event->type != EVENT_TRIAL_ENDED && event->time_ms > customer->funnel_since_ms)
        customer->funnel_since_ms = event->time_ms;
    if (event->type == EVENT_TRIAL_STARTED && (event->has & EVENT_HAS_ENDS) &&
        (customer->trial_ends_ms == INT64_MAX || event->ends_ms > customer->trial_ends_ms))
        customer->trial_ends_ms = event->ends_ms;
}

static void add_category(struct customer *customer, const struct event *event)
{
    char category[CUSTOMER_TEXT_MAX];

    if (event->category.len == 0)
        return;
    customer->categories |= UINT64_C(1) << customer_category_bit(event->category);
    if (event->time_ms < customer->category_ms)
        return;
    text_keep(category, event->category);
    if (event->time_ms == customer->category_ms &&
        memcmp(category, customer->category, sizeof(category)) <= 0)
        return;
    customer->category_ms = event->time_ms;
    memcpy(customer->category, category, sizeof(category));
}

static void add_purchase(struct customer *customer, const struct event *event, bool order_seen,
                         const struct params *params)
{
    bool whole = event->type == EVENT_ORDER_CANCELLED || !(event->has & EVENT_HAS_AMOUNT);
    struct purchase purchase = {
        .fp = event->has & EVENT_HAS_ORDER ? event->order_fp : 0,
        .day = text_day_of(event->time_ms),
        .currency = event->currency,
        .native = event->amount_minor,
    };

    if (!whole)
        MUST(purchase_convert(purchase.native, purchase.currency, params, &purchase.minor) ==
             STATUS_OK);
    if (!tally_is_purchase(event)) {
        purchase_refund(customer, &purchase, whole, order_seen, params);
        return;
    }
    purchase_complete(customer, &purchase, params);
    add_category(customer, event);
}

/* An upgrade, a downgrade or a pause that names no end leaves the term as it is; a start or renewal
 * that names none makes it unknown; a cancellation that names none ends it at once. */
static void add_term(struct subscription *subscription, const struct event *event)
{
    bool keeps = event->type == EVENT_SUBSCRIPTION_UPGRADED ||
                 event->type == EVENT_SUBSCRIPTION_DOWNGRADED ||
                 event->type == EVENT_SUBSCRIPTION_PAUSED;
    int64_t ends_ms = event->has & EVENT_HAS_ENDS                   ? event->ends_ms
                      : event->type == EVENT_SUBSCRIPTION_CANCELLED ? event->time_ms
                                                                    : INT64_MAX;

    if (keeps && !(event->has & EVENT_HAS_ENDS))
        return;
    if (event->time_ms < subscription->term_ms)
        return;
    /* A tie: the earlier end, so that a cancellation in the same millisecond wins. */
    if (event->time_ms == subscription->term_ms && ends_ms > subscription->ends_ms)
        return;
    subscription->term_ms = event->time_ms;
    subscription->ends_ms = ends_ms;
}

static void add_subscription(struct customer *customer, const struct event *event)
{
    struct subscription *subscription = &customer->subscription;
    enum subscription_state state = event->type == EVENT_SUBSCRIPTION_PAUSED ? SUBSCRIPTION_PAUSED
                                    : event->type == EVENT_SUBSCRIPTION_CANCELLED
                                        ? SUBSCRIPTION_ENDED
                                        : SUBSCRIPTION_ACTIVE;
    uint64_t fp = event->has & EVENT_HAS_SUBSCRIPTION ? event->subscription_fp : 0;

    subscription->renewals += event->type == EVENT_SUBSCRIPTION_RENEWED;
    if (event->time_ms > subscription->changed_ms ||
        (event->time_ms == subscription->changed_ms &&
         (state > subscription->state ||
          (state == subscription->state && fp > subscription->fp)))) {
        subscription->changed_ms = event->time_ms;
        subscription->state = state;
        subscription->fp = fp;
    }
    add_term(subscription, event);
    if (event->plan.len > 0 && event->time_ms >= subscription->plan_ms) {
        char plan[CUSTOMER_TEXT_MAX];

        text_keep(plan, event->plan);
        if (event->time_ms > subscription->plan_ms ||
            memcmp(plan, subscription->plan, sizeof(plan)) > 0)
            memcpy(subscription->plan, plan, sizeof(plan));
        subscription->plan_ms = event->time_ms;
    }
}

static void add_score(struct customer *customer, const struct event *event)
{
    bool nps = event->metric == SURVEY_NPS;

    customer->score_sum_pct += nps ? event->score * PERCENT_NPS : (event->score - 1) * PERCENT_CSAT;
    customer->scores++;
    /* A tie: the worse word, CSAT before NPS. */
    if (event->time_ms < customer->score_last_ms ||
        (event->time_ms == customer->score_last_ms &&
         (event->metric < customer->score_metric ||
          (event->metric == customer->score_metric && event->score >= customer->score_last))))
        return;
    customer->score_last_ms = event->time_ms;
    customer->score_metric = event->metric;
    customer->score_last = event->score;
}

static int64_t later(int64_t left, int64_t right)
{
    return left > right ? left : right;
}

static void add_consent(struct customer *customer, const struct event *event)
{
    enum consent_purpose purpose =
        event->has & EVENT_HAS_PURPOSE ? event->purpose : CONSENT_MARKETING;

    MUST(purpose < CONSENT_PURPOSE_COUNT);
    if (event->time_ms < customer->consent_ms[purpose])
        return;
    /* A tie: the refusal. */
    customer->consent_denied[purpose] =
        !event->granted ||
        (event->time_ms == customer->consent_ms[purpose] && customer->consent_denied[purpose]);
    customer->consent_ms[purpose] = event->time_ms;
}

static void add_cost(struct customer *customer, const struct event *event,
                     const struct params *params)
{
    int64_t minor;

    MUST(purchase_convert(event->amount_minor, event->currency, params, &minor) == STATUS_OK);
    customer->cost_minor = customer_money_add(customer->cost_minor, minor);
    customer_activity_add(customer, text_day_of(event->time_ms),
                          (struct activity_bin){.cost_minor = minor});
}

void tally_add(struct customer *customer, const struct event *event, bool order_seen,
               const struct params *params)
{
    if (event->time_ms < customer->first_ms)
        customer->first_ms = event->time_ms;
    customer->touch_ms = later(customer->touch_ms, event->time_ms);
    customer->count[event->type]++;
    customer->last_ms[event->type] = later(customer->last_ms[event->type], event->time_ms);
    add_channel(customer, event);
    if (tally_is_activity(event->type)) /* a purchase is evidence of the models already */
        customer_activity_add(customer, text_day_of(event->time_ms),
                              (struct activity_bin){.events = 1});

    switch (event_type_group(event->type)) {
    case EVENT_ACQUISITION:
        add_funnel(customer, event);
        break;
    case EVENT_PURCHASE:
        if (event->type != EVENT_PAYMENT_FAILED && event->type != EVENT_PAYMENT_LATE)
            add_purchase(customer, event, order_seen, params);
        break;
    case EVENT_SUBSCRIPTION:
        add_subscription(customer, event);
        /* A payment told as an order, too, counts once. */
        if (tally_is_purchase(event) && !order_seen)
            add_purchase(customer, event, order_seen, params);
        else
            purchase_last_refresh(customer);
        break;
    case EVENT_SATISFACTION:
        if (event->type == EVENT_SURVEY_RESPONDED)
            add_score(customer, event);
        else
            ticket_add(customer, event);
        break;
    case EVENT_COST:
        add_cost(customer, event, params);
        break;
    case EVENT_IDENTITY:
        if (event->type == EVENT_CONSENT_CHANGED)
            add_consent(customer, event);
        break;
    case EVENT_ENGAGEMENT:
    case EVENT_ADVOCACY:
        break;
    }
}
