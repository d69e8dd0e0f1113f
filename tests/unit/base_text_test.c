#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "base/text.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

struct time_row {
    const char *name, *text;
    int64_t ms; /* INT64_MIN: refused */
};

#define NO INT64_MIN

static const struct time_row time_rows[] = {
    {"the epoch", "1970-01-01T00:00:00.000Z", 0},
    {"the fast form", "2025-01-02T03:04:05.678Z", INT64_C(1735787045678)},
    {"no fraction", "2025-01-02T03:04:05Z", INT64_C(1735787045000)},
    {"one digit of fraction", "2025-01-02T03:04:05.6Z", INT64_C(1735787045600)},
    {"nine digits, cut off at ms", "2025-01-02T03:04:05.678999999Z", INT64_C(1735787045678)},
    {"ten digits", "2025-01-02T03:04:05.6789999999Z", NO},
    {"a dot without digits", "2025-01-02T03:04:05.Z", NO},
    {"lower case", "2025-01-02t03:04:05.678z", INT64_C(1735787045678)},
    {"a space for the T", "2025-01-02 03:04:05.678Z", NO},
    {"east of Greenwich", "2025-01-02T11:04:05.678+08:00", INT64_C(1735787045678)},
    {"west of Greenwich", "2025-01-01T21:34:05.678-05:30", INT64_C(1735787045678)},
    {"an unknown offset counts as UTC", "2025-01-02T03:04:05.678-00:00", INT64_C(1735787045678)},
    {"the largest offset", "1970-01-01T23:59:00+23:59", 0},
    {"an offset of 24 hours", "1970-01-02T00:00:00+24:00", NO},
    {"an offset of 60 minutes", "1970-01-02T00:00:00+00:60", NO},
    {"an offset without colon", "1970-01-02T00:00:00+0000", NO},
    {"no zone", "2025-01-02T03:04:05.678", NO},
    {"no zone, 24 bytes", "2025-01-02T03:04:05.6789", NO},
    {"a letter in the fast fraction", "2025-01-02T03:04:05.6a8Z", NO},
    {"bytes after the zone", "2025-01-02T03:04:05.678Z ", NO},
    {"a bare date", "2025-01-02", INT64_C(1735776000000)},
    {"a bare date with a wrong separator", "2025/01/02", NO},
    {"the first year", "1900-01-01", INT64_C(-2208988800000)},
    {"before the first year", "1899-12-31", NO},
    {"the last moment", "2200-12-31T23:59:59.999Z", INT64_C(7289654399999)},
    {"after the last year", "2201-01-01T00:00:00.000Z", NO},
    {"a leap day", "2024-02-29", INT64_C(1709164800000)},
    {"no leap day", "2025-02-29", NO},
    {"a century without leap day", "2100-02-29", NO},
    {"a century with leap day", "2000-02-29", INT64_C(951782400000)},
    {"April has 30 days", "2025-04-31", NO},
    {"month 0", "2025-00-01", NO},
    {"month 13", "2025-13-01", NO},
    {"day 0", "2025-01-00", NO},
    {"hour 23", "1970-01-01T23:00:00Z", 82800000},
    {"hour 24", "1970-01-01T24:00:00Z", NO},
    {"minute 60", "1970-01-01T00:60:00Z", NO},
    {"second 60 at the end of an hour is the next minute", "2016-12-31T23:59:60Z",
     INT64_C(1483228800000)},
    {"second 60 elsewhere", "2016-12-31T23:58:60Z", NO},
    {"second 61", "2016-12-31T23:59:61Z", NO},
    {"a sign in the year", "+025-01-02T03:04:05.678Z", NO},
    {"empty", "", NO},
    {"cut short", "2025-01-02T03:04:05", NO},
};

