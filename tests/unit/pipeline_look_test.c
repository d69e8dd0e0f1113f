/* worker_look: a proposed insight is taken over at a recorded place, and never given up for an
 * older one or for none, whatever becomes of the key in Redis. */
#include "pipeline_world.h"

#include "state/proposal.h"

static struct world world; /* large: not on a stack */

static struct insight insight_of(uint32_t version, int64_t made_ms)
{
    struct insight insight;

    insight_init(&insight);
    insight.version = version;
    insight.made_ms = made_ms;
    insight.buyers = 500;
    for (int i = 0; i < INSIGHT_CUTS; i++)
        insight.value_cut_minor[i] = 100 * i;
    return insight;
}

static void propose(uint32_t version, int64_t made_ms)
{
    struct redis_memory_conn *conn = redis_memory_connect(world.redis);
    struct redis redis = redis_memory_port(conn);
    struct insight insight = insight_of(version, made_ms);
    struct report report;

    assert_int_equal(proposal_offer(&redis, "unit", &insight, SPAN_LITERAL("{}"), &report),
                     STATUS_OK);
    redis_memory_disconnect(conn);
}

static void forget_key(void)
{
    struct redis_memory_conn *conn = redis_memory_connect(world.redis);
    struct redis redis = redis_memory_port(conn);
    struct span argv[] = {SPAN_LITERAL("DEL"), SPAN_LITERAL("{unit:insight}")};
    const struct redis_value *answer;
    struct report report;

    redis.queue(redis.self, 2, argv);
    assert_int_equal(redis.send(redis.self, &report), STATUS_OK);
    assert_int_equal(redis.reply(redis.self, &answer, &report), STATUS_OK);
    redis_memory_disconnect(conn);
}

static void start(void)
{
    world.options.look_ms = 100;
    world_start(&world, FOLD_CLOCK_EVENT);
}

static uint32_t known(void)
{
    struct insight insight;

    worker_insight(world.worker, &insight);
    return insight.version;
}

static void load(int day)
{
    world_event(&world, "ann", "Signed Up", WORLD_T0 + day * WORLD_DAY);
    world_event(&world, "bob", "Order Completed", WORLD_T0 + day * WORLD_DAY + 1000);
}

static void test_a_proposal_is_switched_to_in_one_record(void **state)
{
    (void)state;
    start();
    load(0);
    (void)world_run(&world, 40);
    assert_int_equal(world.controls, 1); /* the birth record */
    assert_int_equal(known(), 0);
    propose(1, 5);
    (void)world_run(&world, 40);
    assert_int_equal(known(), 1);
    assert_int_equal(world.controls, 2);
    (void)world_run(&world, 40);
    assert_int_equal(world.controls, 2); /* once */
    world_end(&world);
}

/* The key may be gone, and the new process may never have seen it. */
static void test_a_restart_without_the_key_keeps_what_is_in_force(void **state)
{
    (void)state;
    start();
    load(0);
    propose(4, 5);
    (void)world_run(&world, 60);
    assert_int_equal(world.controls, 2);
    world_kill(&world);
    forget_key();
    start();
    load(1);
    (void)world_run(&world, 60);
    assert_int_equal(known(), 4); /* from the control log */
    assert_int_equal(world.controls, 2);
    assert_int_equal(world_status(&world).phase, PARTITION_LIVE);
    world_kill(&world);
    propose(4, 5);
    start();
    (void)world_run(&world, 60);
    assert_int_equal(known(), 4); /* from the key */
    assert_int_equal(world.controls, 2);
    world_end(&world);
}

static void test_an_older_proposal_is_not_taken(void **state)
{
    (void)state;
    start();
    load(0);
    propose(4, 5);
    (void)world_run(&world, 60);
    forget_key();
    propose(3, 9);
    (void)world_run(&world, 60);
    assert_int_equal(known(), 4);
    assert_int_equal(world.controls, 2);
    world_kill(&world);
    start(); /* it knows only the older one at first */
    (void)world_run(&world, 60);
    assert_int_equal(known(), 4);
    assert_int_equal(world.controls, 2);
    propose(4, 6); /* made twice at once: the later one */
    (void)world_run(&world, 60);
    assert_int_equal(world.controls, 3);
    world_end(&world);
}

static void test_a_changed_configuration_keeps_the_insight(void **state)
{
    (void)state;
    start();
    load(0);
    propose(4, 5);
    (void)world_run(&world, 60);
    world_kill(&world);
    forget_key();
    world.options.params.onboarding_ms = 2 * WORLD_DAY;
    start();
    (void)world_run(&world, 60);
    assert_int_equal(known(), 4);
    assert_int_equal(world.controls, 3); /* one switch, to the new numbers with the same insight */
    (void)world_run(&world, 60);
    assert_int_equal(world.controls, 3);
    world_end(&world);
}

static void test_a_rebuild_across_insights_tells_nothing_again(void **state)
{
    struct partition_status before, after;

    (void)state;
    start();
    for (int i = 1; i <= 3; i++) {
        load(20 * i);
        propose((uint32_t)i, i);
        (void)world_run(&world, 60);
    }
    assert_int_equal(world.controls, 4);
    before = world_status(&world);
    size_t alerts = world.alerts;
    redis_memory_load(world.redis, NULL); /* the key is gone, too */
    (void)world_run(&world, 120);
    after = world_status(&world);
    assert_int_equal(world.alerts, alerts);
    assert_int_equal(world.controls, 4);
    assert_int_equal(after.phase, PARTITION_LIVE);
    assert_int_equal(position_compare(before.at, after.at), 0);
    assert_int_equal(known(), 3);
    world_no_alert_twice(&world);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_proposal_is_switched_to_in_one_record),
        cmocka_unit_test(test_a_restart_without_the_key_keeps_what_is_in_force),
        cmocka_unit_test(test_an_older_proposal_is_not_taken),
        cmocka_unit_test(test_a_changed_configuration_keeps_the_insight),
        cmocka_unit_test(test_a_rebuild_across_insights_tells_nothing_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
