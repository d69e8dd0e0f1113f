#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "state/redis_memory.h"
#include "state/store.h"

/* Two workers on one server, each with a connection and a store of its own. */
struct bed {
    struct redis_memory *server;
    struct redis_memory_conn *conn[3];
    struct redis redis[3]; /* the third is a bystander's */
    struct store *store[2];
    struct arena arena;
    struct report report;
};

static void bed_open(struct bed *bed)
{
    static const char *const tokens[] = {"one", "two"};

    *bed = (struct bed){.server = redis_memory_open()};
    arena_init(&bed->arena, 64 << 20);
    for (int i = 0; i < 3; i++) {
        bed->conn[i] = redis_memory_connect(bed->server);
        bed->redis[i] = redis_memory_port(bed->conn[i]);
    }
    for (int i = 0; i < 2; i++)
        bed->store[i] = store_open(
            bed->redis[i], &(struct store_options){
                               .app = "test", .partition = 3, .token = tokens[i], .generation = 5});
}

static void bed_close(struct bed *bed)
{
    for (int i = 0; i < 2; i++)
        store_close(bed->store[i]);
    for (int i = 0; i < 3; i++)
        redis_memory_disconnect(bed->conn[i]);
    redis_memory_close(bed->server);
    arena_fini(&bed->arena);
}

/* A command of the bystander; its answer as text. */
static const char *say(struct bed *bed, const char *line)
{
    static char answer[256];
    char copy[256], *rest = copy;
    struct span argv[16];
    const struct redis_value *value;
    size_t argc = 0;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *word; (word = strsep(&rest, " ")) != NULL;)
        argv[argc++] = span_of(word);
    bed->redis[2].forget(bed->redis[2].self);
    bed->redis[2].queue(bed->redis[2].self, argc, argv);
    assert_int_equal(bed->redis[2].send(bed->redis[2].self, NULL), STATUS_OK);
    assert_int_equal(bed->redis[2].reply(bed->redis[2].self, &value, NULL), STATUS_OK);
    if (value->type == REDIS_INT)
        snprintf(answer, sizeof answer, "%lld", (long long)value->integer);
    else if (value->type == REDIS_NIL)
        snprintf(answer, sizeof answer, "(nil)");
    else if (value->type == REDIS_ARRAY)
        snprintf(answer, sizeof answer, "(%zu items)", value->count);
    else
        snprintf(answer, sizeof answer, "%.*s", (int)value->text.len, value->text.at);
    return answer;
}

static struct store_put put_of(const char *customer, const char *record, int64_t due_ms,
                               bool created)
{
    return (struct store_put){.customer = span_of(customer),
                              .hash = store_customer_hash(span_of(customer)),
                              .record = span_of(record),
                              .ledger = record ? SPAN_LITERAL("ledger") : SPAN_ABSENT,
                              .due_ms = due_ms,
                              .created = created};
}

/* Commits one put that moves the position to `offset`. */
static enum status commit(struct bed *bed, int who, struct store_meta *meta, int64_t offset,
                          struct store_put put, bool *ret_unknown)
{
    struct store_meta next = *meta;
    struct store_step step = {.base = meta, .next = &next, .puts = &put, .put_count = 1};
    enum status status;

    next.at.offset = offset;
    snprintf(next.cfg, sizeof next.cfg, "cafe");
    next.params_version = 1;
    arena_reset(&bed->arena);
    *ret_unknown = false;
    status = store_commit_begin(bed->store[who], &step, &bed->arena, &bed->report);
    if (status == STATUS_OK)
        status = store_commit_end(bed->store[who], ret_unknown, &bed->report);
    if (status == STATUS_OK)
        *meta = next;
    return status;
}

static void claim(struct bed *bed, int who, bool present, struct store_meta *ret_meta)
{
    bool found = !present;

    assert_int_equal(store_claim(bed->store[who], ret_meta, &found, &bed->report), STATUS_OK);
    assert_int_equal(found, present);
}

