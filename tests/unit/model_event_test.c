#include "model_kit.h"

static void a_type_is_found_whatever_its_case_and_separators(void **state)
{
    static const struct {
        const char *name;
        enum event_type type;
    } rows[] = {
        {"Order Completed", EVENT_ORDER_COMPLETED},
        {"order_completed", EVENT_ORDER_COMPLETED},
        {"order.completed", EVENT_ORDER_COMPLETED},
        {"ORDERCOMPLETED", EVENT_ORDER_COMPLETED},
        {"--order--completed--", EVENT_ORDER_COMPLETED},
        {"order completed2", EVENT_UNKNOWN},
        {"order complete", EVENT_UNKNOWN},
        {"xorder completed", EVENT_UNKNOWN},
        {"subscription/renewed", EVENT_SUBSCRIPTION_RENEWED},
        {"delete", EVENT_DELETE},
        {"unknown", EVENT_UNKNOWN},
        {"", EVENT_UNKNOWN},
        {"...", EVENT_UNKNOWN},
        {"\xc3\xb6rder completed", EVENT_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (event_type_find(span_of(rows[i].name)) != rows[i].type)
            fail_msg("%s", rows[i].name);
}

static void every_title_finds_its_own_type(void **state)
{
    (void)state;
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        assert_int_equal(event_type_find(span_of(event_type_title((enum event_type)type))), type);
}

static void groups_and_required_fields_are_those_of_the_table(void **state)
{
    (void)state;
    assert_int_equal(event_type_group(EVENT_UNKNOWN), EVENT_ENGAGEMENT);
    assert_int_equal(event_type_group(EVENT_PAYMENT_LATE), EVENT_PURCHASE);
    assert_int_equal(event_type_required(EVENT_ORDER_COMPLETED), EVENT_HAS_AMOUNT);
    assert_int_equal(event_type_required(EVENT_ORDER_CANCELLED), EVENT_HAS_ORDER);
    assert_int_equal(event_type_required(EVENT_PAGE_VIEWED), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_type_is_found_whatever_its_case_and_separators),
        cmocka_unit_test(every_title_finds_its_own_type),
        cmocka_unit_test(groups_and_required_fields_are_those_of_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
