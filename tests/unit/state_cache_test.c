#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "state/cache.h"
#include "state/store.h"

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (seed >> 9) % below;
}

struct name {
    char at[24];
    struct span span;
    uint64_t hash;
};

static void name_of(size_t number, struct name *ret_name)
{
    ret_name->span = (struct span){
        ret_name->at, (size_t)snprintf(ret_name->at, sizeof ret_name->at, "customer-%zu", number)};
    ret_name->hash = store_customer_hash(ret_name->span);
}

/* Bytes that tell their number and version. */
static struct span bytes_of(char *buffer, size_t number, uint32_t version, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buffer[i] = (char)(number * 31 + version * 7 + i);
    return (struct span){buffer, len};
}

static void put(struct cache *cache, size_t number, struct span record, struct span ledger)
{
    struct name name;

    name_of(number, &name);
    cache_put(cache, (int32_t)(number % 3), name.hash, name.span, record, ledger);
}

static bool get(struct cache *cache, size_t number, struct span *ret_record,
                struct span *ret_ledger)
{
    struct name name;

    name_of(number, &name);
    cache_prefetch(cache, (int32_t)(number % 3), name.hash);
    return cache_get(cache, (int32_t)(number % 3), name.hash, name.span, ret_record, ret_ledger);
}

static void test_what_is_put_is_got_until_it_is_replaced_or_dropped(void **state)
{
    struct cache *cache = cache_open(1 << 20);
    struct span record, ledger;
    struct cache_stats stats;

    (void)state;
    assert_false(get(cache, 1, &record, &ledger));
    put(cache, 1, SPAN_LITERAL("record"), SPAN_LITERAL("ledger"));
    assert_true(get(cache, 1, &record, &ledger));
    assert_true(span_is(record, "record"));
    assert_true(span_is(ledger, "ledger"));
    put(cache, 1,
        SPAN_LITERAL("a much longer record than it was before, so that it has to move away"),
        SPAN_ABSENT);
    assert_true(get(cache, 1, &record, &ledger));
    assert_int_equal(record.len, 68);
    assert_true(span_is(ledger, "ledger")); /* NULL keeps it */
    put(cache, 1, SPAN_LITERAL("short"), SPAN_LITERAL(""));
    assert_true(get(cache, 1, &record, &ledger));
    assert_true(span_is(record, "short"));
    assert_non_null(ledger.at);
    assert_int_equal(ledger.len, 0);
    put(cache, 2, SPAN_ABSENT, SPAN_ABSENT); /* known to be absent */
    assert_true(get(cache, 2, &record, &ledger));
    assert_null(record.at);
    put(cache, 2, SPAN_LITERAL("born"), SPAN_ABSENT); /* its ledger is known to be empty */
    assert_true(get(cache, 2, &record, &ledger));
    assert_true(span_is(record, "born"));
    put(cache, 4, SPAN_LITERAL("record"), SPAN_ABSENT); /* an unknown ledger is not an empty one */
    assert_false(get(cache, 4, &record, &ledger));
    cache_drop_partition(cache, 1); /* 1 and 4 */
    assert_false(get(cache, 1, &record, &ledger));
    assert_true(get(cache, 2, &record, &ledger));
    cache_stats(cache, &stats);
    assert_int_equal(stats.entries, 1);
    assert_int_equal(stats.misses, 3);
    assert_int_equal(stats.hits, 6);
    cache_close(cache);
}

static void test_equal_ids_of_two_partitions_are_two_customers(void **state)
{
    struct cache *cache = cache_open(1 << 20);
    struct span record, ledger, id = SPAN_LITERAL("same");
    uint64_t hash = store_customer_hash(id);

    (void)state;
    cache_put(cache, 0, hash, id, SPAN_LITERAL("zero"), SPAN_LITERAL(""));
    cache_put(cache, 1, hash, id, SPAN_LITERAL("one"), SPAN_LITERAL(""));
    assert_true(cache_get(cache, 0, hash, id, &record, &ledger));
    assert_true(span_is(record, "zero"));
    assert_true(cache_get(cache, 1, hash, id, &record, &ledger));
    assert_true(span_is(record, "one"));
    /* and equal hashes of two customers too */
    cache_put(cache, 1, hash, SPAN_LITERAL("other"), SPAN_LITERAL("two"), SPAN_LITERAL(""));
    assert_true(cache_get(cache, 1, hash, id, &record, &ledger));
    assert_true(span_is(record, "one"));
    cache_close(cache);
}

