/* Version 1 of the record: MessagePack [version, now, due, {group: [integers]}].
 *
 * A group is a list of integers. Each stands for the difference between a field and what the fields
 * before it let one expect, so that what is usual is 0; zeros at the end of a group are left out,
 * and groups of zeros too. Writing and reading are the same walk over the fields (`pass_*`), so
 * that they cannot disagree. docs/FORMATS.md has the table of groups.
 *
 * A time is one integer. The lowest two bits say what the rest is: 1 ms before a base that is near
 * it, 2 whole seconds before the base's second, 3 whole days before the base, 0 a special one: 0
 * the field's usual "none", 4 INT64_MIN, 8 INT64_MAX, 12 the time follows in full, 16 + 4n the n-th
 * different time of this record so far (the newest order is the newest event, is when the stage
 * began ...). */
#include "state/customer_codec.h"

#include <msgpack/pack.h>

#include "base/mp.h"
#include "base/must.h"
#include "base/text.h"
#include "model/effect.h"
#include "state/redirect_codec.h"

/* Whoever changes struct customer decides here how the record carries it (and whether the version
 * changes). */
_Static_assert(sizeof(struct purchase_day) == 16 && sizeof(struct open_order) == 40 &&
                   sizeof(struct ticket) == 32 && sizeof(struct episode) == 40 &&
                   sizeof(struct subscription) == 72,
               "the parts of the customer are those the walk below knows");

#define BASE_MS   INT64_C(1577836800000) /* 2020-01-01, base of fold time */
#define ITEMS_MAX 320

enum { TIME_SPECIAL, TIME_MS, TIME_SECONDS, TIME_DAYS };
enum { SPECIAL_NONE = 0, SPECIAL_MIN = 4, SPECIAL_MAX = 8, SPECIAL_FULL = 12, SPECIAL_KNOWN = 16 };
#define KNOWN_MAX 28 /* the last one still is a number of one byte */

/* One group under way, written or read. */
struct pass {
    bool writing;
    int64_t item[ITEMS_MAX]; /* written so far */
    uint32_t count;
    struct mp_reader *reader;
    uint32_t left;            /* items to read; beyond them all are 0 */
    int64_t known[KNOWN_MAX]; /* different times so far, in all groups */
    uint32_t known_count;
};

/* --- items --- */

static inline int64_t pass_item(struct pass *pass, int64_t value)
{
    if (pass->writing) {
        MUST(pass->count < ITEMS_MAX);
        pass->item[pass->count++] = value;
        return value;
    }
    if (pass->left == 0)
        return 0;
    pass->left--;
    /* Most items are a number of one byte (positive fixint). */
    if (pass->reader->at < pass->reader->end && *pass->reader->at < 0x80 && !pass->reader->fault)
        return *pass->reader->at++;
    return mp_read_i64(pass->reader);
}

/* Any 64 bits, as the difference to what is expected. */
static inline int64_t pass_i64(struct pass *pass, int64_t value, int64_t expected)
{
    int64_t item = pass_item(pass, (int64_t)((uint64_t)value - (uint64_t)expected));

    return (int64_t)((uint64_t)expected + (uint64_t)item);
}

static uint64_t pass_u64(struct pass *pass, uint64_t value)
{
    return (uint64_t)pass_i64(pass, (int64_t)value, 0);
}

/* A number within bounds; a damaged record that leaves them gets the fault and `min`. */
static inline int64_t pass_within(struct pass *pass, int64_t value, int64_t expected, int64_t min,
                                  int64_t max)
{
    int64_t read = pass_i64(pass, value, expected);

    if (pass->writing)
        return value;
    if (read < min || read > max) {
        mp_fault(pass->reader, "a field is out of its range");
        return min;
    }
    return read;
}

static uint32_t pass_u32(struct pass *pass, uint32_t value, int64_t expected)
{
    return (uint32_t)pass_within(pass, value, expected, 0, UINT32_MAX);
}

static uint8_t pass_u8(struct pass *pass, uint8_t value, int64_t expected, uint8_t max)
{
    return (uint8_t)pass_within(pass, value, expected, 0, max);
}

