#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/mp.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define BYTES(bytes)                                                                               \
    {                                                                                              \
        "" bytes, sizeof(bytes) - 1                                                                \
    }

/* A reader over an exact heap copy, so that one byte too far is caught. */
static char *reader_open(struct mp_reader *reader, struct span bytes)
{
    char *copy = malloc(bytes.len ? bytes.len : 1);

    assert_non_null(copy);
    memcpy(copy, bytes.at, bytes.len);
    mp_reader_init(reader, (struct span){copy, bytes.len});
    return copy;
}

struct integer_row {
    const char *name;
    struct span bytes;
    bool as_i64, as_u64;
    int64_t value; /* the bits */
};

static const struct integer_row integer_rows[] = {
    {"fixint 0", BYTES("\x00"), true, true, 0},
    {"fixint 127", BYTES("\x7f"), true, true, 127},
    {"negative fixint -1", BYTES("\xff"), true, false, -1},
    {"negative fixint -32", BYTES("\xe0"), true, false, -32},
    {"uint8", BYTES("\xcc\xff"), true, true, 255},
    {"uint16", BYTES("\xcd\x01\x02"), true, true, 258},
    {"uint32", BYTES("\xce\xff\xff\xff\xff"), true, true, INT64_C(4294967295)},
    {"uint64 up to 2^63-1", BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), true, true, INT64_MAX},
    {"uint64 of 2^63", BYTES("\xcf\x80\x00\x00\x00\x00\x00\x00\x00"), false, true, INT64_MIN},
    {"int8", BYTES("\xd0\x80"), true, false, -128},
    {"int8, positive", BYTES("\xd0\x7f"), true, true, 127},
    {"int16", BYTES("\xd1\x80\x00"), true, false, -32768},
    {"int32", BYTES("\xd2\x80\x00\x00\x00"), true, false, INT32_MIN},
    {"int64", BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), true, false, INT64_MIN},
    {"uint8 cut", BYTES("\xcc"), false, false, 0},
    {"uint64 cut", BYTES("\xcf\x00\x00\x00\x00\x00\x00\x00"), false, false, 0},
    {"int64 cut", BYTES("\xd3\x00\x00\x00\x00\x00\x00\x00"), false, false, 0},
    {"a float", BYTES("\xca\x00\x00\x00\x00"), false, false, 0},
    {"nil", BYTES("\xc0"), false, false, 0},
    {"nothing", BYTES(""), false, false, 0},
};

static void test_integers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(integer_rows); i++) {
        const struct integer_row *row = &integer_rows[i];
        struct mp_reader reader;
        char *copy = reader_open(&reader, row->bytes);
        int64_t signed_value = mp_read_i64(&reader);
        uint64_t unsigned_value;

        if (!reader.fault != row->as_i64 || signed_value != (row->as_i64 ? row->value : 0))
            fail_msg("%s as i64", row->name);
        assert_ptr_equal(reader.at, reader.end);
        mp_reader_init(&reader, (struct span){copy, row->bytes.len});
        unsigned_value = mp_read_u64(&reader);
        if (!reader.fault != row->as_u64 ||
            unsigned_value != (row->as_u64 ? (uint64_t)row->value : 0))
            fail_msg("%s as u64", row->name);
        free(copy);
    }
}

struct double_row {
    const char *name;
    struct span bytes;
    bool good;
    double value;
};

