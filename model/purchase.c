#include "model/purchase.h"

#include <string.h>

#include "base/must.h"
#include "base/text.h"

__extension__ typedef __int128 wide;

enum status purchase_convert(int64_t native, enum currency currency, const struct params *params,
                             int64_t *ret_minor)
{
    if (currency == params->reporting) {
        *ret_minor = native;
        return STATUS_OK;
    }
    return currency_convert(native, currency, params->reporting, params->rates[currency],
                            ret_minor);
}

/* --- sums --- */

void purchase_currency_add(struct customer *customer, enum currency currency, int64_t native)
{
    uint8_t i = 0;

    while (i < customer->currencies && customer->currency[i].currency < currency)
        i++;
    if (i == customer->currencies || customer->currency[i].currency != currency) {
        if (customer->currencies == CUSTOMER_CURRENCIES_MAX)
            return; /* a seventh currency counts in the reporting sums only */
        memmove(&customer->currency[i + 1], &customer->currency[i],
                (size_t)(customer->currencies - i) * sizeof(customer->currency[0]));
        customer->currency[i] = (struct currency_spend){.currency = currency};
        customer->currencies++;
    }
    customer->currency[i].minor = customer_money_add(customer->currency[i].minor, native);
}

static void sums_add(struct customer *customer, int32_t day, enum currency currency, int64_t native,
                     int64_t minor)
{
    purchase_currency_add(customer, currency, native);
    customer->spend_minor = customer_money_add(customer->spend_minor, minor);
    customer_activity_add(customer, day, (struct activity_bin){.spend_minor = minor});
}

/* --- purchase days --- */

static int day_find(const struct customer *customer, int32_t day)
{
    for (int i = customer->days_kept; i-- > 0;)
        if (customer->days[i].day == day)
            return i;
    return -1;
}

/* A repeat day with this spend enters (sign 1) or leaves (-1) Gamma-Gamma's sums. */
static void repeat_count(struct customer *customer, int64_t spend_minor, int sign)
{
    if (spend_minor <= 0)
        return;
    customer->repeat_days_paid += (uint32_t)sign;
    customer->repeat_spend_minor =
        customer_money_add(customer->repeat_spend_minor, sign * spend_minor);
}

static void day_spend_set(struct customer *customer, struct purchase_day *day, int64_t spend_minor)
{
    if (day->day == customer->first_day) {
        customer->first_day_spend_minor = spend_minor;
    } else {
        repeat_count(customer, day->spend_minor, -1);
        repeat_count(customer, spend_minor, 1);
    }
    day->spend_minor = spend_minor;
}

static void day_insert(struct customer *customer, int32_t day, int64_t minor, bool fell_out)
{
    uint8_t i = 0;

    if (customer->days_kept > 0 && day < customer->days[0].day &&
        (fell_out || customer->days_kept == CUSTOMER_DAYS_MAX)) {
        customer->late_days++; /* it may be one of those that fell out */
        return;
    }
    if (customer->days_kept == CUSTOMER_DAYS_MAX) {
        memmove(&customer->days[0], &customer->days[1],
                (CUSTOMER_DAYS_MAX - 1) * sizeof(customer->days[0]));
        customer->days_kept--;
    }
    while (i < customer->days_kept && customer->days[i].day < day)
        i++;
    memmove(&customer->days[i + 1], &customer->days[i],
            (size_t)(customer->days_kept - i) * sizeof(customer->days[0]));
    customer->days[i] = (struct purchase_day){.day = day, .orders = 1, .spend_minor = minor};
    customer->days_kept++;
}

static void day_order_add(struct customer *customer, int32_t day, int64_t minor)
{
    int i = day_find(customer, day);
    bool fell_out = customer->purchase_days > customer->days_kept;

    if (i >= 0) {
        struct purchase_day *kept = &customer->days[i];

        if (kept->orders < UINT16_MAX)
            kept->orders++;
        day_spend_set(customer, kept, customer_money_add(kept->spend_minor, minor));
        return;
    }
    if (fell_out && day == customer->first_day) {
        customer->first_day_spend_minor =
            customer_money_add(customer->first_day_spend_minor, minor);
        return;
    }
    if (customer->purchase_days == 0 || day < customer->first_day) {
        if (customer->purchase_days > 0)
            repeat_count(customer, customer->first_day_spend_minor, 1);
        customer->first_day = day;
        customer->first_day_spend_minor = minor;
    } else {
        repeat_count(customer, minor, 1);
    }
    customer->purchase_days++;
    day_insert(customer, day, minor, fell_out);
}

