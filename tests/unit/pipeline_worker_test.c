/* The commit protocol on a world of one partition. tests/sim does the same with everything that can
 * go wrong. */
#include "pipeline_world.h"
#include "state/params_codec.h"

static struct world world; /* large: not on a stack */

static void load(void)
{
    world_event(&world, "ann", "Signed Up", WORLD_T0);
    world_event(&world, "bob", "Order Completed", WORLD_T0 + 1000);
    world_event(&world, "ann", "Order Completed", WORLD_T0 + 2000);
}

static __attribute__((noinline)) size_t undisturbed_alerts(enum fold_clock clock)
{
    world_start(&world, clock);
    load();
    (void)world_run(&world, 40);
    size_t alerts = world.alerts;
    world_end(&world);
    return alerts;
}

static void test_events_become_state_and_alerts_and_k_follows(void **state)
{
    (void)state;
    world_start(&world, FOLD_CLOCK_EVENT);
    load();
    (void)world_run(&world, 40);
    struct partition_status status = world_status(&world);
    assert_int_equal(status.phase, PARTITION_LIVE);
    assert_int_equal(status.customers, 2);
    assert_int_equal(status.at.offset, 3);
    assert_int_equal(world.k, 3);
    assert_int_equal(world.controls, 1); /* the birth record */
    assert_true(world.alerts >= 2);
    world_no_alert_twice(&world);
    world_end(&world);
}

static void test_a_record_that_cannot_be_read_is_a_dead_letter_and_the_rest_goes_on(void **state)
{
    (void)state;
    world_start(&world, FOLD_CLOCK_EVENT);
    world_event(&world, "ann", "Order Completed", WORLD_T0);
    world.input[0].len = 10; /* cut */
    world_event(&world, "bob", "Order Completed", WORLD_T0);
    (void)world_run(&world, 40);
    assert_int_equal(world.dead_letters, 1);
    assert_string_equal(world.dead_reason, "syntax");
    assert_int_equal(world_status(&world).customers, 1);
    assert_int_equal(world.k, 2);
    world_end(&world);
}

/* --- crashes --- */

static jmp_buf crashed;
static const char *crash_at;
static int crash_times;

static void crash(const char *name)
{
    if (crash_at != NULL && strcmp(name, crash_at) == 0 && crash_times-- == 0)
        longjmp(crashed, 1);
}

/* Of its own, so that nothing the test goes on with is kept over the jump. */
static __attribute__((noinline)) void run_until_crash(const char *point, int times)
{
    crash_at = point;
    crash_times = times;
    if (setjmp(crashed) == 0)
        (void)world_run(&world, 40);
    crash_at = NULL;
}

static void test_a_crash_at_any_point_loses_nothing_and_tells_nothing_twice(void **state)
{
    static const char *const points[] = {"before-begin", "after-produce", "before-commit",
                                         "after-commit", "before-redis",  "after-redis"};
    (void)state;
    const size_t expected = undisturbed_alerts(FOLD_CLOCK_EVENT);
    worker_crash_point = crash;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        for (int times = 0; times < 4; times++) {
            world_start(&world, FOLD_CLOCK_EVENT);
            load();
            run_until_crash(points[i], times);
            world_kill(&world);
            world_start(&world, FOLD_CLOCK_EVENT);
            (void)world_run(&world, 40);
            assert_int_equal(world.alerts, expected);
            assert_int_equal(world_status(&world).customers, 2);
            assert_int_equal(world_status(&world).at.offset, 3);
            world_no_alert_twice(&world);
            world_end(&world);
        }
    worker_crash_point = NULL;
}

static void test_a_wiped_redis_is_rebuilt_and_no_alert_is_told_again(void **state)
{
    (void)state;
    world_start(&world, FOLD_CLOCK_EVENT);
    load();
    (void)world_run(&world, 40);
    size_t alerts = world.alerts;
    redis_memory_load(world.redis, NULL);
    (void)world_run(&world, 60);
    struct worker_stats stats;
    worker_stats(world.worker, &stats);
    assert_int_equal(stats.rebuilds, 2); /* the birth is one */
    assert_int_equal(stats.events_replayed, 3);
    assert_int_equal(world.alerts, alerts);
    assert_int_equal(world_status(&world).customers, 2);
    world_end(&world);
}

