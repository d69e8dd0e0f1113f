/* Random steps against a model that is a plain array: whatever the steps were, every customer is
 * found as it was last put, nobody else is, the timer index is never later than the truth, and the
 * count is right. On the in-process Redis and on a real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "state/redis_memory.h"
#include "state/store.h"
#include "state_redis_server.h"

#define PEOPLE 3000

struct person {
    char name[24];
    bool present;
    uint32_t version, ledger; /* of record and ledger */
    int64_t due_ms;
};

struct world {
    struct redis redis;
    struct store *store;
    struct store_meta meta;
    struct person person[PEOPLE];
    int64_t present;
    struct arena arena;
    struct report report;
    uint64_t seed;
};

static uint64_t draw(struct world *world, uint64_t below)
{
    world->seed ^= world->seed << 13;
    world->seed ^= world->seed >> 7;
    world->seed ^= world->seed << 17;
    return (world->seed >> 11) % below;
}

static struct span value_of(struct arena *arena, const char *kind, const struct person *person,
                            uint32_t version)
{
    char *text = arena_alloc(arena, 64);

    return (struct span){
        text, (size_t)snprintf(text, 64, "%s of %s, version %u", kind, person->name, version)};
}

static void put_random(struct world *world, struct store_put *put, struct person *person)
{
    bool gone = draw(world, 8) == 0;

    *put = (struct store_put){.customer = span_of(person->name),
                              .hash = store_customer_hash(span_of(person->name)),
                              .created = !person->present,
                              .due_ms = draw(world, 5) ? (int64_t)draw(world, 1000000) : INT64_MAX};
    world->present += (gone ? 0 : 1) - (person->present ? 1 : 0);
    if (gone) {
        person->present = false;
        return;
    }
    put->record = value_of(&world->arena, "record", person, ++person->version);
    if (!person->present || draw(world, 2) == 0)
        put->ledger = value_of(&world->arena, "ledger", person, ++person->ledger);
    person->present = true;
    person->due_ms = put->due_ms;
}

/* Sweeps some due buckets: sets their entries to what their customers (after the puts) really need.
 */
static size_t sweep_some(struct world *world, struct store_sweep *sweeps, int64_t until_ms)
{
    struct store_bucket *buckets;
    size_t count;
    int64_t next_ms;

    assert_int_equal(store_load_due(world->store, &world->meta, until_ms, 5, &world->arena,
                                    &buckets, &count, &next_ms, &world->report),
                     STATUS_OK);
    for (size_t i = 0; i < count; i++)
        sweeps[i] = (struct store_sweep){buckets[i].number, INT64_MAX};
    for (size_t p = 0; p < PEOPLE; p++) {
        const struct person *person = &world->person[p];
        uint32_t bucket =
            store_bucket_of(store_customer_hash(span_of(person->name)), world->meta.buckets);

        for (size_t i = 0; i < count && person->present; i++)
            if (bucket == sweeps[i].number && person->due_ms < sweeps[i].due_ms)
                sweeps[i].due_ms = person->due_ms;
    }
    return count;
}

static void step_random(struct world *world, size_t range)
{
    size_t count = draw(world, 3) ? draw(world, 20) : draw(world, range);
    struct store_put *puts;
    bool *taken;
    struct store_sweep sweeps[5];
    struct store_meta next = world->meta;
    struct store_step step = {.base = &world->meta, .next = &next, .puts = NULL};
    bool unknown;

    arena_reset(&world->arena);
    puts = arena_alloc(&world->arena, (count + 1) * sizeof *puts);
    taken = arena_zalloc(&world->arena, PEOPLE);
    for (size_t i = 0; i < count; i++) {
        size_t who = draw(world, range);

        if (!taken[who])
            put_random(world, &puts[step.put_count++], &world->person[who]);
        taken[who] = true;
    }
    step.puts = puts;
    if (draw(world, 2)) {
        step.sweeps = sweeps;
        step.sweep_count = sweep_some(world, sweeps, (int64_t)draw(world, 1000000));
    }
    step.due_all = draw(world, 30) == 0;
    next.watermark_ms = (int64_t)draw(world, 1000000);
    next.at.offset += 1 + (int64_t)draw(world, 3);
    next.at.control += (int64_t)draw(world, 2);
    assert_int_equal(store_commit_begin(world->store, &step, &world->arena, &world->report),
                     STATUS_OK);
    assert_int_equal(store_commit_end(world->store, &unknown, &world->report), STATUS_OK);
    world->meta = next;
    assert_int_equal(next.customers, world->present);
}