static void test_doubles(void **state)
{
    static const struct double_row rows[] = {
        {"float64", BYTES("\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"), true, 1.5},
        {"float32", BYTES("\xca\xc0\x20\x00\x00"), true, -2.5},
        {"an integer", BYTES("\x07"), true, 7},
        {"a negative integer", BYTES("\xd1\xff\x00"), true, -256},
        {"a large unsigned", BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), true,
         18446744073709551615.0},
        {"NaN", BYTES("\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), false, 0},
        {"infinity", BYTES("\xca\x7f\x80\x00\x00"), false, 0},
        {"float64 cut", BYTES("\xcb\x3f\xf8\x00\x00\x00\x00\x00"), false, 0},
        {"float32 cut", BYTES("\xca\x3f\xf8\x00"), false, 0},
        {"an integer cut", BYTES("\xcd\x00"), false, 0},
        {"a string",
         BYTES("\xa1"
               "1"),
         false, 0},
        {"nothing", BYTES(""), false, 0},
    };

    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct mp_reader reader;
        char *copy = reader_open(&reader, rows[i].bytes);
        double value = mp_read_double(&reader);

        if (!reader.fault != rows[i].good || value != rows[i].value)
            fail_msg("%s: %g, %s", rows[i].name, value, reader.fault ? reader.fault : "no fault");
        free(copy);
    }
}

struct bytes_row {
    const char *name;
    struct span bytes;
    enum mp_type type;
    bool good;
    size_t len;
};

static const struct bytes_row bytes_rows[] = {
    {"fixstr of nothing", BYTES("\xa0"), MP_STR, true, 0},
    {"fixstr",
     BYTES("\xa3"
           "abc"),
     MP_STR, true, 3},
    {"fixstr cut",
     BYTES("\xa3"
           "ab"),
     MP_STR, false, 0},
    {"str8",
     BYTES("\xd9\x03"
           "abc"),
     MP_STR, true, 3},
    {"str8 without length", BYTES("\xd9"), MP_STR, false, 0},
    {"str16",
     BYTES("\xda\x00\x03"
           "abc"),
     MP_STR, true, 3},
    {"str32",
     BYTES("\xdb\x00\x00\x00\x03"
           "abc"),
     MP_STR, true, 3},
    {"str32 that claims 4 GB",
     BYTES("\xdb\xff\xff\xff\xff"
           "abc"),
     MP_STR, false, 0},
    {"bin8",
     BYTES("\xc4\x03"
           "abc"),
     MP_BIN, true, 3},
    {"bin16",
     BYTES("\xc5\x00\x03"
           "abc"),
     MP_BIN, true, 3},
    {"bin32",
     BYTES("\xc6\x00\x00\x00\x03"
           "abc"),
     MP_BIN, true, 3},
    {"bin32 cut",
     BYTES("\xc6\x00\x00\x00\x03"
           "ab"),
     MP_BIN, false, 0},
    {"bin32 without length", BYTES("\xc6\x00\x00"), MP_BIN, false, 0},
};

static void test_strings_and_binaries_are_borrowed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(bytes_rows); i++) {
        const struct bytes_row *row = &bytes_rows[i];
        struct mp_reader reader;
        char *copy = reader_open(&reader, row->bytes);
        struct span span;

        assert_int_equal(mp_peek(&reader), row->type);
        span = row->type == MP_STR ? mp_read_str(&reader) : mp_read_bin(&reader);
        if (!reader.fault != row->good || span.len != row->len)
            fail_msg("%s: %zu bytes, %s", row->name, span.len,
                     reader.fault ? reader.fault : "no fault");
        if (row->good)
            assert_ptr_equal(span.at, copy + row->bytes.len - row->len);
        mp_reader_init(&reader, (struct span){copy, row->bytes.len});
        span = row->type == MP_STR ? mp_read_bin(&reader) : mp_read_str(&reader);
        assert_non_null(reader.fault);
        assert_null(span.at);
        free(copy);
    }
}

struct container_row {
    const char *name;
    struct span bytes;
    enum mp_type type;
    bool good;
    uint32_t count;
};