static void test_a_commit_of_any_outcome_is_delivered_once(void **state)
{
    static const enum status answers[] = {STATUS_RETRY, STATUS_STALE, STATUS_FATAL};
    (void)state;
    size_t expected = undisturbed_alerts(FOLD_CLOCK_EVENT);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        world_start(&world, FOLD_CLOCK_EVENT);
        (void)world_run(&world, 20);
        load();
        world.next_commit = answers[i];
        world.end_told = false;
        (void)world_run(&world, 60);
        assert_int_equal(world.alerts, expected);
        world_no_alert_twice(&world);
        assert_int_equal(world_status(&world).phase, PARTITION_LIVE);
        assert_int_equal(world.k, 3);
        world_end(&world);
    }
}

static void test_a_fenced_producer_ends_the_worker(void **state)
{
    (void)state;
    world_start(&world, FOLD_CLOCK_EVENT);
    load();
    world.next_commit = STATUS_FENCED;
    assert_int_equal(world_run(&world, 20), STATUS_FENCED);
    assert_int_equal(world.alerts, 0);
    world_end(&world);
}

static void test_a_redis_that_refuses_makes_it_wait_and_resume_by_itself(void **state)
{
    (void)state;
    size_t expected = undisturbed_alerts(FOLD_CLOCK_EVENT);
    world_start(&world, FOLD_CLOCK_EVENT);
    (void)world_run(&world, 20);
    redis_memory_refuse_writes(world.redis,
                               "OOM command not allowed when used memory > 'maxmemory'.");
    load();
    (void)world_run(&world, 60);
    assert_int_equal(world_status(&world).phase, PARTITION_WAITING);
    assert_true(world_status(&world).problem.text[0] != '\0');
    redis_memory_refuse_writes(world.redis, NULL);
    (void)world_run(&world, 200);
    assert_int_equal(world_status(&world).phase, PARTITION_LIVE);
    assert_int_equal(world_status(&world).customers, 2);
    assert_int_equal(world.alerts, expected);
    world_no_alert_twice(&world);
    world_end(&world);
}

static void test_a_revoked_partition_leaves_k_at_r_and_nothing_behind(void **state)
{
    (void)state;
    world_start(&world, FOLD_CLOCK_EVENT);
    load();
    (void)world_run(&world, 10);
    world.change = SOURCE_REVOKED;
    (void)world_run(&world, 5);
    struct partition_status status;
    assert_int_equal(worker_partitions(world.worker, &status, 1), 0);
    assert_int_equal(world.k, 3);
    assert_false(world.assigned);
    world.change = SOURCE_ASSIGNED; /* and back again */
    (void)world_run(&world, 20);
    assert_int_equal(world_status(&world).phase, PARTITION_LIVE);
    assert_int_equal(world_status(&world).at.offset, 3);
    world_end(&world);
}

/* --- time --- */

static void test_silence_is_told_by_a_recorded_tick_and_replayed_from_it(void **state)
{
    (void)state;
    world_start(&world, FOLD_CLOCK_WALL);
    load();
    (void)world_run(&world, 40);
    size_t alerts = world.alerts, controls = world.controls;
    world.now_ms += 20 * WORLD_DAY; /* twenty days of silence */
    world.wall_ms += 20 * WORLD_DAY;
    (void)world_run(&world, 40);
    assert_true(world.alerts > alerts);
    assert_true(world.controls > controls);
    int64_t watermark_ms = world_status(&world).watermark_ms;
    alerts = world.alerts;
    redis_memory_load(world.redis, NULL);
    (void)world_run(&world, 80);
    assert_int_equal(world.alerts, alerts);
    assert_true(world_status(&world).watermark_ms >= watermark_ms);
    assert_int_equal(world_status(&world).phase, PARTITION_LIVE);
    world_no_alert_twice(&world);
    world_end(&world);
}

