/* purchase_merge: two customers' purchases become one's. Days, orders and sums add up as if all
 * events had come to one customer; only days that fell out of the kept ones cannot be told from
 * each other, and count as late_days. */
#include <string.h>

#include "base/must.h"
#include "model/purchase.h"

/* --- orders told under both ids, refunds told under the other --- */

static const struct open_order *order_of(const struct customer *customer, uint64_t fp)
{
    for (uint8_t i = 0; i < customer->orders_open; i++)
        if (customer->order[i].fp == fp &&
            (customer->order[i].state == ORDER_OPEN || customer->order[i].state == ORDER_CLOSED))
            return &customer->order[i];
    return NULL;
}

static void order_drop(struct customer *customer, uint8_t i)
{
    memmove(&customer->order[i], &customer->order[i + 1],
            (size_t)(customer->orders_open - i - 1) * sizeof(customer->order[0]));
    customer->orders_open--;
}

/* The same order under both ids is one: `from` gives its own back. */
static void drop_common(struct customer *from, const struct customer *into,
                        const struct params *params)
{
    for (uint8_t i = from->orders_open; i-- > 0;) {
        struct open_order order = from->order[i];
        struct purchase whole = {.fp = order.fp, .day = order.day, .currency = order.currency};

        if (order_of(from, order.fp) != &from->order[i] || order_of(into, order.fp) == NULL)
            continue;
        if (order.state == ORDER_OPEN)
            purchase_refund(from, &whole, true, true, params);
        order_drop(from, i);
    }
}

/* What waits at `waiting` for an order that is the other's takes from that order. */
static void give_refunds(struct customer *waiting, struct customer *other,
                         const struct params *params)
{
    for (uint8_t i = waiting->orders_open; i-- > 0;) {
        struct open_order order = waiting->order[i];
        struct purchase refund = {.fp = order.fp,
                                  .day = order.day,
                                  .currency = order.currency,
                                  .native = order.left_native};
        bool whole = order.state == ORDER_CANCEL_WAITS;

        if ((!whole && order.state != ORDER_REFUND_WAITS) || order_of(other, order.fp) == NULL)
            continue;
        if (!whole &&
            purchase_convert(refund.native, refund.currency, params, &refund.minor) != STATUS_OK)
            refund.minor = 0;
        purchase_refund(other, &refund, whole, true, params);
        order_drop(waiting, i);
    }
}

static bool order_same(const struct open_order *left, const struct open_order *right)
{
    return left->day == right->day && left->fp == right->fp && left->currency == right->currency &&
           left->state == right->state;
}

static bool order_before(const struct open_order *left, const struct open_order *right)
{
    if (left->day != right->day)
        return left->day < right->day;
    if (left->fp != right->fp)
        return left->fp < right->fp;
    if (left->currency != right->currency)
        return left->currency < right->currency;
    return left->state < right->state;
}

/* A cancellation that waits at both is one, of the later day. */
static void drop_cancelled_twice(struct customer *into, struct customer *from)
{
    for (uint8_t i = from->orders_open; i-- > 0;) {
        uint8_t j = 0;

        while (j < into->orders_open && (into->order[j].fp != from->order[i].fp ||
                                         into->order[j].state != ORDER_CANCEL_WAITS))
            j++;
        if (from->order[i].state != ORDER_CANCEL_WAITS || j == into->orders_open)
            continue;
        if (from->order[i].day <= into->order[j].day)
            order_drop(from, i);
        else
            order_drop(into, j);
    }
}

/* Newest last; the lowest fall out. */
static void merge_orders(struct customer *into, const struct customer *from)
{
    struct open_order all[2 * CUSTOMER_ORDERS_MAX];
    uint8_t count = 0, i = 0, j = 0, first;

    while (i < into->orders_open || j < from->orders_open) {
        bool left = j == from->orders_open ||
                    (i < into->orders_open && !order_before(&from->order[j], &into->order[i]));
        const struct open_order *order = left ? &into->order[i++] : &from->order[j++];

        if (count > 0 && order_same(&all[count - 1], order))
            all[count - 1].left_native =
                customer_money_add(all[count - 1].left_native, order->left_native);
        else
            all[count++] = *order;
    }
    first = count > CUSTOMER_ORDERS_MAX ? (uint8_t)(count - CUSTOMER_ORDERS_MAX) : 0;
    into->orders_open = (uint8_t)(count - first);
    memcpy(into->order, all + first, into->orders_open * sizeof(into->order[0]));
}

/* --- days --- */

struct repeats {
    uint32_t days;
    int64_t spend_minor;
};

static void repeats_add(struct repeats *repeats, int64_t spend_minor)
{
    if (spend_minor <= 0)
        return;
    repeats->days++;
    repeats->spend_minor = customer_money_add(repeats->spend_minor, spend_minor);
}

/* Of the days that fell out of the kept ones, and are not the first. */
static struct repeats repeats_fallen(const struct customer *customer)
{
    struct repeats kept = {0};

    for (uint8_t i = 0; i < customer->days_kept; i++)
        if (customer->days[i].day != customer->first_day)
            repeats_add(&kept, customer->days[i].spend_minor);
    return (struct repeats){
        customer->repeat_days_paid > kept.days ? customer->repeat_days_paid - kept.days : 0,
        customer_money_add(customer->repeat_spend_minor, -kept.spend_minor)};
}

