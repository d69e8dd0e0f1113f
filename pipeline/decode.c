/* decode: the order of the checks. Cheap refusals first; the customer is compared with the key
 * before anything else is believed, since the key decides the partition. */
#include "pipeline/decode.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/text.h"
#include "pipeline/envelope.h"
#include "pipeline/errand_codec.h"
#include "pipeline/event_fields.h"

const char *decode_error_code(enum decode_error error)
{
    static const char *const codes[DECODE_ERROR_COUNT] = {
#define X(name, code) code,
        DECODE_ERROR_TABLE(X)
#undef X
    };

    return (unsigned)error < DECODE_ERROR_COUNT ? codes[error] : "unknown";
}

static void attribute_put(struct event_fields *fields, enum event_field field, struct span text)
{
    if (!text.at)
        return;
    if (!text_utf8_valid(text)) {
        event_fields_fail(fields, DECODE_UTF8, "header ce_%s is not UTF-8",
                          event_fields_name(field));
        return;
    }
    fields->seen |= UINT64_C(1) << field;
    fields->present |= UINT64_C(1) << field;
    fields->value[field].kind = EVENT_VALUE_TEXT;
    fields->value[field].text = text;
}

static void version_check(struct event_fields *fields)
{
    const struct event_value *version = &fields->value[EVENT_FIELD_SPECVERSION];

    if (!event_fields_has(fields, EVENT_FIELD_SPECVERSION))
        event_fields_fail(fields, DECODE_MISSING_FIELD, "specversion is missing");
    else if (version->kind != EVENT_VALUE_TEXT || !span_is(version->text, "1.0"))
        event_fields_fail(fields, DECODE_VERSION, "specversion must be 1.0");
}

static void payload_read(enum envelope_format format, struct span payload, enum event_scope scope,
                         struct arena *scratch, struct event_fields *fields)
{
    if (format == ENVELOPE_JSON)
        event_json_read(payload, scope, scratch, fields);
    else if (format == ENVELOPE_MSGPACK)
        event_msgpack_read(payload, scope, fields);
    else
        event_fields_fail(fields, DECODE_SYNTAX,
                          "the payload is neither a JSON object nor a MessagePack map");
}