static int32_t pass_i32(struct pass *pass, int32_t value, int64_t expected)
{
    return (int32_t)pass_within(pass, value, expected, INT32_MIN, INT32_MAX);
}

static bool pass_bool(struct pass *pass, bool value)
{
    return pass_within(pass, value, 0, 0, 1) != 0;
}

/* --- times --- */

/* Its number among the known ones, or known_count. */
static uint32_t time_known(const struct pass *pass, int64_t ms)
{
    uint32_t i = 0;

    while (i < pass->known_count && pass->known[i] != ms)
        i++;
    return i;
}

static int64_t time_special(struct pass *pass, int64_t item, int64_t none)
{
    if (item >= SPECIAL_KNOWN && item < SPECIAL_KNOWN + 4 * (int64_t)pass->known_count)
        return pass->known[(item - SPECIAL_KNOWN) / 4];
    switch (item) {
    case SPECIAL_NONE:
        return none;
    case SPECIAL_MIN:
        return INT64_MIN;
    case SPECIAL_MAX:
        return INT64_MAX;
    default:
        mp_fault(pass->reader, "a time is of an unknown sort");
        return none;
    }
}

static int64_t second_of(int64_t ms)
{
    return ms / 1000 - (ms % 1000 < 0);
}

static bool is_usual(int64_t ms, int64_t none)
{
    return ms == none || ms == INT64_MIN || ms == INT64_MAX;
}

/* What is written in full for the first time has a number from then on. */
static void time_learn(struct pass *pass, int64_t ms, int64_t none)
{
    if (!is_usual(ms, none) && pass->known_count < KNOWN_MAX)
        pass->known[pass->known_count++] = ms;
}

static int64_t time_read(struct pass *pass, int64_t base, int64_t none)
{
    int64_t item = pass_item(pass, 0), sort = item & 3, number = (item - sort) / 4, ms = none;
    bool wraps;

    if (sort == TIME_SPECIAL && item != SPECIAL_FULL)
        return time_special(pass, item, none);
    if (sort == TIME_SPECIAL) {
        ms = pass_item(pass, 0);
        wraps = false;
    } else if (sort == TIME_SECONDS) {
        wraps = __builtin_sub_overflow(second_of(base), number, &ms) ||
                __builtin_mul_overflow(ms, 1000, &ms);
    } else {
        wraps = __builtin_mul_overflow(number, sort == TIME_DAYS ? TEXT_MS_PER_DAY : 1, &number) ||
                __builtin_sub_overflow(base, number, &ms);
    }
    if (wraps) {
        mp_fault(pass->reader, "a time overflows");
        return none;
    }
    time_learn(pass, ms, none);
    return ms;
}

static void time_write(struct pass *pass, int64_t ms, int64_t base, int64_t none)
{
    uint32_t known;
    int64_t before;

    if (is_usual(ms, none)) {
        pass_item(pass, ms == none ? SPECIAL_NONE : ms == INT64_MIN ? SPECIAL_MIN : SPECIAL_MAX);
        return;
    }
    known = time_known(pass, ms);
    if (known < pass->known_count) {
        pass_item(pass, SPECIAL_KNOWN + 4 * (int64_t)known);
        return;
    }
    if (__builtin_sub_overflow(base, ms, &before) || before >= INT64_MAX / 4 ||
        before <= INT64_MIN / 4) {
        pass_item(pass, SPECIAL_FULL);
        pass_item(pass, ms);
    } else if (before % TEXT_MS_PER_DAY == 0) {
        pass_item(pass, before / TEXT_MS_PER_DAY * 4 + TIME_DAYS);
    } else if (ms % 1000 == 0) {
        pass_item(pass, (second_of(base) - ms / 1000) * 4 + TIME_SECONDS);
    } else {
        pass_item(pass, before * 4 + TIME_MS);
    }
    time_learn(pass, ms, none);
}

static int64_t pass_time(struct pass *pass, int64_t ms, int64_t base, int64_t none)
{
    if (base == INT64_MIN || base == INT64_MAX)
        base = BASE_MS;
    if (!pass->writing)
        return time_read(pass, base, none);
    time_write(pass, ms, base, none);
    return ms;
}

