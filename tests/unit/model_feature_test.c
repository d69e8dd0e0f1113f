#include "model_kit.h"

#include "model/feature.h"

static void a_step_of_silence_is_reached_at_its_millisecond(void **state)
{
    struct kit *kit = kit_new();
    double figure[FEATURE_COUNT];

    (void)state;
    kit_apply(kit, kit_order(kit, 0.5, 1, 100));
    for (int i = 0; i < FEATURE_SILENCE_STEPS; i++) {
        int64_t step = kit_at(0) + feature_silence_step_ms(i);

        feature_figures(&kit->customer, step - 1, &kit->params, figure);
        assert_true(feature_of(FEATURE_SILENCE, figure[FEATURE_SILENCE]) == i / 5.0);
        feature_figures(&kit->customer, step, &kit->params, figure);
        assert_true(feature_of(FEATURE_SILENCE, figure[FEATURE_SILENCE]) == (i + 1) / 5.0);
    }
    assert_int_equal(feature_silence_step_ms(0), 10 * TEXT_MS_PER_DAY);
    assert_int_equal(feature_silence_step_ms(3), 150 * TEXT_MS_PER_DAY);
    free(kit);
}

static void figures_are_what_an_alert_shows(void **state)
{
    struct kit *kit = kit_new();
    double figure[FEATURE_COUNT];

    (void)state;
    kit_apply(kit, kit_order(kit, 0, 1, 1000));
    kit_apply(kit, kit_order(kit, 20, 2, 3500));
    kit_apply(kit, kit_event(kit, EVENT_PAGE_VIEWED, 40));
    feature_figures(&kit->customer, kit_at(45), &kit->params, figure);
    assert_true(figure[FEATURE_SCALE] == 0);
    assert_true(figure[FEATURE_LEVEL] == 1);
    assert_true(figure[FEATURE_FREQUENCY] == 1);
    assert_true(figure[FEATURE_SILENCE] == 25);
    assert_true(figure[FEATURE_SPEND] == 22.5);
    assert_true(figure[FEATURE_ENGAGEMENT] == 1);
    assert_string_equal(feature_label(FEATURE_SCALE), "p_buy_scale");
    assert_string_equal(feature_label(FEATURE_ENGAGEMENT), "events_30d");
    free(kit);
}

static void negative_spend_weighs_as_none(void **state)
{
    (void)state;
    assert_true(feature_of(FEATURE_SPEND, -3) == 0);
    assert_true(feature_of(FEATURE_SPEND, 0) == 0);
    assert_true(feature_of(FEATURE_SPEND, 1) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_of_silence_is_reached_at_its_millisecond),
        cmocka_unit_test(figures_are_what_an_alert_shows),
        cmocka_unit_test(negative_spend_weighs_as_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
