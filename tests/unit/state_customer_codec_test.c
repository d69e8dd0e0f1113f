#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "model/effect.h"
#include "model_kit.h"
#include "state/customer_codec.h"

/* --- equality, field by field --- */

static const char *differs; /* name of the first field that does */

#define SAME(field)                                                                                \
    do {                                                                                           \
        if (left->field != right->field) {                                                         \
            differs = #field;                                                                      \
            return false;                                                                          \
        }                                                                                          \
    } while (0)
#define SAME_BYTES(field)                                                                          \
    do {                                                                                           \
        if (memcmp(left->field, right->field, sizeof left->field) != 0) {                          \
            differs = #field;                                                                      \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

static bool same_time_and_stage(const struct customer *left, const struct customer *right)
{
    SAME(now_ms);
    SAME(due_ms);
    SAME(first_ms);
    SAME(touch_ms);
    SAME(params_version);
    SAME(stage);
    SAME(stage_reason);
    SAME(churn_reason);
    SAME(stage_since_ms);
    SAME(stage_cause);
    SAME(funnel);
    SAME(funnel_since_ms);
    SAME(trial_ends_ms);
    SAME(churned_ms);
    SAME(returned);
    SAME(risk_since_ms);
    return true;
}

static bool same_purchases(const struct customer *left, const struct customer *right)
{
    SAME(purchase_days);
    SAME(first_day);
    SAME(last_day);
    SAME(last_purchase_ms);
    SAME(days_kept);
    for (int i = 0; i < left->days_kept; i++) {
        SAME(days[i].day);
        SAME(days[i].orders);
        SAME(days[i].spend_minor);
    }
    SAME(late_days);
    SAME(orders);
    SAME(spend_minor);
    SAME(first_day_spend_minor);
    SAME(repeat_days_paid);
    SAME(repeat_spend_minor);
    SAME(currencies);
    for (int i = 0; i < left->currencies; i++) {
        SAME(currency[i].currency);
        SAME(currency[i].minor);
    }
    SAME(orders_open);
    for (int i = 0; i < left->orders_open; i++) {
        SAME(order[i].fp);
        SAME(order[i].state);
        SAME(order[i].currency);
        SAME(order[i].day);
        SAME(order[i].left_native);
        SAME(order[i].left_minor);
    }
    return true;
}

static bool same_activity(const struct customer *left, const struct customer *right)
{
    SAME(bin_newest);
    for (int i = 0; i < CUSTOMER_BINS_MAX; i++) {
        SAME(bins[i].events);
        SAME(bins[i].spend_minor);
    }
    for (int i = 0; i < EVENT_TYPE_COUNT; i++) {
        SAME(count[i]);
        SAME(last_ms[i]);
    }
    SAME_BYTES(channel);
    SAME(channel_ms);
    SAME(categories);
    SAME_BYTES(category);
    SAME(category_ms);
    SAME(score_sum_pct);
    SAME(scores);
    SAME(score_last);
    SAME(score_metric);
    SAME(score_last_ms);
    SAME(tickets);
    for (int i = 0; i < left->tickets; i++) {
        SAME(ticket[i].fp);
        SAME(ticket[i].complaint);
        SAME(ticket[i].opened_ms);
        SAME(ticket[i].resolved_ms);
    }
    SAME(cost_minor);
    for (int i = 0; i < CONSENT_PURPOSE_COUNT; i++) {
        SAME(consent_denied[i]);
        SAME(consent_ms[i]);
    }
    return true;
}

static bool same_subscription_and_alerts(const struct customer *left, const struct customer *right)
{
    SAME(subscription.state);
    SAME(subscription.fp);
    SAME(subscription.changed_ms);
    SAME(subscription.ends_ms);
    SAME(subscription.term_ms);
    SAME(subscription.renewals);
    SAME_BYTES(subscription.plan);
    SAME(subscription.plan_ms);
    SAME(episodes);
    for (int i = 0; i < left->episodes; i++) {
        SAME(episode[i].kind);
        SAME(episode[i].phase);
        SAME(episode[i].band);
        SAME(episode[i].told);
        SAME(episode[i].revision);
        SAME(episode[i].number);
        SAME(episode[i].key);
        SAME(episode[i].since_ms);
        SAME(episode[i].ended_ms);
    }
    SAME(episode_count);
    SAME(alert_count);
    SAME(erased_ms);
    SAME(erased_offset);
    SAME(previous);
    SAME(into_len);
    return memcmp(left->into, right->into, left->into_len) == 0;
}

static bool same(const struct customer *left, const struct customer *right)
{
    return same_time_and_stage(left, right) && same_purchases(left, right) &&
           same_activity(left, right) && same_subscription_and_alerts(left, right);
}

/* Writes, reads, compares, checks the peek; the length. */
static size_t round_trip(const struct customer *customer, struct arena *arena)
{
    struct customer read;
    struct span record;
    const char *why = "";

    assert_int_equal(customer_encode(customer, arena, &record), STATUS_OK);
    assert_true(record.len <= CUSTOMER_RECORD_MAX);
    if (customer_decode(record, &read, &why) != STATUS_OK)
        fail_msg("a record just written is refused: %s", why);
    if (!same(customer, &read))
        fail_msg("%s differs after a round trip", differs);
    assert_true(customer_peek_due(record) == customer->due_ms);
    return record.len;
}

/* --- random customers --- */

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (seed >> 3) % below;
}

/* Times in all the units there are, and now and then the field's "none" or a far one. */
static int64_t draw_time(int64_t none)
{
    static const int64_t units[] = {1, 1000, TEXT_MS_PER_DAY};
    int64_t unit = units[draw(3)];

    if (draw(4) == 0)
        return none;
    if (draw(20) == 0)
        return (int64_t)draw(2) * 19999999999998 - 9999999999999;
    return (INT64_C(1600000000000) + (int64_t)draw(200000000000)) / unit * unit;
}

static int64_t draw_money(void)
{
    switch (draw(6)) {
    case 0:
        return 0;
    case 1:
        return -(int64_t)draw(100000);
    case 2:
        return (int64_t)draw(2) * INT64_C(8000000000000000000) - INT64_C(4000000000000000000);
    default:
        return (int64_t)draw(100000);
    }
}

static uint32_t draw_count(void)
{
    return draw(8) ? (uint32_t)draw(40) : draw(2) ? UINT32_MAX : (uint32_t)draw(UINT32_MAX);
}

static void draw_text(char text[CUSTOMER_TEXT_MAX])
{
    static const char *const texts[] = {"",         "web",     "partner", "Web", "a-text-of-16-byt",
                                        "\xc3\xa9", "partner2"};
    const char *pick = texts[draw(sizeof texts / sizeof *texts)];

    memset(text, 0, CUSTOMER_TEXT_MAX);
    memcpy(text, pick, strlen(pick));
}

static void draw_purchases(struct customer *c)
{
    int32_t day = (int32_t)draw(20000);

    c->days_kept = (uint8_t)draw(CUSTOMER_DAYS_MAX + 1);
    c->purchase_days = c->days_kept ? c->days_kept + (draw(3) ? 0 : draw_count() / 2) : 0;
    c->stage =
        c->days_kept ? (enum stage)(STAGE_NEW + draw(6)) : (enum stage)(STAGE_LEAD + draw(3));
    for (int i = 0; i < c->days_kept; i++) {
        day += 1 + (int32_t)draw(draw(9) ? 40 : 400);
        c->days[i] =
            (struct purchase_day){day, (uint16_t)(draw(9) ? 1 : 1 + draw(65535)), draw_money()};
    }
    if (c->days_kept) {
        c->first_day = c->days[0].day - (int32_t)(draw(2) ? 0 : draw(1000));
        c->last_day = day;
        c->last_purchase_ms = draw(3) ? day * TEXT_MS_PER_DAY + (int64_t)draw(86400) * 1000 : 1;
    }
    c->orders = draw_count();
    c->spend_minor = draw_money();
    c->first_day_spend_minor = draw_money();
    c->repeat_days_paid = draw_count();
    c->repeat_spend_minor = draw_money();
    c->late_days = draw_count();
    c->currencies = (uint8_t)draw(CUSTOMER_CURRENCIES_MAX + 1);
    for (int i = 0; i < c->currencies; i++)
        c->currency[i] =
            (struct currency_spend){(enum currency)(1 + draw(CURRENCY_COUNT - 1)), draw_money()};
    c->orders_open = (uint8_t)draw(CUSTOMER_ORDERS_MAX + 1);
    for (int i = 0; i < c->orders_open; i++)
        c->order[i] = (struct open_order){seed | 1,
                                          (enum order_state)draw(4),
                                          (enum currency)draw(CURRENCY_COUNT),
                                          (int32_t)draw(20000),
                                          (int64_t)draw(1u << 30),
                                          (int64_t)draw(1u << 30)};
}

static void draw_activity(struct customer *c)
{
    c->bin_newest = draw(3) ? (int32_t)draw(2000) : INT32_MIN;
    for (int i = 0; i < CUSTOMER_BINS_MAX; i++)
        if (draw(3) == 0)
            c->bins[i] = (struct activity_bin){draw_count(), draw_money(), draw_money()};
    for (int i = 0; i < EVENT_TYPE_COUNT; i++) {
        c->count[i] = draw(3) ? 0 : draw_count();
        c->last_ms[i] = draw(3) ? INT64_MIN : draw_time(INT64_MIN);
    }
    draw_text(c->channel);
    draw_text(c->category);
    c->category_ms = draw_time(INT64_MIN);
    c->channel_ms = draw_time(INT64_MAX);
    c->categories = draw(3) == 0 ? seed : (UINT64_C(1) << draw(64) | UINT64_C(1) << draw(64));
    c->score_sum_pct = draw_money();
    c->scores = draw_count();
    c->score_last = (int16_t)draw(12) - 1;
    c->score_metric = (enum survey_metric)draw(2);
    c->score_last_ms = draw_time(INT64_MIN);
    c->tickets = (uint8_t)draw(CUSTOMER_TICKETS_MAX + 1);
    for (int i = 0; i < c->tickets; i++)
        c->ticket[i] = (struct ticket){draw(3) ? seed : 0, draw(2), draw_time(INT64_MIN),
                                       draw_time(INT64_MIN)};
    c->cost_minor = draw_money();
    c->value_minor = draw_money();
    c->assessed_ms = draw_time(INT64_MIN);
    c->tier = (enum tier)draw(TIER_COUNT);
    c->tier_since_ms = draw_time(INT64_MIN);
    c->tier_below_ms = draw_time(INT64_MAX);
    for (int i = 0; i < CUSTOMER_CAP_MAX; i++)
        c->marketing_ms[i] = draw_time(INT64_MIN);
    for (int i = 0; i < CONSENT_PURPOSE_COUNT; i++) {
        c->consent_denied[i] = draw(2);
        c->consent_ms[i] = draw_time(INT64_MIN);
    }
}

static void draw_alerts(struct customer *c)
{
    struct subscription *s = &c->subscription;

    s->state = (enum subscription_state)draw(4);
    s->fp = draw(2) ? seed : 0;
    s->changed_ms = draw_time(INT64_MIN);
    s->ends_ms = draw_time(INT64_MAX);
    s->term_ms = draw_time(INT64_MIN);
    s->renewals = draw_count();
    draw_text(s->plan);
    s->plan_ms = draw_time(INT64_MIN);
    c->alert_count = draw_count();
    c->episode_count = 100 + (uint32_t)draw(1000);
    c->episodes = (uint8_t)draw(CUSTOMER_EPISODES_MAX + 1);
    for (int i = 0; i < c->episodes; i++)
        c->episode[i] = (struct episode){.kind = (uint8_t)draw(KIND_COUNT),
                                         .phase = (uint8_t)draw(2),
                                         .band = (uint8_t)(1 + draw(255)),
                                         .told = draw(2),
                                         .revision = (uint16_t)draw(65536),
                                         .number = 1 + (uint32_t)draw(100),
                                         .key = draw(2) ? seed : 0,
                                         .since_ms = draw_time(INT64_MIN),
                                         .ended_ms = draw_time(INT64_MIN)};
}

/* Whatever passes customer_check. */
static void draw_customer(struct customer *c)
{
    do {
        customer_init(c);
        draw_purchases(c);
        draw_activity(c);
        draw_alerts(c);
        c->touch_ms = draw_time(1700000000000);
        c->first_ms = c->touch_ms - (int64_t)draw(1u << 30);
        c->now_ms = draw(2) ? c->touch_ms : c->touch_ms + (int64_t)draw(1u << 30);
        c->due_ms = draw(4) ? c->now_ms + 1 + (int64_t)draw(1u << 30) * 60 : INT64_MAX;
        c->params_version = draw(2) ? 1 : draw_count();
        c->stage_reason = (enum stage_reason)draw(STAGE_REASON_COUNT);
        c->churn_reason = (enum churn_reason)draw(CHURN_REASON_COUNT);
        c->stage_since_ms = draw_time(INT64_MIN);
        c->stage_cause = draw(2) ? seed : 0;
        c->funnel = (enum stage)(STAGE_LEAD + draw(3));
        c->funnel_since_ms = draw_time(INT64_MIN);
        c->trial_ends_ms = draw_time(INT64_MAX);
        c->churned_ms = draw_time(INT64_MIN);
        c->returned = draw(2);
        c->risk_since_ms = draw_time(INT64_MAX);
        c->erased_ms = draw(4) ? INT64_MIN : draw_time(INT64_MIN);
    } while (customer_check(c) != NULL);
}

static void test_any_valid_customer_comes_back_field_by_field(void **state)
{
    struct customer customer;
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (uint64_t i = 1; i <= 3000; i++) {
        seed = i * UINT64_C(0x9e3779b97f4a7c15);
        draw_customer(&customer);
        round_trip(&customer, &arena);
        arena_reset(&arena);
    }
    customer_init(&customer);
    assert_true(round_trip(&customer, &arena) <= 10); /* nothing known: next to nothing written */
    arena_fini(&arena);
}

/* Every list full, every number wide: the bound of the record holds. */
static void test_the_fullest_customer_stays_below_the_bound(void **state)
{
    struct customer c;
    struct arena arena;
    size_t len;

    (void)state;
    arena_init(&arena, 1 << 20);
    seed = 77;
    do
        draw_customer(&c);
    while (c.days_kept == 0);
    c.days_kept = CUSTOMER_DAYS_MAX;
    c.purchase_days = UINT32_MAX;
    for (int i = 0; i < CUSTOMER_DAYS_MAX; i++)
        c.days[i] = (struct purchase_day){i * 7000 - 110000, UINT16_MAX,
                                          (i % 2 ? 1 : -1) * INT64_C(4000000000000000000)};
    c.first_day = -115000;
    c.last_day = c.days[31].day;
    c.last_purchase_ms = 9999999999999;
    for (int i = 0; i < CUSTOMER_BINS_MAX; i++)
        c.bins[i] = (struct activity_bin){UINT32_MAX, -INT64_C(4000000000000000000),
                                          INT64_C(4000000000000000000)};
    for (int i = 0; i < EVENT_TYPE_COUNT; i++) {
        c.count[i] = UINT32_MAX;
        c.last_ms[i] = -9999999999999 + i;
    }
    c.orders_open = CUSTOMER_ORDERS_MAX;
    for (int i = 0; i < CUSTOMER_ORDERS_MAX; i++)
        c.order[i] = (struct open_order){
            UINT64_MAX / 3,           ORDER_REFUND_WAITS,           CURRENCY_COUNT - 1,
            i % 2 ? 115000 : -115000, INT64_C(4000000000000000000), INT64_C(4000000000000000000)};
    c.tickets = CUSTOMER_TICKETS_MAX;
    for (int i = 0; i < CUSTOMER_TICKETS_MAX; i++)
        c.ticket[i] = (struct ticket){UINT64_MAX / 3, true, -9999999999999, 9999999999999};
    c.currencies = CUSTOMER_CURRENCIES_MAX;
    for (int i = 0; i < CUSTOMER_CURRENCIES_MAX; i++)
        c.currency[i] = (struct currency_spend){CURRENCY_COUNT - 1, INT64_C(-4000000000000000000)};
    c.episodes = CUSTOMER_EPISODES_MAX;
    for (int i = 0; i < CUSTOMER_EPISODES_MAX; i++)
        c.episode[i] =
            (struct episode){KIND_COUNT - 1, EPISODE_OPEN,   UINT8_MAX,    true, UINT16_MAX, 1,
                             UINT64_MAX / 3, -9999999999999, 9999999999999};
    c.episode_count = UINT32_MAX;
    memset(c.channel, 'x', sizeof c.channel);
    memset(c.subscription.plan, 'y', sizeof c.subscription.plan);
    assert_null(customer_check(&c));
    len = round_trip(&c, &arena);
    print_message("the fullest record has %zu bytes\n", len);
    assert_true(len < CUSTOMER_RECORD_MAX - 500);
    arena_fini(&arena);
}

/* A customer as they mostly are, by the fold itself. */
static void fold_typical(struct kit *kit, int purchases)
{
    struct event event = kit_event(kit, EVENT_SIGNED_UP, 0.25);

    event.channel = SPAN_LITERAL("web");
    event.id_fp = UINT64_C(0x123456789abcdef1);
    kit_apply(kit, event);
    for (int i = 0; i < purchases; i++) {
        event = kit_order(kit, 3.5 + 31.001 * i, UINT64_C(0xfedcba9876543210) + (uint64_t)i,
                          4990 + i * 1000);
        event.id_fp = UINT64_C(0x2468ace02468ace1) * (uint64_t)(i + 1);
        event.category = SPAN_LITERAL("books");
        kit_apply(kit, event);
        event = kit_event(kit, EVENT_PRODUCT_VIEWED, 3.6 + 31.001 * i);
        event.id_fp = UINT64_C(0x13579bdf13579bdf) * (uint64_t)(i + 1);
        kit_apply(kit, event);
    }
}

static void test_a_customer_of_a_few_purchases_takes_about_150_bytes(void **state)
{
    static const struct {
        int purchases;
        size_t bytes_max;
    } rows[] = {{0, 60}, {1, 110}, {2, 150}, {3, 170}, {5, 240}, {12, 380}, {40, 540}};
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kit *kit = kit_new();
        struct span ledger;
        size_t len;

        fold_typical(kit, rows[i].purchases);
        len = round_trip(&kit->customer, &arena);
        assert_int_equal(ledger_encode(&kit->ledger, &arena, &ledger), STATUS_OK);
        print_message("%d purchases: record %zu bytes, ledger %zu\n", rows[i].purchases, len,
                      ledger.len);
        assert_true(len <= rows[i].bytes_max);
        free(kit);
    }
    arena_fini(&arena);
}

