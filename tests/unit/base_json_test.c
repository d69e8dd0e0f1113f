#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <float.h>
#include <stdlib.h>

#include "base/json.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* A reader over an exact heap copy, so that one byte too far is caught. */
static char *reader_open(struct json_reader *reader, struct arena *scratch, struct span text)
{
    char *copy = malloc(text.len ? text.len : 1);

    assert_non_null(copy);
    memcpy(copy, text.at, text.len);
    json_reader_init(reader, (struct span){copy, text.len}, scratch);
    return copy;
}

struct text_row {
    const char *name, *text;
    bool good;
};

static const struct text_row text_rows[] = {
    {"null", "null", true},
    {"true", "true", true},
    {"false", " false ", true},
    {"a word cut", "tru", false},
    {"a word too long", "nullx", false},
    {"a word in capitals", "True", false},
    {"an integer", "0", true},
    {"a negative", "-1", true},
    {"minus zero", "-0", true},
    {"a fraction", "1.25", true},
    {"an exponent", "1e5", true},
    {"an exponent with sign", "1E+05", true},
    {"a leading zero", "01", false},
    {"a leading zero after minus", "-01", false},
    {"a plus", "+1", false},
    {"a lone minus", "-", false},
    {"a dot at the end", "1.", false},
    {"a dot at the start", ".5", false},
    {"an exponent of nothing", "1e", false},
    {"an exponent of a sign", "1e-", false},
    {"hexadecimal", "0x1", false},
    {"NaN", "NaN", false},
    {"infinity", "-Infinity", false},
    {"a string", "\"a\"", true},
    {"an empty string", "\"\"", true},
    {"a string without end", "\"a", false},
    {"a quote alone", "\"", false},
    {"a string that ends in a backslash", "\"a\\", false},
    {"a string whose end is escaped", "\"a\\\"", false},
    {"a tab in a string", "\"a\tb\"", false},
    {"a line feed far into a string", "\"0123456789abcdef\n\"", false},
    {"byte 0x1f in a string", "\"\x1f\"", false},
    {"byte 0x20 in a string", "\"\x20\"", true},
    {"an unknown escape", "\"\\x\"", false},
    {"u without digits", "\"\\u12\"", false},
    {"u with a wrong digit", "\"\\u12g4\"", false},
    {"a high surrogate alone", "\"\\ud800\"", false},
    {"a low surrogate alone", "\"\\udc00\"", false},
    {"two high surrogates", "\"\\ud800\\ud800\"", false},
    {"a surrogate pair", "\"\\ud83d\\ude00\"", true},
    {"an empty array", "[]", true},
    {"an empty array with a space", "[ ]", true},
    {"an array", "[1, 2,3 ]", true},
    {"a comma at the end", "[1,]", false},
    {"a comma at the start", "[,1]", false},
    {"two commas", "[1,,2]", false},
    {"no comma", "[1 2]", false},
    {"an array without end", "[1", false},
    {"an array that a brace closes", "[1}", false},
    {"an empty object", "{}", true},
    {"an object", "{\"a\":1,\"b\" : [] , \"c\":{}}", true},
    {"a comma at an object's end", "{\"a\":1,}", false},
    {"a comma in an empty object", "{,}", false},
    {"no colon", "{\"a\" 1}", false},
    {"no value", "{\"a\":}", false},
    {"no value at the end", "{\"a\":", false},
    {"a name that is no string", "{1:1}", false},
    {"a name without quotes", "{a:1}", false},
    {"no comma in an object", "{\"a\":1 \"b\":2}", false},
    {"an object that a bracket closes", "{\"a\":1]", false},
    {"an object without end", "{\"a\":1", false},
    {"an empty member after an empty one", "[[],[]]", true},
    {"no comma after an empty array", "[[][]]", false},
    {"a comma after an empty array", "[[],]", false},
    {"eight deep", "[[[[[[[[1]]]]]]]]", true},
    {"nine deep", "[[[[[[[[[1]]]]]]]]]", false},
    {"mixed, nine deep", "{\"a\":[[[[[[[[1]]]]]]]]}", false},
    {"eight deep twice", "[[[[[[[[]]]]]]],[[[[[[[]]]]]]]]", true},
    {"all white space", " \t\r\n[ \t\r\n1 \t\r\n, \t\r\n2 \t\r\n] \t\r\n", true},
    {"another white space", "[1,\f2]", false},
    {"a comment", "[1/* one */]", false},
    {"two values", "1 2", false},
    {"nothing", "", false},
    {"white space only", "  ", false},
    {"a byte order mark",
     "\xef\xbb\xbf"
     "1",
     false},
    {"single quotes", "'a'", false},
};

