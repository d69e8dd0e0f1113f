/* The record: its empty form, its invariants (each can break), and the figures derived from it. */
#include "model_kit.h"

#include <string.h>

static struct kit *sound_kit(void)
{
    struct kit *kit = kit_new();
    struct event survey = kit_event(kit, EVENT_SURVEY_RESPONDED, 1);

    survey.has = EVENT_HAS_SCORE;
    survey.score = 3;
    kit_apply(kit, kit_order(kit, 0, 1, 100));
    kit_apply(kit, kit_order(kit, 10, 2, 100));
    kit_apply(kit, survey);
    kit_apply(kit, kit_event(kit, EVENT_COMPLAINT_FILED, 11));
    return kit;
}

static void an_initialised_customer_is_empty_and_sound_and_a_touched_one_is_not_empty(void **state)
{
    struct kit *kit = kit_new();

    (void)state;
    assert_true(customer_is_empty(&kit->customer));
    assert_null(customer_check(&kit->customer));
    assert_int_equal(kit->customer.stage, STAGE_NONE);
    kit_apply(kit, kit_event(kit, EVENT_IDENTIFY, 0));
    assert_false(customer_is_empty(&kit->customer));
    kit_assert_stage(kit, STAGE_LEAD);
    free(kit);
}

/* Each damage breaks one invariant of a sound customer: of what it keeps lists of, and of its sums.
 */
static void damage_parts(struct customer *customer, int which)
{
    switch (which) {
    case 13:
        customer->orders_open = CUSTOMER_ORDERS_MAX + 1;
        break;
    case 14:
        customer->order[0].fp = 0;
        break;
    case 15:
        customer->order[0].left_native = -1;
        break;
    case 16:
        customer->tickets = CUSTOMER_TICKETS_MAX + 1;
        break;
    case 17:
        customer->ticket[0].opened_ms = INT64_MAX;
        break;
    case 18:
        customer->currency[0].currency = CURRENCY_COUNT;
        break;
    case 19:
        customer->episodes = CUSTOMER_EPISODES_MAX + 1;
        break;
    case 20:
        customer->episodes = 1;
        memset(&customer->episode[0], 0xff, sizeof(customer->episode[0]));
        break;
    case 21:
        customer->subscription.state = SUBSCRIPTION_ENDED + 1;
        break;
    case 22:
        customer->score_metric = SURVEY_CSAT + 1;
        break;
    case 23:
        customer->last_ms[3] = INT64_MAX;
        break;
    case 24:
        customer->bins[4].spend_minor = INT64_MIN;
        break;
    case 25:
        customer->spend_minor = INT64_MAX;
        break;
    case 26:
        customer->first_ms = INT64_MAX;
        break;
    case 27:
        customer->first_day = customer->days[0].day + 1;
        break;
    case 28:
        customer->stage_reason = STAGE_REASON_COUNT;
        break;
    default:
        fail();
        break;
    }
}

/* Of its times, its stage and its purchases. */
static void damage(struct customer *customer, int which)
{
    switch (which) {
    case 0:
        customer->now_ms = INT64_MAX;
        break;
    case 1:
        customer->due_ms = customer->now_ms;
        break;
    case 2:
        customer->touch_ms = customer->now_ms + 1;
        break;
    case 3:
        customer->stage = STAGE_COUNT;
        break;
    case 4:
        customer->stage = STAGE_LEAD;
        break;
    case 5:
        customer->stage = STAGE_NONE;
        break;
    case 6:
        customer->funnel = STAGE_LOYAL;
        break;
    case 7:
        customer->days_kept = CUSTOMER_DAYS_MAX + 1;
        break;
    case 8:
        customer->purchase_days = 1;
        break;
    case 9:
        customer->days[0].day = customer->days[1].day;
        break;
    case 10:
        customer->days[1].orders = 0;
        break;
    case 11:
        customer->last_day++;
        break;
    case 12:
        customer->last_purchase_ms = INT64_MIN;
        break;
    default:
        damage_parts(customer, which);
        break;
    }
}

static void every_damage_is_found(void **state)
{
    (void)state;
    for (int which = 0; which <= 28; which++) {
        struct kit *kit = sound_kit();

        assert_null(customer_check(&kit->customer));
        damage(&kit->customer, which);
        if (customer_check(&kit->customer) == NULL)
            fail_msg("damage %d is not found", which);
        free(kit);
    }
}