/* --- damage --- */

static void test_damaged_records_are_refused_or_valid_and_never_crash(void **state)
{
    struct customer customer, read;
    struct arena arena;
    const char *why = NULL;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (uint64_t i = 1; i <= 8; i++) {
        struct span record;
        char *bytes;

        seed = i * UINT64_C(0xbf58476d1ce4e5b9);
        draw_customer(&customer);
        assert_int_equal(customer_encode(&customer, &arena, &record), STATUS_OK);
        for (size_t len = 0; len < record.len;
             len++) { /* every truncation, on its own heap block */
            bytes = malloc(len + 1);
            memcpy(bytes, record.at, len);
            assert_int_equal(customer_decode((struct span){bytes, len}, &read, &why),
                             STATUS_REJECT);
            assert_non_null(why);
            (void)customer_peek_due((struct span){bytes, len});
            free(bytes);
        }
        bytes = malloc(record.len);
        for (size_t at = 0; at < record.len; at++)
            for (int flip = 0; flip < 8; flip++) {
                memcpy(bytes, record.at, record.len);
                bytes[at] = (char)(bytes[at] ^ (1 << flip));
                if (customer_decode((struct span){bytes, record.len}, &read, &why) == STATUS_OK)
                    assert_null(customer_check(&read)); /* another customer, but a possible one */
                (void)customer_peek_due((struct span){bytes, record.len});
            }
        free(bytes);
    }
    arena_fini(&arena);
}

