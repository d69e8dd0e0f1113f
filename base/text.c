#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

#define TEXT_UNITS_MAX INT64_C(9000000000000000)

static bool is_digit(char byte)
{
    return (unsigned char)(byte - '0') <= 9;
}

/* `count` digits at `at` as a number; -1 when one is no digit. */
static int digits(const char *at, int count)
{
    int value = 0;

    for (int i = 0; i < count; i++) {
        if (!is_digit(at[i]))
            return -1;
        value = value * 10 + (at[i] - '0');
    }
    return value;
}

/* Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2013): proleptic Gregorian,
 * March-based years. */
static int64_t days_of_civil(int year, int month, int day)
{
    int shifted = year - (month <= 2);
    int era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    int year_of_era = shifted - era * 400;
    int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return (int64_t)era * 146097 + day_of_era - 719468;
}

struct civil {
    int year, month, day;
};

static struct civil civil_of_days(int64_t days)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int day_of_era = (int)(shifted - era * 146097);
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int shifted_month = (5 * day_of_year + 2) / 153;
    int month = shifted_month + (shifted_month < 10 ? 3 : -9);

    return (struct civil){.year = (int)(year_of_era + era * 400) + (month <= 2),
                          .month = month,
                          .day = day_of_year - (153 * shifted_month + 2) / 5 + 1};
}

