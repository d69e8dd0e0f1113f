/* event_msgpack: the MessagePack reader of events, by the bounded cursor base/mp.h: no object tree,
 * so that a header that promises four billion items costs nothing. */
#include "base/mp.h"
#include "base/text.h"
#include "pipeline/event_fields.h"

static void value_read(struct mp_reader *reader, struct event_fields *fields,
                       enum event_field field)
{
    struct event_value *value = &fields->value[field];

    switch (mp_peek(reader)) {
    case MP_STR:
        value->kind = EVENT_VALUE_TEXT;
        value->text = mp_read_str(reader);
        if (!text_utf8_valid(value->text)) {
            event_fields_fail(fields, DECODE_UTF8, "%s is not UTF-8", event_fields_name(field));
            return;
        }
        break;
    case MP_INT:
        value->kind = EVENT_VALUE_INTEGER;
        value->integer = mp_read_i64(reader);
        break;
    case MP_FLOAT:
        value->kind = EVENT_VALUE_REAL;
        value->real = mp_read_double(reader);
        break;
    case MP_BOOL:
        value->kind = EVENT_VALUE_BOOL;
        value->flag = mp_read_bool(reader);
        break;
    case MP_NIL: /* said to be absent */
        (void)mp_read_nil(reader);
        return;
    default:
        value->kind = EVENT_VALUE_OTHER;
        mp_skip(reader);
        break;
    }
    fields->present |= UINT64_C(1) << field;
}

/* Recursion: containers are fields of the outer scopes only, so it is two deep at most. */
static void map_read(struct mp_reader *reader, enum event_scope scope, struct event_fields *fields)
{
    uint32_t pairs = mp_read_map(reader);

    for (uint32_t i = 0; i < pairs && !reader->fault; i++) {
        int field = -1;

        if (mp_peek(reader) == MP_STR)
            field = event_fields_find(mp_read_str(reader), scope);
        else
            mp_skip(reader); /* a name that is no text is not ours */
        if (field < 0) {
            mp_skip(reader);
            continue;
        }
        if (!event_fields_mark(fields, (enum event_field)field))
            return;
        if (event_fields_is_container((enum event_field)field) && mp_peek(reader) == MP_MAP)
            map_read(reader, EVENT_SCOPE_DATA, fields);
        else
            value_read(reader, fields, (enum event_field)field);
        if (fields->error != DECODE_NONE)
            return;
    }
}

void event_msgpack_read(struct span bytes, enum event_scope scope, struct event_fields *fields)
{
    struct mp_reader reader;

    mp_reader_init(&reader, bytes);
    map_read(&reader, scope, fields);
    if (fields->error != DECODE_NONE)
        return;
    if (!reader.fault && reader.at != reader.end)
        mp_fault(&reader, "more after the map");
    if (reader.fault)
        event_fields_fail(fields, DECODE_SYNTAX, "MessagePack: %s", reader.fault);
}