static void test_what_no_version_writes_is_refused_with_its_reason(void **state)
{
    static const struct {
        const char *name, *bytes;
        size_t len;
        const char *why;
    } rows[] = {
        {"a record of the version after this build's", "\x94\x03\x00\x00\x80", 5, "newer version"},
        {"a record of version 0", "\x94\x00\x00\x00\x80", 5, "version"},
        {"an empty record", "", 0, ""},
        {"a group that no build knows", "\x94\x01\x00\x00\x81\x10\x91\x01", 8, "group"},
        {"groups out of order", "\x94\x01\x01\x00\x82\x03\x91\x01\x01\x91\x01", 11, "group"},
        {"a group with one field too many",
         "\x94\x01\x01\x00\x81\x01\x98\x01\x01\x01\x01\x04\x01\x01\x01", 15, "fields"},
        {"a stage beyond the last", "\x94\x01\x01\x00\x81\x03\x91\x0f", 8, "range"},
        {"bytes after the record", "\x94\x01\x01\x00\x80\x00", 6, ""},
        {"an array header that promises four billion", "\xdd\xff\xff\xff\xff", 5, ""},
    };
    struct customer read;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *why = NULL;

        if (customer_decode((struct span){rows[i].bytes, rows[i].len}, &read, &why) !=
            STATUS_REJECT)
            fail_msg("%s is taken", rows[i].name);
        if (!strstr(why, rows[i].why))
            fail_msg("%s: '%s' does not speak of '%s'", rows[i].name, why, rows[i].why);
    }
    assert_true(customer_peek_due(SPAN_LITERAL("\xff")) == INT64_MIN);
}