static void windows_are_whole_bins_with_the_filling_one_on_top(void **state)
{
    /* Day 20000 is the first of bin 2000. At day 20125 the bin is 2012. */
    static const struct {
        const char *name;
        double event_days;
        int from, to;
        uint32_t events;
    } rows[] = {
        {"the filling bin", 120, 30, 0, 1},
        {"the first day of the oldest bin of 30 days", 90, 30, 0, 1},
        {"a millisecond before it", 90 - 1.0 / 86400000, 30, 0, 0},
        {"which is the last of the window before", 90 - 1.0 / 86400000, 120, 30, 1},
        {"the first day of the oldest bin of that", 0, 120, 30, 1},
        {"a millisecond before that", 0 - 1.0 / 86400000, 120, 30, 0},
        {"a bin counts in one of two adjacent windows", 90, 120, 30, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct kit *kit = kit_new();
        int64_t at_ms = kit_at(125);

        customer_activity_add(&kit->customer, text_day_of(kit_at(rows[i].event_days)),
                              (struct activity_bin){.events = 1, .spend_minor = 7});
        if (customer_events_between(&kit->customer, at_ms, rows[i].from, rows[i].to) !=
            rows[i].events)
            fail_msg("%s", rows[i].name);
        assert_int_equal(customer_spend_between(&kit->customer, at_ms, rows[i].from, rows[i].to),
                         7 * rows[i].events);
        free(kit);
    }
}

static void bins_hold_180_days_and_the_filling_one(void **state)
{
    struct kit *kit = kit_new();
    struct customer *customer = &kit->customer;

    (void)state;
    customer_activity_add(customer, 20000, (struct activity_bin){.events = 1});
    customer_activity_add(customer, 20189, (struct activity_bin){.events = 1});
    assert_int_equal(customer_events_between(customer, kit_at(189), 180, 0), 2);
    customer_activity_add(customer, 20190, (struct activity_bin){.events = 1});
    assert_int_equal(customer_events_between(customer, kit_at(190), 180, 0), 2);
    customer_activity_add(
        customer, 20009, (struct activity_bin){.events = 1}); /* older than what is kept: dropped */
    assert_int_equal(customer_events_between(customer, kit_at(190), 180, 0), 2);
    customer_activity_add(customer, 40000, (struct activity_bin){.events = 1});
    assert_int_equal(customer_events_between(customer, kit_at(20000), 180, 0), 1);
    free(kit);
}

static void days_before_1970_fall_into_bins_of_ten_too(void **state)
{
    (void)state;
    assert_int_equal(customer_bin_of(0), 0);
    assert_int_equal(customer_bin_of(-1), -1);
    assert_int_equal(customer_bin_of(-10 * TEXT_MS_PER_DAY), -1);
    assert_int_equal(customer_bin_of(-10 * TEXT_MS_PER_DAY - 1), -2);
    assert_int_equal(customer_bin_of(10 * TEXT_MS_PER_DAY - 1), 0);
    assert_int_equal(customer_bin_of(10 * TEXT_MS_PER_DAY), 1);
}

static void history_counts_days_from_the_first_purchase_day(void **state)
{
    struct kit *kit = kit_new();
    struct history history;

    (void)state;
    kit_apply(kit, kit_order(kit, 0.75, 1, 100));
    kit_apply(kit, kit_order(kit, 10.5, 2, 100));
    history = customer_history(&kit->customer, kit_at(20.5));
    assert_true(history.x == 1 && history.t_x == 10 && history.T == 20.5);
    history = customer_history(&kit->customer, kit_at(3));
    assert_true(history.T == 10);
    assert_int_equal(customer_days_since(&kit->customer, kit_at(0)), 2);
    assert_int_equal(customer_days_since(&kit->customer, kit_at(0) + 1), 1);
    assert_int_equal(customer_days_since(&kit->customer, kit_at(10) + 1), 0);
    free(kit);
}

static void a_term_covers_to_its_end_and_not_at_it(void **state)
{
    struct kit *kit = kit_new();
    struct event start = kit_event(kit, EVENT_SUBSCRIPTION_STARTED, 0);

    (void)state;
    assert_false(customer_subscribed(&kit->customer, kit_at(0)));
    start.has = EVENT_HAS_ENDS;
    start.ends_ms = kit_at(30);
    kit_apply(kit, start);
    assert_true(customer_subscribed(&kit->customer, kit_at(30) - 1));
    assert_false(customer_subscribed(&kit->customer, kit_at(30)));
    free(kit);
}

static void texts_are_cut_between_characters(void **state)
{
    struct kit *kit = kit_new();
    struct event view = kit_event(kit, EVENT_PAGE_VIEWED, 0);

    (void)state;
    view.channel = SPAN_LITERAL("123456789012345\xc3\xa9"); /* the é would straddle byte 16 */
    kit_apply(kit, view);
    assert_memory_equal(kit->customer.channel, "123456789012345\0", CUSTOMER_TEXT_MAX);
    free(kit);
}

static void sums_of_money_do_not_overflow(void **state)
{
    (void)state;
    assert_int_equal(customer_money_add(1, -3), -2);
    assert_int_equal(customer_money_add(INT64_MAX, INT64_MAX), INT64_C(4000000000000000000));
    assert_int_equal(customer_money_add(INT64_MIN, -1), -INT64_C(4000000000000000000));
}

static void every_stage_and_reason_has_its_word(void **state)
{
    (void)state;
    for (int i = 0; i < STAGE_COUNT; i++)
        assert_non_null(stage_label((enum stage)i));
    for (int i = 0; i < STAGE_REASON_COUNT; i++)
        assert_non_null(stage_reason_label((enum stage_reason)i));
    for (int i = 0; i < CHURN_REASON_COUNT; i++)
        assert_non_null(churn_reason_label((enum churn_reason)i));
    assert_string_equal(stage_label(STAGE_WON_BACK), "won_back");
    assert_string_equal(churn_reason_label(CHURN_NEED_GONE), "need_gone");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_initialised_customer_is_empty_and_sound_and_a_touched_one_is_not_empty),
        cmocka_unit_test(every_damage_is_found),
        cmocka_unit_test(windows_are_whole_bins_with_the_filling_one_on_top),
        cmocka_unit_test(bins_hold_180_days_and_the_filling_one),
        cmocka_unit_test(days_before_1970_fall_into_bins_of_ten_too),
        cmocka_unit_test(history_counts_days_from_the_first_purchase_day),
        cmocka_unit_test(a_term_covers_to_its_end_and_not_at_it),
        cmocka_unit_test(texts_are_cut_between_characters),
        cmocka_unit_test(sums_of_money_do_not_overflow),
        cmocka_unit_test(every_stage_and_reason_has_its_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