static void test_times_are_read_as_rfc_3339(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(time_rows); i++) {
        const struct time_row *row = &time_rows[i];
        int64_t ms = NO;
        enum status status = text_time_parse(span_of(row->text), &ms);

        if (status != (row->ms == NO ? STATUS_REJECT : STATUS_OK) || ms != row->ms)
            fail_msg("%s: \"%s\" gave %s and %lld", row->name, row->text, status_name(status),
                     (long long)ms);
    }
    assert_int_equal(text_time_parse(SPAN_ABSENT, &(int64_t){0}), STATUS_REJECT);
}

static void test_times_are_written_back(void **state)
{
    static const struct time_row rows[] = {
        {"the epoch", "1970-01-01T00:00:00.000Z", 0},
        {"one ms before the epoch", "1969-12-31T23:59:59.999Z", -1},
        {"any time", "2025-01-02T03:04:05.678Z", INT64_C(1735787045678)},
        {"the first that four digits hold", "0000-01-01T00:00:00.000Z", INT64_C(-62167219200000)},
        {"one before it", "0000-01-01T00:00:00.000Z", INT64_C(-62167219200001)},
        {"the last that four digits hold", "9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
        {"one after it", "9999-12-31T23:59:59.999Z", INT64_C(253402300800000)},
        {"the smallest number", "0000-01-01T00:00:00.000Z", INT64_MIN},
        {"the largest number", "9999-12-31T23:59:59.999Z", INT64_MAX},
    };
    char text[TEXT_TIME_BYTES];

    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        assert_int_equal(text_time_format(rows[i].ms, text), 24);
        if (strcmp(text, rows[i].text) != 0)
            fail_msg("%s: %s", rows[i].name, text);
        assert_int_equal(text_date_format(rows[i].ms, text), 10);
        assert_memory_equal(text, rows[i].text, 10);
        assert_int_equal(strlen(text), 10);
    }
}

static void test_every_day_of_three_centuries_survives_the_round_trip(void **state)
{
    int64_t first, last;
    char text[TEXT_TIME_BYTES];

    (void)state;
    assert_int_equal(text_time_parse(SPAN_LITERAL("1900-01-01"), &first), STATUS_OK);
    assert_int_equal(text_time_parse(SPAN_LITERAL("2200-12-31"), &last), STATUS_OK);
    for (int64_t ms = first; ms <= last; ms += TEXT_MS_PER_DAY) {
        int64_t back;
        size_t len = text_date_format(ms, text);

        assert_int_equal(text_time_parse((struct span){text, len}, &back), STATUS_OK);
        assert_int_equal(back, ms);
    }
}

static void test_days_are_counted_by_floor(void **state)
{
    (void)state;
    assert_int_equal(text_day_of(0), 0);
    assert_int_equal(text_day_of(TEXT_MS_PER_DAY - 1), 0);
    assert_int_equal(text_day_of(TEXT_MS_PER_DAY), 1);
    assert_int_equal(text_day_of(-1), -1);
    assert_int_equal(text_day_of(-TEXT_MS_PER_DAY), -1);
    assert_int_equal(text_day_of(-TEXT_MS_PER_DAY - 1), -2);
}

struct i64_row {
    const char *text;
    enum status status;
    int64_t value;
};

static void test_integers(void **state)
{
    static const struct i64_row rows[] = {
        {"0", STATUS_OK, 0},
        {"-0", STATUS_OK, 0},
        {"42", STATUS_OK, 42},
        {"9223372036854775807", STATUS_OK, INT64_MAX},
        {"9223372036854775808", STATUS_REJECT, 0},
        {"-9223372036854775808", STATUS_OK, INT64_MIN},
        {"-9223372036854775809", STATUS_REJECT, 0},
        {"99999999999999999999999", STATUS_REJECT, 0},
        {"", STATUS_REJECT, 0},
        {"-", STATUS_REJECT, 0},
        {"+1", STATUS_REJECT, 0},
        {" 1", STATUS_REJECT, 0},
        {"1 ", STATUS_REJECT, 0},
        {"1.0", STATUS_REJECT, 0},
        {"1e3", STATUS_REJECT, 0},
    };

    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        int64_t value = 0;
        enum status status = text_i64_parse(span_of(rows[i].text), &value);

        if (status != rows[i].status || value != rows[i].value)
            fail_msg("\"%s\" gave %s and %lld", rows[i].text, status_name(status),
                     (long long)value);
    }
}

