/* model_random: random events of one customer, and the statistics that must come out of them
 * however they come in. Times collide on purpose. */
#ifndef LC_TESTS_MODEL_RANDOM_H
#define LC_TESTS_MODEL_RANDOM_H

#include "model/tally.h"
#include "model_kit.h"

static inline uint64_t random_of(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static inline uint64_t below(uint64_t *seed, uint64_t bound)
{
    return random_of(seed) % bound;
}

/* Times collide on purpose (whole hours), ids too: orders 1..8, tickets 1..4. */
static inline struct event random_event(struct kit *kit, uint64_t *seed)
{
    static const char *const channels[] = {"web", "app", "store"};
    static const char *const plans[] = {"basic", "pro"};
    enum event_type type = (enum event_type)below(seed, EVENT_TYPE_COUNT);
    struct event event;

    if (below(seed, 3) == 0)
        type = EVENT_ORDER_COMPLETED + (enum event_type)below(seed, 3);
    if (type == EVENT_ALIAS || type == EVENT_DELETE)
        type = EVENT_PAGE_VIEWED;
    event = kit_event(kit, type, (double)below(seed, 24 * 150) / 24);
    event.currency = below(seed, 4) == 0 ? CURRENCY_USD : CURRENCY_EUR;
    event.amount_minor = (int64_t)below(seed, 2000);
    event.has =
        type == EVENT_ORDER_COMPLETED || type == EVENT_SERVICE_COST_RECORDED || below(seed, 2) == 0
            ? EVENT_HAS_AMOUNT
            : 0u;
    if (type == EVENT_ORDER_CANCELLED || below(seed, 4) != 0 || event.has == 0) {
        event.has |= EVENT_HAS_ORDER;
        event.order_fp = 1 + below(seed, 8);
        /* An order is completed once: the second is a duplicate, and which is which depends on the
         * order by nature. */
        if (tally_is_purchase(&event))
            event.order_fp = 1000 + event.id_fp;
        else if (below(seed, 2) == 0)
            event.order_fp = 1000 + 1 + below(seed, 24);
    }
    event.has |= EVENT_HAS_SCORE | EVENT_HAS_PURPOSE;
    event.metric = below(seed, 2) ? SURVEY_NPS : SURVEY_CSAT;
    event.score = (int16_t)(1 + below(seed, 5));
    event.purpose = (enum consent_purpose)below(seed, CONSENT_PURPOSE_COUNT);
    event.granted = below(seed, 2);
    if (below(seed, 3) != 0) {
        event.has |= EVENT_HAS_TICKET;
        event.ticket_fp = 1 + below(seed, 2);
    }
    if (below(seed, 2)) {
        event.has |= EVENT_HAS_ENDS;
        event.ends_ms = kit_at((double)below(seed, 400));
    }
    event.subscription_fp = below(seed, 3);
    event.has |= event.subscription_fp ? EVENT_HAS_SUBSCRIPTION : 0u;
    event.channel = below(seed, 2) ? span_of(channels[below(seed, 3)]) : SPAN_ABSENT;
    event.plan = below(seed, 2) ? span_of(plans[below(seed, 2)]) : SPAN_ABSENT;
    event.category = below(seed, 2) ? span_of(plans[below(seed, 2)]) : SPAN_ABSENT;
    return event;
}

/* What follows the log, by design, is set aside; everything else must be the same bits. */
static inline struct customer statistics_of(const struct customer *customer)
{
    struct customer only = *customer;

    only.now_ms = only.due_ms = 0;
    only.stage = STAGE_NONE;
    only.stage_reason = (enum stage_reason)0;
    only.churn_reason = CHURN_UNKNOWN;
    only.stage_since_ms = only.churned_ms = only.risk_since_ms = 0;
    only.stage_cause = 0;
    only.returned = false;
    only.episodes = 0;
    memset(only.episode, 0, sizeof(only.episode));
    only.episode_count = only.alert_count = 0;
    /* Beyond the counts the arrays hold whatever moved out of them. */
    memset(&only.days[only.days_kept], 0,
           (size_t)(CUSTOMER_DAYS_MAX - only.days_kept) * sizeof(only.days[0]));
    memset(&only.order[only.orders_open], 0,
           (size_t)(CUSTOMER_ORDERS_MAX - only.orders_open) * sizeof(only.order[0]));
    memset(&only.ticket[only.tickets], 0,
           (size_t)(CUSTOMER_TICKETS_MAX - only.tickets) * sizeof(only.ticket[0]));
    memset(&only.currency[only.currencies], 0,
           (size_t)(CUSTOMER_CURRENCIES_MAX - only.currencies) * sizeof(only.currency[0]));
    return only;
}

static inline void assert_same_statistics(const struct customer *left, const struct customer *right,
                                          uint64_t seed)
{
#define SAME(field)                                                                                \
    if (memcmp(&left->field, &right->field, sizeof(left->field)) != 0)                             \
    fail_msg("seed %llu: %s is not the same", (unsigned long long)seed, #field)
    SAME(first_ms);
    SAME(touch_ms);
    SAME(funnel);
    SAME(funnel_since_ms);
    SAME(trial_ends_ms);
    SAME(purchase_days);
    SAME(first_day);
    SAME(last_day);
    SAME(last_purchase_ms);
    SAME(days_kept);
    SAME(late_days);
    SAME(orders);
    SAME(spend_minor);
    SAME(first_day_spend_minor);
    SAME(repeat_days_paid);
    SAME(repeat_spend_minor);
    SAME(currencies);
    SAME(orders_open);
    SAME(bin_newest);
    SAME(bins);
    SAME(count);
    SAME(last_ms);
    SAME(channel);
    SAME(channel_ms);
    SAME(categories);
    SAME(category);
    SAME(category_ms);
    SAME(score_sum_pct);
    SAME(scores);
    SAME(score_last);
    SAME(score_metric);
    SAME(score_last_ms);
    SAME(tickets);
    SAME(cost_minor);
    SAME(consent_denied);
    SAME(consent_ms);
    SAME(subscription.state);
    SAME(subscription.changed_ms);
    SAME(subscription.ends_ms);
    SAME(subscription.term_ms);
    SAME(subscription.renewals);
    SAME(subscription.plan);
    SAME(subscription.plan_ms);
    SAME(subscription.fp);
#undef SAME
    for (uint8_t i = 0; i < left->days_kept; i++)
        if (left->days[i].day != right->days[i].day ||
            left->days[i].orders != right->days[i].orders ||
            left->days[i].spend_minor != right->days[i].spend_minor)
            fail_msg("seed %llu: a purchase day is not the same", (unsigned long long)seed);
    for (uint8_t i = 0; i < left->orders_open; i++)
        if (left->order[i].fp != right->order[i].fp ||
            left->order[i].state != right->order[i].state ||
            left->order[i].currency != right->order[i].currency ||
            left->order[i].day != right->order[i].day ||
            left->order[i].left_native != right->order[i].left_native ||
            left->order[i].left_minor != right->order[i].left_minor)
            fail_msg("seed %llu: an open order is not the same", (unsigned long long)seed);
    for (uint8_t i = 0; i < left->tickets; i++)
        if (left->ticket[i].fp != right->ticket[i].fp ||
            left->ticket[i].complaint != right->ticket[i].complaint ||
            left->ticket[i].opened_ms != right->ticket[i].opened_ms ||
            left->ticket[i].resolved_ms != right->ticket[i].resolved_ms)
            fail_msg("seed %llu: a ticket is not the same", (unsigned long long)seed);
    for (uint8_t i = 0; i < left->currencies; i++)
        if (left->currency[i].currency != right->currency[i].currency ||
            left->currency[i].minor != right->currency[i].minor)
            fail_msg("seed %llu: a currency is not the same", (unsigned long long)seed);
}

#endif
