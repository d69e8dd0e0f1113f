/* For 1e-4 <= |value| < 1e14 the digits come from exact integers: value = m·2^e, so that
 * value·10^k = m·5^k·2^(e+k), whose product is below 2^128 for the k needed (<= 20, 5^20 < 2^47).
 * Rounding and the test whether the digits read back are comparisons of such integers. Everything
 * else (counts are whole numbers, figures are within that range) takes the slow way. */
#include "base/double.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

typedef unsigned __int128 wide; /* rule 18's exception: gcc and clang have it as a keyword pair */

#define MANTISSA_BITS 52
#define HIDDEN_BIT    (UINT64_C(1) << MANTISSA_BITS)
#define EXPONENT_BIAS 1075 /* of an integer mantissa */

struct binary {
    uint64_t mantissa; /* with the hidden bit */
    int exponent;      /* value = mantissa · 2^exponent */
};

static const uint64_t fives[] = {
    UINT64_C(1),
    UINT64_C(5),
    UINT64_C(25),
    UINT64_C(125),
    UINT64_C(625),
    UINT64_C(3125),
    UINT64_C(15625),
    UINT64_C(78125),
    UINT64_C(390625),
    UINT64_C(1953125),
    UINT64_C(9765625),
    UINT64_C(48828125),
    UINT64_C(244140625),
    UINT64_C(1220703125),
    UINT64_C(6103515625),
    UINT64_C(30517578125),
    UINT64_C(152587890625),
    UINT64_C(762939453125),
    UINT64_C(3814697265625),
    UINT64_C(19073486328125),
    UINT64_C(95367431640625),
};
#define SCALE_MAX ((int)(sizeof(fives) / sizeof(fives[0])) - 1)

/* floor(log10(value)) for 1e-4 <= value < 1e14. The doubles nearest to 0.1 … 1e-4 lie just above
 * them, so that comparing with them is comparing with the decimals. */
static int magnitude_of(double value)
{
    static const double tens[] = {1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1,  1e2,  1e3,  1e4,
                                  1e5,  1e6,  1e7,  1e8,  1e9, 1e10, 1e11, 1e12, 1e13};
    int magnitude = 0;

    while (magnitude < 17 && value >= tens[magnitude + 1])
        magnitude++;
    return magnitude - 4;
}

/* value·10^scale rounded to the nearest integer, ties to even; whether that integer, divided by
 * 10^scale, reads back as value. */
static uint64_t digits_of(struct binary binary, int scale, bool *ret_same)
{
    wide product = (wide)binary.mantissa * fives[scale];
    int shift = -(binary.exponent + scale); /* value·10^scale = product / 2^shift */
    wide half = (wide)1 << (shift - 1), rest, error;
    uint64_t digits = (uint64_t)(product >> shift);
    bool below;

    rest = product - ((wide)digits << shift);
    if (rest > half || (rest == half && (digits & 1)))
        digits++;
    below = ((wide)digits << shift) < product;
    error = below ? product - ((wide)digits << shift) : ((wide)digits << shift) - product;
    /* Half the distance to the neighbour is 5^scale / 2 in these units, half of that below a power
     * of two; on the border the even mantissa wins. */
    error *= below && binary.mantissa == HIDDEN_BIT ? 4 : 2;
    *ret_same = error < fives[scale] || (error == fives[scale] && !(binary.mantissa & 1));
    return digits;
}

/* Decimal digits of `value`, right-aligned before `end`, two at a time; the first one. */
static char *digits_put(uint64_t value, char *end)
{
    static const char pairs[] = "0001020304050607080910111213141516171819"
                                "2021222324252627282930313233343536373839"
                                "4041424344454647484950515253545556575859"
                                "6061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";

    for (; value >= 10; value /= 100) {
        end -= 2;
        memcpy(end, pairs + 2 * (value % 100), 2);
    }
    if (value > 0)
        *--end = (char)('0' + value);
    return end;
}

/* digits / 10^scale without trailing zeros. */
static size_t fixed_put(uint64_t digits, int scale, bool negative, char *ret_text)
{
    char text[24], *end = text + sizeof(text), *first, *out = ret_text;
    int whole;

    while (scale >= 8 && digits % 100000000 == 0) {
        digits /= 100000000;
        scale -= 8;
    }
    while (scale > 0 && digits % 10 == 0) {
        digits /= 10;
        scale--;
    }
    first = digits_put(digits, end);
    while (end - first <= scale) /* a zero before the point at least */
        *--first = '0';
    whole = (int)(end - first) - scale;
    if (negative)
        *out++ = '-';
    memcpy(out, first, (size_t)whole);
    out += whole;
    if (scale > 0) {
        *out++ = '.';
        memcpy(out, first + whole, (size_t)scale);
        out += scale;
    }
    *out = '\0';
    return (size_t)(out - ret_text);
}

static size_t slow_put(double value, char *ret_text)
{
    for (int precision = 15;; precision++) {
        int len = snprintf(ret_text, DOUBLE_TEXT_BYTES, "%.*g", precision, value);
        double back = strtod(ret_text, NULL);

        MUST(len < DOUBLE_TEXT_BYTES);
        if (precision == 17 || memcmp(&back, &value, sizeof(back)) == 0)
            return (size_t)len;
    }
}

size_t double_format(double value, char ret_text[DOUBLE_TEXT_BYTES])
{
    double size = fabs(value);
    struct binary binary;
    uint64_t bits;
    int magnitude;

    MUST(isfinite(value));
    if (size < 1e14 && size == floor(size) && (size > 0 || !signbit(value)))
        return fixed_put((uint64_t)size, 0, value < 0, ret_text);
    if (size < 1e-4 || size >= 1e14)
        return slow_put(value, ret_text);
    memcpy(&bits, &size, sizeof(bits));
    binary.mantissa = (bits & (HIDDEN_BIT - 1)) | HIDDEN_BIT;
    binary.exponent = (int)(bits >> MANTISSA_BITS) - EXPONENT_BIAS;
    magnitude = magnitude_of(size);
    for (int precision = 15;; precision++) {
        int scale = precision - 1 - magnitude;
        bool same;
        uint64_t digits;

        MUST(scale <= SCALE_MAX);
        digits = digits_of(binary, scale, &same);
        if (same || precision == 17)
            return fixed_put(digits, scale, value < 0, ret_text);
    }
}