static int days_in_month(int year, int month)
{
    static const signed char days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/* "2025-01-02" at `at`; the day number, or false. */
static bool date_parse(const char *at, int64_t *ret_days)
{
    int year = digits(at, 4), month = digits(at + 5, 2), day = digits(at + 8, 2);

    if (at[4] != '-' || at[7] != '-' || year < 1900 || year > 2200 || month < 1 || month > 12 ||
        day < 1 || day > days_in_month(year, month))
        return false;
    *ret_days = days_of_civil(year, month, day);
    return true;
}

/* "03:04:05" at `at`, in ms of the day. Second 60 (a leap second, RFC 3339 5.6) is the first of the
 * next minute, as POSIX counts. */
static bool clock_parse(const char *at, int64_t *ret_ms)
{
    int hour = digits(at, 2), minute = digits(at + 3, 2), second = digits(at + 6, 2);

    if (at[2] != ':' || at[5] != ':' || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        second < 0 || second > (minute == 59 ? 60 : 59))
        return false;
    *ret_ms = ((int64_t)hour * 3600 + minute * 60 + second) * 1000;
    return true;
}

/* What follows the seconds: fraction and zone, to the end of the text. */
static bool tail_parse(const char *at, const char *end, int64_t *ret_ms)
{
    int64_t fraction_ms = 0, zone_ms;

    if (at < end && *at == '.') {
        const char *first = ++at;
        int64_t weight = 100;

        for (; at < end && is_digit(*at); at++, weight /= 10)
            fraction_ms += (*at - '0') * weight;
        if (at == first || at - first > 9)
            return false;
    }
    if (at == end)
        return false;
    if (end - at == 1 && (*at == 'Z' || *at == 'z')) {
        zone_ms = 0;
    } else if (end - at == 6 && (*at == '+' || *at == '-') && at[3] == ':') {
        int hour = digits(at + 1, 2), minute = digits(at + 4, 2);

        if (hour < 0 || hour > 23 || minute < 0 || minute > 59)
            return false;
        zone_ms = ((int64_t)hour * 60 + minute) * 60000 * (*at == '-' ? -1 : 1);
    } else {
        return false;
    }
    *ret_ms = fraction_ms - zone_ms;
    return true;
}

enum status text_time_parse(struct span text, int64_t *ret_ms)
{
    int64_t days, day_ms, tail_ms = 0;
    const char *at = text.at;

    if (text.len == 10 && date_parse(at, &days)) {
        *ret_ms = days * TEXT_MS_PER_DAY;
        return STATUS_OK;
    }
    if (text.len < 20 || (at[10] != 'T' && at[10] != 't') || !date_parse(at, &days) ||
        !clock_parse(at + 11, &day_ms))
        return STATUS_REJECT;
    /* The form that publishers write: three digits and Z. */
    if (text.len == 24 && at[19] == '.' && at[23] == 'Z') {
        int fraction_ms = digits(at + 20, 3);

        if (fraction_ms < 0)
            return STATUS_REJECT;
        tail_ms = fraction_ms;
    } else if (!tail_parse(at + 19, at + text.len, &tail_ms)) {
        return STATUS_REJECT;
    }
    *ret_ms = days * TEXT_MS_PER_DAY + day_ms + tail_ms;
    return STATUS_OK;
}

static void put_digits(char *at, int count, int value)
{
    for (int i = count; i-- > 0; value /= 10)
        at[i] = (char)('0' + value % 10);
}

/* Milliseconds of 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: four digits hold no other
 * year. */
#define TIME_MS_MIN (INT64_C(-719528) * TEXT_MS_PER_DAY)
#define TIME_MS_MAX (INT64_C(2932897) * TEXT_MS_PER_DAY - 1)

static int64_t clamp_time(int64_t ms)
{
    return ms < TIME_MS_MIN ? TIME_MS_MIN : ms > TIME_MS_MAX ? TIME_MS_MAX : ms;
}

size_t text_date_format(int64_t ms, char ret_text[TEXT_TIME_BYTES])
{
    struct civil civil = civil_of_days(text_day_of(clamp_time(ms)));

    put_digits(ret_text, 4, civil.year);
    ret_text[4] = '-';
    put_digits(ret_text + 5, 2, civil.month);
    ret_text[7] = '-';
    put_digits(ret_text + 8, 2, civil.day);
    ret_text[10] = '\0';
    return 10;
}

size_t text_time_format(int64_t ms, char ret_text[TEXT_TIME_BYTES])
{
    int64_t bounded = clamp_time(ms);
    int rest = (int)(bounded - text_day_of(bounded) * TEXT_MS_PER_DAY);

    (void)text_date_format(bounded, ret_text);
    ret_text[10] = 'T';
    put_digits(ret_text + 11, 2, rest / 3600000);
    ret_text[13] = ':';
    put_digits(ret_text + 14, 2, rest / 60000 % 60);
    ret_text[16] = ':';
    put_digits(ret_text + 17, 2, rest / 1000 % 60);
    ret_text[19] = '.';
    put_digits(ret_text + 20, 3, rest % 1000);
    ret_text[23] = 'Z';
    ret_text[24] = '\0';
    return 24;
}

/* Digits only, at least one, up to `max`. */
static bool magnitude_parse(const char *at, const char *end, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (at == end)
        return false;
    for (; at < end; at++) {
        uint64_t digit = (uint64_t)(unsigned char)(*at - '0');

        if (digit > 9 || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

size_t text_i64_format(int64_t value, char ret_text[TEXT_I64_BYTES])
{
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    char digits[TEXT_I64_BYTES], *at = digits + sizeof digits;
    size_t len;

    *--at = '\0';
    do
        *--at = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0)
        *--at = '-';
    len = (size_t)(digits + sizeof digits - at);
    memcpy(ret_text, at, len);
    return len - 1;
}

enum status text_i64_parse(struct span text, int64_t *ret_value)
{
    bool negative = text.len > 0 && text.at[0] == '-';
    uint64_t value;

    if (text.len == 0 || !magnitude_parse(text.at + negative, text.at + text.len,
                                          (uint64_t)INT64_MAX + negative, &value))
        return STATUS_REJECT;
    /* -INT64_MAX - 1 has no positive twin: negate below it, then step. */
    *ret_value = !negative ? (int64_t)value : value == 0 ? 0 : -(int64_t)(value - 1) - 1;
    return STATUS_OK;
}

enum status text_u64_hex_parse(struct span text, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (text.len < 1 || text.len > 16)
        return STATUS_REJECT;
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.at[i], lower = (char)(byte | 0x20);
        unsigned digit;

        if (is_digit(byte))
            digit = (unsigned)(byte - '0');
        else if (lower >= 'a' && lower <= 'f')
            digit = (unsigned)(lower - 'a' + 10);
        else
            return STATUS_REJECT;
        value = value << 4 | digit;
    }
    *ret_value = value;
    return STATUS_OK;
}

/* A number by JSON's grammar, taken apart. */
struct number {
    uint64_t mantissa; /* its digits, when they are not more than 19 */
    int64_t digits;    /* of the mantissa, leading zeros not counted */
    int64_t exponent;  /* of ten */
    bool negative;
};

static const char *number_digits(const char *at, const char *end, struct number *number)
{
    for (; at < end && is_digit(*at); at++) {
        if (number->digits > 0 || *at != '0')
            number->digits++;
        if (number->digits <= 19)
            number->mantissa = number->mantissa * 10 + (uint64_t)(*at - '0');
    }
    return at;
}

static bool number_split(const char *at, const char *end, struct number *number)
{
    const char *first;

    if (at < end && *at == '-') {
        number->negative = true;
        at++;
    }
    first = at;
    at = number_digits(at, end, number);
    if (at == first || (*first == '0' && at - first > 1))
        return false;
    if (at < end && *at == '.') {
        first = ++at;
        at = number_digits(at, end, number);
        if (at == first)
            return false;
        number->exponent = first - at;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        int64_t exponent = 0;
        bool down;

        at++;
        down = at < end && *at == '-';
        if (at < end && (*at == '-' || *at == '+'))
            at++;
        first = at;
        for (; at < end && is_digit(*at); at++)
            if (exponent < 100000) /* far beyond a double's range already */
                exponent = exponent * 10 + (*at - '0');
        if (at == first)
            return false;
        number->exponent += down ? -exponent : exponent;
    }
    return at == end;
}

#define NUMBER_BYTES_MAX 511

enum status text_double_parse(struct span text, double *ret_value)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct number number = {0};
    char copy[NUMBER_BYTES_MAX + 1];
    double value;

    if (text.len == 0 || text.len > NUMBER_BYTES_MAX ||
        !number_split(text.at, text.at + text.len, &number))
        return STATUS_REJECT;
    if (number.digits <= 15 && number.exponent >= -22 && number.exponent <= 22) {
        /* Both operands are exact, so one rounding gives the nearest double (Clinger 1990). */
        value = (double)number.mantissa;
        value =
            number.exponent < 0 ? value / tens[-number.exponent] : value * tens[number.exponent];
        *ret_value = number.negative ? -value : value;
        return STATUS_OK;
    }
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    value = strtod(copy, NULL); /* in the C locale: tests/tidy forbids setlocale */
    if (!isfinite(value))
        return STATUS_REJECT;
    *ret_value = value;
    return STATUS_OK;
}

/* value * 10 + digit, unless that passes the bound. */
static bool units_append(int64_t *value, char byte)
{
    int64_t digit = byte - '0';

    if (*value > (TEXT_UNITS_MAX - digit) / 10)
        return false;
    *value = *value * 10 + digit;
    return true;
}

enum status text_decimal_parse(struct span text, int exponent, int64_t *ret_units)
{
    const char *at = text.at, *end, *first;
    int64_t units = 0;
    int wanted = exponent;
    bool negative;

    MUST(exponent >= 0);
    MUST(exponent <= 9);
    if (text.len == 0)
        return STATUS_REJECT;
    end = at + text.len;
    negative = *at == '-';
    at += negative;
    for (first = at; at < end && is_digit(*at); at++)
        if (!units_append(&units, *at))
            return STATUS_REJECT;
    if (at == first)
        return STATUS_REJECT;
    if (at < end && *at == '.') {
        for (first = ++at; at < end && is_digit(*at); at++) {
            if (wanted == 0 && *at != '0')
                return STATUS_REJECT; /* finer than the unit: exact or not at all */
            if (wanted > 0 && !units_append(&units, *at))
                return STATUS_REJECT;
            wanted -= wanted > 0;
        }
        if (at == first)
            return STATUS_REJECT;
    }
    if (at != end)
        return STATUS_REJECT;
    for (; wanted > 0; wanted--)
        if (!units_append(&units, '0'))
            return STATUS_REJECT;
    *ret_units = negative ? -units : units;
    return STATUS_OK;
}

size_t text_decimal_format(int64_t units, int exponent, char *ret_text, size_t cap)
{
    uint64_t magnitude = units < 0 ? -(uint64_t)units : (uint64_t)units, scale = 1;
    const char *sign = units < 0 ? "-" : "";

    MUST(exponent >= 0);
    MUST(exponent <= 9);
    MUST(cap >= 32);
    for (int i = 0; i < exponent; i++)
        scale *= 10;
    if (exponent == 0)
        return (size_t)snprintf(ret_text, cap, "%s%llu", sign, (unsigned long long)magnitude);
    return (size_t)snprintf(ret_text, cap, "%s%llu.%0*llu", sign,
                            (unsigned long long)(magnitude / scale), exponent,
                            (unsigned long long)(magnitude % scale));
}

/* Length of the UTF-8 sequence at `at` that is not ASCII; 0 when it is none (RFC 3629 section 4).
 */
static size_t utf8_sequence(const unsigned char *at, size_t left)
{
    unsigned char lead = at[0], low = 0x80, high = 0xbf;
    size_t len;

    if (lead >= 0xc2 && lead <= 0xdf)
        len = 2;
    else if ((lead & 0xf0) == 0xe0)
        len = 3;
    else if (lead >= 0xf0 && lead <= 0xf4)
        len = 4;
    else
        return 0;
    if (left < len)
        return 0;
    if (lead == 0xe0)
        low = 0xa0; /* overlong below */
    else if (lead == 0xed)
        high = 0x9f; /* surrogates above */
    else if (lead == 0xf0)
        low = 0x90; /* overlong below */
    else if (lead == 0xf4)
        high = 0x8f; /* past U+10FFFF above */
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

bool text_utf8_valid(struct span text)
{
    const unsigned char *at = (const unsigned char *)text.at, *end;

    if (text.len == 0)
        return true;
    end = at + text.len;
    while (at < end) {
        uint64_t words[4];
        size_t len;

        if (end - at >= (ptrdiff_t)sizeof(words)) {
            memcpy(words, at, sizeof(words));
            if (!((words[0] | words[1] | words[2] | words[3]) & UINT64_C(0x8080808080808080))) {
                at += sizeof(words);
                continue;
            }
        }
        if (*at < 0x80) {
            at++;
            continue;
        }
        len = utf8_sequence(at, (size_t)(end - at));
        if (len == 0)
            return false;
        at += len;
    }
    return true;
}

struct duration_unit {
    const char *name;
    int64_t ms;
};

static const struct duration_unit duration_units[] = {
    {"d", TEXT_MS_PER_DAY}, {"h", TEXT_MS_PER_HOUR}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};
#define DURATION_UNITS (sizeof(duration_units) / sizeof(duration_units[0]))

enum status text_duration_parse(struct span text, int64_t *ret_ms)
{
    size_t number_len = 0;
    struct span unit;

    if (text.len == 0)
        return STATUS_REJECT;
    while (number_len < text.len && is_digit(text.at[number_len]))
        number_len++;
    unit = (struct span){text.at + number_len, text.len - number_len};
    for (size_t i = 0; i < DURATION_UNITS; i++) {
        uint64_t count;

        if (!span_is(unit, duration_units[i].name))
            continue;
        if (!magnitude_parse(text.at, unit.at, (uint64_t)(INT64_MAX / duration_units[i].ms),
                             &count))
            return STATUS_REJECT;
        *ret_ms = (int64_t)count * duration_units[i].ms;
        return STATUS_OK;
    }
    return STATUS_REJECT;
}

size_t text_duration_format(int64_t ms, char *ret_text, size_t cap)
{
    MUST(cap >= 32);
    if (ms == 0)
        return (size_t)snprintf(ret_text, cap, "0s");
    for (size_t i = 0;; i++) /* ends at "ms", which divides everything */
        if (ms % duration_units[i].ms == 0)
            return (size_t)snprintf(ret_text, cap, "%lld%s", (long long)(ms / duration_units[i].ms),
                                    duration_units[i].name);
}

#define WORD_BYTES_MAX 63

static char lower_of(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

static unsigned least(unsigned left, unsigned right)
{
    return left < right ? left : right;
}

/* Optimal string alignment distance, case apart; both words ≤ WORD_BYTES_MAX. */
static unsigned word_distance(struct span left, struct span right)
{
    unsigned rows[3][WORD_BYTES_MAX + 1];
    unsigned *older = rows[0], *old = rows[1], *now = rows[2];

    for (unsigned j = 0; j <= right.len; j++)
        old[j] = j;
    for (unsigned i = 1; i <= left.len; i++) {
        unsigned *spare = older;

        now[0] = i;
        for (unsigned j = 1; j <= right.len; j++) {
            char here = lower_of(left.at[i - 1]), there = lower_of(right.at[j - 1]);

            now[j] = least(least(old[j] + 1, now[j - 1] + 1), old[j - 1] + (here != there));
            if (i > 1 && j > 1 && here == lower_of(right.at[j - 2]) &&
                lower_of(left.at[i - 2]) == there)
                now[j] = least(now[j], older[j - 2] + 1);
        }
        older = old;
        old = now;
        now = spare;
    }
    return old[right.len];
}

const char *text_did_you_mean(struct span word, const char *const *candidates, size_t count)
{
    /* With more than a third of its letters wrong it is another word. */
    unsigned best = (unsigned)(word.len / 3 + 1);
    const char *nearest = NULL;

    if (word.len == 0 || word.len > WORD_BYTES_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct span candidate = span_of(candidates[i]);
        unsigned distance;

        if (candidate.len > WORD_BYTES_MAX)
            continue;
        distance = word_distance(word, candidate);
        if (distance < best) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}
