/* The simulated Kafka against the facts measured on Kafka 4.1.1 (docs/DESIGN.md, "The promise"): a
 * simulation that is kinder than the real thing proves nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/sim/sim_kafka.h"

#include <stdlib.h>

static struct sim_kafka kafka;
static const struct sim_entry record = {.key = {"k", 1}, .value = {"v", 1}};

static int fresh(void **state)
{
    (void)state;
    sim_kafka_reset(&kafka);
    sim_kafka_init(&kafka, 2, 7);
    kafka.marker_delay_ms = 0;
    return 0;
}

static int64_t opened(int name)
{
    int64_t epoch = -1;
    assert_int_equal(sim_kafka_producer_init(&kafka, name, &epoch), SIM_DONE);
    return epoch;
}

static int64_t committed(int32_t partition)
{
    int64_t offset = -2;
    struct span metadata;
    assert_int_equal(sim_kafka_committed(&kafka, partition, &offset, &metadata), SIM_DONE);
    return offset;
}

static void a_marker_takes_an_offset_and_is_not_seen(void **state)
{
    (void)state;
    int64_t epoch = opened(0);
    assert_int_equal(sim_kafka_produce(&kafka, 0, epoch, SIM_INPUT, 0, &record), SIM_DONE);
    assert_int_equal(sim_kafka_stable(&kafka, SIM_INPUT, 0), 0);
    assert_int_equal(sim_kafka_end_txn(&kafka, 0, epoch, true), SIM_DONE);
    assert_int_equal(kafka.log[SIM_INPUT][0].end, 2);
    assert_int_equal(sim_kafka_stable(&kafka, SIM_INPUT, 0), 2);
    assert_true(sim_kafka_visible(&kafka.log[SIM_INPUT][0].at[0]));
    assert_false(sim_kafka_visible(&kafka.log[SIM_INPUT][0].at[1]));
}

static void an_aborted_record_is_not_seen(void **state)
{
    (void)state;
    int64_t epoch = opened(0);
    (void)sim_kafka_produce(&kafka, 0, epoch, SIM_ALERTS, 1, &record);
    assert_int_equal(sim_kafka_end_txn(&kafka, 0, epoch, false), SIM_DONE);
    assert_false(sim_kafka_visible(&kafka.log[SIM_ALERTS][1].at[0]));
    assert_int_equal(sim_kafka_stable(&kafka, SIM_ALERTS, 1), 2);
}

static void an_open_transaction_holds_back_what_comes_after_it(void **state)
{
    (void)state;
    int64_t epoch = opened(0);
    (void)sim_kafka_produce(&kafka, 0, epoch, SIM_INPUT, 0, &record);
    (void)sim_kafka_append(&kafka, SIM_INPUT, 0, &record);
    assert_int_equal(sim_kafka_stable(&kafka, SIM_INPUT, 0), 0);
    (void)sim_kafka_end_txn(&kafka, 0, epoch, true);
    assert_int_equal(sim_kafka_stable(&kafka, SIM_INPUT, 0), 3);
}

static void a_new_producer_of_the_name_fences_the_old_one_and_aborts_it(void **state)
{
    (void)state;
    int64_t old = opened(0);
    (void)sim_kafka_produce(&kafka, 0, old, SIM_ALERTS, 0, &record);
    int64_t epoch = opened(0);
    assert_int_equal(sim_kafka_end_txn(&kafka, 0, old, true), SIM_FENCED);
    assert_int_equal(sim_kafka_produce(&kafka, 0, old, SIM_ALERTS, 0, &record), SIM_FENCED);
    assert_int_equal(sim_kafka_produce(&kafka, 0, epoch, SIM_ALERTS, 0, &record), SIM_DONE);
    assert_false(sim_kafka_visible(&kafka.log[SIM_ALERTS][0].at[0]));
}

static void a_new_producer_waits_for_a_commit_that_was_decided(void **state)
{
    (void)state;
    int64_t old = opened(0), epoch = -1;
    kafka.marker_delay_ms = 1000;
    (void)sim_kafka_produce(&kafka, 0, old, SIM_ALERTS, 0, &record);
    (void)sim_kafka_end_txn(&kafka, 0, old, true);
    kafka.txns->part[0].mark_ms = 500;
    assert_int_equal(sim_kafka_producer_init(&kafka, 0, &epoch), SIM_WAIT);
    sim_kafka_advance(&kafka, 500);
    assert_int_equal(sim_kafka_producer_init(&kafka, 0, &epoch), SIM_DONE);
    assert_true(sim_kafka_visible(&kafka.log[SIM_ALERTS][0].at[0]));
}

static void a_delayed_end_commits_the_next_transaction(void **state)
{
    (void)state;
    int64_t epoch = opened(0);
    (void)sim_kafka_produce(&kafka, 0, epoch, SIM_ALERTS, 0, &record);
    assert_int_equal(sim_kafka_end_txn(&kafka, 0, epoch, true), SIM_DONE);
    (void)sim_kafka_produce(&kafka, 0, epoch, SIM_ALERTS, 0, &record);
    assert_int_equal(sim_kafka_end_txn(&kafka, 0, epoch, true),
                     SIM_DONE); /* the first request again */
    assert_true(sim_kafka_visible(&kafka.log[SIM_ALERTS][0].at[2]));
}

