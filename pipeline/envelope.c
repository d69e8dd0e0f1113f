#include "pipeline/envelope.h"

static char lower_of(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

/* Media types and header names are compared without case (RFC 9110 8.3.1). */
static bool starts_with(struct span text, struct span prefix)
{
    if (text.len < prefix.len)
        return false;
    for (size_t i = 0; i < prefix.len; i++)
        if (lower_of(text.at[i]) != prefix.at[i])
            return false;
    return true;
}

static bool is_word(struct span text, struct span word)
{
    return text.len == word.len && starts_with(text, word);
}

static bool ends_with(struct span text, struct span suffix)
{
    return text.len >= suffix.len &&
           is_word((struct span){text.at + text.len - suffix.len, suffix.len}, suffix);
}

/* "application/json; charset=utf-8" → "application/json" */
static struct span media_type(struct span content_type)
{
    size_t len = 0;

    while (len < content_type.len && content_type.at[len] != ';')
        len++;
    while (len > 0 && content_type.at[len - 1] == ' ')
        len--;
    return (struct span){content_type.at, len};
}

static enum envelope_format sniff(struct span payload)
{
    for (size_t i = 0; i < payload.len; i++) {
        unsigned char byte = (unsigned char)payload.at[i];

        if (byte == '{')
            return ENVELOPE_JSON;
        if (i == 0 && ((byte & 0xf0) == 0x80 || byte == 0xde || byte == 0xdf))
            return ENVELOPE_MSGPACK;
        if (byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r')
            return ENVELOPE_NEITHER;
    }
    return ENVELOPE_NEITHER;
}

enum envelope_format envelope_format_of(struct span content_type, struct span payload)
{
    struct span type = media_type(content_type);

    if (is_word(type, SPAN_LITERAL("application/json")) || ends_with(type, SPAN_LITERAL("+json")))
        return ENVELOPE_JSON;
    if (is_word(type, SPAN_LITERAL("application/msgpack")) ||
        is_word(type, SPAN_LITERAL("application/x-msgpack")) ||
        is_word(type, SPAN_LITERAL("application/vnd.msgpack")) ||
        ends_with(type, SPAN_LITERAL("+msgpack")))
        return ENVELOPE_MSGPACK;
    return sniff(payload);
}

/* Keep an attribute; false when it was there already. */
static bool attribute_put(struct span *attribute, struct span value)
{
    if (attribute->at)
        return false;
    *attribute = value.at ? value : SPAN_LITERAL("");
    return true;
}

static struct span *attribute_of(struct envelope *envelope, struct span name)
{
    if (span_is(name, ENVELOPE_PREVIOUS_ID))
        return &envelope->previous_id;
    if (span_is(name, ENVELOPE_HOPS))
        return &envelope->hops;
    if (name.len < 5 || memcmp(name.at, "ce_", 3) != 0)
        return NULL;
    name = (struct span){name.at + 3, name.len - 3};
    if (span_is(name, "id"))
        return &envelope->id;
    if (span_is(name, "source"))
        return &envelope->source;
    if (span_is(name, "type"))
        return &envelope->type;
    if (span_is(name, "specversion"))
        return &envelope->specversion;
    if (span_is(name, "subject"))
        return &envelope->subject;
    if (span_is(name, "time"))
        return &envelope->time;
    return NULL;
}

bool envelope_reads(struct span name)
{
    struct envelope none;
    const struct span *attribute = attribute_of(&none, name);

    if (attribute == NULL)
        return is_word(name, SPAN_LITERAL("content-type"));
    return attribute != &none.previous_id && attribute != &none.hops;
}

static enum decode_error structured(struct envelope *envelope, struct span type,
                                    const char **ret_detail)
{
    envelope->form = ENVELOPE_STRUCTURED;
    if (is_word(type, SPAN_LITERAL("application/cloudevents+json")) ||
        is_word(type, SPAN_LITERAL("application/cloudevents"))) {
        envelope->format = ENVELOPE_JSON;
        return DECODE_NONE;
    }
    if (is_word(type, SPAN_LITERAL("application/cloudevents+msgpack"))) {
        envelope->format = ENVELOPE_MSGPACK;
        return DECODE_NONE;
    }
    *ret_detail = starts_with(type, SPAN_LITERAL("application/cloudevents-batch"))
                      ? "content-type: a batch of CloudEvents in one record is not accepted; send "
                        "one record an event"
                      : "content-type: of CloudEvents only +json and +msgpack are accepted";
    return DECODE_HEADERS;
}

enum decode_error envelope_read(const struct header *headers, size_t header_count,
                                struct span value, struct envelope *ret_envelope,
                                const char **ret_detail)
{
    struct envelope envelope = {.form = ENVELOPE_PLAIN};
    struct span content_type = SPAN_ABSENT;

    if (header_count > RECORD_HEADERS_MAX) {
        *ret_detail = "more than 64 headers";
        return DECODE_HEADERS;
    }
    for (size_t i = 0; i < header_count; i++) {
        struct span *attribute = is_word(headers[i].name, SPAN_LITERAL("content-type"))
                                     ? &content_type
                                     : attribute_of(&envelope, headers[i].name);

        if (attribute && !attribute_put(attribute, headers[i].value)) {
            *ret_detail = "content-type, a ce_ header or one of a forwarded record is there twice";
            return DECODE_HEADERS;
        }
    }
    if (starts_with(content_type, SPAN_LITERAL("application/cloudevents"))) {
        enum decode_error error = structured(&envelope, media_type(content_type), ret_detail);

        if (error != DECODE_NONE)
            return error;
    } else {
        envelope.format = envelope_format_of(content_type, value);
        if (envelope.id.at && envelope.source.at && envelope.type.at && envelope.specversion.at)
            envelope.form = ENVELOPE_BINARY;
    }
    *ret_envelope = envelope;
    return DECODE_NONE;
}
