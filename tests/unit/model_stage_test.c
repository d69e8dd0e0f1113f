/* Every boundary of the table of stages, one millisecond before and at it. */
#include "model_kit.h"

#include "model/rhythm.h"

/* A history of orders, then silence. Risk is switched off unless a row is about it: silence is what
 * is timed here. */
#define DAYS_MAX 8

struct row {
    const char *name;
    double orders[DAYS_MAX]; /* days, ascending */
    int count;
    double boundary_days; /* when silence moves it */
    enum stage before, at;
};

static struct kit *quiet_kit(void)
{
    struct kit *kit = kit_new();

    kit->params.decline_risk = 1;
    kit->params.churn_risk_high = 1;
    return kit;
}

static void buy(struct kit *kit, const double *days, int count)
{
    for (int i = 0; i < count; i++)
        kit_apply(kit, kit_order(kit, days[i], (uint64_t)(100 + i), 1000));
}

/* G of one purchase is the population's 45 d: declining after 67.5 d, churned after 135 d. G of
 * purchases at 0 and 10: (2·10 + 3·45)/5 = 31 d. At 0, 100, 200 (n = 3): (3·100 + 135)/6 = 72.5 d:
 * 108.75 d and 217.5 d. At 0..3 (n = 4, gap 1 d): (4 + 135)/7 = 19.857142857 d. */
static const struct row rows[] = {
    {"a new customer declines after 1.5 gaps", {0}, 1, 67.5, STAGE_NEW, STAGE_DECLINING},
    {"and churns after 3", {0}, 1, 135, STAGE_DECLINING, STAGE_CHURNED},
    {"a growing one by its own rhythm", {0, 10}, 2, 10 + 46.5, STAGE_GROWING, STAGE_DECLINING},
    {"a growing one churns by it", {0, 10}, 2, 10 + 93, STAGE_DECLINING, STAGE_CHURNED},
    {"a loyal one declines", {0, 100, 200}, 3, 200 + 108.75, STAGE_LOYAL, STAGE_DECLINING},
    {"a loyal one churns", {0, 100, 200}, 3, 200 + 217.5, STAGE_DECLINING, STAGE_CHURNED},
    {"tenure of 180 d makes it loyal by itself", {0, 70, 140}, 3, 180, STAGE_GROWING, STAGE_LOYAL},
};

static void silence_moves_a_stage_at_its_boundary_and_not_a_millisecond_before(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct row *row = &rows[i];
        struct kit *kit = quiet_kit();

        buy(kit, row->orders, row->count);
        kit_wait_until_ms(kit, kit_at(row->boundary_days) - 1);
        if (kit->customer.stage != row->before)
            fail_msg("%s: before it is %s", row->name, stage_label(kit->customer.stage));
        kit_wait_until_ms(kit, kit_at(row->boundary_days));
        if (kit->customer.stage != row->at)
            fail_msg("%s: at it is %s", row->name, stage_label(kit->customer.stage));
        if (kit->customer.stage_since_ms != kit_at(row->boundary_days))
            fail_msg("%s: since %f", row->name, kit_days(kit->customer.stage_since_ms));
        assert_int_equal(kit->customer.stage_cause, 0);
        free(kit);
    }
}

static void the_least_silences_hold_for_a_fast_rhythm(void **state)
{
    static const double daily[] = {0, 1, 2, 3};
    struct kit *kit = quiet_kit();

    (void)state;
    kit->params.population_gap_ms =
        TEXT_MS_PER_DAY; /* G would be 1 d, is 7 d: 1.5 G = 10.5 d < 14 d, 3 G = 21 d < 45 d */
    buy(kit, daily, 4);
    assert_int_equal(rhythm_gap_ms(&kit->customer, &kit->params), 7 * TEXT_MS_PER_DAY);
    kit_wait_until_ms(kit, kit_at(3 + 14) - 1);
    kit_assert_stage(kit, STAGE_GROWING);
    kit_wait(kit, 3 + 14);
    kit_assert_stage(kit, STAGE_DECLINING);
    kit_wait_until_ms(kit, kit_at(3 + 45) - 1);
    kit_assert_stage(kit, STAGE_DECLINING);
    kit_wait(kit, 3 + 45);
    kit_assert_stage(kit, STAGE_CHURNED);
    assert_int_equal(kit->customer.stage_reason, STAGE_BY_SILENCE);
    assert_int_equal(kit->customer.churned_ms, kit_at(48));
    free(kit);
}

