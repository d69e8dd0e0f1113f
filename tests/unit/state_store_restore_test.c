#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "state/store.h"
#include "state_redis_server.h"

/* A real Redis with two connections, and on each a store of the same partition. The user is the one
 * of deploy/redis/lifecycled.acl. */
struct bed {
    struct redis_server server;
    struct redis_client *client[2];
    struct redis redis[2];
    struct store *tool, *worker;
    struct arena arena;
    struct report report;
};

static bool bed_open(struct bed *bed)
{
    static const char line[] = "user default on nopass resetkeys ~{app:* resetchannels -@all "
                               "+select +ping +watch +unwatch "
                               "+multi +exec +hset +hincrby +hget +hmget +hgetall +hdel +zadd "
                               "+zrem +zrangebyscore +zscore "
                               "+exists +unlink +set\n";

    *bed = (struct bed){0};
    if (!redis_server_installed()) {
        print_message("redis-server is not installed: skipped\n");
        return false;
    }
    assert_true(redis_server_start(&bed->server, line));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(redis_client_open(&bed->server.options, &bed->client[i], &bed->report),
                         STATUS_OK);
        bed->redis[i] = redis_client_port(bed->client[i]);
    }
    bed->tool = store_open(bed->redis[0], &(struct store_options){.app = "app", .token = "tool"});
    bed->worker = store_open(
        bed->redis[1], &(struct store_options){.app = "app", .token = "worker", .generation = 5});
    arena_init(&bed->arena, 16 << 20);
    return true;
}

static void bed_close(struct bed *bed)
{
    store_close(bed->tool);
    store_close(bed->worker);
    redis_client_close(bed->client[0]);
    redis_client_close(bed->client[1]);
    redis_server_stop(&bed->server);
    arena_fini(&bed->arena);
}

static const struct store_meta restored = {.at = {40, 3},
                                           .control_offset = 2,
                                           .watermark_ms = 1000,
                                           .cfg = "cafe",
                                           .params_version = 1,
                                           .customers = 2,
                                           .buckets = 2,
                                           .last_offset = 39,
                                           .last_hash = 11};

/* Two customers in the buckets where they belong. */
static void buckets_of(struct store_blob blobs[2], struct store_bucket buckets[2])
{
    static const char *const ids[] = {"anna", "bert", "carl", "dora", "emil", "fine"};

    for (uint32_t b = 0; b < 2; b++)
        for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
            uint64_t hash = store_customer_hash(span_of(ids[i]));

            if (store_bucket_of(hash, 2) != b)
                continue;
            blobs[b] = (struct store_blob){.customer = span_of(ids[i]),
                                           .hash = hash,
                                           .record = SPAN_LITERAL("record"),
                                           .ledger = b ? SPAN_LITERAL("ledger") : SPAN_LITERAL("")};
            buckets[b] = (struct store_bucket){.number = b, .blobs = &blobs[b], .count = 1};
        }
    assert_int_equal(buckets[0].count + buckets[1].count, 2);
}

static enum status claim(struct bed *bed, struct store *store, struct store_meta *ret_meta,
                         bool *ret_present)
{
    return store_claim(store, ret_meta, ret_present, &bed->report);
}

static void hold(struct bed *bed)
{
    struct store_meta meta;
    bool present;

    assert_int_equal(store_hold(bed->tool, 20000, &bed->report), STATUS_OK);
    assert_int_equal(claim(bed, bed->tool, &meta, &present), STATUS_OK);
}

static void whole_restore(struct bed *bed)
{
    struct store_blob blobs[2];
    struct store_bucket buckets[2];

    buckets_of(blobs, buckets);
    hold(bed);
    assert_int_equal(store_restore_begin(bed->tool, &restored, &bed->report), STATUS_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(store_restore_piece(bed->tool, &buckets[i], 1, &bed->arena, &bed->report),
                         STATUS_OK);
    assert_int_equal(store_restore_end(bed->tool, &restored, &bed->report), STATUS_OK);
    store_release(bed->tool);
}

static void what_was_restored_is_there(void **state)
{
    struct store_bucket *buckets;
    struct store_meta meta;
    struct bed bed;
    bool present = false;

    (void)state;
    if (!bed_open(&bed))
        skip();
    for (int round = 0; round < 2; round++) { /* on nothing, then over a state */
        whole_restore(&bed);
        assert_int_equal(claim(&bed, bed.worker, &meta, &present), STATUS_OK);
        assert_true(present);
        assert_int_equal(position_compare(meta.at, restored.at), 0);
        assert_int_equal(meta.customers, 2);
        assert_int_equal(meta.last_hash, 11);
        assert_string_equal(meta.cfg, "cafe");
        assert_int_equal(
            store_load_buckets(bed.worker, &meta, 0, 2, &bed.arena, &buckets, &bed.report),
            STATUS_OK);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(buckets[i].count, 1);
            assert_true(span_is(buckets[i].blobs[0].record, "record"));
            assert_true(span_is(buckets[i].blobs[0].ledger, i ? "ledger" : ""));
        }
    }
    bed_close(&bed);
}