static struct span load(struct bed *bed, int who, const struct store_meta *meta,
                        const char *customer)
{
    struct store_blob blob = {.customer = span_of(customer),
                              .hash = store_customer_hash(span_of(customer))};

    assert_int_equal(store_load(bed->store[who], meta, &blob, 1, &bed->arena, &bed->report),
                     STATUS_OK);
    return blob.record;
}

static void test_a_birth_writes_nothing_until_the_first_commit(void **state)
{
    struct store_meta meta;
    struct bed bed;
    bool unknown;

    (void)state;
    bed_open(&bed);
    claim(&bed, 0, false, &meta);
    assert_int_equal(meta.buckets, 1);
    assert_int_equal(meta.watermark_ms, INT64_MIN);
    assert_int_equal(meta.last_offset, -1);
    assert_string_equal(say(&bed, "EXISTS {test:3}:m"), "0");
    assert_null(load(&bed, 0, &meta, "anna").at);
    meta.last_hash = UINT64_C(0xfedcba9876543210);
    meta.control_offset = 17;
    assert_int_equal(commit(&bed, 0, &meta, 10, put_of("anna", "record", 1000, true), &unknown),
                     STATUS_OK);
    assert_int_equal(meta.customers, 1);
    assert_string_equal(say(&bed, "HGET {test:3}:b:0 anna"), "record");
    assert_string_equal(say(&bed, "HGET {test:3}:l:0 anna"), "ledger");
    assert_string_equal(say(&bed, "ZSCORE {test:3}:t 0"), "1000");
    assert_string_equal(say(&bed, "HGET {test:3}:m token"), "one");
    assert_true(span_is(load(&bed, 0, &meta, "anna"), "record"));
    claim(&bed, 1, true, &meta);
    assert_int_equal(meta.at.offset, 10);
    assert_int_equal(meta.watermark_ms, INT64_MIN);
    assert_int_equal(meta.control_offset, 17);
    assert_true(meta.last_hash == UINT64_C(0xfedcba9876543210));
    assert_string_equal(meta.cfg, "cafe");
    assert_string_equal(say(&bed, "HGET {test:3}:m token"), "two");
    bed_close(&bed);
}

static void test_whoever_claims_last_is_the_only_one_to_commit(void **state)
{
    struct store_meta meta, stale;
    struct store_blob blob = {.customer = SPAN_LITERAL("anna")};
    struct bed bed;
    bool unknown;

    (void)state;
    bed_open(&bed);
    claim(&bed, 0, false, &stale);
    claim(&bed, 1, false, &meta);
    assert_int_equal(commit(&bed, 1, &meta, 1, put_of("anna", "of two", 5, true), &unknown),
                     STATUS_OK);
    assert_int_equal(commit(&bed, 0, &stale, 1, put_of("anna", "of one", 5, true), &unknown),
                     STATUS_STALE);
    assert_false(unknown);
    assert_string_equal(say(&bed, "HGET {test:3}:b:0 anna"), "of two");
    /* claimed, committed, then claimed by the other: reads and commits notice */
    claim(&bed, 0, true, &stale);
    assert_int_equal(store_load(bed.store[1], &meta, &blob, 1, &bed.arena, &bed.report),
                     STATUS_STALE);
    assert_int_equal(commit(&bed, 1, &meta, 2, put_of("anna", "late", 5, false), &unknown),
                     STATUS_STALE);
    /* a second try finds no WATCH, looks, and is refused again */
    assert_int_equal(commit(&bed, 1, &meta, 2, put_of("anna", "late", 5, false), &unknown),
                     STATUS_STALE);
    assert_string_equal(bed.report.code, "redis-moved");
    assert_int_equal(commit(&bed, 0, &stale, 2, put_of("anna", "new", 5, false), &unknown),
                     STATUS_OK);
    assert_string_equal(say(&bed, "HGET {test:3}:b:0 anna"), "new");
    bed_close(&bed);
}