/* --- texts of sixteen bytes: a number for the usual ones, else two words --- */

static const char known_text[][CUSTOMER_TEXT_MAX] = {/* append only */
                                                     "",      "web", "app",    "store",  "phone",
                                                     "email", "sms", "wechat", "social", "partner"};
#define TEXT_KNOWN (sizeof known_text / sizeof *known_text)
#define TEXT_OTHER 31

static void pass_text(struct pass *pass, char text[CUSTOMER_TEXT_MAX])
{
    int64_t number = TEXT_OTHER, words[2];

    for (size_t i = 0; i < TEXT_KNOWN && number == TEXT_OTHER; i++)
        if (!memcmp(text, known_text[i], CUSTOMER_TEXT_MAX))
            number = (int64_t)i;
    number = pass_within(pass, number, 0, 0, TEXT_OTHER);
    if (number < (int64_t)TEXT_KNOWN) {
        memcpy(text, known_text[number], CUSTOMER_TEXT_MAX);
        return;
    }
    memcpy(words, text, sizeof words);
    words[0] = pass_item(pass, words[0]);
    words[1] = pass_item(pass, words[1]);
    memcpy(text, words, sizeof words);
}
_Static_assert(CUSTOMER_TEXT_MAX == 2 * sizeof(int64_t), "a text is two words");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are written little-endian");

/* --- the groups --- */

static void pass_times(struct pass *pass, struct customer *c)
{
    c->touch_ms = pass_time(pass, c->touch_ms, c->now_ms, INT64_MIN);
    c->first_ms = pass_time(pass, c->first_ms, c->touch_ms, INT64_MAX);
    c->params_version = pass_u32(pass, c->params_version, 1);
    c->alert_count = pass_u32(pass, c->alert_count, 0);
    c->erased_ms = pass_time(pass, c->erased_ms, c->touch_ms, INT64_MIN);
    c->erased_offset = pass_within(pass, c->erased_offset, 0, 0, INT64_MAX);
    c->previous = pass_u8(pass, c->previous, 0, PREVIOUS_MAX);
}

/* What the kept days say about the sums over all days. */
struct day_sums {
    int64_t orders, spend, first_spend, repeat_days, repeat_spend;
};

static int64_t add(int64_t left,
                   int64_t right) /* wraps: expectations may be wrong, not undefined */
{
    return (int64_t)((uint64_t)left + (uint64_t)right);
}

static struct day_sums sums_of(const struct customer *c)
{
    struct day_sums sums = {0};

    for (uint8_t i = 0; i < c->days_kept; i++) {
        const struct purchase_day *day = &c->days[i];

        sums.orders += day->orders;
        sums.spend = add(sums.spend, day->spend_minor);
        if (day->day == c->first_day) {
            sums.first_spend = day->spend_minor;
        } else if (day->spend_minor > 0) {
            sums.repeat_days++;
            sums.repeat_spend = add(sums.repeat_spend, day->spend_minor);
        }
    }
    return sums;
}

static void pass_purchases(struct pass *pass, struct customer *c)
{
    int64_t expected_day, day;
    struct day_sums sums;

    c->purchase_days = pass_u32(pass, c->purchase_days, 0);
    c->last_purchase_ms = pass_time(pass, c->last_purchase_ms, c->touch_ms, INT64_MIN);
    expected_day =
        c->last_purchase_ms == INT64_MIN
            ? 0
            : c->last_purchase_ms / TEXT_MS_PER_DAY - (c->last_purchase_ms % TEXT_MS_PER_DAY < 0);
    c->last_day = pass_i32(pass, c->last_day, expected_day);
    c->first_day = pass_i32(pass, c->first_day, c->last_day);
    c->days_kept =
        pass_u8(pass, c->days_kept,
                c->purchase_days < CUSTOMER_DAYS_MAX ? c->purchase_days : CUSTOMER_DAYS_MAX,
                CUSTOMER_DAYS_MAX);
    day = c->last_day + INT64_C(1);
    for (uint8_t i = c->days_kept; i-- > 0;) { /* newest first */
        if (!pass->writing)
            c->days[i] = (struct purchase_day){0};
        c->days[i].day = pass_i32(pass, c->days[i].day, day - 1);
        c->days[i].orders = (uint16_t)pass_within(pass, c->days[i].orders, 1, 0, UINT16_MAX);
        c->days[i].spend_minor = pass_i64(pass, c->days[i].spend_minor, 0);
        day = c->days[i].day;
    }
    sums = sums_of(c);
    c->orders = pass_u32(pass, c->orders, sums.orders);
    c->spend_minor = pass_i64(pass, c->spend_minor, sums.spend);
    c->first_day_spend_minor = pass_i64(pass, c->first_day_spend_minor, sums.first_spend);
    c->repeat_days_paid = pass_u32(pass, c->repeat_days_paid, sums.repeat_days);
    c->repeat_spend_minor = pass_i64(pass, c->repeat_spend_minor, sums.repeat_spend);
    c->late_days = pass_u32(pass, c->late_days, 0);
}

