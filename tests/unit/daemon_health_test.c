/* health: alive, ready, why not, and when to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "daemon/health.h"

#define NOW INT64_C(100000)

static struct runner_view views[2];

static void set_view(size_t index, enum runner_state state, int64_t alive_ms, size_t partitions,
                     enum partition_phase phase)
{
    struct runner_view *view = &views[index];

    memset(view, 0, sizeof *view);
    view->state = state;
    view->alive_ms = alive_ms;
    view->partition_count = partitions;
    for (size_t i = 0; i < partitions; i++)
        view->partitions[i] = (struct partition_status){.partition = (int32_t)i, .phase = phase};
}

static void states(void **state)
{
    static const struct {
        const char *name;
        enum runner_state runner;
        int64_t alive_ms;
        size_t partitions;
        enum partition_phase phase;
        int64_t up_ms;
        bool live, ready;
        int exit_status;
        const char *reason;
    } rows[] = {
        {"all is well", RUNNER_RUNNING, NOW, 2, PARTITION_LIVE, 60000, true, true, -1, "ok"},
        {"a standby is ready", RUNNER_RUNNING, NOW, 0, PARTITION_LIVE, HEALTH_JOINING_MS, true,
         true, -1, "ok"},
        {"one that joins is not", RUNNER_RUNNING, NOW, 0, PARTITION_LIVE, HEALTH_JOINING_MS - 1,
         true, false, -1, "joining"},
        {"opening", RUNNER_STARTING, NOW, 0, PARTITION_LIVE, 0, true, false, -1, "starting"},
        {"waiting", RUNNER_WAITING, NOW, 1, PARTITION_LIVE, 60000, true, false, -1, "waiting"},
        {"replaying", RUNNER_RUNNING, NOW, 1, PARTITION_REPLAYING, 60000, true, false, -1,
         "replaying: partition 0"},
        {"claiming", RUNNER_RUNNING, NOW, 1, PARTITION_CLAIMING, 60000, true, false, -1,
         "claiming"},
        {"a partition stopped", RUNNER_RUNNING, NOW, 1, PARTITION_STOPPED, 60000, true, false, -1,
         "stopped"},
        {"just quick enough", RUNNER_RUNNING, NOW - HEALTH_SLOW_MS + 1, 1, PARTITION_LIVE, 60000,
         true, true, -1, "ok"},
        {"slow", RUNNER_RUNNING, NOW - HEALTH_SLOW_MS, 1, PARTITION_LIVE, 60000, true, false, -1,
         "stalled"},
        {"just not stalled", RUNNER_RUNNING, NOW - HEALTH_STALL_MS + 1, 1, PARTITION_LIVE, 60000,
         true, false, -1, "stalled"},
        {"stalled", RUNNER_RUNNING, NOW - HEALTH_STALL_MS, 1, PARTITION_LIVE, 60000, false, false,
         -1, "stalled"},
        {"fenced", RUNNER_FENCED, NOW, 0, PARTITION_LIVE, 60000, true, false, EXIT_FENCED,
         "fenced"},
        {"refused", RUNNER_REFUSED, NOW, 0, PARTITION_LIVE, 60000, true, false, EXIT_CONFIG,
         "refused"},
        {"gone", RUNNER_GONE, NOW, 1, PARTITION_STOPPED, 60000, true, false, EXIT_OPERATOR, "gone"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct health health;

        print_message("  %s\n", rows[i].name);
        set_view(0, rows[i].runner, rows[i].alive_ms, rows[i].partitions, rows[i].phase);
        health_of(views, 1, NOW, rows[i].up_ms, &health);
        assert_int_equal(health.live, rows[i].live);
        assert_int_equal(health.ready, rows[i].ready);
        assert_int_equal(health.exit_status, rows[i].exit_status);
        assert_ptr_equal(strstr(health.reason, rows[i].reason), health.reason);
    }
}

static void one_worker_that_can_go_on_keeps_the_process(void **state)
{
    struct health health;

    (void)state;
    set_view(0, RUNNER_GONE, NOW, 1, PARTITION_STOPPED);
    set_view(1, RUNNER_RUNNING, NOW, 1, PARTITION_LIVE);
    health_of(views, 2, NOW, 60000, &health);
    assert_int_equal(health.exit_status, -1);
    assert_false(health.ready);
}

static void the_problem_is_told_with_its_code(void **state)
{
    struct health health;

    (void)state;
    set_view(0, RUNNER_RUNNING, NOW, 3, PARTITION_LIVE);
    views[0].partitions[2].phase = PARTITION_WAITING;
    report_set(&views[0].partitions[2].problem, "redis-oom", "Redis is full");
    health_of(views, 1, NOW, 60000, &health);
    assert_string_equal(health.reason, "redis-oom: partition 2: Redis is full");
    assert_non_null(strstr(health.status, "2 of 3 partitions live"));
}

static void a_backup_that_retention_passes_is_noted_and_is_no_reason(void **state)
{
    struct health health;

    (void)state;
    set_view(0, RUNNER_RUNNING, NOW, 3, PARTITION_LIVE);
    health_of(views, 1, NOW, 60000, &health);
    assert_string_equal(health.note, "");
    views[0].partitions[0].backup = (struct backup_view){BACKUP_NEAR, 7, 0, 6};
    views[0].partitions[1].backup = (struct backup_view){BACKUP_PASSED, 5, 0, 6};
    views[0].partitions[2].backup = (struct backup_view){BACKUP_NEAR, 8, 0, 6};
    health_of(views, 1, NOW, 60000, &health);
    assert_true(health.ready);
    assert_string_equal(health.note,
                        "backup-passed: partition 1: the newest backup stands at offset "
                        "5, the log begins at 6");
}

static void what_holds_time_is_told_beside_ok(void **state)
{
    static const struct {
        uint32_t held[3];
        const char *told;
    } rows[] = {
        {{0, 0, 0}, ""},
        {{STORE_HELD_SILENCE, 0, STORE_HELD_SILENCE},
         "time is held: silence guard on 2 partitions"},
        {{0, STORE_HELD_STORM, 0}, "time is held: storm brake on 1 partitions"},
        {{STORE_HELD_SILENCE | STORE_HELD_STORM, STORE_HELD_SILENCE, 0},
         "time is held: silence guard on 2 partitions, storm brake on 1 partitions"},
    };
    struct health health;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        set_view(0, RUNNER_RUNNING, NOW, 3, PARTITION_LIVE);
        for (size_t j = 0; j < 3; j++)
            views[0].partitions[j].held = rows[i].held[j];
        health_of(views, 1, NOW, 60000, &health);
        assert_string_equal(health.held, rows[i].told);
        assert_true(health.ready);
        assert_non_null(strstr(health.status, rows[i].told));
    }
}

static void lag(void **state)
{
    static const struct {
        int64_t at, end, expect;
    } rows[] = {{0, 0, 0}, {5, 10, 5}, {10, 10, 0}, {10, 0, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct partition_status partition = {.at = {.offset = rows[i].at}, .log_end = rows[i].end};

        assert_int_equal(health_lag(&partition), rows[i].expect);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states),
        cmocka_unit_test(one_worker_that_can_go_on_keeps_the_process),
        cmocka_unit_test(the_problem_is_told_with_its_code),
        cmocka_unit_test(a_backup_that_retention_passes_is_noted_and_is_no_reason),
        cmocka_unit_test(what_holds_time_is_told_beside_ok),
        cmocka_unit_test(lag),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