static int base64_digit(char byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9')
        return byte - '0' + 52;
    return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

/* RFC 4648 section 4, padded; absent when it is not that. */
static struct span base64_decode(struct span text, struct arena *scratch)
{
    size_t padding = 0, len = 0;
    char *bytes = arena_alloc(scratch, text.len / 4 * 3 + 1);

    if (!bytes || text.len % 4 != 0)
        return SPAN_ABSENT;
    while (padding < 2 && padding < text.len && text.at[text.len - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < text.len; i += 4) {
        size_t digits = i + 4 == text.len ? 4 - padding : 4;
        uint32_t word = 0;

        for (size_t j = 0; j < 4; j++) {
            int digit = j < digits ? base64_digit(text.at[i + j]) : 0;

            if (digit < 0)
                return SPAN_ABSENT;
            word = word << 6 | (uint32_t)digit;
        }
        for (size_t j = 0; j + 1 < digits; j++)
            bytes[len++] = (char)(word >> (16 - 8 * j) & 0xff);
    }
    return (struct span){bytes, len};
}

/* Structured CloudEvents with data_base64: the data are bytes of the type in datacontenttype. */
static void base64_read(struct arena *scratch, struct event_fields *fields)
{
    const struct event_value *data = &fields->value[EVENT_FIELD_DATA_BASE64];
    const struct event_value *type = &fields->value[EVENT_FIELD_DATACONTENTTYPE];
    struct span content_type = SPAN_ABSENT, payload = SPAN_ABSENT;

    if (event_fields_has(fields, EVENT_FIELD_DATACONTENTTYPE) && type->kind == EVENT_VALUE_TEXT)
        content_type = type->text;
    if (data->kind == EVENT_VALUE_TEXT)
        payload = base64_decode(data->text, scratch);
    if (!payload.at) {
        event_fields_fail(fields, DECODE_BAD_FIELD, "data_base64 is not base64");
        return;
    }
    payload_read(envelope_format_of(content_type, payload), payload, EVENT_SCOPE_DATA, scratch,
                 fields);
}

static void structured_read(const struct envelope *envelope, struct span value,
                            struct arena *scratch, struct event_fields *fields)
{
    payload_read(envelope->format, value, EVENT_SCOPE_STRUCTURED, scratch, fields);
    if (fields->error == DECODE_NONE)
        version_check(fields);
    if (fields->error == DECODE_NONE && event_fields_has(fields, EVENT_FIELD_DATA_BASE64))
        base64_read(scratch, fields);
}

static void binary_read(const struct envelope *envelope, struct span value, struct arena *scratch,
                        struct event_fields *fields)
{
    attribute_put(fields, EVENT_FIELD_ID, envelope->id);
    attribute_put(fields, EVENT_FIELD_SOURCE, envelope->source);
    attribute_put(fields, EVENT_FIELD_TYPE, envelope->type);
    attribute_put(fields, EVENT_FIELD_SPECVERSION, envelope->specversion);
    attribute_put(fields, EVENT_FIELD_SUBJECT, envelope->subject);
    attribute_put(fields, EVENT_FIELD_TIME, envelope->time);
    if (fields->error == DECODE_NONE)
        version_check(fields);
    if (fields->error == DECODE_NONE && value.len > 0) /* an event may have no data */
        payload_read(envelope->format, value, EVENT_SCOPE_DATA, scratch, fields);
}

/* A record sent on names the customer that has become the one it is keyed by. */
static void sent_on(const struct record *record, const struct envelope *envelope,
                    struct event *event, struct event_fields *fields)
{
    int64_t hops;

    if (!envelope->previous_id.at)
        return;
    if (text_i64_parse(envelope->hops, &hops) != STATUS_OK || hops < 1 || hops > EVENT_HOPS_MAX) {
        event_fields_fail(fields, DECODE_HEADERS, "lc-hops must be a number from 1 to %d",
                          EVENT_HOPS_MAX);
        return;
    }
    if (!span_equal(envelope->previous_id, event->customer)) {
        event_fields_fail(fields, DECODE_KEY_MISMATCH,
                          "lc-previous-id and the event's customer are not the same bytes");
        return;
    }
    if (!event_fields_is_customer(record->key)) {
        event_fields_fail(fields, DECODE_KEY_MISMATCH, "the record's key is no customer's id");
        return;
    }
    event->customer = record->key;
    event->hops = (uint8_t)hops;
}

static void key_check(const struct record *record, const struct decode_options *options,
                      const struct event *event, struct event_fields *fields)
{
    int32_t partition;

    if (!record->key.at) {
        event_fields_fail(fields, DECODE_KEY_MISMATCH,
                          "the record has no key; it must be the customer's id");
        return;
    }
    if (!span_equal(record->key, event->customer)) {
        event_fields_fail(fields, DECODE_KEY_MISMATCH,
                          "the record's key and the event's customer are not the same bytes");
        return;
    }
    if (options->partitions <= 0)
        return;
    partition = options->crc32 ? hash_partition_crc32(record->key, options->partitions)
                               : hash_partition_murmur2(record->key, options->partitions);
    if (partition != record->partition)
        event_fields_fail(fields, DECODE_WRONG_PARTITION,
                          "the key belongs into partition %d of %d by %s, the record came by %d: "
                          "the publisher uses another partitioner than kafka.partitioner says",
                          (int)partition, (int)options->partitions,
                          options->crc32 ? "crc32" : "murmur2", (int)record->partition);
}

static void fields_read(const struct record *record, const struct envelope *envelope,
                        const struct decode_options *options, struct arena *scratch,
                        struct event_fields *fields)
{
    if (record->value.len > options->bytes_max) {
        event_fields_fail(fields, DECODE_TOO_LARGE, "%zu bytes; at most %zu are read",
                          record->value.len, options->bytes_max);
        return;
    }
    switch (envelope->form) {
    case ENVELOPE_STRUCTURED:
        structured_read(envelope, record->value, scratch, fields);
        break;
    case ENVELOPE_BINARY:
        binary_read(envelope, record->value, scratch, fields);
        break;
    case ENVELOPE_PLAIN:
        payload_read(envelope->format, record->value, EVENT_SCOPE_TOP, scratch, fields);
        break;
    }
}

static void event_read(const struct record *record, const struct header *headers,
                       size_t header_count, const struct decode_options *options,
                       struct arena *scratch, struct event_fields *fields, struct event *event)
{
    struct envelope envelope;
    const char *why;

    if (!record->value.at) {
        event_fields_fail(fields, DECODE_NULL_VALUE, "the record's value is null (a tombstone)");
        return;
    }
    if (envelope_read(headers, header_count, record->value, &envelope, &why) != DECODE_NONE) {
        event_fields_fail(fields, DECODE_HEADERS, "%s", why);
        return;
    }
    if (envelope.form == ENVELOPE_BINARY && errand_type_is(envelope.type)) {
        errand_read(&envelope, record, options, scratch, fields, event);
    } else {
        fields_read(record, &envelope, options, scratch, fields);
        if (fields->error == DECODE_NONE)
            event_fields_finish(fields, record, options, scratch, event);
    }
    if (fields->error == DECODE_NONE)
        sent_on(record, &envelope, event, fields);
    if (fields->error == DECODE_NONE)
        key_check(record, options, event, fields);
}

enum decode_error decode_record(const struct record *record, const struct header *headers,
                                size_t header_count, const struct decode_options *options,
                                struct arena *scratch, struct event *ret_event,
                                struct span *ret_detail)
{
    struct event_fields fields;
    struct event event;
    char *detail;

    event_fields_init(&fields);
    event_read(record, headers, header_count, options, scratch, &fields, &event);
    if (fields.error == DECODE_NONE) {
        event.offset = record->offset;
        event.sent_ms = event.record_ms;
        *ret_event = event;
        return DECODE_NONE;
    }
    detail = arena_copy(scratch, fields.detail, strlen(fields.detail));
    *ret_detail = detail ? (struct span){detail, strlen(fields.detail)}
                         : span_of(decode_error_code(fields.error));
    return fields.error;
}
