/* The guards of a partition's time: what the log says, how the clock goes, how a storm is let out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "pipeline/guard.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)
#define T0      (INT64_C(20000) * DAY_MS)

static const struct guard_options options = {.silence = true,
                                             .storm = true,
                                             .silence_min_ms = HOUR_MS,
                                             .silence_gaps = 20,
                                             .pace = 24,
                                             .elapsed_max_ms = 60000,
                                             .storm_min = 100,
                                             .storm_factor = 5,
                                             .storm_slow_ms = HOUR_MS};

/* --- figures of the log --- */

static void a_silence_is_twenty_mean_gaps_and_an_hour_at_least(void **state)
{
    struct store_guard log = {0};

    (void)state;
    assert_int_equal(guard_silence_ms(&options, &log), HOUR_MS);
    for (int i = 0; i < 1000; i++)
        guard_log_record(&log, T0 + i * 1000);
    assert_int_equal(guard_silence_ms(&options, &log), HOUR_MS);
    for (int i = 0; i < 1000; i++)
        guard_log_record(&log, T0 + DAY_MS + i * HOUR_MS);
    assert_true(guard_silence_ms(&options, &log) > 19 * HOUR_MS);
    assert_true(guard_silence_ms(&options, &log) <= 20 * HOUR_MS);
}

static void a_publishers_wrong_clock_is_bounded_and_soon_forgotten(void **state)
{
    static const int64_t hostile[] = {INT64_MAX, INT64_MIN, 0, -1, T0 * 10};

    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct store_guard log = {0};

        for (int j = 0; j < 100; j++)
            guard_log_record(&log, T0 + j * 1000);
        guard_log_record(&log, hostile[i]);
        guard_log_record(&log, T0 + 100000);
        assert_true(log.gap_ms >= 0 && log.gap_ms <= DAY_MS / 32);
        assert_int_equal(log.heard_ms, T0 + 100000);
        for (int j = 0; j < 600; j++)
            guard_log_record(&log, T0 + 101000 + j * 1000);
        assert_int_equal(guard_silence_ms(&options, &log), HOUR_MS);
    }
}

static void alerts_are_counted_by_the_hour_of_w(void **state)
{
    struct store_guard log = {0};

    (void)state;
    guard_log_alerts(&log, T0, 60);
    guard_log_alerts(&log, T0 + HOUR_MS - 1, 40);
    assert_int_equal(log.alerts, 100);
    assert_false(guard_storm_begins(&options, &log)); /* not above */
    guard_log_alerts(&log, T0 + HOUR_MS - 1, 1);
    assert_true(guard_storm_begins(&options, &log));
    guard_log_alerts(&log, T0 + HOUR_MS, 1); /* the next hour */
    assert_int_equal(log.alerts, 1);
    assert_false(guard_storm_begins(&options, &log));
    /* A mean of 40 an hour makes 200 the limit. */
    memset(&log, 0, sizeof log);
    for (int hour = 0; hour < 500; hour++)
        guard_log_alerts(&log, T0 + hour * HOUR_MS, 40);
    assert_int_equal(guard_storm_limit(&options, &log), 199); /* thousandths are cut */
    /* and nothing for weeks makes it the least again */
    guard_log_alerts(&log, T0 + 500 * HOUR_MS + 60 * DAY_MS, 1);
    assert_int_equal(guard_storm_limit(&options, &log), 100);
}

static void the_end_of_a_storm_is_not_the_beginning_of_another(void **state)
{
    struct store_guard log = {0};

    (void)state;
    guard_log_alerts(&log, T0, 500);
    guard_log_held(&log, STORE_HELD_STORM, T0);
    assert_false(guard_storm_begins(&options, &log));
    guard_log_held(&log, 0, 0);
    assert_false(guard_storm_begins(&options, &log));
    assert_int_equal(log.held_ms, 0);
}

static void time_held_is_no_lateness(void **state)
{
    struct store_guard log = {0};

    (void)state;
    assert_int_equal(guard_found_ms(&log, T0 + DAY_MS), T0 + DAY_MS);
    guard_log_held(&log, STORE_HELD_SILENCE, T0);
    assert_int_equal(guard_found_ms(&log, T0 + DAY_MS), T0);
    assert_int_equal(guard_found_ms(&log, T0 - 1), T0 - 1);
}

/* --- the clock --- */

struct life {
    struct guard guard;
    struct store_meta meta;
    struct guard_time now;
    bool silent;
};

static void begin(struct life *life, int64_t heard_ms)
{
    *life =
        (struct life){.meta = {.watermark_ms = INT64_MIN, .customers = 5}, .now = {T0, 1000000}};
    guard_init(&life->guard);
    if (heard_ms != 0)
        guard_log_record(&life->meta.guard, heard_ms);
    guard_start(&life->guard, &options, &life->meta, life->now);
}

