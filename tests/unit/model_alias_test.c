/* Ids that become one: the steps of fold.c, each customer by itself. */
#include "model_kit.h"

#define SPAN(text) SPAN_LITERAL(text)

static struct event alias_event(struct kit *kit, double days, struct span previous)
{
    struct event event = kit_event(kit, EVENT_ALIAS, days);

    event.previous = previous;
    return event;
}

static struct event errand_event(struct kit *kit, enum event_errand errand, double days)
{
    struct event event = kit_event(kit, EVENT_ALIAS, days);

    event.errand = errand;
    event.into = SPAN("n");
    return event;
}

/* A buyer of whom something was told. */
static struct kit *buyer(void)
{
    struct kit *kit = kit_new();

    kit_apply(kit, kit_order(kit, 0, 1, 1000));
    kit_apply(kit, kit_order(kit, 20, 2, 1000));
    kit_wait(kit, 60);
    kit_forget_effects(kit);
    return kit;
}

static void an_alias_asks_the_previous_id_and_remembers_it(void **state)
{
    struct kit *kit = kit_new();

    (void)state;
    kit_apply(kit, alias_event(kit, 1, SPAN("p")));
    assert_true(kit->errands.request);
    assert_true(span_is(errands_to(&kit->errands), "p"));
    assert_int_equal(kit->customer.stage, STAGE_LEAD);
    assert_int_equal(kit->customer.previous, 1);
    kit_apply(kit, alias_event(kit, 2, SPAN("p"))); /* again: asked again, which does no harm */
    assert_true(kit->errands.request);
    assert_int_equal(kit->customer.previous, 1);
    kit_wait(kit, 2000); /* whoever has redirects is not forgotten */
    assert_int_equal(kit->customer.stage, STAGE_LEAD);
    free(kit);
}

static void an_alias_of_itself_is_a_contradiction(void **state)
{
    struct kit *kit = kit_new();
    struct event event = alias_event(kit, 1, SPAN("c"));

    (void)state;
    assert_int_equal(kit_fold(kit, event), FOLD_REJECTED);
    assert_true(customer_is_empty(&kit->customer));
    free(kit);
}

static void more_previous_ids_than_are_kept_are_refused(void **state)
{
    struct kit *kit = kit_new();
    char id[16];

    (void)state;
    for (int i = 0; i < PREVIOUS_MAX; i++) {
        snprintf(id, sizeof id, "p%d", i);
        kit_apply(kit, alias_event(kit, 1, span_of(id)));
    }
    assert_int_equal(kit_fold(kit, alias_event(kit, 1, SPAN("q"))), FOLD_REJECTED);
    kit_apply(kit, alias_event(kit, 1, SPAN("p7")));
    free(kit);
}

static void a_known_customer_gives_its_state_and_becomes_a_redirect(void **state)
{
    struct kit *kit = buyer();
    uint32_t told = kit->customer.alert_count;

    (void)state;
    kit->customer.episode[0].told = kit->customer.episodes > 0;
    kit_apply(kit, errand_event(kit, EVENT_REQUEST, 61));
    assert_true(kit->errands.state);
    assert_true(span_is(errands_to(&kit->errands), "n"));
    assert_int_equal(kit->errands.moved.orders, 2);
    assert_int_equal(kit->errands.moved_ledger.order_count, 2);
    assert_true(customer_is_redirect(&kit->customer));
    assert_int_equal(kit->customer.due_ms, INT64_MAX);
    assert_int_equal(kit->ledger.order_count, 0);
    for (uint8_t i = 0; i < kit->errands.moved.episodes; i++)
        assert_int_equal(kit->errands.moved.episode[i].phase, EPISODE_CLOSED);
    assert_true(told > 0);
    assert_int_equal(kit_last(kit, KIND_STAGE_CHANGED, PHASE_RAISED)->to, STAGE_NONE);
    assert_int_equal(kit_last(kit, KIND_STAGE_CHANGED, PHASE_RAISED)->stage_reason, STAGE_BY_ALIAS);
    /* asked again it has nothing more to give */
    assert_int_equal(kit_fold(kit, errand_event(kit, EVENT_REQUEST, 62)), FOLD_DUPLICATE);
    assert_false(kit->errands.state);
    free(kit);
}