static void pass_stage(struct pass *pass, struct customer *c)
{
    c->stage = (enum stage)pass_within(pass, c->stage, 0, 0, STAGE_COUNT - 1);
    c->stage_reason =
        (enum stage_reason)pass_within(pass, c->stage_reason, 0, 0, STAGE_REASON_COUNT - 1);
    c->stage_since_ms = pass_time(pass, c->stage_since_ms, c->touch_ms, INT64_MIN);
    c->stage_cause = pass_u64(pass, c->stage_cause);
    c->funnel = (enum stage)pass_within(pass, c->funnel, STAGE_LEAD, 0, STAGE_COUNT - 1);
    c->funnel_since_ms = pass_time(pass, c->funnel_since_ms, c->first_ms, INT64_MIN);
    c->risk_since_ms = pass_time(pass, c->risk_since_ms, c->now_ms, INT64_MAX);
    c->churned_ms = pass_time(pass, c->churned_ms, c->stage_since_ms, INT64_MIN);
    c->churn_reason =
        (enum churn_reason)pass_within(pass, c->churn_reason, 0, 0, CHURN_REASON_COUNT - 1);
    c->returned = pass_bool(pass, c->returned);
    c->trial_ends_ms = pass_time(pass, c->trial_ends_ms, c->touch_ms, INT64_MAX);
}

static void pass_currencies(struct pass *pass, struct customer *c)
{
    int64_t expected = c->spend_minor;

    c->currencies = pass_u8(pass, c->currencies, c->purchase_days > 0, CUSTOMER_CURRENCIES_MAX);
    for (uint8_t i = 0; i < c->currencies; i++) {
        struct currency_spend *spend = &c->currency[i];

        if (!pass->writing)
            *spend = (struct currency_spend){0};

        spend->currency =
            (enum currency)pass_within(pass, spend->currency, 0, 0, CURRENCY_COUNT - 1);
        spend->minor = pass_i64(pass, spend->minor, expected);
        expected = 0;
    }
}

static int64_t spend_of_day(const struct customer *c, int32_t day)
{
    for (uint8_t i = c->days_kept; i-- > 0;)
        if (c->days[i].day == day)
            return c->days[i].spend_minor;
    return 0;
}

static void pass_orders(struct pass *pass, struct customer *c)
{
    enum currency usual = c->currencies > 0 ? c->currency[0].currency : CURRENCY_NONE;

    c->orders_open = pass_u8(pass, c->orders_open, 0, CUSTOMER_ORDERS_MAX);
    for (uint8_t i = 0; i < c->orders_open; i++) {
        struct open_order *order = &c->order[i];
        int64_t left;

        if (!pass->writing)
            *order = (struct open_order){0};
        order->fp = pass_u64(pass, order->fp);
        order->state = (enum order_state)pass_within(pass, order->state, 0, 0, ORDER_CANCEL_WAITS);
        order->currency =
            (enum currency)pass_within(pass, order->currency, usual, 0, CURRENCY_COUNT - 1);
        order->day = pass_i32(pass, order->day, i > 0 ? order[-1].day : c->first_day);
        left = order->state == ORDER_OPEN ? spend_of_day(c, order->day) : 0;
        order->left_native = pass_i64(pass, order->left_native, left);
        order->left_minor =
            pass_i64(pass, order->left_minor, order->state == ORDER_OPEN ? order->left_native : 0);
    }
}

