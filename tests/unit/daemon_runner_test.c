/* runner: opening that fails is repeated with pauses, refusal ends the thread, a stop is prompt.
 * (With a worker inside it is tested by tests/integration.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/log.h"
#include "daemon/runner.h"

static atomic_int opened;
static enum status outcome;

static enum status open_parts(void *self, int index, struct runner_parts *ret_parts,
                              struct report *report)
{
    (void)self;
    (void)ret_parts;
    assert_int_equal(index, 4);
    atomic_fetch_add(&opened, 1);
    report_set(report, "kafka-away", "try %d", atomic_load(&opened));
    return outcome;
}

static void close_parts(void *self, int index, int timeout_ms)
{
    (void)self;
    (void)index;
    (void)timeout_ms;
}

static bool reload_parts(void *self, int index)
{
    (void)self;
    (void)index;
    return false;
}

static bool is_rival(void *self, int index)
{
    (void)self;
    (void)index;
    return true;
}

static void nap(long ms)
{
    struct timespec time = {.tv_nsec = ms * 1000000};

    (void)nanosleep(&time, NULL);
}

static struct runner *start(enum status with)
{
    struct runner_ports ports = {
        .open = open_parts, .close = close_parts, .reload = reload_parts, .rival = is_rival};
    struct runner *runner;

    outcome = with;
    atomic_store(&opened, 0);
    runner = runner_start(4, ports, clock_system());
    assert_non_null(runner);
    return runner;
}

static bool ends_within(struct runner *runner, int ms)
{
    for (int i = 0; i < ms / 5 && !runner_ended(runner); i++)
        nap(5);
    return runner_ended(runner);
}

static void waiting_is_repeated_with_pauses_and_stops_at_once(void **state)
{
    static struct runner_view view;
    struct runner *runner = start(STATUS_RETRY);

    (void)state;
    nap(400);
    /* At 20, 40, 80, 160 ms: about five tries, never a busy loop. */
    assert_in_range(atomic_load(&opened), 2, 8);
    runner_view(runner, &view);
    assert_int_equal(view.state, RUNNER_WAITING);
    assert_string_equal(view.problem.code, "kafka-away");
    assert_int_equal(view.restarts, 0);
    assert_false(runner_ended(runner));
    runner_stop(runner, 100);
    assert_true(ends_within(runner, 1000));
    runner_view(runner, &view);
    assert_int_equal(view.state, RUNNER_ENDED);
    runner_free(runner);
}

static void refusal_ends_it(void **state)
{
    static struct runner_view view;
    struct runner *runner = start(STATUS_REJECT);

    (void)state;
    assert_true(ends_within(runner, 1000));
    runner_view(runner, &view);
    assert_int_equal(view.state, RUNNER_REFUSED);
    assert_int_equal(atomic_load(&opened), 1);
    runner_free(runner);
}

static void every_state_has_a_label(void **state)
{
    (void)state;
    for (int i = RUNNER_STARTING; i <= RUNNER_ENDED; i++)
        assert_true(runner_state_label((enum runner_state)i)[0] != '\0');
    runner_free(NULL);
}

static int quiet(void **state)
{
    struct log_options options = {.level = LOG_LEVEL_ERROR, .fd = 2};

    (void)state;
    log_open(&options);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiting_is_repeated_with_pauses_and_stops_at_once),
        cmocka_unit_test(refusal_ends_it),
        cmocka_unit_test(every_state_has_a_label),
    };

    return cmocka_run_group_tests(tests, quiet, NULL);
}