static void test_integers_are_written_back(void **state)
{
    static const int64_t rows[] = {0, 1, -1, 9, 10, -10, 1735689600123, INT64_MAX, INT64_MIN};
    char text[TEXT_I64_BYTES];

    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        size_t len = text_i64_format(rows[i], text);
        int64_t read = 7;

        assert_int_equal(len, strlen(text));
        assert_int_equal(text_i64_parse((struct span){text, len}, &read), STATUS_OK);
        assert_true(read == rows[i]);
    }
}

static void test_hexadecimal(void **state)
{
    uint64_t value = 7;

    (void)state;
    assert_int_equal(text_u64_hex_parse(SPAN_LITERAL("0"), &value), STATUS_OK);
    assert_int_equal(value, 0);
    assert_int_equal(text_u64_hex_parse(SPAN_LITERAL("ffffFFFFffffFFFF"), &value), STATUS_OK);
    assert_int_equal(value, UINT64_MAX);
    assert_int_equal(text_u64_hex_parse(SPAN_LITERAL("0123456789abcdef"), &value), STATUS_OK);
    assert_int_equal(value, UINT64_C(0x0123456789abcdef));
    assert_int_equal(text_u64_hex_parse(SPAN_LITERAL(""), &value), STATUS_REJECT);
    assert_int_equal(text_u64_hex_parse(SPAN_LITERAL("0ffffFFFFffffFFFF"), &value), STATUS_REJECT);
    assert_int_equal(text_u64_hex_parse(SPAN_LITERAL("0x1"), &value), STATUS_REJECT);
    assert_int_equal(text_u64_hex_parse(SPAN_LITERAL("g"), &value), STATUS_REJECT);
    assert_int_equal(text_u64_hex_parse(SPAN_LITERAL("@"), &value), STATUS_REJECT);
    assert_int_equal(value, UINT64_C(0x0123456789abcdef));
}

struct double_row {
    const char *text;
    enum status status;
    double value;
};

static void test_doubles_are_the_nearest(void **state)
{
    static const struct double_row rows[] = {
        {"0", STATUS_OK, 0.0},
        {"-0", STATUS_OK, -0.0},
        {"0.1", STATUS_OK, 0.1},
        {"-12.75", STATUS_OK, -12.75},
        {"1e3", STATUS_OK, 1000},
        {"1E+3", STATUS_OK, 1000},
        {"1.5e-3", STATUS_OK, 0.0015},
        {"123456789012345", STATUS_OK, 123456789012345.0},
        {"0.30000000000000004", STATUS_OK, 0.30000000000000004},
        {"9007199254740993", STATUS_OK, 9007199254740992.0},
        {"1e22", STATUS_OK, 1e22},
        {"1e23", STATUS_OK, 1e23},
        {"1e-22", STATUS_OK, 1e-22},
        {"1e-23", STATUS_OK, 1e-23},
        {"1.7976931348623157e308", STATUS_OK, 1.7976931348623157e308},
        {"1.8e308", STATUS_REJECT, 0},
        {"1e999999999999999999999", STATUS_REJECT, 0},
        {"1e-999999999999999999999", STATUS_OK, 0},
        {"0e999999999", STATUS_OK, 0},
        {"5e-324", STATUS_OK, 5e-324},
        {"01", STATUS_REJECT, 0},
        {"1.", STATUS_REJECT, 0},
        {".5", STATUS_REJECT, 0},
        {"+1", STATUS_REJECT, 0},
        {"-", STATUS_REJECT, 0},
        {"1e", STATUS_REJECT, 0},
        {"1e+", STATUS_REJECT, 0},
        {"0x10", STATUS_REJECT, 0},
        {"nan", STATUS_REJECT, 0},
        {"inf", STATUS_REJECT, 0},
        {" 1", STATUS_REJECT, 0},
        {"1 ", STATUS_REJECT, 0},
        {"", STATUS_REJECT, 0},
    };

    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        double value = 0;
        enum status status = text_double_parse(span_of(rows[i].text), &value);

        if (status != rows[i].status || value != rows[i].value ||
            signbit(value) != signbit(rows[i].value))
            fail_msg("\"%s\" gave %s and %.17g", rows[i].text, status_name(status), value);
    }
}