/* Whoever reads it must be able to tell a record of a newer version from a damaged one. */
static void test_newer_versions_are_told_from_damage(void **state)
{
    const char *why = NULL;
    struct customer read;
    struct ledger ledger;
    struct arena arena;

    (void)state;
    assert_int_equal(customer_decode(SPAN_LITERAL("\x94\x03\x00\x00\x80"), &read, &why),
                     STATUS_REJECT);
    assert_ptr_equal(why, customer_record_newer);
    assert_int_equal(customer_decode(SPAN_LITERAL("\x94\x01\x00"), &read, &why), STATUS_REJECT);
    assert_ptr_not_equal(why, customer_record_newer);
    arena_init(&arena, 1 << 20);
    assert_int_equal(
        ledger_decode(SPAN_LITERAL("\x93\x02\xc4\x00\xc4\x00"), 0, &arena, &ledger, &why),
        STATUS_REJECT);
    assert_ptr_equal(why, customer_record_newer);
    arena_fini(&arena);
}

/* --- golden records --- */

static void golden_lead(struct customer *c)
{
    c->now_ms = c->touch_ms = c->first_ms = c->funnel_since_ms = c->stage_since_ms = 1735689600000;
    c->channel_ms = c->last_ms[EVENT_LEAD_CREATED] = 1735689600000;
    c->due_ms = 1736899200000;
    c->stage = STAGE_LEAD;
    c->stage_cause = UINT64_C(0x0123456789abcdef);
    c->params_version = 1;
    c->count[EVENT_LEAD_CREATED] = 1;
    memcpy(c->channel, "wechat", 6);
    c->bin_newest = 2008;
}