static void bins_fill(struct customer *c, const struct activity_bin *expected, int64_t from,
                      int64_t to)
{
    for (int64_t i = from; i < to; i++)
        c->bins[i] = expected[i];
}

static void pass_bins(struct pass *pass, struct customer *c)
{
    int64_t newest =
        c->last_purchase_ms == INT64_MIN ? INT32_MIN : customer_bin_of(c->last_purchase_ms);
    struct activity_bin expected[CUSTOMER_BINS_MAX] = {0}; /* by the kept purchase days */

    c->bin_newest = pass_i32(pass, c->bin_newest, newest);
    for (uint8_t i = 0; i < c->days_kept; i++) {
        int64_t at = (int64_t)c->bin_newest - customer_bin_of(c->days[i].day * TEXT_MS_PER_DAY);

        if (at < 0 || at >= CUSTOMER_BINS_MAX)
            continue;
        expected[at].events += c->days[i].orders;
        expected[at].spend_minor = add(expected[at].spend_minor, c->days[i].spend_minor);
    }
    for (int64_t i = -1, next; i + 1 < CUSTOMER_BINS_MAX; i = next) { /* only what is otherwise */
        for (next = i + 1; pass->writing && next < CUSTOMER_BINS_MAX &&
                           c->bins[next].events == expected[next].events &&
                           c->bins[next].spend_minor == expected[next].spend_minor;)
            next++;
        if (pass->writing && next == CUSTOMER_BINS_MAX)
            return;
        next = pass_within(pass, next, i, -1, CUSTOMER_BINS_MAX - 1);
        if (!pass->writing)
            bins_fill(c, expected, i + 1, next > i ? next : CUSTOMER_BINS_MAX);
        if (next <= i) /* a difference of 0: the end */
            return;
        c->bins[next].events = pass_u32(pass, c->bins[next].events, expected[next].events);
        c->bins[next].spend_minor =
            pass_i64(pass, c->bins[next].spend_minor, expected[next].spend_minor);
    }
}

/* Pairs only of the types that were seen, each with its distance to the one before. */
static void pass_counts(struct pass *pass, struct customer *c)
{
    int64_t type = -1, next;

    while (type + 1 < EVENT_TYPE_COUNT) {
        int64_t base;

        for (next = type + 1; pass->writing && next < EVENT_TYPE_COUNT && c->count[next] == 0 &&
                              c->last_ms[next] == INT64_MIN;)
            next++;
        if (pass->writing && next == EVENT_TYPE_COUNT)
            return;
        next = pass_within(pass, next, type, -1, EVENT_TYPE_COUNT - 1);
        if (next <= type) /* a difference of 0: the end */
            return;
        type = next;
        base = type == EVENT_ORDER_COMPLETED ? c->last_purchase_ms : c->touch_ms;
        c->count[type] = pass_u32(pass, c->count[type], 0);
        c->last_ms[type] = pass_time(pass, c->last_ms[type], base, INT64_MIN);
    }
}

static void pass_profile(struct pass *pass, struct customer *c)
{
    int64_t bits = __builtin_popcountll(c->categories), from = 0;

    pass_text(pass, c->channel);
    c->channel_ms = pass_time(pass, c->channel_ms, c->first_ms, INT64_MAX);
    bits = pass_within(pass, bits > 7 ? 8 : bits, 0, 0, 8);
    if (bits == 8)
        c->categories = pass_u64(pass, c->categories);
    for (; bits > 0 && bits < 8; bits--) {
        uint64_t rest = from < 64 ? c->categories >> from << from : 0;
        int64_t bit = pass_within(pass, rest ? __builtin_ctzll(rest) : 0, from, 0, 63);

        c->categories |= UINT64_C(1) << bit;
        from = bit + 1;
    }
    pass_text(pass, c->category);
    c->category_ms = pass_time(pass, c->category_ms, c->last_purchase_ms, INT64_MIN);
}

