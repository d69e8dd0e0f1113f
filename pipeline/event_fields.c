/* event_fields: from names and values to one event. Which fields a type reads is decided here, by
 * its group; a field that a type does not read is not looked at, so that a page view with a broken
 * `total` is still a page view. */
#include "pipeline/event_fields.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/text.h"

#define TEXT_BYTES_MAX  256 /* identifiers, and every other text a field may carry */
#define KEPT_BYTES_MAX  16  /* of channel and plan (struct customer keeps no more) */
#define INTEGER_BYTES   24
#define MINOR_MAX       INT64_C(9000000000000000) /* as text_decimal_parse */
#define REAL_UNITS_MAX  1e15 /* up to 15 digits a decimal and its double name each other */
#define EPOCH_MS_MIN    INT64_C(-2208988800000) /* 1900-01-01, as text_time_parse */
#define EPOCH_MS_MAX    INT64_C(7289654400000)  /* 2201-01-01 */
#define EPOCH_S_SUSPECT INT64_C(100000000000)   /* below, "ms" would all be before March 1973 */

const char *event_fields_name(enum event_field field)
{
    static const char *const names[EVENT_FIELD_COUNT] = {
#define X(symbol, name, scopes) name,
        EVENT_FIELD_TABLE(X)
#undef X
    };

    return names[field];
}

void event_fields_fail(struct event_fields *fields, enum decode_error error, const char *format,
                       ...)
{
    va_list args;

    if (fields->error != DECODE_NONE)
        return;
    fields->error = error;
    va_start(args, format);
    (void)vsnprintf(fields->detail, sizeof(fields->detail), format, args);
    va_end(args);
}

static void bad(struct event_fields *fields, enum event_field field, const char *why)
{
    event_fields_fail(fields, DECODE_BAD_FIELD, "%s %s", event_fields_name(field), why);
}

static void missing(struct event_fields *fields, const char *what)
{
    event_fields_fail(fields, DECODE_MISSING_FIELD, "%s is missing", what);
}

#define NO_FIELD EVENT_FIELD_COUNT

/* The first of the names, in order of preference, that is present. */
static enum event_field first_of(const struct event_fields *fields, const enum event_field *names,
                                 size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (event_fields_has(fields, names[i]))
            return names[i];
    return NO_FIELD;
}

#define FIRST_OF(fields, ...)                                                                      \
    first_of(fields, (const enum event_field[]){__VA_ARGS__},                                      \
             sizeof((const enum event_field[]){__VA_ARGS__}) / sizeof(enum event_field))

static bool is_integer_text(struct span text)
{
    int64_t ignored;

    return text_i64_parse(text, &ignored) == STATUS_OK;
}

/* A text, or an integer as the text it would be written as: 17 and "17" are one identifier. */
static struct span text_of(struct event_fields *fields, enum event_field field,
                           struct arena *scratch)
{
    const struct event_value *value = &fields->value[field];
    struct span text = value->text;

    if (value->kind == EVENT_VALUE_INTEGER) {
        char *digits = arena_alloc(scratch, INTEGER_BYTES);

        if (!digits) {
            event_fields_fail(fields, DECODE_TOO_LARGE, "no room for %s", event_fields_name(field));
            return SPAN_ABSENT;
        }
        text = (struct span){
            digits, (size_t)snprintf(digits, INTEGER_BYTES, "%lld", (long long)value->integer)};
    } else if (value->kind != EVENT_VALUE_TEXT &&
               (value->kind != EVENT_VALUE_NUMBER || !is_integer_text(text))) {
        bad(fields, field, "must be a text");
        return SPAN_ABSENT;
    }
    if (text.len > TEXT_BYTES_MAX) {
        bad(fields, field, "is longer than 256 bytes");
        return SPAN_ABSENT;
    }
    return text;
}

