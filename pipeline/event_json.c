/* event_json: the JSON reader of events. One pass in place; what is not ours is skipped by the
 * grammar, so that a broken tail is found behind a good head. */
#include "base/json.h"
#include "base/text.h"
#include "pipeline/event_fields.h"

/* Filled where it stays: a value built here and copied is read back wider than it was written, and
 * that stall was a fifth of a decode. */
static void value_read(struct json_reader *reader, struct event_fields *fields,
                       enum event_field field)
{
    struct event_value *value = &fields->value[field];

    switch (json_peek(reader)) {
    case JSON_STRING:
        value->kind = EVENT_VALUE_TEXT;
        value->text = json_read_string(reader);
        break;
    case JSON_NUMBER:
        value->kind = EVENT_VALUE_NUMBER;
        value->text = json_read_number(reader);
        break;
    case JSON_BOOL:
        value->kind = EVENT_VALUE_BOOL;
        value->flag = json_read_bool(reader);
        break;
    case JSON_NULL: /* said to be absent */
        json_read_null(reader);
        return;
    default:
        value->kind = EVENT_VALUE_OTHER;
        json_skip(reader);
        break;
    }
    fields->present |= UINT64_C(1) << field;
}

/* Recursion: containers are fields of the outer scopes only, so it is two deep at most. */
static void object_read(struct json_reader *reader, enum event_scope scope,
                        struct event_fields *fields)
{
    struct span key;

    json_object_begin(reader);
    while (json_object_next(reader, &key)) {
        int field = event_fields_find(key, scope);

        if (field < 0) {
            json_skip(reader);
            continue;
        }
        if (!event_fields_mark(fields, (enum event_field)field))
            return;
        if (event_fields_is_container((enum event_field)field) &&
            json_peek(reader) == JSON_OBJECT) {
            object_read(reader, EVENT_SCOPE_DATA, fields);
            if (fields->error != DECODE_NONE)
                return;
        } else {
            value_read(reader, fields, (enum event_field)field);
        }
    }
}

void event_json_read(struct span text, enum event_scope scope, struct arena *scratch,
                     struct event_fields *fields)
{
    struct json_reader reader;

    if (!text_utf8_valid(text)) {
        event_fields_fail(fields, DECODE_UTF8, "the payload is not UTF-8");
        return;
    }
    json_reader_init(&reader, text, scratch);
    object_read(&reader, scope, fields);
    if (fields->error != DECODE_NONE)
        return;
    json_finish(&reader);
    if (reader.fault)
        event_fields_fail(fields, DECODE_SYNTAX, "JSON: %s, at byte %td of %zu", reader.fault,
                          reader.at - reader.begin, text.len);
}