static void test_a_number_of_511_digits_is_read_and_one_of_512_is_not(void **state)
{
    char digits[512];
    double value;

    (void)state;
    memset(digits, '0', sizeof(digits));
    digits[0] = '1';
    digits[1] = '.';
    assert_int_equal(text_double_parse((struct span){digits, 511}, &value), STATUS_OK);
    assert_true(value == 1);
    assert_int_equal(text_double_parse((struct span){digits, 512}, &value), STATUS_REJECT);
}

struct decimal_row {
    const char *text;
    int exponent;
    enum status status;
    int64_t units;
    const char *back; /* NULL: the text itself */
};

static const struct decimal_row decimal_rows[] = {
    {"12.30", 2, STATUS_OK, 1230, NULL},
    {"12.3", 2, STATUS_OK, 1230, "12.30"},
    {"12", 2, STATUS_OK, 1200, "12.00"},
    {"-5", 2, STATUS_OK, -500, "-5.00"},
    {"-0.05", 2, STATUS_OK, -5, NULL},
    {"0.01", 2, STATUS_OK, 1, NULL},
    {"0.001", 2, STATUS_REJECT, 0, NULL},
    {"0.010", 2, STATUS_OK, 1, "0.01"},
    {"0.0100000000000000000000000", 2, STATUS_OK, 1, "0.01"},
    {"500", 0, STATUS_OK, 500, NULL},
    {"500.0", 0, STATUS_OK, 500, "500"},
    {"500.5", 0, STATUS_REJECT, 0, NULL},
    {"1.234567891", 9, STATUS_OK, 1234567891, NULL},
    {"90000000000000.00", 2, STATUS_OK, INT64_C(9000000000000000), NULL},
    {"90000000000000.01", 2, STATUS_REJECT, 0, NULL},
    {"-90000000000000", 2, STATUS_OK, INT64_C(-9000000000000000), "-90000000000000.00"},
    {"9000000000000001", 0, STATUS_REJECT, 0, NULL},
    {"90000000000000000", 0, STATUS_REJECT, 0, NULL},
    {"9000001", 9, STATUS_REJECT, 0, NULL},
    {"1e3", 2, STATUS_REJECT, 0, NULL},
    {"+1", 2, STATUS_REJECT, 0, NULL},
    {".5", 2, STATUS_REJECT, 0, NULL},
    {"5.", 2, STATUS_REJECT, 0, NULL},
    {"-", 2, STATUS_REJECT, 0, NULL},
    {"", 2, STATUS_REJECT, 0, NULL},
    {"1,5", 2, STATUS_REJECT, 0, NULL},
    {"1.5 ", 2, STATUS_REJECT, 0, NULL},
    {"1.5.5", 2, STATUS_REJECT, 0, NULL},
};

static void test_decimals_are_exact_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(decimal_rows); i++) {
        const struct decimal_row *row = &decimal_rows[i];
        int64_t units = 0;
        enum status status = text_decimal_parse(span_of(row->text), row->exponent, &units);
        char back[32];
        size_t len;

        if (status != row->status || units != row->units)
            fail_msg("\"%s\" gave %s and %lld", row->text, status_name(status), (long long)units);
        if (status != STATUS_OK)
            continue;
        len = text_decimal_format(units, row->exponent, back, sizeof(back));
        assert_int_equal(len, strlen(back));
        assert_string_equal(back, row->back ? row->back : row->text);
    }
}

