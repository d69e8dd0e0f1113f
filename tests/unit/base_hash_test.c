#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"

/* XXH3_64bits of the xxHash reference (tests/sanity_test_vectors and xxhsum -H3). */
static void test_xxh3_gives_the_published_values(void **state)
{
    (void)state;
    assert_int_equal(hash_bytes(SPAN_LITERAL(""), 0), UINT64_C(0x2d06800538d394c2));
    assert_int_equal(hash_bytes(SPAN_ABSENT, 0), UINT64_C(0x2d06800538d394c2));
    assert_int_equal(hash_bytes(SPAN_LITERAL("abc"), 0), UINT64_C(0x78af5f94892f3950));
    assert_true(hash_bytes(SPAN_LITERAL("abc"), 1) != hash_bytes(SPAN_LITERAL("abc"), 0));
}

static void test_a_pair_is_not_confused_with_another_split(void **state)
{
    uint64_t split = hash_pair(SPAN_LITERAL("ab"), SPAN_LITERAL("c"));

    (void)state;
    assert_int_equal(split, hash_pair(SPAN_LITERAL("ab"), SPAN_LITERAL("c")));
    assert_true(split != hash_pair(SPAN_LITERAL("a"), SPAN_LITERAL("bc")));
    assert_true(split != hash_pair(SPAN_LITERAL("abc"), SPAN_LITERAL("")));
    assert_true(split != hash_pair(SPAN_LITERAL(""), SPAN_LITERAL("abc")));
    assert_true(split != hash_pair(SPAN_LITERAL("c"), SPAN_LITERAL("ab")));
}

/* Fingerprints live in Redis and Kafka: this value may never change. */
static void test_the_fingerprint_of_a_pair_never_changes(void **state)
{
    (void)state;
    assert_int_equal(hash_pair(SPAN_LITERAL("shop"), SPAN_LITERAL("order-1")),
                     UINT64_C(0xd953658bb5d50aec));
}

struct murmur_row {
    const char *key;
    int32_t hash;
};

/* org.apache.kafka.common.utils.UtilsTest.testMurmur2 */
static const struct murmur_row murmur_rows[] = {
    {"21", -973932308},
    {"foobar", -790332482},
    {"a-little-bit-long-string", -985981536},
    {"a-little-bit-longer-string", -1486304829},
    {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
    {"abc", 479470107},
};

static void test_murmur2_gives_the_values_of_the_java_client(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(murmur_rows) / sizeof(murmur_rows[0]); i++) {
        int32_t positive = murmur_rows[i].hash & INT32_MAX;
        struct span key = span_of(murmur_rows[i].key);

        /* Modulo the largest bound shows the whole hash, a small one shows the use. */
        assert_int_equal(hash_partition_murmur2(key, INT32_MAX), positive % INT32_MAX);
        assert_int_equal(hash_partition_murmur2(key, 12), positive % 12);
        assert_int_equal(hash_partition_murmur2(key, 1), 0);
    }
}

struct crc_row {
    const char *key;
    uint32_t crc;
};

/* The check value of CRC-32/ISO-HDLC and values of zlib's crc32(). */
static const struct crc_row crc_rows[] = {
    {"", 0},
    {"123456789", 0xcbf43926},
    {"a", 0xe8b7be43},
    {"The quick brown fox jumps over the lazy dog", 0x414fa339},
};

static void test_crc32_is_taken_unsigned_as_librdkafka_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(crc_rows) / sizeof(crc_rows[0]); i++) {
        static const int32_t counts[] = {1, 12, 97, INT32_MAX};

        for (size_t j = 0; j < sizeof(counts) / sizeof(counts[0]); j++)
            assert_int_equal(hash_partition_crc32(span_of(crc_rows[i].key), counts[j]),
                             crc_rows[i].crc % (uint32_t)counts[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xxh3_gives_the_published_values),
        cmocka_unit_test(test_a_pair_is_not_confused_with_another_split),
        cmocka_unit_test(test_the_fingerprint_of_a_pair_never_changes),
        cmocka_unit_test(test_murmur2_gives_the_values_of_the_java_client),
        cmocka_unit_test(test_crc32_is_taken_unsigned_as_librdkafka_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