static void pass_satisfaction(struct pass *pass, struct customer *c)
{
    c->scores = pass_u32(pass, c->scores, 0);
    c->score_sum_pct = pass_i64(pass, c->score_sum_pct, 0);
    c->score_last = (int16_t)pass_within(pass, c->score_last, -1, INT16_MIN, INT16_MAX);
    c->score_metric = (enum survey_metric)pass_within(pass, c->score_metric, 0, 0, SURVEY_CSAT);
    c->score_last_ms = pass_time(pass, c->score_last_ms, c->touch_ms, INT64_MIN);
}

static void pass_tickets(struct pass *pass, struct customer *c)
{
    c->tickets = pass_u8(pass, c->tickets, 0, CUSTOMER_TICKETS_MAX);
    for (uint8_t i = 0; i < c->tickets; i++) {
        struct ticket *ticket = &c->ticket[i];

        if (!pass->writing)
            *ticket = (struct ticket){0};
        ticket->fp = pass_u64(pass, ticket->fp);
        ticket->complaint = pass_bool(pass, ticket->complaint);
        ticket->opened_ms = pass_time(pass, ticket->opened_ms, c->touch_ms, INT64_MIN);
        ticket->resolved_ms = pass_time(pass, ticket->resolved_ms, c->touch_ms, INT64_MIN);
    }
}

static void pass_subscription(struct pass *pass, struct customer *c)
{
    struct subscription *s = &c->subscription;

    s->state = (enum subscription_state)pass_within(pass, s->state, 0, 0, SUBSCRIPTION_ENDED);
    s->fp = pass_u64(pass, s->fp);
    s->changed_ms = pass_time(pass, s->changed_ms, c->touch_ms, INT64_MIN);
    s->ends_ms = pass_time(pass, s->ends_ms, s->changed_ms, INT64_MAX);
    s->term_ms = pass_time(pass, s->term_ms, s->changed_ms, INT64_MIN);
    s->renewals = pass_u32(pass, s->renewals, 0);
    pass_text(pass, s->plan);
    s->plan_ms = pass_time(pass, s->plan_ms, s->changed_ms, INT64_MIN);
}

static void pass_cost(struct pass *pass, struct customer *c)
{
    c->cost_minor = pass_i64(pass, c->cost_minor, 0);
    for (int i = 0; i < CONSENT_PURPOSE_COUNT; i++) {
        c->consent_denied[i] = pass_bool(pass, c->consent_denied[i]);
        c->consent_ms[i] = pass_time(pass, c->consent_ms[i], c->touch_ms, INT64_MIN);
    }
}

static void pass_tier(struct pass *pass, struct customer *c)
{
    c->assessed_ms = pass_time(pass, c->assessed_ms, c->now_ms, INT64_MIN);
    c->value_minor = pass_i64(pass, c->value_minor, 0);
    c->tier = (enum tier)pass_within(pass, c->tier, 0, 0, TIER_COUNT - 1);
    c->tier_since_ms = pass_time(pass, c->tier_since_ms, c->assessed_ms, INT64_MIN);
    c->tier_below_ms = pass_time(pass, c->tier_below_ms, c->assessed_ms, INT64_MAX);
#ifdef LC_FOLD_NEXT
    c->next_events = pass_u32(pass, c->next_events, 0);
#endif
}

/* Costs of the bins: pairs of distance and cost, only where there is one; then the caps' times. */
static void pass_care(struct pass *pass, struct customer *c)
{
    for (int64_t i = -1, next; i + 1 < CUSTOMER_BINS_MAX; i = next) {
        for (next = i + 1;
             pass->writing && next < CUSTOMER_BINS_MAX && c->bins[next].cost_minor == 0;)
            next++;
        if (pass->writing && next == CUSTOMER_BINS_MAX)
            next = i; /* a difference of 0: the end */
        next = pass_within(pass, next, i, -1, CUSTOMER_BINS_MAX - 1);
        if (next <= i)
            break;
        c->bins[next].cost_minor = pass_i64(pass, c->bins[next].cost_minor, 0);
    }
    for (int i = 0; i < CUSTOMER_CAP_MAX; i++)
        c->marketing_ms[i] = pass_time(pass, c->marketing_ms[i], c->now_ms, INT64_MIN);
}