static void golden_buyer(struct customer *c)
{
    golden_lead(c);
    c->now_ms = c->touch_ms = c->last_purchase_ms = c->stage_since_ms = 1740000000123;
    c->due_ms = 1743000000000;
    c->stage = STAGE_GROWING;
    c->stage_reason = STAGE_BY_PURCHASE;
    c->purchase_days = c->days_kept = 2;
    c->first_day = 20100;
    c->last_day = 20138;
    c->days[0] = (struct purchase_day){20100, 2, 129900};
    c->days[1] = (struct purchase_day){20138, 1, 4990};
    c->orders = 3;
    c->spend_minor = 134890;
    c->first_day_spend_minor = 129900;
    c->repeat_days_paid = 1;
    c->repeat_spend_minor = 4990;
    c->currencies = 1;
    c->currency[0] = (struct currency_spend){CURRENCY_EUR, 134890};
    c->orders_open = 1;
    c->order[0] = (struct open_order){
        UINT64_C(0xdeadbeefcafef00d), ORDER_OPEN, CURRENCY_EUR, 20138, 4990, 4990};
    c->bin_newest = 2013;
    c->bins[0] = (struct activity_bin){4, 4990, 0};
    c->bins[3] = (struct activity_bin){2, 129900, 0};
    c->count[EVENT_ORDER_COMPLETED] = 3;
    c->last_ms[EVENT_ORDER_COMPLETED] = 1740000000123;
    c->categories = UINT64_C(1) << 63 | 1;
}