static void test_an_older_generation_of_the_group_may_not_claim(void **state)
{
    struct store_meta meta;
    struct bed bed;
    bool unknown, present;

    (void)state;
    bed_open(&bed);
    claim(&bed, 0, false, &meta);
    assert_int_equal(commit(&bed, 0, &meta, 1, put_of("anna", "r", 5, true), &unknown), STATUS_OK);
    store_generation(bed.store[1], 4);
    assert_int_equal(store_claim(bed.store[1], &meta, &present, &bed.report), STATUS_STALE);
    assert_string_equal(bed.report.code, "redis-claimed");
    assert_string_equal(say(&bed, "HGET {test:3}:m token"), "one");
    store_generation(bed.store[1], 5);
    claim(&bed, 1, true, &meta);
    store_generation(bed.store[0], 6);
    claim(&bed, 0, true, &meta);
    assert_string_equal(say(&bed, "HGET {test:3}:m generation"), "6");
    bed_close(&bed);
}

static void test_a_rollback_or_wipe_of_redis_is_noticed_by_reads_and_commits(void **state)
{
    struct store_blob blob = {.customer = SPAN_LITERAL("anna")};
    struct redis_memory_image *image;
    struct store_meta meta, seen;
    struct bed bed;
    bool unknown;

    (void)state;
    bed_open(&bed);
    claim(&bed, 0, false, &meta);
    assert_int_equal(commit(&bed, 0, &meta, 1, put_of("anna", "a", 5, true), &unknown), STATUS_OK);
    image = redis_memory_save(bed.server);
    assert_int_equal(commit(&bed, 0, &meta, 2, put_of("anna", "b", 5, false), &unknown), STATUS_OK);
    redis_memory_load(bed.server, image);
    assert_int_equal(store_load(bed.store[0], &meta, &blob, 1, &bed.arena, &bed.report),
                     STATUS_STALE);
    assert_int_equal(commit(&bed, 0, &meta, 3, put_of("anna", "c", 5, false), &unknown),
                     STATUS_STALE);
    claim(&bed, 0, true, &seen);
    assert_int_equal(seen.at.offset, 1);
    redis_memory_load(bed.server, NULL);
    assert_int_equal(commit(&bed, 0, &seen, 3, put_of("anna", "c", 5, false), &unknown),
                     STATUS_STALE);
    assert_string_equal(say(&bed, "EXISTS {test:3}:m {test:3}:b:0"), "0");
    claim(&bed, 0, false, &seen);
    redis_memory_image_free(image);
    bed_close(&bed);
}

static void test_a_reconnect_between_steps_looks_before_it_writes(void **state)
{
    struct store_meta meta, other;
    struct bed bed;
    bool unknown;

    (void)state;
    bed_open(&bed);
    claim(&bed, 0, false, &meta);
    assert_int_equal(commit(&bed, 0, &meta, 1, put_of("anna", "a", 5, true), &unknown), STATUS_OK);
    bed.redis[0].close(bed.redis[0].self);
    assert_int_equal(commit(&bed, 0, &meta, 2, put_of("anna", "b", 5, false), &unknown), STATUS_OK);
    bed.redis[0].close(bed.redis[0].self);
    claim(&bed, 1, true, &other); /* while we were away */
    assert_int_equal(commit(&bed, 0, &meta, 3, put_of("anna", "c", 5, false), &unknown),
                     STATUS_STALE);
    assert_string_equal(say(&bed, "HGET {test:3}:b:0 anna"), "b");
    /* the same before the first commit: the WATCH on the absent key */
    say(&bed, "UNLINK {test:3}:m {test:3}:b:0 {test:3}:l:0 {test:3}:t");
    claim(&bed, 0, false, &meta);
    bed.redis[0].close(bed.redis[0].self);
    assert_int_equal(commit(&bed, 0, &meta, 1, put_of("anna", "d", 5, true), &unknown), STATUS_OK);
    bed_close(&bed);
}

