/* currency: a linear table of some 150 codes, and exact conversion in 128-bit integers. */
#include "model/currency.h"

#include "base/must.h"

#define CURRENCY_AMOUNT_MAX INT64_C(9000000000000000)
#define CURRENCY_SCALE_MAX  12

__extension__ typedef __int128 wide;

struct currency_row {
    char code[4];
    int exponent;
};

static const struct currency_row rows[CURRENCY_COUNT] = {
    [CURRENCY_NONE] = {"", 0},
#define CURRENCY(name, digits) [CURRENCY_##name] = {#name, digits},
#include "model/currency.def"
#undef CURRENCY
};

enum currency currency_find(struct span code)
{
    if (code.len != 3) {
        return CURRENCY_NONE;
    }
    for (int i = CURRENCY_NONE + 1; i < CURRENCY_COUNT; i++) {
        if (memcmp(code.at, rows[i].code, 3) == 0) {
            return (enum currency)i;
        }
    }
    return CURRENCY_NONE;
}

const char *currency_code(enum currency currency)
{
    MUST((unsigned)currency < CURRENCY_COUNT);
    return rows[currency].code;
}

int currency_exponent(enum currency currency)
{
    MUST((unsigned)currency < CURRENCY_COUNT);
    return rows[currency].exponent;
}

double currency_minor_in_major(enum currency currency)
{
    static const double powers[] = {1, 10, 100, 1000, 10000};
    const int exponent = currency_exponent(currency);
    MUST(exponent >= 0);
    MUST(exponent <= 4);
    return powers[exponent];
}

static wide power_of_ten(int exponent)
{
    wide power = 1;
    MUST(exponent >= 0);
    MUST(exponent <= CURRENCY_SCALE_MAX + 4);
    for (int i = 0; i < exponent; i++) {
        power *= 10;
    }
    return power;
}

/* Round half to even of numerator / denominator, denominator > 0, numerator ≥ 0. */
static wide divide_half_even(wide numerator, wide denominator)
{
    wide quotient = numerator / denominator;
    wide twice = 2 * (numerator - quotient * denominator);
    if (twice > denominator || (twice == denominator && (quotient & 1) != 0)) {
        quotient++;
    }
    return quotient;
}

enum status currency_convert(int64_t minor, enum currency from, enum currency to,
                             struct currency_rate rate, int64_t *ret_minor)
{
    MUST(rate.mantissa >= 0);
    MUST(rate.scale >= 0);
    MUST(rate.scale <= CURRENCY_SCALE_MAX);
    if (from == CURRENCY_NONE || to == CURRENCY_NONE || rate.mantissa == 0 ||
        minor > CURRENCY_AMOUNT_MAX || minor < -CURRENCY_AMOUNT_MAX) {
        return STATUS_REJECT;
    }
    /* 9e15 × 1e15 × 1e4 = 9e34 stays far below 2^127 = 1.7e38. */
    wide magnitude = (wide)(minor < 0 ? -minor : minor) * rate.mantissa;
    int shift = currency_exponent(to) - currency_exponent(from) - rate.scale;
    if (shift >= 0) {
        magnitude *= power_of_ten(shift);
    } else {
        magnitude = divide_half_even(magnitude, power_of_ten(-shift));
    }
    if (magnitude > CURRENCY_AMOUNT_MAX) {
        return STATUS_REJECT;
    }
    *ret_minor = minor < 0 ? -(int64_t)magnitude : (int64_t)magnitude;
    return STATUS_OK;
}