/* An optional text; absent when the field is, or when it is empty. */
static struct span text_read(struct event_fields *fields, enum event_field field,
                             struct arena *scratch)
{
    struct span text;

    if (field == NO_FIELD || !event_fields_has(fields, field))
        return SPAN_ABSENT;
    text = text_of(fields, field, scratch);
    return text.len > 0 ? text : SPAN_ABSENT;
}

/* The first `max` bytes, without half a character at the end. */
static struct span cut(struct span text, size_t max)
{
    if (text.len <= max)
        return text;
    while (max > 0 && ((unsigned char)text.at[max] & 0xc0) == 0x80)
        max--;
    return (struct span){text.at, max};
}

static uint64_t nonzero(uint64_t fp)
{
    return fp ? fp : 1;
}

/* Identifiers of different things never share a fingerprint: the kind is hashed first. */
static void id_read(struct event_fields *fields, enum event_field field, uint32_t has,
                    struct arena *scratch, struct event *event, uint64_t *ret_fp)
{
    struct span id = text_read(fields, field, scratch);

    if (!id.at)
        return;
    *ret_fp = nonzero(hash_pair(span_of(event_fields_name(field)), id));
    event->has |= has;
}

static bool time_of(struct event_fields *fields, enum event_field field, int64_t *ret_ms)
{
    const struct event_value *value = &fields->value[field];
    int64_t ms;

    if (value->kind == EVENT_VALUE_TEXT) {
        if (text_time_parse(value->text, ret_ms) == STATUS_OK)
            return true;
        bad(fields, field, "must be RFC 3339 with a zone, as 2025-01-02T03:04:05Z");
        return false;
    }
    if (value->kind == EVENT_VALUE_INTEGER) {
        ms = value->integer;
    } else if (value->kind != EVENT_VALUE_NUMBER || text_i64_parse(value->text, &ms)) {
        bad(fields, field, "must be RFC 3339, or integer milliseconds since 1970");
        return false;
    }
    if (ms < EPOCH_MS_MIN || ms >= EPOCH_MS_MAX) {
        bad(fields, field, "is outside the years 1900 to 2200");
        return false;
    }
    if (ms > 0 && ms < EPOCH_S_SUSPECT) {
        bad(fields, field, "looks like seconds since 1970; integers are milliseconds");
        return false;
    }
    *ret_ms = ms;
    return true;
}

/* A number with up to `exponent` decimals as a count of 10^-exponent, exactly or not at all. */
static bool decimal_of(const struct event_value *value, int exponent, int64_t *ret_units)
{
    static const int32_t tens[] = {1, 10, 100, 1000, 10000};
    int32_t scale = tens[exponent];
    double units;

    switch (value->kind) {
    case EVENT_VALUE_TEXT:
    case EVENT_VALUE_NUMBER:
        return text_decimal_parse(value->text, exponent, ret_units) == STATUS_OK;
    case EVENT_VALUE_INTEGER:
        return !__builtin_mul_overflow(value->integer, (int64_t)scale, ret_units) &&
               *ret_units <= MINOR_MAX && *ret_units >= -MINOR_MAX;
    case EVENT_VALUE_REAL:
        /* A double names the decimal of ≤ 15 digits that reads back as it, if there is one. */
        units = nearbyint(value->real * scale);
        if (fabs(units) > REAL_UNITS_MAX || units / scale != value->real)
            return false;
        *ret_units = (int64_t)units;
        return true;
    default:
        return false;
    }
}

static enum currency currency_of(struct event_fields *fields, const struct decode_options *options,
                                 struct arena *scratch)
{
    struct span code = text_read(fields, EVENT_FIELD_CURRENCY, scratch);
    enum currency currency;

    if (fields->error != DECODE_NONE)
        return CURRENCY_NONE;
    if (!code.at) {
        if (options->currency == CURRENCY_NONE)
            missing(fields, "currency of the amount");
        return options->currency;
    }
    currency = currency_find(code);
    if (currency == CURRENCY_NONE)
        event_fields_fail(fields, DECODE_UNKNOWN_CURRENCY,
                          "currency is no active ISO 4217 code (three capitals, as EUR)");
    return currency;
}