static void test_settling_tells_applied_from_lost_and_stops_the_late_exec(void **state)
{
    struct store_put put = put_of("anna", "b", 5, false);
    struct store_meta meta, next;
    struct store_step step = {.base = &meta, .next = &next, .puts = &put, .put_count = 1};
    struct bed bed;
    bool unknown, base;

    (void)state;
    bed_open(&bed);
    claim(&bed, 0, false, &meta);
    assert_int_equal(commit(&bed, 0, &meta, 1, put_of("anna", "a", 5, true), &unknown), STATUS_OK);
    next = meta;
    next.at.offset = 2;
    /* lost: nothing arrived */
    assert_int_equal(store_settle(bed.store[0], &step, &base, &bed.report), STATUS_RETRY);
    assert_true(base);
    assert_int_equal(commit(&bed, 0, &meta, 2, put, &unknown), STATUS_OK);
    /* applied: the same question now has the other answer (meta is `next` already) */
    next = meta;
    meta.at.offset = 1;
    assert_int_equal(store_settle(bed.store[0], &step, &base, &bed.report), STATUS_OK);
    assert_false(base);
    /* another worker's token is never taken over by settling */
    claim(&bed, 1, true, &meta);
    assert_int_equal(store_settle(bed.store[0], &step, &base, &bed.report), STATUS_STALE);
    assert_string_equal(say(&bed, "HGET {test:3}:m token"), "two");
    bed_close(&bed);
}

static void test_refused_writes_say_why_and_the_same_step_succeeds_later(void **state)
{
    static const struct {
        const char *error, *code;
        enum status status;
    } rows[] = {
        {"OOM command not allowed when used memory > 'maxmemory'.", "redis-oom", STATUS_RETRY},
        {"READONLY You can't write against a read only replica.", "redis-readonly", STATUS_RETRY},
        {"LOADING Redis is loading the dataset in memory", "redis-loading", STATUS_RETRY},
        {"MISCONF Redis is configured to save RDB snapshots", "redis-misconf", STATUS_RETRY},
        {"NOREPLICAS Not enough good replicas to write.", "redis-noreplicas", STATUS_RETRY},
        {"BUSY Redis is busy running a script.", "redis-busy", STATUS_RETRY},
        {"NOAUTH Authentication required.", "redis-noauth", STATUS_REJECT},
        {"WRONGPASS invalid username-password pair", "redis-wrongpass", STATUS_REJECT},
        {"NOPERM this user has no permissions to run the 'hset' command", "redis-noperm",
         STATUS_REJECT},
        {"MOVED 3999 127.0.0.1:6381", "redis-cluster", STATUS_REJECT},
        {"ERR something new", "redis-error", STATUS_RETRY},
    };
    struct store_meta meta;
    struct bed bed;
    bool unknown;

    (void)state;
    bed_open(&bed);
    claim(&bed, 0, false, &meta);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct store_put put = put_of("anna", "record", 5, i == 0);

        redis_memory_refuse_writes(bed.server, rows[i].error);
        assert_int_equal(commit(&bed, 0, &meta, (int64_t)i + 1, put, &unknown), rows[i].status);
        assert_false(unknown);
        assert_string_equal(bed.report.code, rows[i].code);
        redis_memory_refuse_writes(bed.server, NULL);
        assert_int_equal(commit(&bed, 0, &meta, (int64_t)i + 1, put, &unknown), STATUS_OK);
    }
    assert_int_equal(meta.customers, 1);
    bed_close(&bed);
}

static void test_keys_of_another_kind_are_refused_with_words(void **state)
{
    struct store_meta meta;
    struct bed bed;
    bool unknown, present;

    (void)state;
    bed_open(&bed);
    say(&bed, "ZADD {test:3}:m 1 x");
    assert_int_equal(store_claim(bed.store[0], &meta, &present, &bed.report), STATUS_REJECT);
    assert_string_equal(bed.report.code, "redis-wrongtype");
    say(&bed, "DEL {test:3}:m");
    say(&bed, "HSET {test:3}:m name value token x");
    assert_int_equal(store_claim(bed.store[0], &meta, &present, &bed.report), STATUS_REJECT);
    assert_string_equal(bed.report.code, "redis-meta-damaged");
    say(&bed, "DEL {test:3}:m");
    claim(&bed, 0, false, &meta);
    assert_int_equal(commit(&bed, 0, &meta, 1, put_of("anna", "r", 5, true), &unknown), STATUS_OK);
    say(&bed, "DEL {test:3}:b:0");
    say(&bed, "ZADD {test:3}:b:0 1 x");
    assert_int_equal(commit(&bed, 0, &meta, 2, put_of("anna", "r", 5, false), &unknown),
                     STATUS_GONE);
    assert_string_equal(bed.report.code, "redis-wrongtype");
    say(&bed, "HSET {test:3}:m format 2");
    assert_int_equal(store_claim(bed.store[0], &meta, &present, &bed.report), STATUS_REJECT);
    assert_string_equal(bed.report.code, "redis-format");
    bed_close(&bed);
}