static void test_the_extreme_units_fit_the_buffer(void **state)
{
    char text[32];

    (void)state;
    assert_int_equal(text_decimal_format(INT64_MIN, 9, text, sizeof(text)), 21);
    assert_string_equal(text, "-9223372036.854775808");
}

struct utf8_row {
    const char *name, *text;
    bool valid;
};

static const struct utf8_row utf8_rows[] = {
    {"empty", "", true},
    {"ASCII", "plain", true},
    {"two bytes, lowest", "\xc2\x80", true},
    {"two bytes, overlong", "\xc1\xbf", false},
    {"two bytes, highest", "\xdf\xbf", true},
    {"three bytes, lowest", "\xe0\xa0\x80", true},
    {"three bytes, overlong", "\xe0\x9f\xbf", false},
    {"last before the surrogates", "\xed\x9f\xbf", true},
    {"first surrogate", "\xed\xa0\x80", false},
    {"last surrogate", "\xed\xbf\xbf", false},
    {"first after the surrogates", "\xee\x80\x80", true},
    {"four bytes, lowest", "\xf0\x90\x80\x80", true},
    {"four bytes, overlong", "\xf0\x8f\xbf\xbf", false},
    {"U+10FFFF", "\xf4\x8f\xbf\xbf", true},
    {"past U+10FFFF", "\xf4\x90\x80\x80", false},
    {"lead byte f5", "\xf5\x80\x80\x80", false},
    {"a lone continuation", "\x80", false},
    {"cut after one of two", "a\xc3", false},
    {"cut after two of three", "a\xe2\x82", false},
    {"cut after three of four", "a\xf0\x9f\x98", false},
    {"third byte is no continuation", "\xe2\x82(", false},
    {"fourth byte is no continuation", "\xf0\x9f\x98(", false},
};

static void test_utf8_is_strict_wherever_it_stands(void **state)
{
    char text[100];

    (void)state;
    for (size_t i = 0; i < ROWS(utf8_rows); i++) {
        const struct utf8_row *row = &utf8_rows[i];
        size_t len = strlen(row->text);

        for (size_t shift = 0; shift < 70; shift++) {
            memset(text, 'a', sizeof(text));
            memcpy(text + shift, row->text, len);
            if (text_utf8_valid((struct span){text, shift + len}) != row->valid)
                fail_msg("%s, at the end, at %zu", row->name, shift);
            if (text_utf8_valid((struct span){text, sizeof(text)}) != row->valid)
                fail_msg("%s, inside, at %zu", row->name, shift);
        }
    }
    assert_true(text_utf8_valid(SPAN_ABSENT));
}

struct duration_row {
    const char *text;
    enum status status;
    int64_t ms;
    const char *back;
};