static void a_hold_keeps_claims_and_other_holds_away_until_it_is_released(void **state)
{
    struct store_meta meta;
    struct bed bed;
    bool present;

    (void)state;
    if (!bed_open(&bed))
        skip();
    whole_restore(&bed);
    assert_int_equal(claim(&bed, bed.worker, &meta, &present), STATUS_OK);
    hold(&bed);
    assert_int_equal(store_load(bed.worker, &meta, NULL, 0, &bed.arena, &bed.report), STATUS_STALE);
    assert_int_equal(claim(&bed, bed.worker, &meta, &present), STATUS_RETRY);
    assert_string_equal(bed.report.code, "partition-held");
    assert_int_equal(store_hold(bed.worker, 20000, &bed.report), STATUS_RETRY);
    assert_string_equal(bed.report.code, "partition-held");
    assert_int_equal(store_hold(bed.tool, 20000, &bed.report), STATUS_OK); /* longer */
    store_release(bed.tool);
    assert_int_equal(claim(&bed, bed.worker, &meta, &present), STATUS_OK);
    bed_close(&bed);
}

static void a_hold_expires(void **state)
{
    struct store_meta meta;
    struct bed bed;
    bool present;

    (void)state;
    if (!bed_open(&bed))
        skip();
    assert_int_equal(store_hold(bed.tool, 50, &bed.report), STATUS_OK);
    assert_int_equal(claim(&bed, bed.worker, &meta, &present), STATUS_RETRY);
    usleep(80000);
    assert_int_equal(claim(&bed, bed.worker, &meta, &present), STATUS_OK);
    assert_int_equal(store_hold(bed.tool, 50, &bed.report), STATUS_RETRY);
    assert_string_equal(bed.report.code, "partition-held");
    bed_close(&bed);
}

static void a_holder_leaves_the_generation_as_it_was(void **state)
{
    struct store_meta meta;
    struct bed bed;
    struct store *older;
    bool present;

    (void)state;
    if (!bed_open(&bed))
        skip();
    whole_restore(&bed);
    assert_int_equal(claim(&bed, bed.worker, &meta, &present), STATUS_OK);
    hold(&bed);
    store_release(bed.tool);
    older = store_open(bed.redis[1],
                       &(struct store_options){.app = "app", .token = "older", .generation = 4});
    assert_int_equal(claim(&bed, older, &meta, &present), STATUS_STALE);
    assert_string_equal(bed.report.code, "redis-claimed");
    store_close(older);
    bed_close(&bed);
}

static void a_restore_cut_short_is_no_state(void **state)
{
    struct store_blob blobs[2];
    struct store_bucket buckets[2];
    struct store_meta meta;
    struct bed bed;
    bool present = true;

    (void)state;
    if (!bed_open(&bed))
        skip();
    whole_restore(&bed);
    buckets_of(blobs, buckets);
    hold(&bed);
    assert_int_equal(store_restore_begin(bed.tool, &restored, &bed.report), STATUS_OK);
    assert_int_equal(store_restore_piece(bed.tool, buckets, 1, &bed.arena, &bed.report), STATUS_OK);
    store_release(bed.tool);
    assert_int_equal(claim(&bed, bed.worker, &meta, &present), STATUS_OK);
    assert_false(present);
    assert_int_equal(store_restore_piece(bed.tool, &buckets[1], 1, &bed.arena, &bed.report),
                     STATUS_STALE);
    assert_int_equal(store_restore_end(bed.tool, &restored, &bed.report), STATUS_STALE);
    bed_close(&bed);
}

static void the_note_of_a_backup_outlives_a_wipe(void **state)
{
    const struct store_backup note = {.at = {77, 8}, .made_ms = 123};
    struct store_backup back = {0};
    struct store_meta meta;
    struct bed bed;
    bool present = true;

    (void)state;
    if (!bed_open(&bed))
        skip();
    assert_int_equal(store_backup_read(bed.worker, &back, &present, &bed.report), STATUS_OK);
    assert_false(present);
    whole_restore(&bed);
    assert_int_equal(store_backup_note(bed.tool, &note, &bed.report), STATUS_OK);
    assert_int_equal(claim(&bed, bed.worker, &meta, &present), STATUS_OK);
    assert_int_equal(store_wipe(bed.worker, &bed.report), STATUS_OK);
    assert_int_equal(store_backup_read(bed.worker, &back, &present, &bed.report), STATUS_OK);
    assert_true(present);
    assert_int_equal(position_compare(back.at, note.at), 0);
    assert_int_equal(back.made_ms, 123);
    bed_close(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_restored_is_there),
        cmocka_unit_test(a_hold_keeps_claims_and_other_holds_away_until_it_is_released),
        cmocka_unit_test(a_hold_expires),
        cmocka_unit_test(a_holder_leaves_the_generation_as_it_was),
        cmocka_unit_test(a_restore_cut_short_is_no_state),
        cmocka_unit_test(the_note_of_a_backup_outlives_a_wipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