static void money_read(struct event_fields *fields, const struct decode_options *options,
                       struct arena *scratch, struct event *event)
{
    enum event_field minor, major, field;

    if (event->type == EVENT_SERVICE_COST_RECORDED) {
        minor = FIRST_OF(fields, EVENT_FIELD_COST_MINOR, EVENT_FIELD_AMOUNT_MINOR);
        major = FIRST_OF(fields, EVENT_FIELD_COST, EVENT_FIELD_AMOUNT);
    } else {
        minor = FIRST_OF(fields, EVENT_FIELD_AMOUNT_MINOR);
        major = FIRST_OF(fields, EVENT_FIELD_AMOUNT, EVENT_FIELD_TOTAL, EVENT_FIELD_REVENUE);
    }
    field = minor != NO_FIELD ? minor : major;
    if (field == NO_FIELD)
        return;
    event->currency = currency_of(fields, options, scratch);
    if (event->currency == CURRENCY_NONE)
        return;
    if (!decimal_of(&fields->value[field], field == minor ? 0 : currency_exponent(event->currency),
                    &event->amount_minor)) {
        bad(fields, field,
            field == minor ? "must be an integer of minor units, at most 9e15"
                           : "must be a plain decimal with no more decimals than its currency "
                             "has, at most 9e15 minor units");
        return;
    }
    if (event->amount_minor < 0) {
        bad(fields, field,
            event->type == EVENT_ORDER_REFUNDED
                ? "is negative: send a refund's amount as a positive number"
                : "is negative: money given back is an Order Refunded with a positive amount");
        return;
    }
    event->has |= EVENT_HAS_AMOUNT;
}

/* Is it the (normalised) word, in any spelling that event_type_find would take? */
static bool word_is(struct span text, const char *word)
{
    size_t matched = 0;

    for (size_t i = 0; i < text.len; i++) {
        char byte = text.at[i];

        if (byte >= 'A' && byte <= 'Z')
            byte = (char)(byte | 0x20);
        if ((byte < 'a' || byte > 'z') && (byte < '0' || byte > '9') && (unsigned char)byte < 0x80)
            continue;
        if (byte != word[matched])
            return false;
        matched++;
    }
    return word[matched] == '\0';
}

static enum event_type type_of_name(struct span name, const struct decode_options *options)
{
    for (size_t i = 0; i < options->alias_count; i++)
        if (word_is(name, options->aliases[i].from))
            return options->aliases[i].to;
    return event_type_find(name);
}

/* Segment's calls that are no `track`, by their `type`. */
static enum event_type type_of_call(struct span call)
{
    if (span_is(call, "identify"))
        return EVENT_IDENTIFY;
    if (span_is(call, "alias"))
        return EVENT_ALIAS;
    if (span_is(call, "page"))
        return EVENT_PAGE_VIEWED;
    if (span_is(call, "screen"))
        return EVENT_APPLICATION_OPENED;
    return EVENT_UNKNOWN;
}

static void type_read(struct event_fields *fields, const struct decode_options *options,
                      struct arena *scratch, struct event *event)
{
    struct span name = text_read(fields, EVENT_FIELD_EVENT, scratch);

    if (!name.at) {
        name = text_read(fields, EVENT_FIELD_TYPE, scratch);
        if (fields->error != DECODE_NONE)
            return;
        if (!name.at || span_is(name, "track")) {
            missing(fields, name.at ? "event (the name of what was tracked)" : "type or event");
            return;
        }
        event->type = type_of_name(name, options);
        if (event->type == EVENT_UNKNOWN)
            event->type = type_of_call(name);
    } else {
        event->type = type_of_name(name, options);
    }
    event->type_name = name;
}