static void test_durations_carry_their_unit(void **state)
{
    static const struct duration_row rows[] = {
        {"90d", STATUS_OK, 90 * TEXT_MS_PER_DAY, "90d"},
        {"36h", STATUS_OK, 36 * TEXT_MS_PER_HOUR, "36h"},
        {"48h", STATUS_OK, 48 * TEXT_MS_PER_HOUR, "2d"},
        {"15m", STATUS_OK, 900000, "15m"},
        {"10s", STATUS_OK, 10000, "10s"},
        {"250ms", STATUS_OK, 250, "250ms"},
        {"1000ms", STATUS_OK, 1000, "1s"},
        {"0d", STATUS_OK, 0, "0s"},
        {"106751991167d", STATUS_OK, 106751991167 * TEXT_MS_PER_DAY, "106751991167d"},
        {"106751991168d", STATUS_REJECT, 0, NULL},
        {"9223372036854775807ms", STATUS_OK, INT64_MAX, "9223372036854775807ms"},
        {"9223372036854775808ms", STATUS_REJECT, 0, NULL},
        {"10", STATUS_REJECT, 0, NULL},
        {"d", STATUS_REJECT, 0, NULL},
        {"1w", STATUS_REJECT, 0, NULL},
        {"1D", STATUS_REJECT, 0, NULL},
        {"1 d", STATUS_REJECT, 0, NULL},
        {"-1d", STATUS_REJECT, 0, NULL},
        {"1.5h", STATUS_REJECT, 0, NULL},
        {"1h30m", STATUS_REJECT, 0, NULL},
        {"", STATUS_REJECT, 0, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        int64_t ms = 0;
        enum status status = text_duration_parse(span_of(rows[i].text), &ms);
        char back[32];
        size_t len;

        if (status != rows[i].status || ms != rows[i].ms)
            fail_msg("\"%s\" gave %s and %lld", rows[i].text, status_name(status), (long long)ms);
        if (status != STATUS_OK)
            continue;
        len = text_duration_format(ms, back, sizeof(back));
        assert_int_equal(len, strlen(back));
        assert_string_equal(back, rows[i].back);
    }
}

struct suggestion_row {
    const char *name, *word, *suggestion;
};

static void test_the_nearest_word_is_suggested_when_it_is_near(void **state)
{
    static const char *const words[] = {"brokers", "group", "input_topic", "app", "tls"};
    static const struct suggestion_row rows[] = {
        {"the word itself", "group", "group"},
        {"one letter wrong", "groop", "group"},
        {"two neighbours swapped", "gruop", "group"},
        {"two swapped in three letters", "tsl", "tls"},
        {"one letter missing", "broker", "brokers"},
        {"one letter too many", "apps", "app"},
        {"another case", "TLS", "tls"},
        {"a separator wrong", "input-topic", "input_topic"},
        {"two wrong of six", "gsoupt", "group"},
        {"three wrong of five", "gxxxp", NULL},
        {"nothing alike", "zzzzzz", NULL},
        {"two wrong in three letters", "xxs", NULL},
        {"empty", "", NULL},
    };
    char longest[65];

    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        const char *found = text_did_you_mean(span_of(rows[i].word), words, ROWS(words));

        if (!found != !rows[i].suggestion || (found && strcmp(found, rows[i].suggestion) != 0))
            fail_msg("%s: \"%s\" gave %s", rows[i].name, rows[i].word, found ? found : "nothing");
    }
    memset(longest, 'a', sizeof(longest));
    longest[63] = '\0';
    assert_non_null(text_did_you_mean(span_of(longest), (const char *const[]){longest}, 1));
    longest[63] = 'a';
    longest[64] = '\0';
    assert_null(text_did_you_mean(span_of(longest), (const char *const[]){longest}, 1));
    assert_null(text_did_you_mean(SPAN_LITERAL("app"), NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_are_read_as_rfc_3339),
        cmocka_unit_test(test_times_are_written_back),
        cmocka_unit_test(test_every_day_of_three_centuries_survives_the_round_trip),
        cmocka_unit_test(test_days_are_counted_by_floor),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_integers_are_written_back),
        cmocka_unit_test(test_hexadecimal),
        cmocka_unit_test(test_doubles_are_the_nearest),
        cmocka_unit_test(test_a_number_of_511_digits_is_read_and_one_of_512_is_not),
        cmocka_unit_test(test_decimals_are_exact_both_ways),
        cmocka_unit_test(test_the_extreme_units_fit_the_buffer),
        cmocka_unit_test(test_utf8_is_strict_wherever_it_stands),
        cmocka_unit_test(test_durations_carry_their_unit),
        cmocka_unit_test(test_the_nearest_word_is_suggested_when_it_is_near),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