static void golden_troubled(struct customer *c)
{
    golden_buyer(c);
    c->stage = STAGE_CHURNED;
    c->stage_reason = STAGE_BY_SILENCE;
    c->churn_reason = CHURN_PRICE;
    c->now_ms = c->stage_since_ms = c->churned_ms = 1750000000000;
    c->due_ms = INT64_MAX;
    c->stage_cause = 0;
    c->scores = 2;
    c->score_sum_pct = 75;
    c->score_last = 2;
    c->score_metric = SURVEY_CSAT;
    c->score_last_ms = 1739999000000;
    c->tickets = 1;
    c->ticket[0] = (struct ticket){42, true, 1739000000000, INT64_MIN};
    c->subscription = (struct subscription){SUBSCRIPTION_ENDED, 7, 1739000000001, 1742000000000,
                                            1739000000001,      3, "gold",        1739000000001};
    c->consent_denied[CONSENT_MARKETING] = true;
    c->consent_ms[CONSENT_MARKETING] = 1738000000000;
    c->cost_minor = 1250;
    c->episodes = 2;
    c->episode[0] = (struct episode){KIND_CHURN_RISK, EPISODE_CLOSED, 2, true, 1, 4, 0,
                                     1745000000000,   1750000000000};
    c->episode[1] = (struct episode){KIND_COMPLAINT_OPEN, EPISODE_OPEN, 1, false, 0, 5, 42,
                                     1739172800000,       INT64_MIN};
    c->episode_count = 5;
    c->alert_count = 4;
}

