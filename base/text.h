/* text: numbers, times and money as people and JSON write them; exact both ways, no locale. */
#ifndef LC_BASE_TEXT_H
#define LC_BASE_TEXT_H

#include <stdint.h>

#include "base/span.h"
#include "base/status.h"

#define TEXT_MS_PER_DAY    INT64_C(86400000)
#define TEXT_MS_PER_HOUR   INT64_C(3600000)
#define TEXT_MS_PER_MINUTE INT64_C(60000)
#define TEXT_TIME_BYTES    32 /* "2025-01-02T03:04:05.678Z" and its NUL */

/* RFC 3339 with a zone ("Z" or +hh:mm), 0–9 fraction digits (beyond ms cut off); also a bare date
 * "2025-01-02" as midnight UTC. Years 1900–2200. REJECT otherwise. */
enum status text_time_parse(struct span text, int64_t *ret_ms) LC_CHECKED;
/* "2025-01-02T03:04:05.678Z"; the length without NUL (24). Times outside the years 0000–9999 print
 * as the nearest inside. */
size_t text_time_format(int64_t ms, char ret_text[TEXT_TIME_BYTES]);
/* "2025-01-02" */
size_t text_date_format(int64_t ms, char ret_text[TEXT_TIME_BYTES]);

/* Floor division: the UTC day number (1970-01-01 is 0) of a time, also before 1970. */
static inline int32_t text_day_of(int64_t ms)
{
    return (int32_t)(ms >= 0 ? ms / TEXT_MS_PER_DAY
                             : -((-ms + TEXT_MS_PER_DAY - 1) / TEXT_MS_PER_DAY));
}

/* Decimal, with a NUL; the length. */
#define TEXT_I64_BYTES 24
size_t text_i64_format(int64_t value, char ret_text[TEXT_I64_BYTES]);
/* Whole text must be the number. REJECT on overflow or anything else. */
enum status text_i64_parse(struct span text, int64_t *ret_value) LC_CHECKED;
enum status text_u64_hex_parse(struct span text, uint64_t *ret_value) LC_CHECKED;
/* A JSON number (finite). */
enum status text_double_parse(struct span text, double *ret_value) LC_CHECKED;

/* A decimal ("12.30", "-5", "1e3" is REJECT) as an integer count of 10^-exponent units; more
 * fraction digits than the exponent must be zeros. exponent 0–9. REJECT on overflow past 9e15 (2^53
 * keeps JSON readers exact). */
enum status text_decimal_parse(struct span text, int exponent, int64_t *ret_units) LC_CHECKED;
/* Inverse: "-12.30". Returns the length without NUL; cap must be ≥ 32. */
size_t text_decimal_format(int64_t units, int exponent, char *ret_text, size_t cap);

/* Strict UTF-8 (no surrogates, no overlong forms), as RFC 3629. */
bool text_utf8_valid(struct span text);

/* Durations of the configuration: "90d", "36h", "15m", "10s", "250ms"; plain digits are refused. */
enum status text_duration_parse(struct span text, int64_t *ret_ms) LC_CHECKED;
/* Shortest exact form of the same ("90d"). cap ≥ 32. */
size_t text_duration_format(int64_t ms, char *ret_text, size_t cap);

/* The candidate nearest to `word` by edit distance (transpositions count one), NULL when none is
 * near enough to be worth suggesting. */
const char *text_did_you_mean(struct span word, const char *const *candidates, size_t count);

#endif