static void an_unknown_or_erased_id_becomes_a_redirect_that_gives_nothing(void **state)
{
    struct kit *kit = kit_new();

    (void)state;
    kit_apply(kit, errand_event(kit, EVENT_REQUEST, 1));
    assert_true(customer_is_redirect(&kit->customer));
    assert_false(kit->errands.state);
    free(kit);

    kit = buyer();
    kit_apply(kit, kit_event(kit, EVENT_DELETE, 61));
    assert_int_equal(kit_fold(kit, errand_event(kit, EVENT_REQUEST, 60.5)), FOLD_IGNORED);
    kit_apply(kit, errand_event(kit, EVENT_REQUEST, 62));
    assert_true(customer_is_redirect(&kit->customer));
    assert_false(kit->errands.state);
    /* what is from before the erasure does not go on to anybody */
    assert_int_equal(kit_fold(kit, kit_order(kit, 59, 9, 100)), FOLD_IGNORED);
    free(kit);
}

static void events_of_a_redirect_are_sent_on_but_not_in_circles(void **state)
{
    struct kit *kit = buyer();
    struct event event;

    (void)state;
    kit_apply(kit, errand_event(kit, EVENT_REQUEST, 61));
    event = kit_order(kit, 62, 3, 100);
    assert_int_equal(kit_fold(kit, event), FOLD_FORWARDED);
    assert_true(kit->errands.forward);
    assert_true(span_is(errands_to(&kit->errands), "n"));
    event.hops = EVENT_HOPS_MAX - 1;
    assert_int_equal(kit_fold(kit, event), FOLD_FORWARDED);
    event.hops = EVENT_HOPS_MAX;
    assert_int_equal(kit_fold(kit, event), FOLD_REJECTED);
    free(kit);
}

static void a_request_along_a_redirect_never_joins_two_known_customers(void **state)
{
    struct kit *kit = buyer();
    struct event other = errand_event(kit, EVENT_REQUEST, 62);

    (void)state;
    kit_apply(kit, errand_event(kit, EVENT_REQUEST, 61));
    other.into = SPAN("m");
    assert_int_equal(kit_fold(kit, other), FOLD_FORWARDED);
    free(kit);

    kit = buyer(); /* where it arrives */
    other.hops = 1;
    assert_int_equal(kit_fold(kit, other), FOLD_REJECTED);
    other.into = SPAN("c"); /* or it is that customer already, by another way */
    assert_int_equal(kit_fold(kit, other), FOLD_DUPLICATE);
    free(kit);
}

static struct event state_event(struct kit *kit, const struct kit *from, double days)
{
    struct event event = kit_event(kit, EVENT_ALIAS, days);

    event.errand = EVENT_STATE;
    event.previous = SPAN("p");
    event.moved = &from->errands.moved;
    event.moved_ledger = &from->errands.moved_ledger;
    return event;
}

static void a_state_joins_tells_no_move_and_makes_repeats_known(void **state)
{
    struct kit *from = buyer(), *kit = kit_new();
    struct event event, again;

    (void)state;
    kit_apply(kit, alias_event(kit, 60.5, SPAN("p")));
    kit_apply(from, errand_event(from, EVENT_REQUEST, 61));
    kit_forget_effects(kit);
    kit->next_id = 500;
    event = state_event(kit, from, 61);
    kit_apply(kit, event);
    assert_int_equal(kit->customer.orders, 2);
    assert_int_equal(kit->customer.stage, from->errands.moved.stage);
    assert_int_equal(kit_count(kit, KIND_STAGE_CHANGED, PHASE_RAISED), 0);
    assert_int_equal(kit_fold(kit, event), FOLD_DUPLICATE);
    again = kit_order(from, 20, 2, 1000);
    assert_int_equal(kit_fold(kit, again), FOLD_DUPLICATE);
    free(kit);
    free(from);
}

static void a_state_said_to_be_joined_before_an_erasure_is_erased_with_it(void **state)
{
    struct kit *from = buyer(), *kit = kit_new();

    (void)state;
    kit_apply(kit, alias_event(kit, 60.5, SPAN("p")));
    kit_apply(from, errand_event(from, EVENT_REQUEST, 60.5));
    kit_apply(kit, kit_event(kit, EVENT_DELETE, 61));
    assert_true(kit->errands.receipt);
    assert_int_equal(kit->errands.unlink.count, 1); /* and the redirect will go */
    assert_int_equal(kit_fold(kit, state_event(kit, from, 60.5)), FOLD_IGNORED);
    assert_true(customer_is_mark(&kit->customer));
    free(kit);
    free(from);
}