static bool is_printable(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
            return false;
    return true;
}

bool event_fields_is_customer(struct span id)
{
    return id.len >= 1 && id.len <= EVENT_CUSTOMER_BYTES_MAX && text_utf8_valid(id) &&
           is_printable(id);
}

static struct span customer_check(struct event_fields *fields, enum event_field field,
                                  struct span id)
{
    if (id.len > EVENT_CUSTOMER_BYTES_MAX)
        bad(fields, field, "is longer than 128 bytes");
    else if (!is_printable(id))
        bad(fields, field, "holds a control character");
    return id;
}

static void identity_read(struct event_fields *fields, struct arena *scratch, struct event *event)
{
    enum event_field id_field = FIRST_OF(fields, EVENT_FIELD_ID, EVENT_FIELD_MESSAGE_ID);
    enum event_field who = FIRST_OF(fields, EVENT_FIELD_SUBJECT, EVENT_FIELD_CUSTOMER_ID,
                                    EVENT_FIELD_USER_ID, EVENT_FIELD_ANONYMOUS_ID);
    struct span id = text_read(fields, id_field, scratch);
    struct span source = text_read(fields, EVENT_FIELD_SOURCE, scratch);

    event->customer = text_read(fields, who, scratch);
    if (!id.at)
        missing(fields, "id (CloudEvents id, messageId)");
    if (!event->customer.at)
        missing(fields, "the customer (CloudEvents subject, userId, customer_id)");
    if (fields->error != DECODE_NONE)
        return;
    event->id_fp = nonzero(hash_pair(source.at ? source : SPAN_LITERAL(""), id));
    (void)customer_check(fields, who, event->customer);
}

static void time_read(struct event_fields *fields, const struct record *record,
                      const struct decode_options *options, struct event *event)
{
    enum event_field field = FIRST_OF(fields, EVENT_FIELD_TIME, EVENT_FIELD_TIMESTAMP);
    bool stamped = record->timestamp_ms != -1; /* Kafka's "no timestamp" */

    if (field == NO_FIELD) {
        if (!stamped)
            missing(fields, "time, and the record has no timestamp,");
        event->time_ms = event->record_ms = record->timestamp_ms;
        return;
    }
    if (!time_of(fields, field, &event->time_ms))
        return;
    event->record_ms = stamped ? record->timestamp_ms : event->time_ms;
    if (event->time_ms > event->record_ms &&
        event->time_ms - event->record_ms > options->future_max_ms)
        event_fields_fail(fields, DECODE_FUTURE,
                          "%s is %lld s after the record's own timestamp; at most %lld s are "
                          "allowed",
                          event_fields_name(field),
                          (long long)((event->time_ms - event->record_ms) / 1000),
                          (long long)(options->future_max_ms / 1000));
}

static void ends_read(struct event_fields *fields, enum event_field named, struct event *event)
{
    enum event_field field = FIRST_OF(fields, named, EVENT_FIELD_ENDS_AT);

    if (field != NO_FIELD && time_of(fields, field, &event->ends_ms))
        event->has |= EVENT_HAS_ENDS;
}

/* A word of a reason that we know; any other text is a reason too, just none we can count. */
static void reason_read(struct event_fields *fields, struct arena *scratch, struct event *event)
{
    static const struct {
        const char *word;
        enum churn_reason reason;
    } words[] = {
        {"competition", CHURN_COMPETITION},
        {"competitor", CHURN_COMPETITION},
        {"price", CHURN_PRICE},
        {"tooexpensive", CHURN_PRICE},
        {"service", CHURN_SERVICE},
        {"quality", CHURN_SERVICE},
        {"needgone", CHURN_NEED_GONE},
        {"unused", CHURN_NEED_GONE},
    };
    struct span text = text_read(fields, EVENT_FIELD_REASON, scratch);

    if (!text.at)
        return;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (word_is(text, words[i].word))
            event->reason = words[i].reason;
}