static void test_texts_are_read_as_rfc_8259(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < ROWS(text_rows); i++) {
        struct json_reader reader;
        char *copy = reader_open(&reader, &arena, span_of(text_rows[i].text));

        json_skip(&reader);
        json_finish(&reader);
        if (!reader.fault != text_rows[i].good)
            fail_msg("%s: %s", text_rows[i].name, reader.fault ? reader.fault : "no fault");
        assert_true(reader.at <= reader.end);
        arena_reset(&arena);
        free(copy);
    }
    arena_fini(&arena);
}

struct string_row {
    const char *name, *text;
    struct span value;
};

#define VALUE(bytes)                                                                               \
    {                                                                                              \
        "" bytes, sizeof(bytes) - 1                                                                \
    }

static const struct string_row string_rows[] = {
    {"every short escape", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", VALUE("\"\\/\b\f\n\r\t")},
    {"one byte", "\"\\u0041\"", VALUE("A")},
    {"a NUL", "\"a\\u0000b\"", VALUE("a\0b")},
    {"the last of one byte", "\"\\u007f\"", VALUE("\x7f")},
    {"the first of two", "\"\\u0080\"", VALUE("\xc2\x80")},
    {"the last of two", "\"\\u07FF\"", VALUE("\xdf\xbf")},
    {"the first of three", "\"\\u0800\"", VALUE("\xe0\xa0\x80")},
    {"the last before the surrogates", "\"\\ud7ff\"", VALUE("\xed\x9f\xbf")},
    {"the first after the surrogates", "\"\\ue000\"", VALUE("\xee\x80\x80")},
    {"the first pair", "\"\\ud800\\udc00\"", VALUE("\xf0\x90\x80\x80")},
    {"the last pair", "\"\\udbff\\udfff\"", VALUE("\xf4\x8f\xbf\xbf")},
    {"text on both sides", "\"0123456789\\n0123456789\"", VALUE("0123456789\n0123456789")},
    {"escapes at both ends", "\"\\tx\\t\"", VALUE("\tx\t")},
    {"Chinese as it stands", "\"\xe5\xbe\xae\xe4\xbf\xa1\"", VALUE("\xe5\xbe\xae\xe4\xbf\xa1")},
};

static void test_escapes_are_decoded(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < ROWS(string_rows); i++) {
        struct json_reader reader;
        char *copy = reader_open(&reader, &arena, span_of(string_rows[i].text));
        struct span value = json_read_string(&reader);

        json_finish(&reader);
        if (reader.fault || !span_equal(value, string_rows[i].value))
            fail_msg("%s: \"%.*s\", %s", string_rows[i].name, (int)value.len, value.at,
                     reader.fault ? reader.fault : "no fault");
        free(copy);
    }
    arena_fini(&arena);
}

static void test_a_string_ends_at_its_quote_wherever_that_is(void **state)
{
    char text[64];

    (void)state;
    for (size_t len = 0; len < 40; len++) {
        struct json_reader reader;
        struct span value;
        char *copy;

        memset(text, 0xe9, sizeof(text)); /* a byte with its top bit set misleads no comparison */
        text[0] = '"';
        text[len + 1] = '"';
        text[len + 2] = '\x01';
        copy = reader_open(&reader, NULL, (struct span){text, len + 10});
        value = json_read_string(&reader);
        assert_null(reader.fault);
        assert_int_equal(value.len, len);
        assert_ptr_equal(value.at, copy + 1); /* borrowed: there is no scratch here */
        free(copy);
    }
}