/* A tick a second for so long; what is held is recorded as the batch does. */
static int64_t run(struct life *life, int64_t ms)
{
    int64_t clock_ms = life->guard.clock_ms;

    for (; ms > 0; ms -= 1000) {
        life->now.wall_ms += 1000;
        life->now.mono_ms += 1000;
        clock_ms = guard_clock(&life->guard, &options, &life->meta, life->now, &life->silent);
        if (life->silent != ((life->meta.guard.held & STORE_HELD_SILENCE) != 0))
            guard_log_held(&life->meta.guard, life->silent ? STORE_HELD_SILENCE : 0, clock_ms);
    }
    return clock_ms;
}

static void hear(struct life *life)
{
    guard_log_record(&life->meta.guard, life->now.wall_ms);
}

static void time_stops_an_hour_after_the_last_record_and_makes_up_a_day_an_hour(void **state)
{
    struct life life;

    (void)state;
    begin(&life, T0);
    assert_int_equal(run(&life, HOUR_MS), T0 + HOUR_MS);
    assert_false(life.silent);
    assert_int_equal(run(&life, 1000), T0 + HOUR_MS); /* and not a second more */
    assert_true(life.silent);
    assert_int_equal(run(&life, 30 * DAY_MS), T0 + HOUR_MS);
    assert_int_equal(life.meta.guard.held_ms, T0 + HOUR_MS);
    hear(&life);
    for (int hour = 1; hour <= 31; hour++) { /* 30 days, at 23 hours an hour of catching up */
        assert_int_equal(run(&life, HOUR_MS), T0 + HOUR_MS + hour * DAY_MS);
        assert_true(life.silent);
        hear(&life);
    }
    (void)run(&life, HOUR_MS);
    assert_int_equal(life.guard.clock_ms, life.now.wall_ms);
    assert_false(life.silent);
    assert_int_equal(life.meta.guard.held, 0);
}

static void an_outage_while_catching_up_stops_time_again(void **state)
{
    struct life life;
    int64_t clock_ms;

    (void)state;
    begin(&life, T0);
    (void)run(&life, 10 * DAY_MS);
    hear(&life);
    clock_ms = run(&life, HOUR_MS); /* as far as silence lets it */
    assert_int_equal(clock_ms, T0 + HOUR_MS + DAY_MS);
    (void)run(&life, 20 * DAY_MS); /* it goes on to an hour after that record */
    assert_int_equal(life.guard.clock_ms, T0 + 10 * DAY_MS + HOUR_MS);
    assert_true(life.silent);
    assert_int_equal(life.meta.guard.held_ms, T0 + HOUR_MS); /* since the first */
}

static void a_leap_of_the_walls_clock_moves_time_no_further_than_silence_may(void **state)
{
    struct life life;

    (void)state;
    begin(&life, T0);
    (void)run(&life, 60000);
    hear(&life);
    life.now.wall_ms += 365 * DAY_MS;
    assert_true(run(&life, 600000) <= T0 + 60000 + HOUR_MS);
    assert_true(life.silent);
    life.now.wall_ms -= 365 * DAY_MS;
    hear(&life);
    assert_true(run(&life, HOUR_MS) <= T0 + 60000 + HOUR_MS + 600000 + HOUR_MS);
    assert_false(life.silent);
}

static void records_dated_years_ago_count_as_they_arrive(void **state)
{
    struct life life;

    (void)state;
    begin(&life, T0 - 400 * DAY_MS);
    life.guard.clock_ms = T0; /* it caught up before */
    for (int i = 0; i < 20; i++) {
        life.guard.arrived_ms = life.now.wall_ms;
        guard_log_record(&life.meta.guard, T0 - 400 * DAY_MS + i);
        (void)run(&life, HOUR_MS / 2);
        assert_false(life.silent);
    }
    assert_int_equal(life.guard.clock_ms, life.now.wall_ms);
}

static void a_restart_begins_where_the_log_was_heard_last(void **state)
{
    static const struct {
        const char *name;
        int64_t heard_ms, watermark_ms, held_ms, expect_ms;
        uint32_t held;
    } rows[] = {
        {"a new partition", 0, INT64_MIN, 0, T0, 0},
        {"half an hour ago", T0 - HOUR_MS / 2, INT64_MIN, 0, T0 - HOUR_MS / 2, 0},
        {"a record of tomorrow", T0 + DAY_MS, INT64_MIN, 0, T0, 0},
        {"after an outage", T0 - DAY_MS, T0 - DAY_MS + HOUR_MS, 0, T0 - DAY_MS + HOUR_MS, 0},
        {"while it catches up", T0, T0 - 5 * DAY_MS, T0 - 9 * DAY_MS, T0 - 5 * DAY_MS,
         STORE_HELD_SILENCE},
        {"held, and nothing fired", T0, INT64_MIN, T0 - 9 * DAY_MS, T0 - 9 * DAY_MS,
         STORE_HELD_SILENCE},
        {"in a storm", T0 - 1000, T0 - DAY_MS, T0 - 2 * DAY_MS, T0 - 1000, STORE_HELD_STORM},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct life life = {.meta = {.watermark_ms = rows[i].watermark_ms, .customers = 1},
                            .now = {T0, 1000}};

        guard_init(&life.guard);
        life.meta.guard = (struct store_guard){
            .held = rows[i].held, .held_ms = rows[i].held_ms, .heard_ms = rows[i].heard_ms};
        guard_start(&life.guard, &options, &life.meta, life.now);
        if (life.guard.clock_ms != rows[i].expect_ms)
            fail_msg("%s: %lld hours off", rows[i].name,
                     (long long)(life.guard.clock_ms - rows[i].expect_ms) / HOUR_MS);
    }
}