static void test_what_holds_time_is_kept_and_may_be_missing_in_a_meta_of_before(void **state)
{
    static const struct store_guard guard = {STORE_HELD_STORM, INT64_MIN, INT64_MAX, 3, -4, 5, 6};
    static const char *const damaged[] = {
        "HSET {test:3}:m guard 4,0,0,0,0,0,0", "HSET {test:3}:m guard 1,0,0,-1,0,0,0",
        "HSET {test:3}:m guard 1,0,0,0,0,0", "HSET {test:3}:m guard 1,0,0,0,0,0,0,0",
        "HSET {test:3}:m guard 1,0,0,x,0,0,0"};
    struct store_meta meta, next;
    struct bed bed;
    bool unknown, present;

    (void)state;
    bed_open(&bed);
    claim(&bed, 0, false, &meta);
    meta.guard = guard;
    assert_int_equal(commit(&bed, 0, &meta, 1, put_of("anna", "r", 5, true), &unknown), STATUS_OK);
    assert_int_equal(store_claim(bed.store[0], &next, &present, &bed.report), STATUS_OK);
    assert_memory_equal(&next.guard, &guard, sizeof guard);
    say(&bed, "HDEL {test:3}:m guard");
    assert_int_equal(store_claim(bed.store[0], &next, &present, &bed.report), STATUS_OK);
    assert_int_equal(next.guard.held, 0);
    assert_int_equal(next.guard.heard_ms, 0);
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        say(&bed, damaged[i]);
        assert_int_equal(store_claim(bed.store[0], &next, &present, &bed.report), STATUS_REJECT);
        assert_string_equal(bed.report.code, "redis-meta-damaged");
    }
    bed_close(&bed);
}

static void test_customers_of_one_step_may_come_and_go(void **state)
{
    struct store_put puts[] = {put_of("stays", "1", 50, true),
                               put_of("goes", NULL, INT64_MAX, false),
                               put_of("passes", NULL, INT64_MAX, true)};
    struct store_sweep sweep = {.number = 0, .due_ms = 40};
    struct store_meta meta, next;
    struct store_step step = {.base = &meta,
                              .next = &next,
                              .puts = puts,
                              .put_count = 3,
                              .sweeps = &sweep,
                              .sweep_count = 1};
    struct bed bed;
    bool unknown;

    (void)state;
    bed_open(&bed);
    claim(&bed, 0, false, &meta);
    assert_int_equal(commit(&bed, 0, &meta, 1, put_of("goes", "r", 10, true), &unknown), STATUS_OK);
    next = meta;
    next.at.offset = 2;
    assert_int_equal(store_commit_begin(bed.store[0], &step, &bed.arena, &bed.report), STATUS_OK);
    assert_int_equal(store_commit_end(bed.store[0], &unknown, &bed.report), STATUS_OK);
    assert_int_equal(next.customers, 1);
    assert_string_equal(say(&bed, "HLEN {test:3}:b:0"), "1");
    assert_string_equal(say(&bed, "HLEN {test:3}:l:0"), "1");
    assert_string_equal(say(&bed, "ZSCORE {test:3}:t 0"), "40");
    meta = next;
    /* a sweep that finds nothing due removes the entry; due_all brings it back at W */
    sweep.due_ms = INT64_MAX;
    step.put_count = 0;
    next.at.control = 1;
    assert_int_equal(store_commit_begin(bed.store[0], &step, &bed.arena, &bed.report), STATUS_OK);
    assert_int_equal(store_commit_end(bed.store[0], &unknown, &bed.report), STATUS_OK);
    assert_string_equal(say(&bed, "ZCARD {test:3}:t"), "0");
    meta = next;
    step.sweep_count = 0;
    step.due_all = true;
    next.at.control = 2;
    next.watermark_ms = 77;
    assert_int_equal(store_commit_begin(bed.store[0], &step, &bed.arena, &bed.report), STATUS_OK);
    assert_int_equal(store_commit_end(bed.store[0], &unknown, &bed.report), STATUS_OK);
    assert_string_equal(say(&bed, "ZSCORE {test:3}:t 0"), "77");
    bed_close(&bed);
}

