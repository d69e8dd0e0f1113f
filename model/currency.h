/* currency: ISO 4217 codes, minor-unit exponents, and exact conversion into the reporting currency.
 */
#ifndef LC_MODEL_CURRENCY_H
#define LC_MODEL_CURRENCY_H

#include <stdint.h>

#include "base/span.h"
#include "base/status.h"

enum currency {
    CURRENCY_NONE,
#define CURRENCY(code, exponent) CURRENCY_##code,
#include "model/currency.def"
#undef CURRENCY
    CURRENCY_COUNT
};

/* A rate is exact: units of the reporting currency (major) for one unit (major) = mantissa /
 * 10^scale. mantissa 0 = no rate known. 1 ≤ mantissa ≤ 1e15, 0 ≤ scale ≤ 12. */
struct currency_rate {
    int64_t mantissa;
    int scale;
};

/* CURRENCY_NONE when the text is no active code (upper-case, three letters). */
enum currency currency_find(struct span code);
const char *currency_code(enum currency currency);
int currency_exponent(enum currency currency);
/* Minor units in one major unit: 100 for EUR. */
double currency_minor_in_major(enum currency currency);
/* Minor units of `from` into minor units of `to`, rounding half to even, exactly (128-bit). REJECT
 * without a rate or past 9e15. */
enum status currency_convert(int64_t minor, enum currency from, enum currency to,
                             struct currency_rate rate, int64_t *ret_minor) LC_CHECKED;

#endif