static void day_remove(struct customer *customer, int i)
{
    bool first = customer->days[i].day == customer->first_day;

    day_spend_set(customer, &customer->days[i], 0);
    memmove(&customer->days[i], &customer->days[i + 1],
            (size_t)(customer->days_kept - i - 1) * sizeof(customer->days[0]));
    customer->days_kept--;
    customer->purchase_days--;
    /* Only orders among the CUSTOMER_ORDERS_MAX newest can be taken back by name, so at least half
     * of the kept days stay once older ones have fallen out. A damaged record may say otherwise:
     * then the rest is not believed either. */
    if (customer->days_kept == 0)
        customer->purchase_days = 0;
    if (customer->purchase_days == 0) {
        customer->first_day = 0;
        customer->first_day_spend_minor = 0;
        customer->repeat_days_paid = 0;
        customer->repeat_spend_minor = 0;
    } else if (first) {
        repeat_count(customer, customer->days[0].spend_minor, -1);
        customer->first_day = customer->days[0].day;
        customer->first_day_spend_minor = customer->days[0].spend_minor;
    }
}

/* Takes `minor` from an order of the day; when it closes the order the day may go. */
static void day_order_reduce(struct customer *customer, int32_t day, int64_t minor, bool closes)
{
    int i = day_find(customer, day);
    struct purchase_day *kept;

    if (i < 0) {
        /* Fell out of the kept days: it stays a purchase day, whatever became of its orders. */
        if (customer->purchase_days > 0 && day == customer->first_day)
            customer->first_day_spend_minor =
                customer_money_add(customer->first_day_spend_minor, -minor);
        return;
    }
    kept = &customer->days[i];
    day_spend_set(customer, kept, customer_money_add(kept->spend_minor, -minor));
    if (closes && --kept->orders == 0)
        day_remove(customer, i);
}

/* The newest event of each type that can be a purchase is known to the millisecond; of older days
 * only the day is. */
void purchase_last_refresh(struct customer *customer)
{
    static const enum event_type types[] = {EVENT_ORDER_COMPLETED, EVENT_SUBSCRIPTION_STARTED,
                                            EVENT_SUBSCRIPTION_RENEWED,
                                            EVENT_SUBSCRIPTION_UPGRADED};

    if (customer->purchase_days == 0) {
        customer->last_day = 0;
        customer->last_purchase_ms = INT64_MIN;
        return;
    }
    customer->last_day = customer->days[customer->days_kept - 1].day;
    customer->last_purchase_ms = customer->last_day * TEXT_MS_PER_DAY;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        int64_t newest_ms = customer->last_ms[types[i]];

        if (newest_ms != INT64_MIN && text_day_of(newest_ms) == customer->last_day &&
            newest_ms > customer->last_purchase_ms)
            customer->last_purchase_ms = newest_ms;
    }
}

/* --- open orders --- */

static bool order_before(const struct open_order *left, const struct open_order *right)
{
    if (left->day != right->day)
        return left->day < right->day;
    if (left->fp != right->fp)
        return left->fp < right->fp;
    return left->currency < right->currency;
}

static void order_remove(struct customer *customer, uint8_t i)
{
    memmove(&customer->order[i], &customer->order[i + 1],
            (size_t)(customer->orders_open - i - 1) * sizeof(customer->order[0]));
    customer->orders_open--;
}

static void order_insert(struct customer *customer, struct open_order order)
{
    uint8_t i = 0;

    if (customer->orders_open == CUSTOMER_ORDERS_MAX) {
        if (order_before(&order, &customer->order[0]))
            return;
        order_remove(customer, 0);
    }
    while (i < customer->orders_open && order_before(&customer->order[i], &order))
        i++;
    memmove(&customer->order[i + 1], &customer->order[i],
            (size_t)(customer->orders_open - i) * sizeof(customer->order[0]));
    customer->order[i] = order;
    customer->orders_open++;
}

static bool waits(const struct open_order *order)
{
    return order->state == ORDER_REFUND_WAITS || order->state == ORDER_CANCEL_WAITS;
}

static void refund_spend_only(struct customer *customer, const struct purchase *refund)
{
    sums_add(customer, refund->day, refund->currency, -refund->native, -refund->minor);
}

/* What waited for this order: takes it out of the table; what is left of `native` and whether
 * anything took from it. */
