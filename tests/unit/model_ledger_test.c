#include "model_kit.h"

static void an_order_is_found_after_it_was_added_and_an_event_is_not_an_order(void **state)
{
    struct kit *kit = kit_new();

    (void)state;
    ledger_add_order(&kit->ledger, 7);
    assert_true(ledger_has_order(&kit->ledger, 7));
    assert_false(ledger_has_event(&kit->ledger, 7));
    assert_false(ledger_has_order(&kit->ledger, 8));
    assert_true(kit->ledger.changed);
    free(kit);
}

static void event_fingerprints_are_kept_and_compared_in_six_bytes(void **state)
{
    struct kit *kit = kit_new();

    (void)state;
    ledger_add_event(&kit->ledger, UINT64_C(0xabcd000000000001));
    assert_true(ledger_has_event(&kit->ledger, UINT64_C(0x1234000000000001)));
    assert_int_equal(kit->events[0], 1);
    assert_false(ledger_has_event(&kit->ledger, UINT64_C(0xabcd000000000002)));
    free(kit);
}

static void the_oldest_falls_out_at_the_bound_and_not_before(void **state)
{
    struct kit *kit = kit_new();

    (void)state;
    for (uint64_t fp = 1; fp <= LEDGER_ORDERS_MAX; fp++)
        ledger_add_order(&kit->ledger, fp);
    assert_true(ledger_has_order(&kit->ledger, 1));
    ledger_add_order(&kit->ledger, LEDGER_ORDERS_MAX + 1);
    assert_false(ledger_has_order(&kit->ledger, 1));
    assert_true(ledger_has_order(&kit->ledger, 2));
    assert_int_equal(kit->ledger.order_count, LEDGER_ORDERS_MAX);
    for (uint64_t fp = 1; fp <= LEDGER_EVENTS_MAX + 1; fp++)
        ledger_add_event(&kit->ledger, fp);
    assert_false(ledger_has_event(&kit->ledger, 1));
    assert_true(ledger_has_event(&kit->ledger, 2));
    assert_true(ledger_has_event(&kit->ledger, LEDGER_EVENTS_MAX + 1));
    free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_is_found_after_it_was_added_and_an_event_is_not_an_order),
        cmocka_unit_test(event_fingerprints_are_kept_and_compared_in_six_bytes),
        cmocka_unit_test(the_oldest_falls_out_at_the_bound_and_not_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
