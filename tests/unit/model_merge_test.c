#include "model/merge.h"

#include "model_random.h"

/* Half of the events under one id, half under another, then joined: as if all had come to one. */
#define SPLIT_EVENTS 24

static struct kit *merged(const struct kit *into, const struct kit *from)
{
    struct kit *kit = kit_new();

    kit->customer = into->customer;
    kit->params = into->params;
    merge_customer(&kit->customer, &from->customer, &into->params);
    return kit;
}

/* Refusal wins, whichever came last: the one statistic that is not the sum of its events. */
static void set_consent_aside(struct customer *customer)
{
    memset(customer->consent_denied, 0, sizeof customer->consent_denied);
}

static void what_two_ids_did_is_what_one_would_have_done(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15);
        struct kit *all = kit_new(), *part[2] = {kit_new(), kit_new()}, *joined[2];
        struct customer whole, sum;

        all->params.rates[CURRENCY_USD] = (struct currency_rate){923, 3};
        part[0]->params = part[1]->params = all->params;
        for (int i = 0; i < SPLIT_EVENTS; i++) {
            struct event event = random_event(all, &random);

            kit_apply(all, event);
            kit_apply(part[below(&random, 2)], event);
        }
        whole = statistics_of(&all->customer);
        set_consent_aside(&whole);
        for (int i = 0; i < 2; i++) {
            joined[i] = merged(part[i], part[!i]);
            sum = statistics_of(&joined[i]->customer);
            set_consent_aside(&sum);
            assert_same_statistics(&whole, &sum, seed);
            free(joined[i]);
        }
        free(all);
        free(part[0]);
        free(part[1]);
    }
}

static void joining_is_the_same_from_either_side_and_in_any_order_of_three(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        uint64_t random = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
        struct kit *part[3] = {kit_new(), kit_new(), kit_new()}, *left, *right, *first, *second;
        struct customer a, b;

        for (int i = 0; i < 3; i++)
            part[i]->params.rates[CURRENCY_USD] = (struct currency_rate){923, 3};
        for (int i = 0; i < 20; i++) { /* few enough for the orders kept */
            struct event event = random_event(part[0], &random);

            kit_apply(part[below(&random, 3)], event);
        }
        first = merged(part[0], part[1]);
        left = merged(first, part[2]);
        second = merged(part[2], part[1]);
        right = merged(second, part[0]);
        a = statistics_of(&left->customer);
        b = statistics_of(&right->customer);
        assert_same_statistics(&a, &b, seed);
        assert_int_equal(left->customer.now_ms, right->customer.now_ms);
        for (int i = 0; i < 3; i++)
            free(part[i]);
        free(first);
        free(second);
        free(left);
        free(right);
    }
}

static void an_order_told_under_both_ids_counts_once(void **state)
{
    struct kit *into = kit_new(), *from = kit_new(), *joined;

    (void)state;
    kit_apply(into, kit_order(into, 1, 7, 1000));
    kit_apply(from, kit_order(from, 1, 7, 1000));
    kit_apply(from, kit_order(from, 3, 8, 500));
    joined = merged(into, from);
    assert_int_equal(joined->customer.orders, 2);
    assert_int_equal(joined->customer.purchase_days, 2);
    assert_int_equal(joined->customer.spend_minor, 1500);
    free(into);
    free(from);
    free(joined);
}

static void a_refusal_under_either_id_is_a_refusal_until_the_next_word(void **state)
{
    struct kit *into = kit_new(), *from = kit_new(), *joined;
    struct event granted = kit_event(into, EVENT_CONSENT_CHANGED, 5);
    struct event refused = kit_event(from, EVENT_CONSENT_CHANGED, 2);

    (void)state;
    granted.has = refused.has = EVENT_HAS_PURPOSE;
    granted.granted = true;
    kit_apply(into, granted);
    kit_apply(from, refused);
    joined = merged(into, from);
    assert_true(joined->customer.consent_denied[CONSENT_MARKETING]);
    assert_int_equal(joined->customer.consent_ms[CONSENT_MARKETING], kit_at(5));
    granted.id_fp = 99;
    granted.time_ms = granted.record_ms = kit_at(6);
    kit_apply(joined, granted);
    assert_false(joined->customer.consent_denied[CONSENT_MARKETING]);
    free(into);
    free(from);
    free(joined);
}