static int64_t take_waiting(struct customer *customer, const struct purchase *order,
                            const struct params *params, bool *ret_refunded)
{
    int64_t left = order->native;

    *ret_refunded = false;
    for (uint8_t i = 0; i < customer->orders_open;) {
        struct open_order waiting = customer->order[i];

        if (waiting.fp != order->fp || !waits(&waiting)) {
            i++;
            continue;
        }
        order_remove(customer, i);
        if (waiting.state == ORDER_CANCEL_WAITS) {
            left = 0;
            *ret_refunded = true;
        } else if (waiting.currency == order->currency) {
            left = left > waiting.left_native ? left - waiting.left_native : 0;
            *ret_refunded = true;
        } else {
            struct purchase other = {
                .day = waiting.day, .currency = waiting.currency, .native = waiting.left_native};

            /* It had a rate when it came; should new parameters have lost it, it counts in its own
             * currency only. */
            if (purchase_convert(other.native, other.currency, params, &other.minor) != STATUS_OK)
                other.minor = 0;
            refund_spend_only(customer, &other);
        }
    }
    return left;
}

/* What a part of an order is worth. Without a rate (new parameters have lost it): its share of what
 * the order added. */
static int64_t worth(const struct open_order *order, int64_t left_native,
                     const struct params *params)
{
    int64_t minor;

    if (left_native == 0 || order->left_native == 0)
        return 0;
    if (purchase_convert(left_native, order->currency, params, &minor) == STATUS_OK)
        return minor;
    return (int64_t)((wide)order->left_minor * left_native / order->left_native);
}

void purchase_complete(struct customer *customer, const struct purchase *order,
                       const struct params *params)
{
    bool refunded = false;
    struct open_order entry = {
        .fp = order->fp,
        .state = ORDER_OPEN,
        .currency = order->currency,
        .day = order->day,
        .left_native = order->native,
        .left_minor = order->minor,
    };

    MUST(order->native >= 0);
    if (order->fp != 0) {
        int64_t left = take_waiting(customer, order, params, &refunded);

        if (refunded) {
            entry.left_minor = worth(&entry, left, params);
            entry.left_native = left;
            entry.state = left == 0 ? ORDER_CLOSED : ORDER_OPEN;
        }
    }
    sums_add(customer, order->day, order->currency, entry.left_native, entry.left_minor);
    if (entry.state == ORDER_OPEN) {
        day_order_add(customer, order->day, entry.left_minor);
        customer->orders++;
    }
    purchase_last_refresh(customer);
    if (order->fp != 0)
        order_insert(customer, entry);
}

static void refund_open(struct customer *customer, struct open_order *order, int64_t left_native,
                        const struct params *params)
{
    int64_t left_minor = worth(order, left_native, params);
    int64_t less_minor = order->left_minor - left_minor;
    bool closes = left_native == 0;

    sums_add(customer, order->day, order->currency, left_native - order->left_native, -less_minor);
    order->left_native = left_native;
    order->left_minor = left_minor;
    if (closes) {
        order->state = ORDER_CLOSED;
        customer->orders -= customer->orders > 0;
    }
    day_order_reduce(customer, order->day, less_minor, closes);
    purchase_last_refresh(customer);
}

static void refund_wait(struct customer *customer, const struct purchase *refund, bool whole)
{
    struct open_order entry = {
        .fp = refund->fp,
        .state = whole ? ORDER_CANCEL_WAITS : ORDER_REFUND_WAITS,
        .currency = whole ? CURRENCY_NONE : refund->currency,
        .day = refund->day,
        .left_native = whole ? 0 : refund->native,
    };

    for (uint8_t i = 0; i < customer->orders_open; i++) {
        const struct open_order *waiting = &customer->order[i];

        if (waiting->fp == entry.fp && waiting->state == entry.state &&
            waiting->currency == entry.currency && (whole || waiting->day == entry.day)) {
            entry.left_native = customer_money_add(entry.left_native, waiting->left_native);
            entry.day = waiting->day > entry.day ? waiting->day : entry.day;
            order_remove(customer, i);
            break;
        }
    }
    order_insert(customer, entry);
}

void purchase_refund(struct customer *customer, const struct purchase *refund, bool whole,
                     bool seen, const struct params *params)
{
    for (uint8_t i = 0; refund->fp != 0 && i < customer->orders_open; i++) {
        struct open_order *order = &customer->order[i];

        if (order->fp != refund->fp || waits(order))
            continue;
        if (!whole && refund->currency != order->currency)
            refund_spend_only(customer, refund);
        else if (order->state == ORDER_OPEN)
            refund_open(customer, order,
                        whole || refund->native >= order->left_native
                            ? 0
                            : order->left_native - refund->native,
                        params);
        return;
    }
    if (refund->fp != 0 && !seen)
        refund_wait(customer, refund, whole);
    else if (!whole)
        refund_spend_only(customer, refund);
}