static void pass_episodes(struct pass *pass, struct customer *c)
{
    c->episode_count = pass_u32(pass, c->episode_count, 0);
    c->episodes = pass_u8(pass, c->episodes, 0, CUSTOMER_EPISODES_MAX);
    for (uint8_t i = 0; i < c->episodes; i++) {
        struct episode *episode = &c->episode[i];
        int64_t sort;

        if (!pass->writing)
            *episode = (struct episode){0};
        sort = episode->kind * 4 + (episode->phase & 1) * 2 + episode->told;
        sort = pass_within(pass, sort, 0, 0, UINT8_MAX * 4 + 3);
        episode->kind = (uint8_t)(sort / 4);
        episode->phase = (uint8_t)(sort / 2 & 1);
        episode->told = (sort & 1) != 0;
        episode->band = pass_u8(pass, episode->band, 1, UINT8_MAX);
        episode->revision = (uint16_t)pass_within(pass, episode->revision, 0, 0, UINT16_MAX);
        episode->number = pass_u32(pass, episode->number, c->episode_count);
        episode->key = pass_u64(pass, episode->key);
        episode->since_ms = pass_time(pass, episode->since_ms, c->stage_since_ms, INT64_MIN);
        episode->ended_ms = pass_time(pass, episode->ended_ms, episode->since_ms, INT64_MIN);
    }
}

/* Numbers of the groups are their places from 1: append only. A group may use what those before it
 * have filled. */
static void (*const groups[])(struct pass *pass, struct customer *customer) = {
    pass_times,        pass_purchases, pass_stage,    pass_currencies,   pass_orders,
    pass_bins,         pass_counts,    pass_profile,  pass_satisfaction, pass_tickets,
    pass_subscription, pass_cost,      pass_episodes, pass_tier,         pass_care};
/* From here on a group that is absent leaves its fields as customer_init makes them. */
#define GROUP_FIRST_PLAIN 6
#define GROUP_COUNT       (sizeof groups / sizeof *groups)
_Static_assert(GROUP_COUNT <= 15, "the header of the map is one byte");

/* --- writing --- */

struct output {
    char bytes[CUSTOMER_RECORD_MAX];
    size_t len;
};

static inline int output_write(void *self, const char *bytes, size_t len)
{
    struct output *output = self;

    MUST(len <= sizeof output->bytes - output->len); /* every field is bounded: so is the record */
    memcpy(output->bytes + output->len, bytes, len);
    output->len += len;
    return 0;
}

/* flatten: msgpack-c's packing and the callback become one loop without calls. */
__attribute__((flatten)) static void pack_items(struct output *output, const struct pass *pass)
{
    msgpack_packer packer = {output, output_write};

    for (uint32_t i = 0; i < pass->count; i++)
        msgpack_pack_int64(&packer, pass->item[i]);
}

/* The lowest version that can hold it. */
static int64_t version_of(const struct customer *customer)
{
#ifdef LC_FOLD_NEXT
    return customer->next_events > 0 ? 2 : 1;
#endif
    (void)customer;
    return 1;
}

static void pack_header(struct output *output, struct pass *pass, const struct customer *customer)
{
    msgpack_packer packer = {output, output_write};

    pass_time(pass, customer->now_ms, BASE_MS, INT64_MIN);
    pass_time(pass, customer->due_ms, customer->now_ms, INT64_MAX);
    msgpack_pack_array(&packer, 2 + (size_t)pass->count);
    msgpack_pack_int64(&packer, version_of(customer));
    pack_items(output, pass);
}

enum status customer_encode(const struct customer *customer, struct arena *arena,
                            struct span *ret_record)
{
    /* The walk assigns what it reads, also while it writes: the same values. */
    struct customer *walked = (struct customer *)(uintptr_t)customer;
    struct output output;
    struct pass pass;
    msgpack_packer packer = {&output, output_write};
    size_t map;
    unsigned written = 0;
    char *at;