static void a_delayed_end_of_a_replaced_producer_does_nothing(void **state)
{
    (void)state;
    int64_t old = opened(0);
    (void)sim_kafka_produce(&kafka, 0, old, SIM_ALERTS, 0, &record);
    int64_t epoch = opened(0);
    (void)sim_kafka_produce(&kafka, 0, epoch, SIM_ALERTS, 0, &record);
    assert_int_equal(sim_kafka_end_txn(&kafka, 0, old, true), SIM_FENCED);
    assert_int_equal(kafka.producer[0].txn->state, SIM_TXN_OPEN);
}

static void a_transaction_that_is_overdue_is_aborted_and_its_producer_fenced(void **state)
{
    (void)state;
    int64_t epoch = opened(0);
    (void)sim_kafka_produce(&kafka, 0, epoch, SIM_ALERTS, 0, &record);
    sim_kafka_advance(&kafka, SIM_TXN_TIMEOUT_MS - 1);
    assert_int_equal(kafka.producer[0].txn->state, SIM_TXN_OPEN);
    sim_kafka_advance(&kafka, SIM_TXN_TIMEOUT_MS);
    assert_int_equal(kafka.producer[0].txn->state, SIM_TXN_DONE);
    assert_int_equal(sim_kafka_end_txn(&kafka, 0, epoch, true), SIM_FENCED);
}

static void a_pending_offset_makes_committed_wait(void **state)
{
    (void)state;
    int64_t epoch = opened(0), offset = -2;
    struct span metadata;
    (void)sim_kafka_join(&kafka, 0, 11);
    assert_int_equal(
        sim_kafka_txn_offset(&kafka, 0, epoch, 11, kafka.generation, 0, 5, SPAN_LITERAL("W=1")),
        SIM_DONE);
    assert_int_equal(sim_kafka_committed(&kafka, 0, &offset, &metadata), SIM_WAIT);
    assert_int_equal(committed(1), -1);
    (void)sim_kafka_end_txn(&kafka, 0, epoch, true);
    assert_int_equal(committed(0), 5);
}