static void golden_erased(struct customer *c)
{
    c->now_ms = c->erased_ms = 1740000000000;
    c->params_version = 3;
}

static void golden_redirect(struct customer *c)
{
    c->now_ms = 1740000000123;
    c->erased_ms = 1730000000000;
    c->erased_offset = 4711;
    c->episode_count = 900000007;
    c->alert_count = 12;
    c->previous = 2;
    c->into_len = 4;
    memcpy(c->into, "u-42", 4);
}

static void golden_mark(struct customer *c)
{
    golden_erased(c);
    c->erased_offset = 4711;
    c->episode_count = 900000007;
    c->alert_count = 12;
}

/* tests/golden/records/NAME.hex; with LC_GOLDEN_WRITE set it is written first (only for a new name:
 * a record that was ever written stays readable for ever, so an existing file never changes). */
static size_t golden_read(const char *name, struct span fresh, char *ret_bytes, size_t cap)
{
    char path[512], digits[3] = "";
    FILE *file;
    size_t len = 0;

    snprintf(path, sizeof path, "%s/tests/golden/records/%s.hex", LC_SOURCE_DIR, name);
    if (getenv("LC_GOLDEN_WRITE") && (file = fopen(path, "wx")) != NULL) {
        for (size_t i = 0; i < fresh.len; i++)
            fprintf(file, "%02x%s", (unsigned char)fresh.at[i],
                    i % 32 == 31 || i + 1 == fresh.len ? "\n" : "");
        fclose(file);
    }
    file = fopen(path, "r");
    if (!file)
        fail_msg("%s is missing", path);
    while (len < cap && fscanf(file, " %2s", digits) == 1)
        ret_bytes[len++] = (char)strtoul(digits, NULL, 16);
    fclose(file);
    return len;
}

static void test_records_of_every_sort_stay_readable_and_are_written_alike(void **state)
{
    static const struct {
        const char *name;
        void (*fill)(struct customer *customer);
    } rows[] = {{"1-lead", golden_lead},         {"1-buyer", golden_buyer},
                {"1-troubled", golden_troubled}, {"1-erased", golden_erased},
                {"1-mark", golden_mark},         {"1-redirect", golden_redirect}};
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct customer customer, read;
        struct span record;
        char golden[CUSTOMER_RECORD_MAX];
        const char *why = "";
        size_t len;

        customer_init(&customer);
        rows[i].fill(&customer);
        assert_null(customer_check(&customer));
        assert_int_equal(customer_encode(&customer, &arena, &record), STATUS_OK);
        len = golden_read(rows[i].name, record, golden, sizeof golden);
        if (customer_decode((struct span){golden, len}, &read, &why) != STATUS_OK)
            fail_msg("%s: %s", rows[i].name, why);
        if (!same(&customer, &read))
            fail_msg("%s: %s is read differently", rows[i].name, differs);
        if (!span_equal(record, (struct span){golden, len}))
            fail_msg("%s is written differently", rows[i].name);
    }
    arena_fini(&arena);
}

/* --- ledger --- */

