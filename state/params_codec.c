/* One line a parameter: `name=value`. Numbers in their shortest form that reads back to the same
 * bits, so that equal parameters are equal texts and the fingerprint is a hash of the text. */
#include "state/params_codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/must.h"
#include "base/text.h"

enum sort { SORT_FRACTION, SORT_NUMBER, SORT_COUNT, SORT_DURATION, SORT_MONEY, SORT_FLAG };

/* Where a row of params.def lives in the struct. */
static const struct row {
    const char *name;
    enum sort sort;
    size_t offset;
} rows[] = {
#define PARAM(section, name, type, fallback, min, max, unit, help)                                 \
    {#name, SORT_##type, offsetof(struct params, name)},
#include "model/params.def"
#undef PARAM
};
#define ROW_COUNT (sizeof rows / sizeof *rows)

static bool row_is_real(const struct row *row)
{
    return row->sort == SORT_FRACTION || row->sort == SORT_NUMBER;
}

/* --- writing --- */

struct text {
    char at[PARAMS_TEXT_MAX];
    size_t len;
};

static void append(struct text *text, const char *bytes, size_t len)
{
    MUST(len <= sizeof text->at - text->len); /* the table is fixed: so is the length */
    memcpy(text->at + text->len, bytes, len);
    text->len += len;
}

static void line(struct text *text, const char *name, const char *value, size_t value_len)
{
    append(text, name, strlen(name));
    append(text, "=", 1);
    append(text, value, value_len);
    append(text, "\n", 1);
}

static void line_real(struct text *text, const char *name, double value)
{
    char digits[64];
    struct json_writer writer;

    json_writer_init(&writer, digits, sizeof digits);
    json_put_double(&writer, value);
    MUST(!writer.full);
    line(text, name, digits, writer.len);
}

static void line_whole(struct text *text, const char *name, int64_t value)
{
    char digits[24];

    line(text, name, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, value));
}

static void line_word(struct text *text, const char *name, const char *word)
{
    line(text, name, word, strlen(word));
}

static void format(const struct params *params, struct text *text)
{
    text->len = 0;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const char *field = (const char *)params + rows[i].offset;
        double real;
        int64_t whole;

        if (row_is_real(&rows[i])) {
            memcpy(&real, field, sizeof real);
            line_real(text, rows[i].name, real);
        } else {
            memcpy(&whole, field, sizeof whole);
            line_whole(text, rows[i].name, whole);
        }
    }
    line_word(text, "clock", params->clock == FOLD_CLOCK_WALL ? "wall" : "event");
    line_word(text, "reporting", currency_code(params->reporting));
    for (int i = CURRENCY_NONE + 1; i < CURRENCY_COUNT; i++) {
        const struct currency_rate *rate = &params->rates[i];
        char name[16], value[48];

        if (rate->mantissa == 0)
            continue;
        snprintf(name, sizeof name, "rate.%s", currency_code((enum currency)i));
        line(text, name, value,
             (size_t)snprintf(value, sizeof value, "%" PRId64 "/%d", rate->mantissa, rate->scale));
    }
}

enum status params_encode(const struct params *params, struct arena *arena, struct span *ret_text)
{
    struct text text;
    char *copy;

    format(params, &text);
    copy = arena_copy(arena, text.at, text.len);
    if (!copy)
        return STATUS_FULL;
    *ret_text = (struct span){copy, text.len};
    return STATUS_OK;
}

void params_fingerprint(const struct params *params, char ret_cfg[STORE_CFG_BYTES])
{
    struct text text;

    format(params, &text);
    snprintf(ret_cfg, STORE_CFG_BYTES, "%016" PRIx64,
             hash_bytes((struct span){text.at, text.len}, 0));
}

/* --- reading --- */

static bool read_row(const struct row *row, struct span value, struct params *params)
{
    char *field = (char *)params + row->offset;
    double real;
    int64_t whole;

    if (row_is_real(row)) {
        if (text_double_parse(value, &real) != STATUS_OK)
            return false;
        memcpy(field, &real, sizeof real);
        return true;
    }
    if (text_i64_parse(value, &whole) != STATUS_OK ||
        (row->sort == SORT_FLAG && (whole & ~INT64_C(1))))
        return false;
    memcpy(field, &whole, sizeof whole);
    return true;
}

static bool read_rate(struct span code, struct span value, struct params *params)
{
    enum currency currency = currency_find(code);
    const char *slash = memchr(value.at, '/', value.len);
    struct span mantissa, scale;
    int64_t number, digits;

    if (!slash || currency == CURRENCY_NONE)
        return false;
    mantissa = (struct span){value.at, (size_t)(slash - value.at)};
    scale = (struct span){slash + 1, value.len - mantissa.len - 1};
    if (text_i64_parse(mantissa, &number) != STATUS_OK ||
        text_i64_parse(scale, &digits) != STATUS_OK || number < 1 ||
        number > INT64_C(1000000000000000) || digits < 0 || digits > 12)
        return false;
    params->rates[currency] = (struct currency_rate){number, (int)digits};
    return true;
}

/* false: unknown name or a value that is none. *ret_key: a number of the name, to notice
 * repetitions. */
static bool read_line(struct span name, struct span value, struct params *params, size_t *ret_key)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (span_is(name, rows[i].name)) {
            *ret_key = i;
            return read_row(&rows[i], value, params);
        }
    if (span_is(name, "clock")) {
        *ret_key = ROW_COUNT;
        params->clock = span_is(value, "event") ? FOLD_CLOCK_EVENT : FOLD_CLOCK_WALL;
        return span_is(value, "event") || span_is(value, "wall");
    }
    if (span_is(name, "reporting")) {
        *ret_key = ROW_COUNT + 1;
        params->reporting = currency_find(value);
        return params->reporting != CURRENCY_NONE;
    }
    if (name.len == 8 && !memcmp(name.at, "rate.", 5)) {
        struct span code = {name.at + 5, 3};

        *ret_key = ROW_COUNT + 2 + (size_t)currency_find(code);
        return read_rate(code, value, params);
    }
    return false;
}

static enum status refused(struct report *report, struct span text, const char *why)
{
    report_set(report, "params-text", "parameters recorded in the control topic: %s: '%.*s'%s", why,
               (int)(text.len < 80 ? text.len : 80), text.at,
               "; were they written by a newer version?");
    return STATUS_REJECT;
}

enum status params_decode(struct span text, struct params *ret_params, struct report *report)
{
    bool seen[ROW_COUNT + 2 + CURRENCY_COUNT] = {false};
    struct params params;

    params_default(&params);
    if (text.len > PARAMS_TEXT_MAX)
        return refused(report, SPAN_LITERAL(""), "longer than any version writes");
    while (text.len > 0) {
        const char *stop = memchr(text.at, '\n', text.len);
        struct span whole = {text.at, stop ? (size_t)(stop - text.at) : text.len}, name, value;
        const char *equals = memchr(whole.at, '=', whole.len);
        size_t key = 0;

        if (!stop || !equals)
            return refused(report, whole, "not a line of name=value");
        name = (struct span){whole.at, (size_t)(equals - whole.at)};
        value = (struct span){equals + 1, whole.len - name.len - 1};
        if (!read_line(name, value, &params, &key))
            return refused(report, whole, "unknown name or impossible value");
        if (seen[key])
            return refused(report, whole, "given twice");
        seen[key] = true;
        text = (struct span){stop + 1, text.len - whole.len - 1};
    }
    *ret_params = params;
    return STATUS_OK;
}