/* `count` new customers c0 … in one step. */
static void populate(struct bed *bed, struct store_meta *meta, int count)
{
    struct store_put *puts = arena_zalloc(&bed->arena, (size_t)count * sizeof *puts);
    struct store_meta next = *meta;
    struct store_step step = {
        .base = meta, .next = &next, .puts = puts, .put_count = (size_t)count};
    bool unknown;

    for (int i = 0; i < count; i++) {
        char *name = arena_alloc(&bed->arena, 16);

        snprintf(name, 16, "c%d", i);
        puts[i] = put_of(name, "record", 1000 + i, true);
    }
    next.at.offset++;
    assert_int_equal(store_commit_begin(bed->store[0], &step, &bed->arena, &bed->report),
                     STATUS_OK);
    assert_int_equal(store_commit_end(bed->store[0], &unknown, &bed->report), STATUS_OK);
    *meta = next;
}

static void test_due_buckets_come_earliest_first_and_bounded(void **state)
{
    struct store_bucket *buckets;
    struct store_meta meta;
    struct bed bed;
    size_t count, customers = 0;
    int64_t next_ms;

    (void)state;
    bed_open(&bed);
    claim(&bed, 0, false, &meta);
    populate(&bed, &meta, 160);
    assert_int_equal(meta.buckets, 10);
    assert_int_equal(store_load_due(bed.store[0], &meta, 999, 8, &bed.arena, &buckets, &count,
                                    &next_ms, &bed.report),
                     STATUS_OK);
    assert_int_equal(count, 0);
    assert_int_equal(next_ms, 1000); /* c0's bucket */
    assert_int_equal(store_load_due(bed.store[0], &meta, 1000, 8, &bed.arena, &buckets, &count,
                                    &next_ms, &bed.report),
                     STATUS_OK);
    assert_int_equal(count, 1);
    assert_int_equal(buckets[0].number,
                     store_bucket_of(store_customer_hash(SPAN_LITERAL("c0")), 10));
    assert_true(next_ms > 1000 && next_ms < INT64_MAX);
    assert_int_equal(store_load_due(bed.store[0], &meta, INT64_MAX, 3, &bed.arena, &buckets, &count,
                                    &next_ms, &bed.report),
                     STATUS_OK);
    assert_int_equal(count, 3);
    assert_true(next_ms < INT64_MAX);
    assert_int_equal(store_load_due(bed.store[0], &meta, INT64_MAX, 100, &bed.arena, &buckets,
                                    &count, &next_ms, &bed.report),
                     STATUS_OK);
    assert_int_equal(count, 10);
    assert_int_equal(next_ms, INT64_MAX);
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < buckets[i].count; c++, customers++) {
            const struct store_blob *blob = &buckets[i].blobs[c];

            assert_int_equal(store_bucket_of(blob->hash, meta.buckets), buckets[i].number);
            assert_true(span_is(blob->record, "record"));
            assert_true(span_is(blob->ledger, "ledger"));
        }
    assert_int_equal(customers, 160);
    bed_close(&bed);
}