static void a_pause_of_the_ticks_is_not_made_up_for_at_once(void **state)
{
    struct life life;

    (void)state;
    begin(&life, T0 - 10 * DAY_MS); /* down for ten days; the backlog came meanwhile */
    life.now.wall_ms += 5 * HOUR_MS;
    life.now.mono_ms += 5 * HOUR_MS;
    hear(&life);
    (void)guard_clock(&life.guard, &options, &life.meta, life.now, &life.silent);
    assert_true(life.guard.clock_ms <= T0 - 10 * DAY_MS + HOUR_MS);
    assert_true(life.silent); /* time is held until it has caught up: nobody is late for it */
}

static void without_the_guard_time_follows_the_wall(void **state)
{
    struct guard_options off = options;
    struct life life;

    (void)state;
    off.silence = false;
    begin(&life, T0 - 10 * DAY_MS);
    guard_start(&life.guard, &off, &life.meta, life.now);
    assert_int_equal(guard_clock(&life.guard, &off, &life.meta, life.now, &life.silent), T0);
    life.now.wall_ms += 1000;
    life.now.mono_ms += 1000;
    assert_int_equal(guard_clock(&life.guard, &off, &life.meta, life.now, &life.silent), T0 + 1000);
    assert_false(life.silent);
}

/* --- the brake --- */

static void a_storm_lets_a_limit_an_hour_go_and_then_twice_as_many(void **state)
{
    struct store_guard log = {0};
    struct guard guard;
    int64_t mono_ms = 5000, hour_told[4] = {0};

    (void)state;
    guard_init(&guard);
    assert_int_equal(guard_budget(&guard, &options, &log, mono_ms), INT64_MAX);
    guard_log_alerts(&log, T0, 101);
    guard_log_held(&log, STORE_HELD_STORM, T0);
    assert_int_equal(guard_budget(&guard, &options, &log, mono_ms), 0);
    for (int second = 1; second <= 4 * 3600; second++) {
        int64_t may = guard_budget(&guard, &options, &log, mono_ms + second * 1000);

        guard_spent(&guard, may, true, mono_ms + second * 1000);
        hour_told[(second - 1) / 3600] += may;
        assert_false(guard_storm_is_over(&guard, &options, mono_ms + second * 1000));
    }
    for (int hour = 0; hour < 4; hour++)
        assert_in_range(hour_told[hour], (100 << hour) - 1, (100 << hour) + 1);
    mono_ms += 4 * HOUR_MS;
    (void)guard_budget(&guard, &options, &log, mono_ms + HOUR_MS - 1);
    guard_spent(&guard, 0, false, mono_ms + HOUR_MS - 1);
    assert_false(guard_storm_is_over(&guard, &options, mono_ms + HOUR_MS - 1));
    assert_true(guard_storm_is_over(&guard, &options, mono_ms + HOUR_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silence_is_twenty_mean_gaps_and_an_hour_at_least),
        cmocka_unit_test(a_publishers_wrong_clock_is_bounded_and_soon_forgotten),
        cmocka_unit_test(alerts_are_counted_by_the_hour_of_w),
        cmocka_unit_test(the_end_of_a_storm_is_not_the_beginning_of_another),
        cmocka_unit_test(time_held_is_no_lateness),
        cmocka_unit_test(time_stops_an_hour_after_the_last_record_and_makes_up_a_day_an_hour),
        cmocka_unit_test(an_outage_while_catching_up_stops_time_again),
        cmocka_unit_test(a_leap_of_the_walls_clock_moves_time_no_further_than_silence_may),
        cmocka_unit_test(records_dated_years_ago_count_as_they_arrive),
        cmocka_unit_test(a_restart_begins_where_the_log_was_heard_last),
        cmocka_unit_test(a_pause_of_the_ticks_is_not_made_up_for_at_once),
        cmocka_unit_test(without_the_guard_time_follows_the_wall),
        cmocka_unit_test(a_storm_lets_a_limit_an_hour_go_and_then_twice_as_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