static void a_prospect_walks_the_funnel_forward_only(void **state)
{
    struct kit *kit = quiet_kit();

    (void)state;
    kit_apply(kit, kit_event(kit, EVENT_PAGE_VIEWED, 0));
    kit_assert_stage(kit, STAGE_LEAD);
    assert_int_equal(kit->customer.stage_reason, STAGE_BY_FIRST_EVENT);
    kit_apply(kit, kit_event(kit, EVENT_TRIAL_STARTED, 1));
    kit_assert_stage(kit, STAGE_TRIAL);
    assert_int_equal(kit->customer.stage_reason, STAGE_BY_FUNNEL);
    kit_apply(kit, kit_event(kit, EVENT_DEMO_ATTENDED, 2));
    kit_assert_stage(kit, STAGE_TRIAL);
    kit_apply(kit, kit_order(kit, 3, 1, 0));
    kit_assert_stage(kit, STAGE_NEW);
    assert_int_equal(kit->customer.stage_reason, STAGE_BY_PURCHASE);
    kit_apply(kit, kit_event(kit, EVENT_DEMO_ATTENDED, 4));
    kit_assert_stage(kit, STAGE_NEW);
    free(kit);
}

static void a_full_refund_of_the_only_order_returns_to_the_funnel_stage(void **state)
{
    struct kit *kit = quiet_kit();

    (void)state;
    kit_apply(kit, kit_event(kit, EVENT_DEMO_ATTENDED, 0));
    kit_apply(kit, kit_order(kit, 1, 9, 1000));
    kit_apply(kit, kit_refund(kit, 2, 9, 999));
    kit_assert_stage(kit, STAGE_NEW);
    kit_apply(kit, kit_refund(kit, 3, 9, 1));
    kit_assert_stage(kit, STAGE_DEMO);
    assert_int_equal(kit->customer.stage_reason, STAGE_BY_REFUND);
    assert_int_equal(kit->customer.purchase_days, 0);
    assert_int_equal(kit->customer.spend_minor, 0);
    free(kit);
}

static void two_orders_on_one_day_are_still_new_and_midnight_makes_it_growing(void **state)
{
    struct kit *kit = quiet_kit();

    (void)state;
    kit_apply(kit, kit_order(kit, 0, 1, 1));
    kit_apply(kit, kit_order(kit, 1 - 1.0 / 86400000, 2, 1));
    kit_assert_stage(kit, STAGE_NEW);
    kit_apply(kit, kit_order(kit, 1, 3, 1));
    kit_assert_stage(kit, STAGE_GROWING);
    free(kit);
}

static void a_purchase_after_churn_is_won_back_and_the_second_day_grows(void **state)
{
    struct kit *kit = quiet_kit();

    (void)state;
    kit_apply(kit, kit_order(kit, 0, 1, 1));
    kit_wait(kit, 140);
    kit_assert_stage(kit, STAGE_CHURNED);
    kit_apply(kit, kit_order(kit, 150, 2, 1));
    kit_assert_stage(kit, STAGE_WON_BACK);
    assert_true(kit->customer.returned);
    kit_apply(kit, kit_order(kit, 150.5, 3, 1));
    kit_assert_stage(kit, STAGE_WON_BACK);
    kit_apply(kit, kit_order(kit, 151, 4, 1));
    kit_assert_stage(kit, STAGE_GROWING);
    assert_false(kit->customer.returned);
    free(kit);
}

static void a_won_back_customer_declines_in_silence(void **state)
{
    struct kit *kit = quiet_kit();
    int64_t declines_ms;

    (void)state;
    kit_apply(kit, kit_order(kit, 0, 1, 1));
    kit_wait(kit, 140);
    kit_apply(kit, kit_order(kit, 150, 2, 1));
    declines_ms = stage_decline_ms(&kit->customer, &kit->params);
    kit_wait_until_ms(kit, declines_ms - 1);
    kit_assert_stage(kit, STAGE_WON_BACK);
    kit_wait_until_ms(kit, declines_ms);
    kit_assert_stage(kit, STAGE_DECLINING);
    free(kit);
}

static void loyal_takes_three_days_in_the_window_and_two_keep_it(void **state)
{
    static const double days[] = {0, 300, 364};
    static const double late[] = {0, 300, 366};
    struct kit *kit = quiet_kit();

    (void)state;
    buy(kit, days, 3);
    kit_assert_stage(kit, STAGE_LOYAL);
    assert_int_equal(kit->customer.stage_reason, STAGE_BY_PURCHASE);
    kit_wait(kit, 364 + 60); /* day 0 has left the window; two remain */
    kit_assert_stage(kit, STAGE_LOYAL);
    free(kit);

    kit = quiet_kit();
    buy(kit, late, 3); /* day 0 is out of the window when the third comes */
    kit_assert_stage(kit, STAGE_GROWING);
    free(kit);
}