static bool day_is_kept(const struct customer *customer, int32_t day)
{
    for (uint8_t i = 0; i < customer->days_kept; i++)
        if (customer->days[i].day == day)
            return true;
    return false;
}

/* Kept days of one that may be among those that fell out of the other's: they count twice then. */
static uint32_t days_in_doubt(const struct customer *of, const struct customer *other)
{
    uint32_t days = 0;

    if (other->purchase_days == other->days_kept)
        return 0;
    for (uint8_t i = 0; i < of->days_kept && of->days[i].day < other->days[0].day; i++)
        days += of->days[i].day > other->first_day;
    return days;
}

/* All kept days of both, ascending; the number of those that both have. */
static uint8_t days_union(const struct customer *a, const struct customer *b,
                          struct purchase_day all[2 * CUSTOMER_DAYS_MAX], uint8_t *ret_common)
{
    uint8_t count = 0, i = 0, j = 0, common = 0;

    while (i < a->days_kept || j < b->days_kept) {
        bool left = j == b->days_kept || (i < a->days_kept && a->days[i].day <= b->days[j].day);
        bool both = i < a->days_kept && j < b->days_kept && a->days[i].day == b->days[j].day;

        all[count] = left ? a->days[i++] : b->days[j++];
        if (both) {
            const struct purchase_day *other = &b->days[j++];
            uint32_t orders = (uint32_t)all[count].orders + other->orders;

            all[count].orders = (uint16_t)(orders < UINT16_MAX ? orders : UINT16_MAX);
            all[count].spend_minor = customer_money_add(all[count].spend_minor, other->spend_minor);
            common++;
        }
        count++;
    }
    *ret_common = common;
    return count;
}

/* The later of the two first days is a repeat day from now on. When it is kept, the union has it.
 */
static void first_day_merge(struct customer *into, const struct customer *from,
                            struct repeats *repeats, uint32_t *ret_common)
{
    const struct customer *later = from->first_day >= into->first_day ? from : into;

    *ret_common = 0;
    if (into->first_day == from->first_day) {
        into->first_day_spend_minor =
            customer_money_add(into->first_day_spend_minor, from->first_day_spend_minor);
        *ret_common = !day_is_kept(into, into->first_day) || !day_is_kept(from, from->first_day);
        return;
    }
    if (!day_is_kept(later, later->first_day))
        repeats_add(repeats, later->first_day_spend_minor);
    if (later == into) {
        into->first_day = from->first_day;
        into->first_day_spend_minor = from->first_day_spend_minor;
    }
}

static void merge_days(struct customer *into, const struct customer *from)
{
    struct purchase_day all[2 * CUSTOMER_DAYS_MAX];
    struct repeats a = repeats_fallen(into), b = repeats_fallen(from);
    struct repeats repeats = {a.days + b.days, customer_money_add(a.spend_minor, b.spend_minor)};
    uint32_t doubt = days_in_doubt(into, from) + days_in_doubt(from, into), common_first;
    uint8_t common, count = days_union(into, from, all, &common), first;

    first_day_merge(into, from, &repeats, &common_first);
    for (uint8_t i = 0; i < count; i++) {
        if (all[i].day != into->first_day)
            repeats_add(&repeats, all[i].spend_minor);
        else
            all[i].spend_minor = into->first_day_spend_minor;
    }
    into->purchase_days = into->purchase_days + from->purchase_days - common - common_first;
    into->late_days += from->late_days + doubt;
    into->repeat_days_paid = repeats.days;
    into->repeat_spend_minor = repeats.spend_minor;
    first = count > CUSTOMER_DAYS_MAX ? (uint8_t)(count - CUSTOMER_DAYS_MAX) : 0;
    into->days_kept = (uint8_t)(count - first);
    memcpy(into->days, all + first, into->days_kept * sizeof(into->days[0]));
}

/* --- all of it --- */

static void merge_currencies(struct customer *into, const struct customer *from)
{
    for (uint8_t i = 0; i < from->currencies; i++)
        purchase_currency_add(into, from->currency[i].currency, from->currency[i].minor);
}

void purchase_merge(struct customer *into, struct customer *from, const struct params *params)
{
    drop_common(from, into, params);
    give_refunds(from, into, params);
    give_refunds(into, from, params);
    drop_cancelled_twice(into, from);
    if (from->purchase_days > 0 && into->purchase_days > 0) {
        merge_days(into, from);
    } else if (from->purchase_days > 0) {
        memcpy(into->days, from->days, sizeof(into->days));
        into->days_kept = from->days_kept;
        into->purchase_days = from->purchase_days;
        into->first_day = from->first_day;
        into->first_day_spend_minor = from->first_day_spend_minor;
        into->repeat_days_paid = from->repeat_days_paid;
        into->repeat_spend_minor = from->repeat_spend_minor;
        into->late_days += from->late_days;
    } else {
        into->late_days += from->late_days;
    }
    into->orders += from->orders;
    into->spend_minor = customer_money_add(into->spend_minor, from->spend_minor);
    merge_currencies(into, from);
    merge_orders(into, from);
    purchase_last_refresh(into);
}