static void test_a_tick_that_fires_nothing_is_not_recorded(void **state)
{
    (void)state;
    world_start(&world, FOLD_CLOCK_WALL);
    load();
    (void)world_run(&world, 200); /* twenty ticks within seconds */
    assert_int_equal(world.controls, 1);
    world_end(&world);
}

static void test_other_parameters_are_switched_to_in_a_record(void **state)
{
    (void)state;
    world_start(&world, FOLD_CLOCK_EVENT);
    load();
    (void)world_run(&world, 40);
    assert_int_equal(world.controls, 1);
    world_kill(&world);
    world.options.params.onboarding_ms = 2 * WORLD_DAY;
    world_start(&world, FOLD_CLOCK_EVENT);
    world_event(&world, "cyd", "Signed Up", WORLD_T0 + 5 * WORLD_DAY);
    (void)world_run(&world, 40);
    assert_int_equal(world.controls >= 2, 1);
    assert_int_equal(world_status(&world).phase, PARTITION_LIVE);
    assert_int_equal(world_status(&world).customers, 3);
    size_t alerts = world.alerts;
    redis_memory_load(world.redis, NULL); /* both sets of parameters are needed to rebuild */
    (void)world_run(&world, 80);
    assert_int_equal(world.alerts, alerts);
    assert_int_equal(world_status(&world).customers, 3);
    world_end(&world);
}

/* --- what must stop --- */

static void stop_row(void (*harm)(void), const char *code, bool wipe)
{
    world_start(&world, FOLD_CLOCK_EVENT);
    load();
    (void)world_run(&world, 40);
    world_kill(&world);
    if (wipe)
        redis_memory_load(world.redis, NULL);
    harm();
    world_start(&world, FOLD_CLOCK_EVENT);
    assert_int_equal(world_run(&world, 40), STATUS_GONE);
    assert_string_equal(world.stopped_by, code);
    assert_int_equal(world_status(&world).phase, PARTITION_STOPPED);
    world_end(&world);
}

static void lose_start(void)
{
    world.low = 1;
}

static void truncate_log(void)
{
    world.inputs = 1;
}

static void recreate_log(void)
{
    memcpy(world.input[2].text + 15, "X", 1);
}

static void expire_k(void)
{
    world.k = -1;
    world.metadata.len = 0;
}

static void foreign_k(void)
{
    world.metadata.len = 0;
}

static void test_what_cannot_be_kept_is_reported_and_stopped_for(void **state)
{
    (void)state;
    stop_row(lose_start, "range-lost", true);
    stop_row(truncate_log, "topic-truncated", false);
    stop_row(truncate_log, "topic-truncated", true);
    stop_row(recreate_log, "topic-recreated", false);
    stop_row(recreate_log, "replay-diverged", true);
    stop_row(expire_k, "position-lost", false);
    stop_row(expire_k, "position-lost", true);
    stop_row(foreign_k, "foreign-offset", false);
}

static void test_with_the_operators_leave_it_goes_on_after_a_loss(void **state)
{
    (void)state;
    world_start(&world, FOLD_CLOCK_EVENT);
    load();
    (void)world_run(&world, 40);
    world_kill(&world);
    redis_memory_load(world.redis, NULL);
    world.low = 1;
    world.options.continue_after_loss = true;
    world_start(&world, FOLD_CLOCK_EVENT);
    (void)world_run(&world, 40);
    assert_int_equal(world_status(&world).phase, PARTITION_LIVE);
    assert_int_equal(world_status(&world).at.offset, 3);
    world_end(&world);
}

