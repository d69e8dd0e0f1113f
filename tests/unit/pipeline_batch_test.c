/* However the log is cut into batches, the same is told and the same state is left: batches of one
 * record or of all, buckets swept one at a time, an arena that has hardly room. */
#include "pipeline_world.h"

#define CUSTOMERS 60

static struct world world; /* large: not on a stack */

/* Sixty customers in four buckets who buy on the same day, then one event sixty days later:
 * everybody is due at once. */
static void load(void)
{
    char name[16];
    for (int i = 0; i < CUSTOMERS; i++) {
        (void)snprintf(name, sizeof name, "c%d", i);
        world_event(&world, name, i % 4 != 0 ? "Signed Up" : "Order Completed",
                    WORLD_T0 + i * 7919);
    }
}

static void load_late(void)
{
    world_event(&world, "late", "Signed Up", WORLD_T0 + 60 * WORLD_DAY);
    world_event(&world, "c1", "Order Completed", WORLD_T0 + 60 * WORLD_DAY + 1);
}

struct outcome {
    size_t alerts;
    uint64_t alert_ids; /* sum: a set, whatever the order */
    int64_t customers, watermark_ms;
    uint64_t timers;
    size_t controls;
};

struct cut {
    const char *name;
    size_t batch_max, tick_buckets_max, arena_max;
};

/* One bucket at a time means one step a timer. */
static void run_to(int64_t offset)
{
    for (int i = 0; i < 500 && world_status(&world).at.offset < offset; i++)
        (void)world_run(&world, 10);
    (void)world_run(&world, 20);
}

static struct outcome run(const struct cut *cut, bool wiped)
{
    struct outcome outcome = {0};
    struct worker_stats stats;
    world_start(&world, FOLD_CLOCK_EVENT);
    world_kill(&world); /* the sizes below are the worker's from its start */
    world.options.params.clock = FOLD_CLOCK_EVENT;
    world.options.params.late_max_ms =
        3650 * WORLD_DAY; /* what is found late is told all the same */
    world.sizes = true;
    world.options.batch_max = cut->batch_max;
    world.options.tick_buckets_max = cut->tick_buckets_max;
    world.options.batch_arena_max = cut->arena_max;
    world_start(&world, FOLD_CLOCK_EVENT);
    load();
    run_to(CUSTOMERS);
    load_late();
    world.end_told = false;
    run_to(CUSTOMERS + 2);
    if (wiped) {
        redis_memory_load(world.redis, NULL);
        (void)world_run(&world, 20); /* until it is noticed */
        run_to(CUSTOMERS + 2);
    }
    struct partition_status status = world_status(&world);
    worker_stats(world.worker, &stats);
    assert_int_equal(status.phase, PARTITION_LIVE);
    if (status.at.offset != CUSTOMERS + 2)
        print_error("%s: %s\n", cut->name, status.problem.text);
    assert_int_equal(status.at.offset, CUSTOMERS + 2);
    world_no_alert_twice(&world);
    outcome.alerts = world.alerts;
    for (size_t i = 0; i < world.alerts; i++)
        outcome.alert_ids += world.alert_ids[i];
    outcome.customers = status.customers;
    outcome.watermark_ms = status.watermark_ms;
    outcome.timers = stats.timers;
    outcome.controls = world.controls;
    world_end(&world);
    return outcome;
}

static const struct cut whole = {"all at once", 1000, 100, 16u << 20};

static void test_however_it_is_cut_the_same_is_told(void **state)
{
    static const struct cut rows[] = {
        {"one record at a time", 1, 100, 16u << 20},
        {"seven records at a time", 7, 100, 16u << 20},
        {"one bucket at a time", 1000, 1, 16u << 20},
        {"one record and one bucket at a time", 1, 1, 16u << 20},
        {"an arena that holds a few customers", 1000, 1, 200u << 10},
    };
    (void)state;
    struct outcome expected = run(&whole, false);
    assert_in_range(expected.alerts, CUSTOMERS, WORLD_RECORDS);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int wiped = 0; wiped < 2; wiped++) {
            struct outcome got = run(&rows[i], wiped);
            if (got.alerts != expected.alerts || got.alert_ids != expected.alert_ids)
                print_error("%s%s: %zu alerts, not %zu\n", rows[i].name, wiped ? ", rebuilt" : "",
                            got.alerts, expected.alerts);
            assert_int_equal(got.alerts, expected.alerts);
            assert_true(got.alert_ids == expected.alert_ids);
            assert_int_equal(got.customers, expected.customers);
            assert_int_equal(got.watermark_ms, expected.watermark_ms);
        }
    }
}

static void test_more_due_than_a_batch_takes_is_gone_towards_in_recorded_ticks(void **state)
{
    static const struct cut narrow = {"one bucket at a time", 1000, 1, 16u << 20};
    (void)state;
    assert_int_equal(run(&whole, false).controls, 1); /* the birth record alone */
    assert_true(run(&narrow, false).controls > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_however_it_is_cut_the_same_is_told),
        cmocka_unit_test(test_more_due_than_a_batch_takes_is_gone_towards_in_recorded_ticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