static void test_ledgers_come_back_with_room_for_more(void **state)
{
    static const struct {
        uint32_t orders, events, extra, order_cap, event_cap;
    } rows[] = {{0, 0, 0, 0, 0},         {0, 0, 5, 5, 5},         {3, 7, 2, 5, 9},
                {1023, 63, 9, 1024, 64}, {1024, 64, 4, 1024, 64}, {1024, 64, UINT32_MAX, 1024, 64}};
    uint64_t orders[1024], events[64];
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ledger ledger = {orders, rows[i].orders, 1024, events, rows[i].events, 64, {0},
                                true},
                      read;
        struct span record;
        const char *why = "";

        for (uint32_t n = 0; n < 1024; n++)
            orders[n] = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
        for (uint32_t n = 0; n < 64; n++)
            events[n] = orders[n] & LEDGER_EVENT_MASK;
        assert_int_equal(ledger_encode(&ledger, &arena, &record), STATUS_OK);
        assert_true(record.len <= 8 + rows[i].orders * (size_t)8 + rows[i].events * (size_t)6);
        assert_true(record.len <= LEDGER_RECORD_MAX);
        assert_int_equal(ledger_decode(record, rows[i].extra, &arena, &read, &why), STATUS_OK);
        assert_int_equal(read.order_count, rows[i].orders);
        assert_int_equal(read.event_count, rows[i].events);
        assert_int_equal(read.order_cap, rows[i].order_cap);
        assert_int_equal(read.event_cap, rows[i].event_cap);
        assert_false(read.changed);
        assert_memory_equal(read.orders, orders, rows[i].orders * sizeof *orders);
        assert_memory_equal(read.events, events, rows[i].events * sizeof *events);
        for (size_t len = 1; len < record.len; len += 1 + len / 8)
            assert_int_equal(ledger_decode((struct span){record.at, len}, 0, &arena, &read, &why),
                             STATUS_REJECT);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

/* Of three without, as ever. */
static void test_a_ledger_with_previous_ids_has_a_fourth_item(void **state)
{
    static const char golden[] = "\x94\x01\xc4\x08\x01\0\0\0\0\0\0\0\xc4\x06\x02\0\0\0\0\0"
                                 "\xc4\x05\x01p\x02xy";
    uint64_t orders[1] = {1}, events[1] = {2};
    char ids[] = "\x01p\x02xy";
    struct ledger ledger = {.orders = orders,
                            .order_count = 1,
                            .events = events,
                            .event_count = 1,
                            .previous = {ids, 5, 5, 2}},
                  read;
    struct span bytes;
    struct arena arena;
    const char *why = NULL;

    (void)state;
    arena_init(&arena, 1 << 20);
    assert_int_equal(ledger_encode(&ledger, &arena, &bytes), STATUS_OK);
    assert_true(span_equal(bytes, (struct span){golden, sizeof golden - 1}));
    assert_int_equal(ledger_decode(bytes, 1, &arena, &read, &why), STATUS_OK);
    assert_int_equal(read.previous.count, 2);
    assert_true(previous_has(&read.previous, SPAN_LITERAL("xy")));
    assert_true(previous_add(&read.previous, SPAN_LITERAL("z")));
    ids[0] = 9; /* an id longer than the list */
    assert_int_equal(ledger_encode(&ledger, &arena, &bytes), STATUS_OK);
    assert_int_equal(ledger_decode(bytes, 1, &arena, &read, &why), STATUS_REJECT);
    arena_fini(&arena);
}

static void test_an_absent_ledger_is_empty_and_a_damaged_one_refused(void **state)
{
    static const char big[] = "\x93\x01\xc5\x20\x08";
    char too_many[5 + 8200 + 2] = {0};
    struct ledger read;
    struct arena arena;
    const char *why = NULL;

    (void)state;
    arena_init(&arena, 1 << 20);
    assert_int_equal(ledger_decode(SPAN_ABSENT, 1, &arena, &read, &why), STATUS_OK);
    assert_int_equal(read.order_count + read.event_count, 0);
    assert_int_equal(read.order_cap, 1);
    assert_int_equal(ledger_decode(SPAN_LITERAL(""), 1, &arena, &read, &why), STATUS_OK);
    assert_int_equal(
        ledger_decode(SPAN_LITERAL("\x93\x02\xc4\x00\xc4\x00"), 1, &arena, &read, &why),
        STATUS_REJECT);
    assert_int_equal(
        ledger_decode(SPAN_LITERAL("\x93\x01\xc4\x01x\xc4\x00"), 1, &arena, &read, &why),
        STATUS_REJECT);
    assert_int_equal(
        ledger_decode(SPAN_LITERAL("\x93\x01\xc4\x00\xc4\x00\x00"), 1, &arena, &read, &why),
        STATUS_REJECT);
    memcpy(too_many, big, 5); /* 1,025 orders */
    memcpy(too_many + 5 + 8200, "\xc4", 1);
    assert_int_equal(
        ledger_decode((struct span){too_many, sizeof too_many}, 1, &arena, &read, &why),
        STATUS_REJECT);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_valid_customer_comes_back_field_by_field),
        cmocka_unit_test(test_the_fullest_customer_stays_below_the_bound),
        cmocka_unit_test(test_a_customer_of_a_few_purchases_takes_about_150_bytes),
        cmocka_unit_test(test_damaged_records_are_refused_or_valid_and_never_crash),
        cmocka_unit_test(test_what_no_version_writes_is_refused_with_its_reason),
        cmocka_unit_test(test_newer_versions_are_told_from_damage),
        cmocka_unit_test(test_records_of_every_sort_stay_readable_and_are_written_alike),
        cmocka_unit_test(test_ledgers_come_back_with_room_for_more),
        cmocka_unit_test(test_a_ledger_with_previous_ids_has_a_fourth_item),
        cmocka_unit_test(test_an_absent_ledger_is_empty_and_a_damaged_one_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
