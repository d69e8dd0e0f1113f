/* What explain shows must be what then happens. */
#include "model_kit.h"

#include "model/outlook.h"

#define STEPS 64

static void the_outlook_is_what_silence_brings(void **state)
{
    struct kit *kit = kit_new(), *scratch = kit_new();
    struct outlook_step steps[STEPS];
    uint32_t count;

    (void)state;
    kit_apply(kit, kit_order(kit, 0, 1, 100));
    kit_apply(kit, kit_order(kit, 20, 2, 300));
    kit_apply(kit, kit_event(kit, EVENT_PAGE_VIEWED, 25));
    kit_forget_effects(kit);
    count = outlook_of(&kit->customer, kit_at(3000), &kit->params, &scratch->effects, steps, STEPS);
    assert_int_equal(scratch->effects.count, 0);
    kit_wait(kit, 3000);
    assert_true(count >= 5); /* churn_risk, declining, critical, churned, two offers */
    assert_int_equal(count, kit->effects.count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(steps[i].kind, kit->memory[i].kind);
        assert_int_equal(steps[i].phase, kit->memory[i].phase);
        assert_int_equal(steps[i].band, kit->memory[i].band);
        assert_int_equal(steps[i].at_ms, kit->memory[i].at_ms);
        assert_int_equal(steps[i].to, kit->memory[i].to);
        assert_true(steps[i].risk == kit->memory[i].churn.risk);
        assert_false(steps[i].forgotten);
    }
    free(kit);
    free(scratch);
}

static void the_customer_itself_is_left_alone(void **state)
{
    struct kit *kit = kit_new(), *scratch = kit_new();
    struct outlook_step steps[STEPS];
    int64_t now_ms;

    (void)state;
    kit_apply(kit, kit_order(kit, 0, 1, 100));
    now_ms = kit->customer.now_ms;
    outlook_of(&kit->customer, kit_at(3000), &kit->params, &scratch->effects, steps, STEPS);
    assert_int_equal(kit->customer.now_ms, now_ms);
    kit_assert_stage(kit, STAGE_NEW);
    free(kit);
    free(scratch);
}

static void a_horizon_and_a_bound_end_it(void **state)
{
    struct kit *kit = kit_new(), *scratch = kit_new();
    struct outlook_step steps[STEPS];

    (void)state;
    kit_apply(kit, kit_event(kit, EVENT_LEAD_CREATED, 0));
    assert_int_equal(
        outlook_of(&kit->customer, kit_at(14) - 1, &kit->params, &scratch->effects, steps, STEPS),
        0);
    assert_int_equal(
        outlook_of(&kit->customer, kit_at(14), &kit->params, &scratch->effects, steps, STEPS), 1);
    assert_int_equal(
        outlook_of(&kit->customer, kit_at(3000), &kit->params, &scratch->effects, steps, 1), 1);
    free(kit);
    free(scratch);
}

static void to_be_forgotten_is_the_last_step(void **state)
{
    struct kit *kit = kit_new(), *scratch = kit_new();
    struct outlook_step steps[STEPS];
    uint32_t count;

    (void)state;
    kit_apply(kit, kit_event(kit, EVENT_LEAD_CREATED, 0));
    count = outlook_of(&kit->customer, kit_at(3000), &kit->params, &scratch->effects, steps, STEPS);
    assert_int_equal(count, 2);
    assert_int_equal(steps[0].kind, KIND_PROSPECT_STALLED);
    assert_true(steps[1].forgotten);
    assert_int_equal(steps[1].at_ms, kit_at(400));
    free(kit);
    free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_outlook_is_what_silence_brings),
        cmocka_unit_test(the_customer_itself_is_left_alone),
        cmocka_unit_test(a_horizon_and_a_bound_end_it),
        cmocka_unit_test(to_be_forgotten_is_the_last_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