    if (customer_is_redirect(customer))
        return redirect_encode(customer, arena, ret_record);
    pass.writing = true;
    pass.count = pass.known_count = 0;
    output.len = 0;
    pack_header(&output, &pass, customer);
    map = output.len;
    msgpack_pack_map(&packer, 0);
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        pass.count = 0;
        groups[i](&pass, walked);
        while (pass.count > 0 && pass.item[pass.count - 1] == 0)
            pass.count--;
        if (pass.count == 0)
            continue;
        msgpack_pack_int64(&packer, (int64_t)i + 1);
        msgpack_pack_array(&packer, pass.count);
        pack_items(&output, &pass);
        written++;
    }
    output.bytes[map] = (char)(0x80 | written);
    at = arena_copy(arena, output.bytes, output.len);
    if (!at)
        return STATUS_FULL;
    *ret_record = (struct span){at, output.len};
    return STATUS_OK;
}

/* --- reading --- */

const char customer_record_newer[] = "it was written by a newer version of lifecycled";

/* What comes behind the version is the redirect's, if it is one. */
static bool read_header(struct mp_reader *reader, struct pass *pass, struct customer *customer)
{
    uint32_t count = mp_read_array(reader);
    int64_t version = mp_read_i64(reader);

    if (!reader->fault && version > CUSTOMER_RECORD_VERSION)
        mp_fault(reader, customer_record_newer);
    if (version < 1)
        mp_fault(reader, "the record has no version");
    if (!reader->fault && count == REDIRECT_ITEMS) {
        redirect_read(reader, customer);
        return true;
    }
    if (count < 4 || count > 6)
        mp_fault(reader, "the record's header is malformed");
    pass->left = count < 4 ? 0 : count - 2;
    customer->now_ms = pass_time(pass, 0, BASE_MS, INT64_MIN);
    customer->due_ms = pass_time(pass, 0, customer->now_ms, INT64_MAX);
    if (pass->left != 0)
        mp_fault(reader, "the record's header is malformed");
    return false;
}

static void read_groups(struct mp_reader *reader, struct pass *pass, struct customer *customer)
{
    uint32_t present = mp_read_map(reader);
    int64_t next = present > 0 ? mp_read_i64(reader) : 0;

    for (size_t i = 0; i < GROUP_COUNT && !reader->fault; i++) {
        bool here = present > 0 && next == (int64_t)i + 1;

        if (!here && i >= GROUP_FIRST_PLAIN)
            continue; /* what customer_init made of it */
        pass->left = here ? mp_read_array(reader) : 0;
        groups[i](pass, customer);
        if (pass->left != 0)
            mp_fault(reader, "a group has more fields than this build knows");
        if (here)
            next = --present > 0 ? mp_read_i64(reader) : 0;
    }
    if (!reader->fault && (present != 0))
        mp_fault(reader, "the record has groups this build does not know");
}

enum status customer_decode(struct span record, struct customer *ret_customer, const char **ret_why)
{
    struct mp_reader reader;
    struct pass pass;

    pass.writing = false; /* its items need no clearing */
    pass.reader = &reader;
    pass.known_count = 0;
    customer_init(ret_customer);
    mp_reader_init(&reader, record);
    if (!read_header(&reader, &pass, ret_customer))
        read_groups(&reader, &pass, ret_customer);
    if (!reader.fault && reader.at != reader.end)
        mp_fault(&reader, "bytes follow the record");
    if (!reader.fault) {
        const char *broken = customer_check(ret_customer);

        if (broken)
            mp_fault(&reader, broken);
    }
    if (reader.fault) {
        *ret_why = reader.fault;
        return STATUS_REJECT;
    }
    return STATUS_OK;
}

int64_t customer_peek_due(struct span record)
{
    struct customer customer;
    struct mp_reader reader;
    struct pass pass;

    pass.writing = false; /* its items need no clearing */
    pass.reader = &reader;
    pass.known_count = 0;
    mp_reader_init(&reader, record);
    customer.due_ms = INT64_MAX;
    (void)read_header(&reader, &pass, &customer);
    return reader.fault ? INT64_MIN : customer.due_ms;
}
