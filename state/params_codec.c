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
    struct span name;
    enum sort sort;
    size_t offset;
} rows[] = {
#define PARAM(section, name, type, fallback, min, max, unit, help)                                 \
    {{#name, sizeof #name - 1}, SORT_##type, offsetof(struct params, name)},
#include "model/params.def"
#undef PARAM
};
#define CFG_HASH_LEN 16 /* hex digits of a fingerprint; behind them those of a level above 1 */

#define ROW_COUNT (sizeof rows / sizeof *rows)

/* Rows that came with a higher level of the fold. A text of a lower level has none of them: it is
 * byte for byte what a build of that level writes. */
static const struct {
    const char *name;
    int64_t level;
} later[] = {{"fold_level", 2}};

static bool row_is_known(const struct row *row, int64_t level)
{
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        if (span_is(row->name, later[i].name))
            return level >= later[i].level;
    return true;
}

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

/* --- the insight: lists of numbers --- */

/* Lines of the insight by number of name. */
enum insight_line {
    LINE_VERSION,
    LINE_MADE,
    LINE_BUYERS,
    LINE_CUTS,
    LINE_SPREAD,
    LINE_GAP,
    LINE_MBG,
    LINE_GG,
    LINE_SBG,
    LINE_NEXT,
    LINE_NAMES,
    LINE_FEATURES,
    LINE_WARNINGS,
    INSIGHT_LINES
};
static const char *const insight_names[INSIGHT_LINES] = {
    [LINE_VERSION] = "insight.version",  [LINE_MADE] = "insight.made",
    [LINE_BUYERS] = "insight.buyers",    [LINE_CUTS] = "insight.cuts",
    [LINE_SPREAD] = "insight.spread",    [LINE_GAP] = "insight.gap",
    [LINE_MBG] = "insight.mbg",          [LINE_GG] = "insight.gg",
    [LINE_SBG] = "insight.sbg",          [LINE_NEXT] = "insight.next",
    [LINE_NAMES] = "insight.names",      [LINE_FEATURES] = "insight.features",
    [LINE_WARNINGS] = "insight.warnings"};
#define NEXT_PARTS 3 /* category, the one bought with it, share */

static void line_wholes(struct text *text, const char *name, const int64_t *values, int count)
{
    append(text, name, strlen(name));
    for (int i = 0; i < count; i++) {
        char digits[24];

        append(text, i == 0 ? "=" : ",", 1);
        append(text, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, values[i]));
    }
    append(text, "\n", 1);
}

static void line_reals(struct text *text, const char *name, const double *values, int count)
{
    append(text, name, strlen(name));
    for (int i = 0; i < count; i++) {
        char digits[64];
        struct json_writer writer;

        json_writer_init(&writer, digits, sizeof digits);
        json_put_double(&writer, values[i]);
        MUST(!writer.full);
        append(text, i == 0 ? "=" : ",", 1);
        append(text, digits, writer.len);
    }
    append(text, "\n", 1);
}

/* "3:shoes,17:books". */
static void line_names(struct text *text, const struct insight *insight)
{
    bool any = false;

    for (int i = 0; i < INSIGHT_CATEGORIES; i++) {
        const char *name = insight->category_name[i];
        char number[8];

        if (name[0] == '\0')
            continue;
        if (!any)
            append(text, insight_names[LINE_NAMES], strlen(insight_names[LINE_NAMES]));
        append(text, any ? "," : "=", 1);
        append(text, number, (size_t)snprintf(number, sizeof number, "%d:", i));
        append(text, name, strnlen(name, INSIGHT_NAME_MAX));
        any = true;
    }
    if (any)
        append(text, "\n", 1);
}

static void format_insight(const struct insight *insight, struct text *text)
{
    const double mbg[] = {insight->mbg_r, insight->mbg_alpha, insight->mbg_a, insight->mbg_b};
    const double gg[] = {insight->gg_p, insight->gg_q, insight->gg_gamma};
    const double sbg[] = {insight->sbg_alpha, insight->sbg_beta};
    const double spread[] = {insight->value_gini, insight->value_top20, insight->revenue_gini,
                             insight->revenue_top20};
    int64_t next[INSIGHT_CATEGORIES * NEXT_PARTS];
    int parts = 0;

    if (insight->version == 0)
        return;
    line_whole(text, insight_names[LINE_VERSION], insight->version);
    line_whole(text, insight_names[LINE_MADE], insight->made_ms);
    line_whole(text, insight_names[LINE_BUYERS], insight->buyers);
    line_wholes(text, insight_names[LINE_CUTS], insight->value_cut_minor, INSIGHT_CUTS);
    line_reals(text, insight_names[LINE_SPREAD], spread, 4);
    line_whole(text, insight_names[LINE_GAP], insight->gap_ms);
    if (insight->fitted_mbg)
        line_reals(text, insight_names[LINE_MBG], mbg, 4);
    if (insight->fitted_gg)
        line_reals(text, insight_names[LINE_GG], gg, 3);
    if (insight->fitted_sbg)
        line_reals(text, insight_names[LINE_SBG], sbg, 2);
    for (int i = 0; i < INSIGHT_CATEGORIES; i++)
        if (insight->category_share[i] > 0) {
            next[parts++] = i;
            next[parts++] = insight->category_next[i];
            next[parts++] = insight->category_share[i];
        }
    if (parts > 0)
        line_wholes(text, insight_names[LINE_NEXT], next, parts);
    line_names(text, insight);
    if (insight->learned) {
        line_reals(text, insight_names[LINE_FEATURES], insight->feature_weight, FEATURE_COUNT);
        line_reals(text, insight_names[LINE_WARNINGS], insight->warning_weight, WARNING_COUNT);
    }
}

static void format(const struct params *params, struct text *text)
{
    text->len = 0;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const char *field = (const char *)params + rows[i].offset;
        double real;
        int64_t whole;

        if (!row_is_known(&rows[i], params->fold_level))
            continue;
        if (row_is_real(&rows[i])) {
            memcpy(&real, field, sizeof real);
            line_real(text, rows[i].name.at, real);
        } else {
            memcpy(&whole, field, sizeof whole);
            line_whole(text, rows[i].name.at, whole);
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
    format_insight(&params->insight, text);
}

static enum status keep(const struct text *text, struct arena *arena, struct span *ret_text)
{
    char *copy = arena_copy(arena, text->at, text->len);

    if (!copy)
        return STATUS_FULL;
    *ret_text = (struct span){copy, text->len};
    return STATUS_OK;
}

enum status params_encode(const struct params *params, struct arena *arena, struct span *ret_text)
{
    struct text text;

    format(params, &text);
    return keep(&text, arena, ret_text);
}

enum status params_encode_insight(const struct insight *insight, struct arena *arena,
                                  struct span *ret_text)
{
    struct text text = {.len = 0};

    format_insight(insight, &text);
    return keep(&text, arena, ret_text);
}

void params_fingerprint(const struct params *params, char ret_cfg[STORE_CFG_BYTES])
{
    struct text text;

    format(params, &text);
    params_text_fingerprint((struct span){text.at, text.len}, params->fold_level, ret_cfg);
}

void params_text_fingerprint(struct span text, int64_t level, char ret_cfg[STORE_CFG_BYTES])
{
    int len = snprintf(ret_cfg, STORE_CFG_BYTES, "%016" PRIx64, hash_bytes(text, 0));

    _Static_assert(FOLD_LEVEL <= UINT8_MAX, "two hex digits");
    if (level > 1)
        snprintf(ret_cfg + len, STORE_CFG_BYTES - (size_t)len, "%02x", (unsigned)(uint8_t)level);
}

int64_t params_level_of(const char *cfg)
{
    size_t len = strnlen(cfg, STORE_CFG_BYTES);
    uint64_t level = 1;

    if (len > CFG_HASH_LEN &&
        text_u64_hex_parse((struct span){cfg + CFG_HASH_LEN, len - CFG_HASH_LEN}, &level) !=
            STATUS_OK)
        return INT64_MAX;
    return (int64_t)level;
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

/* Cuts a list at its commas; false when an item is none or they are not `min` to `max`. */
static bool read_wholes(struct span list, int min, int max, int64_t *ret_values, int *ret_count)
{
    *ret_count = 0;
    while (list.len > 0 && *ret_count < max) {
        const char *comma = memchr(list.at, ',', list.len);
        size_t len = comma ? (size_t)(comma - list.at) : list.len;

        if (text_i64_parse((struct span){list.at, len}, &ret_values[(*ret_count)++]) != STATUS_OK)
            return false;
        len += comma != NULL;
        list = (struct span){list.at + len, list.len - len};
    }
    return list.len == 0 && *ret_count >= min;
}

static bool read_reals(struct span list, int count, double *const ret_values[])
{
    for (int i = 0; i < count; i++) {
        const char *comma = memchr(list.at, ',', list.len);
        size_t len = comma ? (size_t)(comma - list.at) : list.len;

        if ((comma == NULL) != (i == count - 1) ||
            text_double_parse((struct span){list.at, len}, ret_values[i]) != STATUS_OK)
            return false;
        len += comma != NULL;
        list = (struct span){list.at + len, list.len - len};
    }
    return true;
}

static bool read_next(struct span value, struct insight *insight)
{
    int64_t parts[INSIGHT_CATEGORIES * NEXT_PARTS];
    int count;

    if (!read_wholes(value, NEXT_PARTS, INSIGHT_CATEGORIES * NEXT_PARTS, parts, &count) ||
        count % NEXT_PARTS != 0)
        return false;
    for (int i = 0; i < count; i += NEXT_PARTS) {
        if (parts[i] < 0 || parts[i] >= INSIGHT_CATEGORIES || parts[i + 1] < 0 ||
            parts[i + 1] >= INSIGHT_CATEGORIES || parts[i + 2] < 1 || parts[i + 2] > 1000)
            return false;
        insight->category_next[parts[i]] = (uint8_t)parts[i + 1];
        insight->category_share[parts[i]] = (uint16_t)parts[i + 2];
    }
    return true;
}

static bool read_names(struct span list, struct insight *insight)
{
    int64_t last = -1, bit;

    while (list.len > 0) {
        const char *comma = memchr(list.at, ',', list.len);
        size_t len = comma ? (size_t)(comma - list.at) : list.len;
        const char *colon = memchr(list.at, ':', len);
        char name[INSIGHT_NAME_MAX] = {0};
        size_t head = colon ? (size_t)(colon - list.at) : len;

        if (!colon || text_i64_parse((struct span){list.at, head}, &bit) != STATUS_OK ||
            bit <= last || bit >= INSIGHT_CATEGORIES || len - head - 1 < 1 ||
            len - head - 1 > INSIGHT_NAME_MAX)
            return false;
        memcpy(name, colon + 1, len - head - 1);
        if (!insight_name_category(insight, (int)bit, name))
            return false;
        last = bit;
        len += comma != NULL;
        list = (struct span){list.at + len, list.len - len};
    }
    return last >= 0;
}

static bool read_weights(struct span value, int count, double *ret_weight)
{
    double *weight[FEATURE_COUNT + WARNING_COUNT];

    MUST(count <= FEATURE_COUNT + WARNING_COUNT);
    for (int i = 0; i < count; i++)
        weight[i] = &ret_weight[i];
    return read_reals(value, count, weight);
}

static bool read_insight(enum insight_line which, struct span value, struct insight *insight)
{
    double *const mbg[] = {&insight->mbg_r, &insight->mbg_alpha, &insight->mbg_a, &insight->mbg_b};
    double *const gg[] = {&insight->gg_p, &insight->gg_q, &insight->gg_gamma};
    double *const sbg[] = {&insight->sbg_alpha, &insight->sbg_beta};
    double *const spread[] = {&insight->value_gini, &insight->value_top20, &insight->revenue_gini,
                              &insight->revenue_top20};
    int64_t whole;
    int count;

    switch (which) {
    case LINE_VERSION:
        if (text_i64_parse(value, &whole) != STATUS_OK || whole < 1 || whole > UINT32_MAX)
            return false;
        insight->version = (uint32_t)whole;
        return true;
    case LINE_MADE:
        return text_i64_parse(value, &insight->made_ms) == STATUS_OK;
    case LINE_BUYERS:
        return text_i64_parse(value, &insight->buyers) == STATUS_OK;
    case LINE_CUTS:
        return read_wholes(value, INSIGHT_CUTS, INSIGHT_CUTS, insight->value_cut_minor, &count);
    case LINE_SPREAD:
        return read_reals(value, 4, spread);
    case LINE_GAP:
        return text_i64_parse(value, &insight->gap_ms) == STATUS_OK;
    case LINE_MBG:
        return insight->fitted_mbg = read_reals(value, 4, mbg);
    case LINE_GG:
        return insight->fitted_gg = read_reals(value, 3, gg);
    case LINE_SBG:
        return insight->fitted_sbg = read_reals(value, 2, sbg);
    case LINE_NEXT:
        return read_next(value, insight);
    case LINE_NAMES:
        return read_names(value, insight);
    case LINE_FEATURES:
        return insight->learned = read_weights(value, FEATURE_COUNT, insight->feature_weight);
    case LINE_WARNINGS:
        return read_weights(value, WARNING_COUNT, insight->warning_weight);
    case INSIGHT_LINES:
        break;
    }
    return false;
}

/* The number of an insight's line, or INSIGHT_LINES. */
static enum insight_line insight_line_of(struct span name)
{
    int i = 0;

    while (i < INSIGHT_LINES && !span_is(name, insight_names[i]))
        i++;
    return (enum insight_line)i;
}

#define KEY_INSIGHT (ROW_COUNT + 2 + CURRENCY_COUNT)
#define KEY_COUNT   (KEY_INSIGHT + INSIGHT_LINES)

/* false: unknown name or a value that is none. *ret_key: a number of the name, to notice
 * repetitions. */
static bool read_line(struct span name, struct span value, struct params *params, size_t *ret_key)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (span_equal(name, rows[i].name)) {
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
    if (insight_line_of(name) < INSIGHT_LINES) {
        *ret_key = KEY_INSIGHT + (size_t)insight_line_of(name);
        return read_insight(insight_line_of(name), value, &params->insight);
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
    bool seen[KEY_COUNT] = {false};
    struct params params;

    params_default(&params);
    params.fold_level = 1; /* unless it says otherwise */
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
    if (params.fold_level < 1 || params.fold_level > FOLD_LEVEL)
        return refused(report, SPAN_LITERAL("fold_level"), "a level this build does not know");
    if (insight_check(&params.insight) != NULL)
        return refused(report, span_of(insight_check(&params.insight)), "the insight is damaged");
    *ret_params = params;
    return STATUS_OK;
}

enum status params_decode_insight(struct span text, struct insight *ret_insight,
                                  struct report *report)
{
    struct params params;
    enum status status = params_decode(text, &params, report);

    if (status == STATUS_OK && params.insight.version == 0)
        status = refused(report, SPAN_LITERAL(""), "no insight in it");
    if (status == STATUS_OK)
        *ret_insight = params.insight;
    return status;
}