static void offsets_are_fenced_by_generation_only(void **state)
{
    (void)state;
    int64_t epoch = opened(0);
    (void)sim_kafka_join(&kafka, 0, 11);
    (void)sim_kafka_join(&kafka, 1, 12);
    (void)sim_kafka_join(&kafka, 0, 11);
    int64_t generation = kafka.generation;
    assert_int_equal(kafka.member[0].partitions, 1);
    assert_int_equal(kafka.member[1].partitions, 2);
    /* A valid member commits another's partition, bare metadata commits any; an old generation
     * commits none. */
    assert_int_equal(sim_kafka_txn_offset(&kafka, 0, epoch, 11, generation, 1, 5, SPAN_ABSENT),
                     SIM_DONE);
    assert_int_equal(sim_kafka_txn_offset(&kafka, 0, epoch, 0, -1, 1, 5, SPAN_ABSENT), SIM_DONE);
    assert_int_equal(sim_kafka_txn_offset(&kafka, 0, epoch, 11, generation - 1, 0, 5, SPAN_ABSENT),
                     SIM_ILLEGAL_GENERATION);
    assert_int_equal(sim_kafka_txn_offset(&kafka, 0, epoch, 99, generation, 0, 5, SPAN_ABSENT),
                     SIM_UNKNOWN_MEMBER);
}

static void a_static_member_comes_back_without_a_rebalance(void **state)
{
    (void)state;
    int64_t generation = -1;
    uint32_t partitions = 0;
    (void)sim_kafka_join(&kafka, 0, 11);
    int64_t before = kafka.generation;
    (void)sim_kafka_join(&kafka, 0, 12);
    assert_int_equal(kafka.generation, before);
    assert_int_equal(sim_kafka_member(&kafka, 0, 12, &generation, &partitions), SIM_DONE);
    assert_int_equal(partitions, 3);
    assert_int_equal(sim_kafka_member(&kafka, 0, 11, &generation, &partitions), SIM_FENCED);
}

static void a_silent_member_loses_its_place_after_the_session(void **state)
{
    (void)state;
    int64_t generation = -1;
    uint32_t partitions = 0;
    (void)sim_kafka_join(&kafka, 0, 11);
    (void)sim_kafka_join(&kafka, 1, 12);
    (void)sim_kafka_join(&kafka, 0, 11);
    sim_kafka_silence(&kafka, 0, 11);
    sim_kafka_advance(&kafka, SIM_SESSION_MS - 1);
    assert_int_equal(sim_kafka_member(&kafka, 0, 11, &generation, &partitions), SIM_DONE);
    sim_kafka_advance(&kafka, SIM_SESSION_MS);
    assert_int_equal(sim_kafka_member(&kafka, 0, 11, &generation, &partitions), SIM_UNKNOWN_MEMBER);
    (void)sim_kafka_join(&kafka, 1, 12);
    assert_int_equal(sim_kafka_member(&kafka, 1, 12, &generation, &partitions), SIM_DONE);
    assert_int_equal(partitions, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_marker_takes_an_offset_and_is_not_seen, fresh),
        cmocka_unit_test_setup(an_aborted_record_is_not_seen, fresh),
        cmocka_unit_test_setup(an_open_transaction_holds_back_what_comes_after_it, fresh),
        cmocka_unit_test_setup(a_new_producer_of_the_name_fences_the_old_one_and_aborts_it, fresh),
        cmocka_unit_test_setup(a_new_producer_waits_for_a_commit_that_was_decided, fresh),
        cmocka_unit_test_setup(a_delayed_end_commits_the_next_transaction, fresh),
        cmocka_unit_test_setup(a_delayed_end_of_a_replaced_producer_does_nothing, fresh),
        cmocka_unit_test_setup(a_transaction_that_is_overdue_is_aborted_and_its_producer_fenced,
                               fresh),
        cmocka_unit_test_setup(a_pending_offset_makes_committed_wait, fresh),
        cmocka_unit_test_setup(offsets_are_fenced_by_generation_only, fresh),
        cmocka_unit_test_setup(a_static_member_comes_back_without_a_rebalance, fresh),
        cmocka_unit_test_setup(a_silent_member_loses_its_place_after_the_session, fresh),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (int topic = 0; topic < SIM_TOPICS; topic++)
        for (int i = 0; i < SIM_PARTITIONS_MAX; i++)
            free(kafka.log[topic][i].at);
    arena_fini(&kafka.bytes);
    return failed;
}