static void survey_read(struct event_fields *fields, struct arena *scratch, struct event *event)
{
    struct span metric = text_read(fields, EVENT_FIELD_METRIC, scratch);
    int64_t score, low = 0, high = 10;

    if (metric.at && word_is(metric, "csat")) {
        event->metric = SURVEY_CSAT;
        low = 1;
        high = 5;
    } else if (metric.at && !word_is(metric, "nps")) {
        bad(fields, EVENT_FIELD_METRIC, "must be nps or csat");
    }
    if (!event_fields_has(fields, EVENT_FIELD_SCORE))
        return;
    if (!decimal_of(&fields->value[EVENT_FIELD_SCORE], 0, &score) || score < low || score > high) {
        bad(fields, EVENT_FIELD_SCORE,
            high == 5 ? "must be an integer from 1 to 5 (csat)"
                      : "must be an integer from 0 to 10 (nps)");
        return;
    }
    event->score = (int16_t)score;
    event->has |= EVENT_HAS_SCORE;
}

static void consent_read(struct event_fields *fields, struct arena *scratch, struct event *event)
{
    struct span purpose = text_read(fields, EVENT_FIELD_PURPOSE, scratch);

    if (!purpose.at)
        missing(fields, "purpose (marketing or analytics)");
    else if (word_is(purpose, "marketing"))
        event->purpose = CONSENT_MARKETING;
    else if (word_is(purpose, "analytics"))
        event->purpose = CONSENT_ANALYTICS;
    else
        bad(fields, EVENT_FIELD_PURPOSE, "must be marketing or analytics");
    if (!event_fields_has(fields, EVENT_FIELD_GRANTED))
        missing(fields, "granted (true or false)");
    else if (fields->value[EVENT_FIELD_GRANTED].kind != EVENT_VALUE_BOOL)
        bad(fields, EVENT_FIELD_GRANTED, "must be true or false");
    if (fields->error != DECODE_NONE)
        return;
    event->granted = fields->value[EVENT_FIELD_GRANTED].flag;
    event->has |= EVENT_HAS_PURPOSE;
}

static void alias_read(struct event_fields *fields, struct arena *scratch, struct event *event)
{
    enum event_field field =
        FIRST_OF(fields, EVENT_FIELD_PREVIOUS_ID, EVENT_FIELD_PREVIOUS_ID_SEGMENT);

    event->previous = text_read(fields, field, scratch);
    if (!event->previous.at)
        missing(fields, "previous_id (previousId)");
    else if (span_equal(event->previous, event->customer))
        bad(fields, field, "is the customer itself");
    else
        (void)customer_check(fields, field, event->previous);
}

static void purchase_read(struct event_fields *fields, const struct decode_options *options,
                          struct arena *scratch, struct event *event)
{
    bool of_order = event->type == EVENT_ORDER_COMPLETED || event->type == EVENT_ORDER_REFUNDED ||
                    event->type == EVENT_ORDER_CANCELLED;

    money_read(fields, options, scratch, event);
    if (of_order) /* a second failed payment for an order is no repeat of the first */
        id_read(fields, EVENT_FIELD_ORDER_ID, EVENT_HAS_ORDER, scratch, event, &event->order_fp);
    id_read(fields, EVENT_FIELD_SUBSCRIPTION_ID, EVENT_HAS_SUBSCRIPTION, scratch, event,
            &event->subscription_fp);
    event->category = text_read(fields, EVENT_FIELD_CATEGORY, scratch);
    reason_read(fields, scratch, event);
    if (event->type != EVENT_ORDER_REFUNDED)
        return;
    id_read(fields, EVENT_FIELD_REFUND_ID, EVENT_HAS_REFUND, scratch, event, &event->refund_fp);
    if (!(event->has & (EVENT_HAS_ORDER | EVENT_HAS_AMOUNT)))
        missing(fields, "order_id or amount (a refund needs one of them)");
}

