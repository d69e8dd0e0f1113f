#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/double.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
    const char *name;
    double value;
    const char *text;
} rows[] = {
    {"zero", 0, "0"},
    {"minus zero keeps its sign", -0.0, "-0"},
    {"a whole number has no point", 3, "3"},
    {"a negative whole number", -120, "-120"},
    {"a tenth", 0.1, "0.1"},
    {"a sum that is no tenth", 0.1 + 0.2, "0.30000000000000004"},
    {"a third needs sixteen digits", 1.0 / 3, "0.3333333333333333"},
    {"seventeen digits", 0.7234567890123457, "0.7234567890123457"},
    {"negative", -1.2345678901, "-1.2345678901"},
    {"the smallest of the fast range", 1e-4, "0.0001"},
    {"just below the fast range", 9.999999999999999e-05, "9.999999999999999e-05"},
    {"the largest below 1e14", 99999999999999.98, "99999999999999.98"},
    {"1e14", 1e14, "100000000000000"},
    {"1e15 is written with an exponent", 1e15, "1e+15"},
    {"rounding that carries into a new digit", 9.999999999999998, "9.999999999999998"},
    {"the largest double", DBL_MAX, "1.7976931348623157e+308"},
    {"the smallest double", 4.9406564584124654e-324, "4.94065645841247e-324"},
    {"a power of two, whose lower neighbour is nearer", 0.001953125, "0.001953125"},
};

static void numbers_are_written_as_the_shortest_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        char text[DOUBLE_TEXT_BYTES];
        size_t len = double_format(rows[i].value, text);

        if (strcmp(text, rows[i].text) != 0 || len != strlen(text))
            fail_msg("%s: %s, not %s", rows[i].name, text, rows[i].text);
    }
}

/* The definition, by the C library. */
static void slow(double value, char *ret_text)
{
    for (int precision = 15; precision <= 17; precision++) {
        double back;

        snprintf(ret_text, DOUBLE_TEXT_BYTES, "%.*g", precision, value);
        back = strtod(ret_text, NULL);
        if (memcmp(&back, &value, sizeof(back)) == 0)
            break;
    }
}

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Random bits, powers of ten and of two with their neighbours, fractions with few digits. */
static double random_double(uint64_t *seed)
{
    uint64_t bits = random_next(seed);
    double value;

    switch (bits >> 61) {
    case 0:
        memcpy(&value, &bits, sizeof(value));
        return value;
    case 1:
        return nextafter(ldexp(1, (int)(bits % 62) - 14), bits & 64 ? 0 : 1e300);
    case 2:
        return nextafter(pow(10, (double)(int)(bits % 20) - 5), bits & 64 ? 0 : 1e300);
    case 3:
        return (double)(bits % 1000003) / pow(10, (double)(bits >> 32 & 7));
    default:
        return ldexp((double)(bits >> 11), -53 - 13 + (int)(bits & 63));
    }
}

static void every_number_is_written_as_the_c_library_would(void **state)
{
    uint64_t seed = 88172645463325252;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        double value = random_double(&seed);
        char text[DOUBLE_TEXT_BYTES], want[DOUBLE_TEXT_BYTES];

        if (!isfinite(value))
            continue;
        (void)double_format(value, text);
        slow(value, want);
        if (strcmp(text, want) != 0)
            fail_msg("%a: %s, not %s", value, text, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_written_as_the_shortest_text),
        cmocka_unit_test(every_number_is_written_as_the_c_library_would),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