static const struct container_row container_rows[] = {
    {"an empty array", BYTES("\x90"), MP_ARRAY, true, 0},
    {"an array of as many items as bytes", BYTES("\x92\x01\x02"), MP_ARRAY, true, 2},
    {"an array of one item more", BYTES("\x93\x01\x02"), MP_ARRAY, false, 0},
    {"array16", BYTES("\xdc\x00\x02\x01\x02"), MP_ARRAY, true, 2},
    {"array32", BYTES("\xdd\x00\x00\x00\x02\x01\x02"), MP_ARRAY, true, 2},
    {"the five bytes that claim 4 G items", BYTES("\xdd\xff\xff\xff\xff"), MP_ARRAY, false, 0},
    {"array32 cut in its count", BYTES("\xdd\x00\x00\x00"), MP_ARRAY, false, 0},
    {"an empty map", BYTES("\x80"), MP_MAP, true, 0},
    {"a map of as many pairs as bytes", BYTES("\x81\x01\x02"), MP_MAP, true, 1},
    {"a map of one pair more", BYTES("\x82\x01\x02\x03"), MP_MAP, false, 0},
    {"map16", BYTES("\xde\x00\x01\x01\x02"), MP_MAP, true, 1},
    {"map32", BYTES("\xdf\x00\x00\x00\x01\x01\x02"), MP_MAP, true, 1},
    {"map32 that claims 4 G pairs", BYTES("\xdf\xff\xff\xff\xff\x01"), MP_MAP, false, 0},
};

static void test_containers_never_claim_more_than_the_bytes_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(container_rows); i++) {
        const struct container_row *row = &container_rows[i];
        struct mp_reader reader;
        char *copy = reader_open(&reader, row->bytes);
        uint32_t count;

        assert_int_equal(mp_peek(&reader), row->type);
        count = row->type == MP_ARRAY ? mp_read_array(&reader) : mp_read_map(&reader);
        if (!reader.fault != row->good || count != row->count)
            fail_msg("%s: %u", row->name, count);
        mp_reader_init(&reader, (struct span){copy, row->bytes.len});
        count = row->type == MP_ARRAY ? mp_read_map(&reader) : mp_read_array(&reader);
        assert_non_null(reader.fault);
        assert_int_equal(count, 0);
        free(copy);
    }
}

static void test_nil_and_booleans(void **state)
{
    struct mp_reader reader;

    (void)state;
    mp_reader_init(&reader, SPAN_LITERAL("\xc0\xc3\xc2\x01"));
    assert_int_equal(mp_peek(&reader), MP_NIL);
    assert_true(mp_read_nil(&reader));
    assert_false(mp_read_nil(&reader));
    assert_int_equal(mp_peek(&reader), MP_BOOL);
    assert_true(mp_read_bool(&reader));
    assert_false(mp_read_bool(&reader));
    assert_null(reader.fault);
    assert_false(mp_read_bool(&reader));
    assert_non_null(reader.fault);
    assert_false(mp_read_nil(&reader));
}

static void test_the_first_fault_stays_and_all_later_reads_give_nothing(void **state)
{
    struct mp_reader reader;

    (void)state;
    mp_reader_init(&reader, SPAN_LITERAL("\x01\x02\x03"));
    mp_fault(&reader, "first");
    mp_fault(&reader, "second");
    assert_int_equal(mp_peek(&reader), MP_END);
    assert_int_equal(mp_read_i64(&reader), 0);
    assert_int_equal(mp_read_array(&reader), 0);
    assert_null(mp_read_str(&reader).at);
    mp_skip(&reader);
    assert_string_equal(reader.fault, "first");
}

static void test_absent_bytes_read_as_none(void **state)
{
    struct mp_reader reader;

    (void)state;
    mp_reader_init(&reader, SPAN_ABSENT);
    assert_int_equal(mp_peek(&reader), MP_END);
    assert_int_equal(mp_read_i64(&reader), 0);
    assert_non_null(reader.fault);
}

struct skip_row {
    const char *name;
    struct span bytes;
    bool good;
};