/* HSET key field value, as somebody else would. */
static void write_redis(const char *key, const char *field, struct span value)
{
    struct redis_memory_conn *conn = redis_memory_connect(world.redis);
    struct redis redis = redis_memory_port(conn);
    const struct redis_value *reply;
    redis.queue(redis.self, 4,
                (struct span[]){SPAN_LITERAL("HSET"), span_of(key), span_of(field), value});
    assert_int_equal(redis.send(redis.self, NULL), STATUS_OK);
    assert_int_equal(redis.reply(redis.self, &reply, NULL), STATUS_OK);
    if (reply->type != REDIS_INT)
        fail_msg("%.*s", (int)reply->text.len, reply->text.at);
    redis_memory_disconnect(conn);
}

static void waits_for_an_upgrade(void)
{
    struct worker_stats stats;
    (void)world_run(&world, 60);
    worker_stats(world.worker, &stats);
    assert_int_equal(stats.rebuilds, 0); /* nothing was given up */
    assert_int_equal(world_status(&world).phase, PARTITION_WAITING);
    assert_string_equal(world_status(&world).problem.code, "version-newer");
}

static void test_what_a_newer_version_wrote_is_waited_for_and_kept(void **state)
{
    static const char cfg[] = "0123456789abcdef03";
    (void)state;
    world_start(&world, FOLD_CLOCK_EVENT);
    load();
    (void)world_run(&world, 40);
    size_t alerts = world.alerts;
    char before[STORE_CFG_BYTES];
    params_fingerprint(&world.options.params, before);
    write_redis("{unit:0}:m", "cfg", span_of(cfg));
    world_kill(&world);
    world_start(&world, FOLD_CLOCK_EVENT);
    waits_for_an_upgrade();
    write_redis("{unit:0}:m", "cfg", span_of(before));
    (void)world_run(&world, 200);
    assert_int_equal(world_status(&world).phase, PARTITION_LIVE);
    world_kill(&world); /* its cache too */
    write_redis("{unit:0}:b:0", "ann", SPAN_LITERAL("\x94\x03\x00\x00\x80"));
    world_start(&world, FOLD_CLOCK_EVENT);
    world_event(&world, "ann", "Page Viewed", WORLD_T0 + WORLD_DAY);
    waits_for_an_upgrade();
    assert_int_equal(world_status(&world).at.offset, 3);
    assert_int_equal(world.alerts, alerts);
    world_end(&world);
}

static void test_stopping_brings_k_to_r(void **state)
{
    (void)state;
    world_start(&world, FOLD_CLOCK_EVENT);
    load();
    world.options.lazy_commit_ms = 1000000;
    (void)world_run(&world, 12);
    worker_stop(world.worker, 1000);
    assert_int_equal(world.k, 3);
    assert_false(world.assigned);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_become_state_and_alerts_and_k_follows),
        cmocka_unit_test(test_a_record_that_cannot_be_read_is_a_dead_letter_and_the_rest_goes_on),
        cmocka_unit_test(test_a_crash_at_any_point_loses_nothing_and_tells_nothing_twice),
        cmocka_unit_test(test_a_wiped_redis_is_rebuilt_and_no_alert_is_told_again),
        cmocka_unit_test(test_a_commit_of_any_outcome_is_delivered_once),
        cmocka_unit_test(test_a_fenced_producer_ends_the_worker),
        cmocka_unit_test(test_a_redis_that_refuses_makes_it_wait_and_resume_by_itself),
        cmocka_unit_test(test_a_revoked_partition_leaves_k_at_r_and_nothing_behind),
        cmocka_unit_test(test_silence_is_told_by_a_recorded_tick_and_replayed_from_it),
        cmocka_unit_test(test_a_tick_that_fires_nothing_is_not_recorded),
        cmocka_unit_test(test_other_parameters_are_switched_to_in_a_record),
        cmocka_unit_test(test_what_cannot_be_kept_is_reported_and_stopped_for),
        cmocka_unit_test(test_with_the_operators_leave_it_goes_on_after_a_loss),
        cmocka_unit_test(test_what_a_newer_version_wrote_is_waited_for_and_kept),
        cmocka_unit_test(test_stopping_brings_k_to_r),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