static void test_a_wipe_leaves_nothing_even_when_cut_short_in_the_middle(void **state)
{
    struct store_meta meta;
    struct bed bed;

    (void)state;
    bed_open(&bed);
    claim(&bed, 0, false, &meta);
    populate(&bed, &meta, 6000); /* more than one piece of a wipe */
    assert_int_equal(store_wipe(bed.store[0], &bed.report), STATUS_OK);
    assert_string_equal(say(&bed, "SCAN 0"), "(2 items)");
    assert_string_equal(say(&bed, "EXISTS {test:3}:m {test:3}:t {test:3}:b:0 {test:3}:b:300"), "0");
    /* born again after it */
    meta = (struct store_meta){.buckets = 1, .watermark_ms = INT64_MIN, .last_offset = -1};
    populate(&bed, &meta, 100);
    /* a crash in the middle of a wipe: the next claim ends it and finds nothing */
    say(&bed, "HSET {test:3}:m format wiping");
    claim(&bed, 1, false, &meta);
    assert_string_equal(say(&bed, "EXISTS {test:3}:m {test:3}:t {test:3}:b:0 {test:3}:b:1"), "0");
    /* half a step that Redis ran when it read a torn append-only file: nothing of it is believed */
    meta = (struct store_meta){.buckets = 1, .watermark_ms = INT64_MIN, .last_offset = -1};
    claim(&bed, 0, false, &meta);
    populate(&bed, &meta, 100);
    assert_string_equal(say(&bed, "HGET {test:3}:m open"), "0");
    say(&bed, "HINCRBY {test:3}:m open 1");
    claim(&bed, 1, false, &meta);
    assert_string_equal(say(&bed, "EXISTS {test:3}:m {test:3}:t {test:3}:b:0 {test:3}:b:1"), "0");
    /* half of the very first step: a meta of nothing else */
    say(&bed, "HINCRBY {test:3}:m open 1");
    say(&bed, "HSET {test:3}:b:0 somebody record");
    claim(&bed, 0, false, &meta);
    assert_string_equal(say(&bed, "EXISTS {test:3}:m {test:3}:b:0"), "0");
    /* somebody deleted the meta by hand: what is left goes before a birth */
    claim(&bed, 0, false, &meta);
    populate(&bed, &meta, 6000);
    say(&bed, "DEL {test:3}:m");
    claim(&bed, 1, false, &meta);
    assert_string_equal(say(&bed, "EXISTS {test:3}:t {test:3}:b:0 {test:3}:b:370 {test:3}:l:370"),
                        "0");
    bed_close(&bed);
}

static void test_a_worker_that_lost_the_partition_cannot_wipe_it(void **state)
{
    struct store_meta meta, other;
    struct bed bed;

    (void)state;
    bed_open(&bed);
    claim(&bed, 0, false, &meta);
    populate(&bed, &meta, 100);
    store_generation(bed.store[1], 6);
    claim(&bed, 1, true, &other);
    assert_int_equal(store_wipe(bed.store[0], &bed.report), STATUS_STALE);
    assert_string_equal(say(&bed, "HGET {test:3}:m customers"), "100");
    bed_close(&bed);
}

static void test_the_server_must_be_a_primary_that_evicts_nothing(void **state)
{
    struct bed bed;

    (void)state;
    bed_open(&bed);
    assert_int_equal(store_server_check(&bed.redis[0], &bed.report), STATUS_OK);
    say(&bed, "CONFIG SET maxmemory-policy allkeys-lru");
    assert_int_equal(store_server_check(&bed.redis[0], &bed.report), STATUS_REJECT);
    assert_string_equal(bed.report.code, "redis-eviction");
    bed_close(&bed);
}

