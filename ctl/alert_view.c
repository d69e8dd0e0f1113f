/* alert_view: reads the members that fit one line, skips the rest. */
#include "ctl/alert_view.h"

#include <stdio.h>

#include "base/json.h"
#include "base/text.h"
#include "model/currency.h"

static struct span string_or_null(struct json_reader *r)
{
    if (json_peek(r) == JSON_STRING)
        return json_read_string(r);
    json_skip(r);
    return SPAN_ABSENT;
}

static void number_into(struct json_reader *r, double *ret)
{
    if (json_peek(r) == JSON_NUMBER) {
        if (text_double_parse(json_read_number(r), ret) != STATUS_OK)
            json_fault(r, "number");
    } else {
        json_skip(r);
    }
}

static void read_inner(struct json_reader *r, struct span outer, struct alert_view *v)
{
    struct span key;
    double number = 0;
    json_object_begin(r);
    while (json_object_next(r, &key)) {
        if (span_is(outer, "stage") && span_is(key, "from"))
            v->from = string_or_null(r);
        else if (span_is(outer, "stage") && span_is(key, "to"))
            v->to = string_or_null(r);
        else if (span_is(outer, "churn") && span_is(key, "risk"))
            number_into(r, &v->risk);
        else if (span_is(outer, "churn") && span_is(key, "band"))
            v->band = string_or_null(r);
        else if (span_is(outer, "value") && span_is(key, "clv_minor"))
            number_into(r, &number), v->clv_minor = (int64_t)number;
        else if (span_is(outer, "value") && span_is(key, "currency"))
            v->currency = string_or_null(r);
        else if (span_is(outer, "action") && span_is(key, "code"))
            v->action = string_or_null(r);
        else
            json_skip(r);
    }
}

static void read_value(struct json_reader *r, struct alert_view *v)
{
    struct span key;
    json_object_begin(r);
    while (json_object_next(r, &key)) {
        if (span_is(key, "kind"))
            v->kind = string_or_null(r);
        else if (span_is(key, "phase"))
            v->phase = string_or_null(r);
        else if (json_peek(r) == JSON_OBJECT)
            read_inner(r, key, v);
        else
            json_skip(r);
    }
    json_finish(r);
}

enum status alert_view_of(const struct record *record, const struct header *headers,
                          size_t header_count, struct arena *scratch, struct alert_view *ret_view)
{
    struct alert_view v = {.customer = record->key};
    bool json = true, ours = false;
    for (size_t i = 0; i < header_count; i++) {
        struct span value = headers[i].value;
        if (span_is(headers[i].name, "ce_time"))
            v.time = value;
        else if (span_is(headers[i].name, "ce_type"))
            ours = value.len > 17 && memcmp(value.at, "lifecycled.alert.", 17) == 0;
        else if (span_is(headers[i].name, "content-type"))
            json = value.len >= 16 && memcmp(value.at, "application/json", 16) == 0;
        else if (span_is(headers[i].name, "ce_causationid"))
            v.by_timer = value.len >= 5 && memcmp(value.at, "timer", 5) == 0;
    }
    if (!ours)
        return STATUS_REJECT;
    if (json) {
        struct json_reader reader;
        json_reader_init(&reader, record->value, scratch);
        read_value(&reader, &v);
        if (reader.fault)
            return STATUS_REJECT;
    }
    *ret_view = v;
    return STATUS_OK;
}

#define PART(span) (int)(span).len, (span).len ? (span).at : ""

void alert_view_print(const struct alert_view *v)
{
    char value[48] = "", what[96];
    if (span_is(v->kind, "stage_changed"))
        snprintf(what, sizeof what, "%.*s -> %.*s", PART(v->from), PART(v->to));
    else
        snprintf(what, sizeof what, "%.*s%s%.*s%s", PART(v->phase), v->band.len ? " (" : "",
                 PART(v->band), v->band.len ? ")" : "");
    size_t len = text_decimal_format(v->clv_minor, currency_exponent(currency_find(v->currency)),
                                     value, sizeof value);
    printf("%.*s  %-10.*s  %-19.*s %-26s %-9.*s risk %3.0f %%  value %9.*s %.*s  %s %.*s\n", 16,
           v->time.len ? v->time.at : "", PART(v->customer), PART(v->kind), what, PART(v->to),
           100 * v->risk, (int)len, value, PART(v->currency), v->by_timer ? "silence" : "event  ",
           PART(v->action));
}