static void subscription_read(struct event_fields *fields, const struct decode_options *options,
                              struct arena *scratch, struct event *event)
{
    money_read(fields, options, scratch, event);
    /* A payment that is an order as well counts once (model/tally.c). */
    id_read(fields, EVENT_FIELD_ORDER_ID, EVENT_HAS_ORDER, scratch, event, &event->order_fp);
    id_read(fields, EVENT_FIELD_SUBSCRIPTION_ID, EVENT_HAS_SUBSCRIPTION, scratch, event,
            &event->subscription_fp);
    ends_read(fields, EVENT_FIELD_RENEWS_AT, event);
    event->plan = cut(text_read(fields, EVENT_FIELD_PLAN, scratch), KEPT_BYTES_MAX);
    reason_read(fields, scratch, event);
}

/* What the type's group reads beyond id, customer, type, time and channel. */
static void details_read(struct event_fields *fields, const struct decode_options *options,
                         struct arena *scratch, struct event *event)
{
    switch (event_type_group(event->type)) {
    case EVENT_ACQUISITION:
        ends_read(fields, EVENT_FIELD_TRIAL_ENDS_AT, event);
        event->plan = cut(text_read(fields, EVENT_FIELD_PLAN, scratch), KEPT_BYTES_MAX);
        break;
    case EVENT_PURCHASE:
        purchase_read(fields, options, scratch, event);
        break;
    case EVENT_SUBSCRIPTION:
        subscription_read(fields, options, scratch, event);
        break;
    case EVENT_SATISFACTION:
        id_read(fields, EVENT_FIELD_TICKET_ID, EVENT_HAS_TICKET, scratch, event, &event->ticket_fp);
        if (event->type == EVENT_SURVEY_RESPONDED)
            survey_read(fields, scratch, event);
        break;
    case EVENT_ENGAGEMENT:
        if (event->type == EVENT_PRODUCT_VIEWED)
            event->category = text_read(fields, EVENT_FIELD_CATEGORY, scratch);
        break;
    case EVENT_ADVOCACY:
        break;
    case EVENT_COST:
        money_read(fields, options, scratch, event);
        break;
    case EVENT_IDENTITY:
        if (event->type == EVENT_ALIAS)
            alias_read(fields, scratch, event);
        else if (event->type == EVENT_CONSENT_CHANGED)
            consent_read(fields, scratch, event);
        else
            reason_read(fields, scratch, event);
        break;
    }
}

/* Name of the first EVENT_HAS_* field of the mask. */
static const char *has_name(uint32_t mask)
{
    static const char *const names[] = {"amount",          "order_id", "refund_id", "ticket_id",
                                        "subscription_id", "score",    "ends_at",   "purpose"};

    return names[__builtin_ctz(mask)];
}

void event_fields_finish(struct event_fields *fields, const struct record *record,
                         const struct decode_options *options, struct arena *scratch,
                         struct event *ret_event)
{
    uint32_t lacking;

    *ret_event = (struct event){0};
    identity_read(fields, scratch, ret_event);
    if (fields->error == DECODE_NONE)
        type_read(fields, options, scratch, ret_event);
    if (fields->error == DECODE_NONE)
        time_read(fields, record, options, ret_event);
    if (fields->error != DECODE_NONE)
        return;
    ret_event->channel = cut(text_read(fields, EVENT_FIELD_CHANNEL, scratch), KEPT_BYTES_MAX);
    details_read(fields, options, scratch, ret_event);
    if (fields->error != DECODE_NONE)
        return;
    lacking = event_type_required(ret_event->type) & ~ret_event->has;
    if (lacking) {
        event_fields_fail(fields, DECODE_MISSING_FIELD, "%s needs %s",
                          event_type_title(ret_event->type), has_name(lacking));
        return;
    }
}