static void days_that_fell_out_may_count_twice_and_are_reported(void **state)
{
    struct kit *into = kit_new(), *from = kit_new(), *joined;

    (void)state;
    for (int i = 0; i < 2 * CUSTOMER_DAYS_MAX; i++)
        kit_apply(into, kit_order(into, 10 + i, (uint64_t)(1 + i), 100));
    kit_apply(from, kit_order(from, 12, 1000, 100)); /* a day that fell out of the other's */
    kit_apply(from, kit_order(from, 9, 1001, 40));
    joined = merged(into, from);
    assert_null(customer_check(&joined->customer));
    assert_int_equal(joined->customer.orders, 2 * CUSTOMER_DAYS_MAX + 2);
    assert_int_equal(joined->customer.purchase_days, 2 * CUSTOMER_DAYS_MAX + 2);
    assert_int_equal(joined->customer.late_days, 1);
    assert_int_equal(joined->customer.first_day, 20009);
    assert_int_equal(joined->customer.first_day_spend_minor, 40);
    assert_int_equal(joined->customer.repeat_days_paid, 2 * CUSTOMER_DAYS_MAX + 1);
    assert_int_equal(joined->customer.repeat_spend_minor, joined->customer.spend_minor - 40);
    free(into);
    free(from);
    free(joined);
}

static void cool_downs_and_caps_of_both_hold(void **state)
{
    struct kit *into = kit_new(), *from = kit_new(), *joined;

    (void)state;
    from->customer.episode[0] = (struct episode){.kind = KIND_CHURN_RISK,
                                                 .phase = EPISODE_OPEN,
                                                 .band = 1,
                                                 .number = 1,
                                                 .since_ms = kit_at(1),
                                                 .ended_ms = kit_at(2)};
    from->customer.episodes = 1;
    from->customer.episode_count = 1;
    from->customer.marketing_ms[0] = kit_at(3);
    into->customer.marketing_ms[0] = kit_at(4);
    into->customer.marketing_ms[1] = kit_at(2);
    into->customer.episode_count = 17;
    joined = merged(into, from);
    assert_int_equal(joined->customer.episodes, 1);
    assert_int_equal(joined->customer.episode[0].phase, EPISODE_CLOSED);
    assert_int_equal(joined->customer.episode[0].number, 18);
    assert_int_equal(joined->customer.marketing_ms[0], kit_at(4));
    assert_int_equal(joined->customer.marketing_ms[1], kit_at(3));
    assert_int_equal(joined->customer.marketing_ms[2], kit_at(2));
    assert_int_equal(joined->customer.marketing_ms[3], INT64_MIN);
    free(into);
    free(from);
    free(joined);
}

static void ledgers_keep_the_newest_of_both_by_turns(void **state)
{
    struct kit *into = kit_new(), *from = kit_new();

    (void)state;
    for (uint64_t fp = 1; fp <= LEDGER_EVENTS_MAX; fp++) {
        ledger_add_event(&into->ledger, 1000 + fp);
        ledger_add_event(&from->ledger, 2000 + fp);
    }
    ledger_add_order(&into->ledger, 7);
    ledger_add_order(&from->ledger, 7);
    ledger_add_order(&from->ledger, 8);
    ledger_merge(&into->ledger, &from->ledger);
    assert_int_equal(into->ledger.event_count, LEDGER_EVENTS_MAX);
    assert_true(ledger_has_event(&into->ledger, 1000 + LEDGER_EVENTS_MAX));
    assert_true(ledger_has_event(&into->ledger, 2000 + LEDGER_EVENTS_MAX));
    assert_true(ledger_has_event(&into->ledger, 1000 + LEDGER_EVENTS_MAX / 2 + 1));
    assert_true(ledger_has_event(&into->ledger, 2000 + LEDGER_EVENTS_MAX / 2 + 1));
    assert_false(ledger_has_event(&into->ledger, 2000 + LEDGER_EVENTS_MAX / 2));
    assert_int_equal(into->ledger.order_count, 2);
    free(into);
    free(from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_two_ids_did_is_what_one_would_have_done),
        cmocka_unit_test(joining_is_the_same_from_either_side_and_in_any_order_of_three),
        cmocka_unit_test(an_order_told_under_both_ids_counts_once),
        cmocka_unit_test(a_refusal_under_either_id_is_a_refusal_until_the_next_word),
        cmocka_unit_test(days_that_fell_out_may_count_twice_and_are_reported),
        cmocka_unit_test(cool_downs_and_caps_of_both_hold),
        cmocka_unit_test(ledgers_keep_the_newest_of_both_by_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