static void test_an_object_is_walked(void **state)
{
    static const char text[] = "{\"id\":\"m-1\",\"n\":-12.50,\"ok\":true,\"no\":false,\"nil\":null,"
                               "\"list\":[1,[],2],\"rest\":{\"deep\":[{}]},\"k\\u0065y\":7}";
    struct arena arena;
    struct json_reader reader;
    struct span key;
    int members = 0, items = 0;

    (void)state;
    arena_init(&arena, 1 << 16);
    json_reader_init(&reader, span_of(text), &arena);
    assert_int_equal(json_peek(&reader), JSON_OBJECT);
    json_object_begin(&reader);
    while (json_object_next(&reader, &key)) {
        members++;
        if (span_is(key, "id")) {
            assert_int_equal(json_peek(&reader), JSON_STRING);
            assert_true(span_is(json_read_string(&reader), "m-1"));
        } else if (span_is(key, "n")) {
            assert_int_equal(json_peek(&reader), JSON_NUMBER);
            assert_true(span_is(json_read_number(&reader), "-12.50"));
        } else if (span_is(key, "ok") || span_is(key, "no")) {
            assert_int_equal(json_peek(&reader), JSON_BOOL);
            assert_int_equal(json_read_bool(&reader), span_is(key, "ok"));
        } else if (span_is(key, "nil")) {
            assert_int_equal(json_peek(&reader), JSON_NULL);
            json_read_null(&reader);
        } else if (span_is(key, "list")) {
            assert_int_equal(json_peek(&reader), JSON_ARRAY);
            json_array_begin(&reader);
            while (json_array_next(&reader)) {
                items++;
                json_skip(&reader);
            }
        } else if (span_is(key, "key")) {
            assert_true(span_is(json_read_number(&reader), "7"));
        } else {
            json_skip(&reader);
        }
    }
    assert_int_equal(json_peek(&reader), JSON_END);
    json_finish(&reader);
    assert_null(reader.fault);
    assert_int_equal(members, 8);
    assert_int_equal(items, 3);
    arena_fini(&arena);
}

static void test_reading_another_type_is_a_fault(void **state)
{
    static const char *const texts[] = {"1", "\"a\"", "true", "null", "[]", "{}"};
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 16);
    for (size_t text = 0; text < ROWS(texts); text++) {
        for (size_t read = 0; read < ROWS(texts); read++) {
            struct json_reader reader;

            json_reader_init(&reader, span_of(texts[text]), &arena);
            switch (read) {
            case 0:
                (void)json_read_number(&reader);
                break;
            case 1:
                (void)json_read_string(&reader);
                break;
            case 2:
                (void)json_read_bool(&reader);
                break;
            case 3:
                json_read_null(&reader);
                break;
            case 4:
                json_array_begin(&reader);
                break;
            default:
                json_object_begin(&reader);
            }
            assert_int_equal(reader.fault == NULL, text == read);
        }
    }
    arena_fini(&arena);
}

static void test_the_first_fault_stays_and_all_later_reads_give_nothing(void **state)
{
    struct json_reader reader;
    struct span key = SPAN_ABSENT;

    (void)state;
    json_reader_init(&reader, SPAN_LITERAL("[1, 2]"), NULL);
    json_array_begin(&reader);
    json_fault(&reader, "first");
    json_fault(&reader, "second");
    assert_false(json_array_next(&reader));
    assert_false(json_object_next(&reader, &key));
    assert_null(key.at);
    assert_int_equal(json_peek(&reader), JSON_END);
    assert_null(json_read_number(&reader).at);
    assert_null(json_read_string(&reader).at);
    assert_false(json_read_bool(&reader));
    json_skip(&reader);
    json_finish(&reader);
    assert_string_equal(reader.fault, "first");
}

static void test_no_room_to_decode_is_a_fault(void **state)
{
    struct arena arena;
    struct json_reader reader;

    (void)state;
    arena_init(&arena, 0);
    json_reader_init(&reader, SPAN_LITERAL("\"\\n\""), &arena);
    assert_null(json_read_string(&reader).at);
    assert_non_null(reader.fault);
    arena_fini(&arena);
}

static void test_every_cut_and_every_flip_of_an_event_ends_in_bounds(void **state)
{
    static const char text[] =
        "{\"messageId\":\"m\\u00e9\",\"timestamp\":\"2025-01-02T03:04:05.678Z\","
        "\"properties\":{\"total\":12.5e0,\"items\":[{\"n\":null},true]}}";
    struct arena arena;
    char mutated[sizeof(text)];

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t cut = 0; cut < sizeof(text) - 1; cut++) {
        for (int flip = 0; flip < 9; flip++) {
            struct json_reader reader;
            size_t len = flip == 8 ? cut : sizeof(text) - 1;
            char *copy;

            memcpy(mutated, text, sizeof(text));
            if (flip < 8)
                mutated[cut] = (char)(mutated[cut] ^ 1 << flip);
            copy = reader_open(&reader, &arena, (struct span){mutated, len});
            json_skip(&reader);
            json_finish(&reader);
            assert_true(reader.at <= reader.end);
            if (flip == 8)
                assert_non_null(reader.fault);
            arena_reset(&arena);
            free(copy);
        }
    }
    arena_fini(&arena);
}