static void test_peek_and_read_only_handles_claim_nothing(void **state)
{
    struct store_blob blob = {.customer = SPAN_LITERAL("c7"),
                              .hash = store_customer_hash(SPAN_LITERAL("c7"))};
    struct store_meta meta, seen;
    struct store *reader;
    struct bed bed;
    bool present;

    (void)state;
    bed_open(&bed);
    assert_int_equal(store_peek(&bed.redis[2], "test", 3, &seen, &present, &bed.report), STATUS_OK);
    assert_false(present);
    claim(&bed, 0, false, &meta);
    populate(&bed, &meta, 40);
    assert_int_equal(store_peek(&bed.redis[2], "test", 3, &seen, &present, &bed.report), STATUS_OK);
    assert_true(present);
    assert_int_equal(seen.customers, 40);
    reader = store_open_readonly(bed.redis[2], "test", 3);
    assert_int_equal(store_load(reader, &seen, &blob, 1, &bed.arena, &bed.report), STATUS_OK);
    assert_true(span_is(blob.record, "record"));
    populate(&bed, &meta, 0); /* the position moves on: no matter to a reader */
    assert_int_equal(store_load(reader, &seen, &blob, 1, &bed.arena, &bed.report), STATUS_OK);
    seen.buckets--;
    assert_int_equal(store_load(reader, &seen, &blob, 1, &bed.arena, &bed.report), STATUS_STALE);
    store_close(reader);
    bed_close(&bed);
}

static void test_a_small_arena_is_refused_before_anything_is_sent(void **state)
{
    struct store_put put = put_of("anna", "record", 5, true);
    struct store_meta meta, next;
    struct store_step step = {.base = &meta, .next = &next, .puts = &put, .put_count = 1};
    struct arena small;
    struct bed bed;
    bool unknown;

    (void)state;
    bed_open(&bed);
    claim(&bed, 0, false, &meta);
    next = meta;
    next.at.offset = 1;
    arena_init(&small, 1024);
    assert_int_equal(store_commit_begin(bed.store[0], &step, &small, &bed.report), STATUS_FULL);
    assert_string_equal(say(&bed, "EXISTS {test:3}:m"), "0");
    arena_fini(&small);
    assert_int_equal(store_commit_begin(bed.store[0], &step, &bed.arena, &bed.report), STATUS_OK);
    assert_int_equal(store_commit_end(bed.store[0], &unknown, &bed.report), STATUS_OK);
    bed_close(&bed);
}

static void test_linear_hashing_moves_only_the_bucket_that_is_split(void **state)
{
    (void)state;
    for (uint32_t buckets = 1; buckets < 300; buckets++)
        for (uint64_t i = 0; i < 200; i++) {
            uint64_t hash = i * UINT64_C(0x9e3779b97f4a7c15);
            uint32_t before = store_bucket_of(hash, buckets),
                     after = store_bucket_of(hash, buckets + 1);

            assert_true(before < buckets);
            assert_true(after == before || after == buckets);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_birth_writes_nothing_until_the_first_commit),
        cmocka_unit_test(test_whoever_claims_last_is_the_only_one_to_commit),
        cmocka_unit_test(test_an_older_generation_of_the_group_may_not_claim),
        cmocka_unit_test(test_a_rollback_or_wipe_of_redis_is_noticed_by_reads_and_commits),
        cmocka_unit_test(test_a_reconnect_between_steps_looks_before_it_writes),
        cmocka_unit_test(test_settling_tells_applied_from_lost_and_stops_the_late_exec),
        cmocka_unit_test(test_refused_writes_say_why_and_the_same_step_succeeds_later),
        cmocka_unit_test(test_keys_of_another_kind_are_refused_with_words),
        cmocka_unit_test(test_what_holds_time_is_kept_and_may_be_missing_in_a_meta_of_before),
        cmocka_unit_test(test_customers_of_one_step_may_come_and_go),
        cmocka_unit_test(test_due_buckets_come_earliest_first_and_bounded),
        cmocka_unit_test(test_a_wipe_leaves_nothing_even_when_cut_short_in_the_middle),
        cmocka_unit_test(test_a_worker_that_lost_the_partition_cannot_wipe_it),
        cmocka_unit_test(test_the_server_must_be_a_primary_that_evicts_nothing),
        cmocka_unit_test(test_peek_and_read_only_handles_claim_nothing),
        cmocka_unit_test(test_a_small_arena_is_refused_before_anything_is_sent),
        cmocka_unit_test(test_linear_hashing_moves_only_the_bucket_that_is_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