static void a_covered_loyal_customer_leaves_when_one_day_is_left_in_the_window(void **state)
{
    static const double days[] = {0, 100, 200};
    struct kit *kit = quiet_kit();
    struct event start = kit_event(kit, EVENT_SUBSCRIPTION_STARTED, 200);
    int64_t leaves_ms = kit_at(100 + 365) + 1;

    (void)state;
    buy(kit, days, 3);
    kit_assert_stage(kit, STAGE_LOYAL);
    start.has = EVENT_HAS_ENDS;
    start.ends_ms = kit_at(2000);
    kit_apply(kit, start);
    kit_wait_until_ms(kit, leaves_ms - 1);
    kit_assert_stage(kit, STAGE_LOYAL);
    kit_wait_until_ms(kit, leaves_ms);
    kit_assert_stage(kit, STAGE_GROWING);
    assert_int_equal(kit->customer.stage_reason, STAGE_BY_SILENCE);
    free(kit);
}

static void a_term_covers_silence_until_it_ends(void **state)
{
    struct kit *kit = quiet_kit();
    struct event start = kit_event(kit, EVENT_SUBSCRIPTION_STARTED, 0);

    (void)state;
    start.has = EVENT_HAS_ENDS;
    start.ends_ms = kit_at(300);
    kit_apply(kit, kit_order(kit, 0, 1, 1));
    kit_apply(kit, start);
    kit_wait_until_ms(kit, kit_at(300) - 1);
    kit_assert_stage(kit, STAGE_NEW);
    kit_wait(kit, 300);
    kit_assert_stage(kit, STAGE_CHURNED);
    assert_int_equal(kit->customer.stage_reason, STAGE_BY_SILENCE);
    free(kit);
}

static void
a_cancelled_subscription_churns_at_its_end_unless_something_is_bought_later(void **state)
{
    struct kit *kit = quiet_kit();
    struct event start = kit_event(kit, EVENT_SUBSCRIPTION_STARTED, 0);
    struct event cancel = kit_event(kit, EVENT_SUBSCRIPTION_CANCELLED, 5);

    (void)state;
    kit_apply(kit, kit_order(kit, 0, 1, 1));
    kit_apply(kit, start);
    cancel.has = EVENT_HAS_ENDS;
    cancel.ends_ms = kit_at(20);
    cancel.reason = CHURN_PRICE;
    kit_apply(kit, cancel);
    kit_assert_stage(kit, STAGE_NEW);
    kit_wait_until_ms(kit, kit_at(20) - 1);
    kit_assert_stage(kit, STAGE_NEW);
    kit_wait(kit, 20);
    kit_assert_stage(kit, STAGE_CHURNED);
    assert_int_equal(kit->customer.stage_reason, STAGE_BY_SUBSCRIPTION);
    assert_int_equal(kit->customer.churn_reason, CHURN_PRICE);
    kit_apply(kit, kit_order(kit, 21, 2, 1));
    kit_assert_stage(kit, STAGE_WON_BACK);
    assert_int_equal(kit->customer.churn_reason, CHURN_UNKNOWN);
    free(kit);
}

static void a_cancellation_without_an_end_churns_at_once(void **state)
{
    struct kit *kit = quiet_kit();

    (void)state;
    kit_apply(kit, kit_order(kit, 0, 1, 1));
    kit_apply(kit, kit_event(kit, EVENT_SUBSCRIPTION_STARTED, 0));
    kit_apply(kit, kit_event(kit, EVENT_SUBSCRIPTION_CANCELLED, 5));
    kit_assert_stage(kit, STAGE_CHURNED);
    free(kit);
}

/* Risk of one purchase passes its threshold before 67 d under the priors; the decline follows 24 h
 * later. */
static void a_risk_that_has_risen_declines_after_a_day_and_only_a_purchase_ends_it(void **state)
{
    struct kit *kit = kit_new();
    int64_t crossing_ms, threshold_pct;
    struct churn_risk risk;

    (void)state;
    kit->params.population_gap_ms = 180 * TEXT_MS_PER_DAY; /* silence itself is far off */
    kit_apply(kit, kit_order(kit, 0, 1, 1));
    crossing_ms =
        churn_risk_crossing(&kit->customer, kit_at(0) + 1,
                            stage_risk_threshold(&kit->customer, &kit->params), &kit->params);
    threshold_pct = (int64_t)(100 * stage_risk_threshold(&kit->customer, &kit->params));
    assert_int_equal(threshold_pct, 86); /* .714 + .15 */
    kit_wait_until_ms(kit, crossing_ms - 1);
    assert_int_equal(kit->customer.risk_since_ms, INT64_MAX);
    kit_wait_until_ms(kit, crossing_ms);
    assert_int_equal(kit->customer.risk_since_ms, crossing_ms);
    churn_risk_at(&kit->customer, crossing_ms, &kit->params, &risk);
    assert_true(risk.risk >= stage_risk_threshold(&kit->customer, &kit->params));
    kit_wait_until_ms(kit, crossing_ms + TEXT_MS_PER_DAY - 1);
    kit_assert_stage(kit, STAGE_NEW);
    kit_wait_until_ms(kit, crossing_ms + TEXT_MS_PER_DAY);
    kit_assert_stage(kit, STAGE_DECLINING);
    assert_int_equal(kit->customer.stage_reason, STAGE_BY_RISK);
    kit_apply(kit, kit_event(kit, EVENT_PAGE_VIEWED, kit_days(crossing_ms) + 2));
    kit_assert_stage(kit, STAGE_DECLINING);
    kit_apply(kit, kit_order(kit, kit_days(crossing_ms) + 3, 2, 1));
    kit_assert_stage(kit, STAGE_GROWING);
    free(kit);
}