/* Whatever is evicted, what is found is what was put last; the bound holds all the time. */
static void test_random_use_never_gives_an_old_or_foreign_record(void **state)
{
    enum { PEOPLE = 3000 };
    static uint32_t record_version[PEOPLE], ledger_version[PEOPLE];
    static size_t record_len[PEOPLE], ledger_len[PEOPLE];
    static const size_t bounds[] = {64 << 10, 200 << 10, 1 << 20};
    char record_bytes[4096], ledger_bytes[9000], expected[9000];

    (void)state;
    for (size_t b = 0; b < sizeof bounds / sizeof *bounds; b++) {
        struct cache *cache = cache_open(bounds[b]);
        struct cache_stats stats;
        size_t found = 0;

        seed = 0x9e3779b97f4a7c15 + b;
        memset(record_version, 0, sizeof record_version);
        for (int i = 0; i < 30000; i++) {
            size_t who = draw(2) ? draw(PEOPLE / 10) : draw(PEOPLE);
            struct span record, ledger;

            if (draw(2) && get(cache, who, &record, &ledger)) {
                found++;
                assert_true(record_version[who] > 0);
                assert_true(span_equal(
                    record, bytes_of(expected, who, record_version[who], record_len[who])));
                assert_true(span_equal(
                    ledger, bytes_of(expected, who + 1, ledger_version[who], ledger_len[who])));
            } else if (draw(4) == 0 && get(cache, who, &record, &ledger)) { /* the record alone */
                record_len[who] = draw(20) ? 100 + draw(200) : draw(4096);
                put(cache, who, bytes_of(record_bytes, who, ++record_version[who], record_len[who]),
                    SPAN_ABSENT);
            } else {
                record_len[who] = draw(20) ? 100 + draw(200) : draw(4096);
                ledger_len[who] = draw(20) ? 10 + draw(100) : draw(9000);
                put(cache, who, bytes_of(record_bytes, who, ++record_version[who], record_len[who]),
                    bytes_of(ledger_bytes, who + 1, ++ledger_version[who], ledger_len[who]));
            }
            if (draw(3000) == 0)
                cache_drop_partition(cache, (int32_t)draw(3));
            cache_stats(cache, &stats);
            assert_true(stats.bytes <= bounds[b]);
        }
        assert_true(found > 1000);
        assert_true(stats.evictions > 0);
        cache_close(cache);
    }
}

/* A tenth of the customers is used all the time, the others once: the tenth stays. */
static void test_what_is_used_survives_what_passes_by(void **state)
{
    struct cache *cache = cache_open(256 << 10);
    char bytes[256];
    struct span record, ledger;
    size_t hot = 0;

    (void)state;
    for (size_t i = 0; i < 100; i++)
        put(cache, i, bytes_of(bytes, i, 1, 200), SPAN_LITERAL(""));
    for (size_t i = 1000; i < 6000; i++) {
        put(cache, i, bytes_of(bytes, i, 1, 200), SPAN_LITERAL(""));
        if (i % 2)
            (void)!get(cache, i / 2 % 100, &record, &ledger);
    }
    for (size_t i = 0; i < 100; i++)
        hot += get(cache, i, &record, &ledger);
    assert_true(hot >= 90); /* one entry a lap of the ring is evicted whatever its use */
    cache_close(cache);
}

static void test_two_hundred_thousand_customers_fit_in_90_mb(void **state)
{
    struct cache *cache = cache_open((size_t)90 << 20);
    char bytes[256];
    struct span record, ledger;
    struct cache_stats stats;

    (void)state;
    for (size_t i = 0; i < 200000; i++)
        put(cache, i, bytes_of(bytes, i, 1, 190), bytes_of(bytes, i, 1, 60));
    cache_stats(cache, &stats);
    assert_int_equal(stats.entries, 200000);
    assert_int_equal(stats.evictions, 0);
    assert_true(stats.bytes <= (size_t)90 << 20);
    for (size_t i = 0; i < 200000; i += 997)
        assert_true(get(cache, i, &record, &ledger));
    print_message("%zu bytes an entry\n", stats.bytes / stats.entries);
    cache_drop_partition(cache, 0);
    cache_drop_partition(cache, 1);
    cache_drop_partition(cache, 2);
    cache_stats(cache, &stats);
    assert_int_equal(stats.entries, 0);
    cache_close(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_put_is_got_until_it_is_replaced_or_dropped),
        cmocka_unit_test(test_equal_ids_of_two_partitions_are_two_customers),
        cmocka_unit_test(test_random_use_never_gives_an_old_or_foreign_record),
        cmocka_unit_test(test_what_is_used_survives_what_passes_by),
        cmocka_unit_test(test_two_hundred_thousand_customers_fit_in_90_mb),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