static const struct skip_row skip_rows[] = {
    {"nil", BYTES("\xc0"), true},
    {"a boolean", BYTES("\xc3"), true},
    {"a fixint", BYTES("\x05"), true},
    {"a uint32", BYTES("\xce\x00\x00\x00\x01"), true},
    {"a float32", BYTES("\xca\x00\x00\x00\x00"), true},
    {"a NaN is skipped", BYTES("\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), true},
    {"a string",
     BYTES("\xa2"
           "ab"),
     true},
    {"a binary",
     BYTES("\xc4\x01"
           "a"),
     true},
    {"fixext1",
     BYTES("\xd4\x05"
           "a"),
     true},
    {"fixext16",
     BYTES("\xd8\x05"
           "0123456789abcdef"),
     true},
    {"fixext16 cut",
     BYTES("\xd8\x05"
           "0123456789abcde"),
     false},
    {"ext8",
     BYTES("\xc7\x02\x05"
           "ab"),
     true},
    {"ext8 cut",
     BYTES("\xc7\x02\x05"
           "a"),
     false},
    {"ext16",
     BYTES("\xc8\x00\x02\x05"
           "ab"),
     true},
    {"ext32",
     BYTES("\xc9\x00\x00\x00\x02\x05"
           "ab"),
     true},
    {"ext32 that claims 4 GB",
     BYTES("\xc9\xff\xff\xff\xff\x05"
           "ab"),
     false},
    {"an array of a map of an array",
     BYTES("\x92\x81\xa1"
           "a"
           "\x92\x01\x02\xc0"),
     true},
    {"an array that lacks an item", BYTES("\x92\x91\x01"), false},
    {"arrays eight deep", BYTES("\x91\x91\x91\x91\x91\x91\x91\x90"), true},
    {"arrays nine deep", BYTES("\x91\x91\x91\x91\x91\x91\x91\x91\x90"), false},
    {"eight deep twice", BYTES("\x92\x91\x91\x91\x91\x91\x91\x90\x91\x91\x91\x91\x91\x91\x90"),
     true},
    {"the unused tag", BYTES("\xc1"), false},
    {"the unused tag inside", BYTES("\x91\xc1"), false},
    {"nothing", BYTES(""), false},
};

static void test_skip_passes_one_item_of_any_type(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(skip_rows); i++) {
        struct mp_reader reader;
        char *copy = reader_open(&reader, skip_rows[i].bytes);

        mp_skip(&reader);
        if (!reader.fault != skip_rows[i].good)
            fail_msg("%s: %s", skip_rows[i].name, reader.fault ? reader.fault : "no fault");
        assert_ptr_equal(reader.at, reader.end);
        free(copy);
    }
}

static void test_skip_leaves_what_follows(void **state)
{
    struct mp_reader reader;

    (void)state;
    mp_reader_init(&reader, SPAN_LITERAL("\x92\x01\x02\x07"));
    mp_skip(&reader);
    assert_int_equal(mp_read_i64(&reader), 7);
    assert_null(reader.fault);
}

static void test_random_bytes_never_read_beyond_their_end(void **state)
{
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char bytes[24];
        struct mp_reader reader;
        char *copy;

        for (size_t i = 0; i < sizeof(bytes); i++) {
            seed = seed * 1664525 + 1013904223;
            bytes[i] = (char)(seed >> 24);
        }
        copy = reader_open(&reader, (struct span){bytes, seed % (sizeof(bytes) + 1)});
        while (!reader.fault && mp_peek(&reader) != MP_END)
            mp_skip(&reader);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_strings_and_binaries_are_borrowed),
        cmocka_unit_test(test_containers_never_claim_more_than_the_bytes_hold),
        cmocka_unit_test(test_nil_and_booleans),
        cmocka_unit_test(test_the_first_fault_stays_and_all_later_reads_give_nothing),
        cmocka_unit_test(test_absent_bytes_read_as_none),
        cmocka_unit_test(test_skip_passes_one_item_of_any_type),
        cmocka_unit_test(test_skip_leaves_what_follows),
        cmocka_unit_test(test_random_bytes_never_read_beyond_their_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