static void check_by_name(struct world *world)
{
    struct store_blob *blobs;

    arena_reset(&world->arena);
    blobs = arena_zalloc(&world->arena, PEOPLE * sizeof *blobs);
    for (size_t p = 0; p < PEOPLE; p++) {
        blobs[p].customer = span_of(world->person[p].name);
        blobs[p].hash = store_customer_hash(blobs[p].customer);
    }
    assert_int_equal(
        store_load(world->store, &world->meta, blobs, PEOPLE, &world->arena, &world->report),
        STATUS_OK);
    for (size_t p = 0; p < PEOPLE; p++) {
        const struct person *person = &world->person[p];

        assert_int_equal(blobs[p].record.at != NULL, person->present);
        assert_int_equal(blobs[p].ledger.at != NULL, person->present);
        if (!person->present)
            continue;
        assert_true(span_equal(blobs[p].record,
                               value_of(&world->arena, "record", person, person->version)));
        assert_true(
            span_equal(blobs[p].ledger, value_of(&world->arena, "ledger", person, person->ledger)));
    }
}

/* The earliest index entry of each bucket by asking for what is due: everybody due must be in a
 * bucket that comes back. */
static void check_by_time(struct world *world)
{
    int64_t until_ms = (int64_t)draw(world, 1000000), next_ms;
    struct store_bucket *buckets;
    bool *due;
    size_t count;

    arena_reset(&world->arena);
    due = arena_zalloc(&world->arena, world->meta.buckets);
    assert_int_equal(store_load_due(world->store, &world->meta, until_ms, world->meta.buckets,
                                    &world->arena, &buckets, &count, &next_ms, &world->report),
                     STATUS_OK);
    for (size_t i = 0; i < count; i++)
        due[buckets[i].number] = true;
    assert_true(next_ms > until_ms);
    for (size_t p = 0; p < PEOPLE; p++)
        if (world->person[p].present && world->person[p].due_ms <= until_ms)
            assert_true(due[store_bucket_of(store_customer_hash(span_of(world->person[p].name)),
                                            world->meta.buckets)]);
}

static void check_by_bucket(struct world *world)
{
    int64_t found = 0;

    for (uint32_t number = 0; number < world->meta.buckets; number++) {
        struct store_bucket bucket;

        arena_reset(&world->arena);
        assert_int_equal(store_load_bucket(world->store, &world->meta, number, &world->arena,
                                           &bucket, &world->report),
                         STATUS_OK);
        found += (int64_t)bucket.count;
    }
    assert_int_equal(found, world->present);
    assert_true(world->meta.customers <= (int64_t)world->meta.buckets * STORE_BUCKET_TARGET);
}

static void run(struct redis redis, uint64_t seed, int steps)
{
    static struct world world;
    bool present;

    world = (struct world){.redis = redis, .seed = seed};
    arena_init(&world.arena, 256 << 20);
    for (size_t p = 0; p < PEOPLE; p++)
        snprintf(world.person[p].name, sizeof world.person[p].name, "customer-%zu", p);
    world.store = store_open(
        redis,
        &(struct store_options){.app = "property", .partition = 0, .token = "t", .generation = 1});
    assert_int_equal(store_claim(world.store, &world.meta, &present, &world.report), STATUS_OK);
    assert_false(present);
    for (int i = 0; i < steps; i++) {
        step_random(&world, i < steps / 2 ? PEOPLE / 20 : PEOPLE);
        if (draw(&world, 6) == 0)
            redis.close(redis.self); /* a reconnect changes nothing */
        if (i % 7 == 0)
            check_by_name(&world);
        check_by_time(&world);
    }
    check_by_name(&world);
    check_by_bucket(&world);
    assert_int_equal(store_wipe(world.store, &world.report), STATUS_OK);
    store_close(world.store);
    arena_fini(&world.arena);
}

static void test_random_steps_in_process(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct redis_memory *server = redis_memory_open();
        struct redis_memory_conn *conn = redis_memory_connect(server);

        run(redis_memory_port(conn), seed * UINT64_C(0x9e3779b97f4a7c15), 40);
        redis_memory_disconnect(conn);
        redis_memory_close(server);
    }
}

static void test_random_steps_on_a_real_server(void **state)
{
    struct redis_server server;
    struct redis_client *client;
    struct report report;

    (void)state;
    if (!redis_server_installed()) {
        print_message("redis-server is not installed: skipped\n");
        skip();
    }
    assert_true(redis_server_start(&server, NULL));
    assert_int_equal(redis_client_open(&server.options, &client, &report), STATUS_OK);
    for (uint64_t seed = 1; seed <= 2; seed++)
        run(redis_client_port(client), seed * UINT64_C(0xbf58476d1ce4e5b9), 40);
    redis_client_close(client);
    redis_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_steps_in_process),
        cmocka_unit_test(test_random_steps_on_a_real_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