static void a_purchase_ends_a_decline_even_while_complaints_keep_the_risk_high(void **state)
{
    struct kit *kit = kit_new();

    (void)state;
    kit->params.population_gap_ms = 180 * TEXT_MS_PER_DAY;
    kit->params.complaint_open = -5;
    kit_apply(kit, kit_order(kit, 0, 1, 1));
    kit_apply(kit, kit_event(kit, EVENT_COMPLAINT_FILED, 1));
    kit_wait_until_ms(kit, kit_at(2) - 1);
    kit_assert_stage(kit, STAGE_NEW);
    kit_wait(kit, 2);
    kit_assert_stage(kit, STAGE_DECLINING);
    kit_apply(kit, kit_order(kit, 3, 2, 1));
    kit_assert_stage(kit, STAGE_GROWING);
    kit_wait_until_ms(kit, kit_at(4) - 1);
    kit_assert_stage(kit, STAGE_GROWING);
    kit_wait(kit, 4);
    kit_assert_stage(kit, STAGE_DECLINING);
    free(kit);
}

static void the_due_time_of_a_stage_is_when_its_answer_changes(void **state)
{
    static const double histories[][3] = {{0, 0, 0}, {0, 10, 0}, {0, 100, 200}, {0, 60, 120}};
    static const int counts[] = {1, 2, 3, 3};

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct kit *kit = quiet_kit();
        int64_t due_ms;

        buy(kit, histories[i], counts[i]);
        due_ms = stage_due(&kit->customer, kit->customer.now_ms, &kit->params);
        assert_int_equal(stage_of(&kit->customer, due_ms - 1, &kit->params).stage,
                         kit->customer.stage);
        assert_int_not_equal(stage_of(&kit->customer, due_ms, &kit->params).stage,
                             kit->customer.stage);
        free(kit);
    }
}

static void a_silent_prospect_is_forgotten_but_not_its_refusals(void **state)
{
    struct kit *kit = quiet_kit();
    struct event refusal = kit_event(kit, EVENT_CONSENT_CHANGED, 0);

    (void)state;
    kit_apply(kit, kit_event(kit, EVENT_LEAD_CREATED, 0));
    kit_wait_until_ms(kit, kit_at(400) - 1);
    kit_assert_stage(kit, STAGE_LEAD);
    kit_wait(kit, 400);
    assert_true(customer_is_empty(&kit->customer));
    assert_int_equal(kit->customer.due_ms, INT64_MAX);
    free(kit);

    kit = quiet_kit();
    refusal.has = EVENT_HAS_PURPOSE;
    kit_apply(kit, refusal);
    kit_wait(kit, 1000);
    assert_false(customer_is_empty(&kit->customer));
    free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_moves_a_stage_at_its_boundary_and_not_a_millisecond_before),
        cmocka_unit_test(the_least_silences_hold_for_a_fast_rhythm),
        cmocka_unit_test(a_prospect_walks_the_funnel_forward_only),
        cmocka_unit_test(a_full_refund_of_the_only_order_returns_to_the_funnel_stage),
        cmocka_unit_test(two_orders_on_one_day_are_still_new_and_midnight_makes_it_growing),
        cmocka_unit_test(a_purchase_after_churn_is_won_back_and_the_second_day_grows),
        cmocka_unit_test(a_won_back_customer_declines_in_silence),
        cmocka_unit_test(loyal_takes_three_days_in_the_window_and_two_keep_it),
        cmocka_unit_test(a_covered_loyal_customer_leaves_when_one_day_is_left_in_the_window),
        cmocka_unit_test(a_term_covers_silence_until_it_ends),
        cmocka_unit_test(
            a_cancelled_subscription_churns_at_its_end_unless_something_is_bought_later),
        cmocka_unit_test(a_cancellation_without_an_end_churns_at_once),
        cmocka_unit_test(a_risk_that_has_risen_declines_after_a_day_and_only_a_purchase_ends_it),
        cmocka_unit_test(a_purchase_ends_a_decline_even_while_complaints_keep_the_risk_high),
        cmocka_unit_test(the_due_time_of_a_stage_is_when_its_answer_changes),
        cmocka_unit_test(a_silent_prospect_is_forgotten_but_not_its_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