static void a_state_that_comes_back_to_its_own_id_stays_there(void **state)
{
    struct kit *kit = buyer(), *other = buyer();
    struct event own;

    (void)state;
    kit_apply(kit, errand_event(kit, EVENT_REQUEST, 61));
    kit_apply(other, errand_event(other, EVENT_REQUEST, 61));
    own = state_event(kit, other, 61);
    assert_int_equal(kit_fold(kit, own), FOLD_FORWARDED); /* of another: sent on */
    own.previous = own.customer;
    kit_apply(kit, own);
    assert_false(customer_is_redirect(&kit->customer));
    assert_int_equal(kit->customer.orders, 2);
    free(kit);
    free(other);
}

static void a_forged_state_is_of_somebody_and_not_from_the_future(void **state)
{
    struct kit *from = buyer(), *kit = kit_new();
    struct event event;

    (void)state;
    kit_apply(from, errand_event(from, EVENT_REQUEST, 61));
    event = state_event(kit, from, 61);
    from->errands.moved.now_ms = kit_at(64);
    assert_int_equal(kit_fold(kit, event), FOLD_REJECTED);
    customer_init(&from->errands.moved);
    assert_int_equal(kit_fold(kit, event), FOLD_REJECTED);
    assert_true(customer_is_empty(&kit->customer));
    free(kit);
    free(from);
}

static void an_erasure_of_a_redirect_goes_on_and_leaves_a_mark(void **state)
{
    struct kit *kit = buyer();
    struct event erased = kit_event(kit, EVENT_DELETE, 62);

    (void)state;
    erased.offset = 77;
    kit_apply(kit, errand_event(kit, EVENT_REQUEST, 61));
    kit_apply(kit, erased);
    assert_true(kit->errands.receipt && kit->errands.was_known && kit->errands.forward);
    assert_true(span_is(errands_to(&kit->errands), "n"));
    assert_true(customer_is_mark(&kit->customer));
    assert_int_equal(kit->customer.erased_offset, 77);
    assert_int_equal(kit_fold(kit, erased), FOLD_IGNORED); /* once */
    free(kit);
}

static void only_the_redirect_to_the_erased_customer_goes_with_it(void **state)
{
    struct kit *kit = buyer();
    struct event unlink;

    (void)state;
    assert_int_equal(kit_fold(kit, errand_event(kit, EVENT_UNLINK, 61)), FOLD_IGNORED);
    kit_apply(kit, errand_event(kit, EVENT_REQUEST, 61));
    unlink = errand_event(kit, EVENT_UNLINK, 62);
    unlink.into = SPAN("m");
    assert_int_equal(kit_fold(kit, unlink), FOLD_IGNORED);
    unlink.into = SPAN("n");
    kit_apply(kit, unlink);
    assert_true(kit->errands.receipt);
    assert_false(kit->errands.forward);
    assert_true(customer_is_mark(&kit->customer));
    free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alias_asks_the_previous_id_and_remembers_it),
        cmocka_unit_test(an_alias_of_itself_is_a_contradiction),
        cmocka_unit_test(more_previous_ids_than_are_kept_are_refused),
        cmocka_unit_test(a_known_customer_gives_its_state_and_becomes_a_redirect),
        cmocka_unit_test(an_unknown_or_erased_id_becomes_a_redirect_that_gives_nothing),
        cmocka_unit_test(events_of_a_redirect_are_sent_on_but_not_in_circles),
        cmocka_unit_test(a_request_along_a_redirect_never_joins_two_known_customers),
        cmocka_unit_test(a_state_joins_tells_no_move_and_makes_repeats_known),
        cmocka_unit_test(a_state_said_to_be_joined_before_an_erasure_is_erased_with_it),
        cmocka_unit_test(a_state_that_comes_back_to_its_own_id_stays_there),
        cmocka_unit_test(a_forged_state_is_of_somebody_and_not_from_the_future),
        cmocka_unit_test(an_erasure_of_a_redirect_goes_on_and_leaves_a_mark),
        cmocka_unit_test(only_the_redirect_to_the_erased_customer_goes_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