static void write_all(struct json_writer *writer)
{
    json_put_object(writer);
    json_put_key(writer, "text");
    json_put_text(writer, "a\"\\\b\f\n\r\t\x01\x1f\x7f/\xe5\xbe\xae");
    json_put_key(writer, "empty");
    json_put_string(writer, SPAN_LITERAL(""));
    json_put_key(writer, "absent");
    json_put_string(writer, SPAN_ABSENT);
    json_put_key(writer, "ints");
    json_put_array(writer);
    json_put_i64(writer, 0);
    json_put_i64(writer, INT64_MIN);
    json_put_i64(writer, INT64_MAX);
    json_put_array_end(writer);
    json_put_key(writer, "none");
    json_put_array(writer);
    json_put_array_end(writer);
    json_put_key(writer, "objects");
    json_put_array(writer);
    json_put_object(writer);
    json_put_object_end(writer);
    json_put_object(writer);
    json_put_key(writer, "yes");
    json_put_bool(writer, true);
    json_put_key(writer, "no");
    json_put_bool(writer, false);
    json_put_object_end(writer);
    json_put_array_end(writer);
    json_put_key(writer, "nil");
    json_put_null(writer);
    json_put_key(writer, "time");
    json_put_time(writer, INT64_C(1735787045678));
    json_put_key(writer, "raw");
    json_put_raw(writer, SPAN_LITERAL("{\"x\":1}"));
    json_put_key(writer, "half");
    json_put_double(writer, 0.5);
    json_put_object_end(writer);
}

static const char written[] =
    "{\"text\":\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\x7f/\xe5\xbe\xae\",\"empty\":\"\","
    "\"absent\":null,\"ints\":[0,-9223372036854775808,9223372036854775807],\"none\":[],"
    "\"objects\":[{},{\"yes\":true,\"no\":false}],\"nil\":null,"
    "\"time\":\"2025-01-02T03:04:05.678Z\",\"raw\":{\"x\":1},\"half\":0.5}";

static void test_the_writer_minds_commas_and_quotes(void **state)
{
    char buffer[1024];
    struct json_writer writer;
    struct json_reader reader;
    struct arena arena;

    (void)state;
    json_writer_init(&writer, buffer, sizeof(buffer));
    write_all(&writer);
    assert_false(writer.full);
    assert_int_equal(writer.len, sizeof(written) - 1);
    assert_memory_equal(buffer, written, sizeof(written) - 1);
    arena_init(&arena, 1 << 16);
    json_reader_init(&reader, (struct span){buffer, writer.len}, &arena);
    json_skip(&reader);
    json_finish(&reader);
    assert_null(reader.fault);
    arena_fini(&arena);
}

static void test_a_buffer_too_small_sets_full_and_is_never_passed(void **state)
{
    (void)state;
    for (size_t cap = 0; cap <= sizeof(written) - 1; cap++) {
        char *buffer = malloc(cap ? cap : 1);
        struct json_writer writer;

        assert_non_null(buffer);
        json_writer_init(&writer, buffer, cap);
        write_all(&writer);
        assert_int_equal(writer.full, cap < sizeof(written) - 1);
        assert_true(writer.len <= cap);
        free(buffer);
    }
}

struct double_row {
    double value;
    const char *text;
};

static void test_doubles_are_written_shortest_and_read_back_the_same(void **state)
{
    static const struct double_row rows[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {0.1, "0.1"},
        {-2.5, "-2.5"},
        {1e21, "1e+21"},
        {123456789012345.0, "123456789012345"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {5e-324, "4.94065645841247e-324"},
    };

    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        char buffer[64];
        struct json_writer writer;

        json_writer_init(&writer, buffer, sizeof(buffer) - 1);
        json_put_double(&writer, rows[i].value);
        buffer[writer.len] = '\0';
        assert_string_equal(buffer, rows[i].text);
        assert_true(strtod(buffer, NULL) == rows[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_are_read_as_rfc_8259),
        cmocka_unit_test(test_escapes_are_decoded),
        cmocka_unit_test(test_a_string_ends_at_its_quote_wherever_that_is),
        cmocka_unit_test(test_an_object_is_walked),
        cmocka_unit_test(test_reading_another_type_is_a_fault),
        cmocka_unit_test(test_the_first_fault_stays_and_all_later_reads_give_nothing),
        cmocka_unit_test(test_no_room_to_decode_is_a_fault),
        cmocka_unit_test(test_every_cut_and_every_flip_of_an_event_ends_in_bounds),
        cmocka_unit_test(test_the_writer_minds_commas_and_quotes),
        cmocka_unit_test(test_a_buffer_too_small_sets_full_and_is_never_passed),
        cmocka_unit_test(test_doubles_are_written_shortest_and_read_back_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
