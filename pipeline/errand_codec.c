#include "pipeline/errand_codec.h"

#include <msgpack/pack.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/mp.h"
#include "base/must.h"
#include "base/text.h"
#include "state/customer_codec.h"

_Static_assert(ERRAND_BYTES_MAX >= 512 + EVENT_CUSTOMER_BYTES_MAX + CUSTOMER_RECORD_MAX + 16 +
                                       LEDGER_ORDERS_MAX * 8 + LEDGER_EVENTS_MAX * 8,
               "the largest state fits");

/* Two halves of 128 bits: the same bytes under two seeds. */
#define SEED_HIGH UINT64_C(0x6c69666563796133) /* "lifecya3" */
#define SEED_LOW  UINT64_C(0x6c69666563796134) /* "lifecya4" */

static const struct {
    struct span type;
    enum event_errand errand;
} types[] = {
    {{"lifecycled.alias.requested.v1", 29}, EVENT_REQUEST},
    {{"lifecycled.alias.moved.v1", 25}, EVENT_STATE},
    {{"lifecycled.alias.erased.v1", 26}, EVENT_UNLINK},
};
enum { TYPES = sizeof types / sizeof *types };

static enum event_errand errand_of(struct span type)
{
    for (size_t i = 0; i < TYPES; i++)
        if (span_equal(type, types[i].type))
            return types[i].errand;
    return EVENT_NO_ERRAND;
}

bool errand_type_is(struct span type)
{
    return errand_of(type) != EVENT_NO_ERRAND;
}

/* --- ids --- */

static void put_hex(char *at, uint64_t value)
{
    for (int i = 15; i >= 0; i--, value >>= 4)
        at[i] = "0123456789abcdef"[value & 15];
}

/* Of what happens (a letter), because of which event, from whom, to whom: the same in every try. */
static void id_of(char what, uint64_t cause_fp, struct span from, struct span to, char ret_id[33])
{
    char bytes[17];
    uint64_t pair = hash_pair(from, to);

    bytes[0] = what;
    for (int i = 0; i < 8; i++) {
        bytes[1 + i] = (char)(cause_fp >> (8 * i) & 0xff);
        bytes[9 + i] = (char)(pair >> (8 * i) & 0xff);
    }
    put_hex(ret_id, hash_bytes((struct span){bytes, sizeof bytes}, SEED_HIGH));
    put_hex(ret_id + 16, hash_bytes((struct span){bytes, sizeof bytes}, SEED_LOW));
    ret_id[32] = '\0';
}

void errand_receipt_id(const struct event *event, struct span customer, char ret_id[33])
{
    id_of('r', event->id_fp, customer, SPAN_LITERAL(""), ret_id);
}

/* --- reading --- */

struct payload {
    struct span into, previous, record, ledger;
};

static struct span *member_of(struct payload *payload, struct span key, bool *ret_text)
{
    *ret_text = true;
    if (span_is(key, "into"))
        return &payload->into;
    if (span_is(key, "previous"))
        return &payload->previous;
    *ret_text = false;
    if (span_is(key, "record"))
        return &payload->record;
    if (span_is(key, "ledger"))
        return &payload->ledger;
    return NULL;
}

static const char *payload_read(struct span value, struct payload *ret_payload)
{
    struct mp_reader reader;

    mp_reader_init(&reader, value);
    for (uint32_t left = mp_read_map(&reader); left > 0 && !reader.fault; left--) {
        bool text;
        struct span *member = member_of(ret_payload, mp_read_str(&reader), &text);

        if (member == NULL)
            mp_skip(&reader);
        else if (member->at != NULL)
            mp_fault(&reader, "a member is there twice");
        else
            *member = text ? mp_read_str(&reader) : mp_read_bin(&reader);
    }
    if (!reader.fault && reader.at != reader.end)
        mp_fault(&reader, "bytes follow the payload");
    return reader.fault;
}

static const char *state_read(const struct payload *payload, struct arena *scratch,
                              struct event *event)
{
    struct customer *moved = arena_alloc(scratch, sizeof *moved);
    struct ledger *ledger = arena_alloc(scratch, sizeof *ledger);
    const char *why = NULL;

    if (!moved || !ledger)
        return "no memory for a state";
    if (!payload->record.at || !payload->ledger.at || !event_fields_is_customer(payload->previous))
        return "record, ledger or previous is missing";
    if (customer_decode(payload->record, moved, &why) != STATUS_OK)
        return why;
    if (customer_is_redirect(moved))
        return "the state is a redirect";
    if (ledger_decode(payload->ledger, 0, scratch, ledger, &why) != STATUS_OK)
        return why ? why : "no memory for a ledger";
    event->previous = payload->previous;
    event->moved = moved;
    event->moved_ledger = ledger;
    return NULL;
}

static void time_read(const struct envelope *envelope, const struct record *record,
                      const struct decode_options *options, struct event_fields *fields,
                      struct event *event)
{
    if (text_time_parse(envelope->time, &event->time_ms) != STATUS_OK) {
        event_fields_fail(fields, DECODE_MISSING_FIELD, "ce_time is missing or no time");
        return;
    }
    event->record_ms = record->timestamp_ms != -1 ? record->timestamp_ms : event->time_ms;
    if (event->time_ms > event->record_ms &&
        event->time_ms - event->record_ms > options->future_max_ms)
        event_fields_fail(fields, DECODE_FUTURE, "ce_time is too far after the record's timestamp");
}

void errand_read(const struct envelope *envelope, const struct record *record,
                 const struct decode_options *options, struct arena *scratch,
                 struct event_fields *fields, struct event *ret_event)
{
    struct payload payload = {.into = SPAN_ABSENT};
    uint64_t fp = hash_pair(envelope->source, envelope->id);
    const char *why;

    *ret_event = (struct event){.type = EVENT_ALIAS,
                                .errand = errand_of(envelope->type),
                                .customer = envelope->subject,
                                .id_fp = fp == 0 ? 1 : fp,
                                .type_name = envelope->type};
    if (record->value.len > ERRAND_BYTES_MAX) {
        event_fields_fail(fields, DECODE_TOO_LARGE, "%zu bytes; at most %d are read",
                          record->value.len, ERRAND_BYTES_MAX);
        return;
    }
    time_read(envelope, record, options, fields, ret_event);
    if (fields->error != DECODE_NONE)
        return;
    why = payload_read(record->value, &payload);
    if (why == NULL && ret_event->errand == EVENT_STATE)
        why = state_read(&payload, scratch, ret_event);
    else if (why == NULL && !event_fields_is_customer(payload.into))
        why = "into is missing or no id";
    ret_event->into = payload.into;
    if (why != NULL)
        event_fields_fail(fields, DECODE_BAD_FIELD, "internal event: %s", why);
}

/* --- writing --- */

struct headers {
    struct header *at;
    size_t count;
    struct arena *arena;
    bool full;
};

static void put(struct headers *headers, const char *name, struct span value)
{
    char *copy = arena_copy(headers->arena, value.at ? value.at : "", value.len + (value.len == 0));

    MUST(headers->count < ERRAND_HEADERS_MAX);
    headers->full = headers->full || !copy;
    headers->at[headers->count++] = (struct header){span_of(name), {copy, value.len}};
}

static void put_number(struct headers *headers, const char *name, int64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%lld", (long long)number);

    put(headers, name, (struct span){text, (size_t)len});
}

static void put_time(struct headers *headers, const char *name, int64_t ms)
{
    char text[TEXT_TIME_BYTES];

    put(headers, name, (struct span){text, text_time_format(ms, text)});
}

static bool headers_begin(struct headers *headers, struct arena *arena)
{
    *headers = (struct headers){
        .at = arena_alloc(arena, ERRAND_HEADERS_MAX * sizeof(struct header)), .arena = arena};
    return headers->at != NULL;
}

/* Which record it comes of: for people, and for the tests. */
static void put_cause(struct headers *headers, const struct errand_cause *cause)
{
    put_number(headers, "lc-partition", cause->record->partition);
    put_number(headers, "lc-offset", cause->record->offset);
}

static bool span_copy(struct arena *arena, struct span from, struct span *ret_span)
{
    char *copy = arena_copy(arena, from.at, from.len);

    *ret_span = (struct span){copy, from.len};
    return copy != NULL;
}

static enum status envelope_put(const struct errand_cause *cause, struct span type, const char *id,
                                struct span to, struct span value, struct arena *arena,
                                struct sink_message *ret_message)
{
    struct sink_message message = {
        .topic = SINK_INPUT,
        .partition = -1,
        .timestamp_ms = cause->record->timestamp_ms > 0 ? cause->record->timestamp_ms : 0,
        .value = value};
    struct headers headers;

    if (!headers_begin(&headers, arena) || !span_copy(arena, to, &message.key))
        return STATUS_FULL;
    put(&headers, "content-type", SPAN_LITERAL("application/msgpack"));
    put(&headers, "ce_specversion", SPAN_LITERAL("1.0"));
    put(&headers, "ce_id", span_of(id));
    put(&headers, "ce_source", span_of(cause->source));
    put(&headers, "ce_type", type);
    put(&headers, "ce_subject", to);
    put_time(&headers, "ce_time", cause->event->time_ms);
    put_cause(&headers, cause);
    message.headers = headers.at;
    message.header_count = headers.count;
    *ret_message = message;
    return headers.full ? STATUS_FULL : STATUS_OK;
}

struct output {
    char *at;
    size_t len, cap;
};

static int output_write(void *self, const char *bytes, size_t len)
{
    struct output *output = self;

    MUST(len <= output->cap - output->len);
    memcpy(output->at + output->len, bytes, len);
    output->len += len;
    return 0;
}

static void pack_key(msgpack_packer *packer, const char *key)
{
    msgpack_pack_str_with_body(packer, key, strlen(key));
}

/* {"into": id} */
static bool into_put(struct span into, struct arena *arena, struct span *ret_value)
{
    struct output output = {.cap = 16 + into.len};
    msgpack_packer packer;

    output.at = arena_alloc(arena, output.cap);
    if (!output.at)
        return false;
    msgpack_packer_init(&packer, &output, output_write);
    msgpack_pack_map(&packer, 1);
    pack_key(&packer, "into");
    msgpack_pack_str_with_body(&packer, into.at, into.len);
    *ret_value = (struct span){output.at, output.len};
    return true;
}

enum status errand_request(const struct errand_cause *cause, struct span to, struct arena *arena,
                           struct sink_message *ret_message)
{
    struct span value;
    char id[33];

    id_of('q', cause->event->id_fp, cause->customer, to, id);
    if (!into_put(cause->customer, arena, &value))
        return STATUS_FULL;
    return envelope_put(cause, types[0].type, id, to, value, arena, ret_message);
}

enum status errand_unlink(const struct errand_cause *cause, struct span to, struct arena *arena,
                          struct sink_message *ret_message)
{
    struct span value;
    char id[33];

    id_of('u', cause->event->id_fp, cause->customer, to, id);
    if (!into_put(cause->customer, arena, &value))
        return STATUS_FULL;
    return envelope_put(cause, types[2].type, id, to, value, arena, ret_message);
}

enum status errand_state(const struct errand_cause *cause, const struct errands *errands,
                         struct arena *arena, struct sink_message *ret_message)
{
    struct output output = {.cap = ERRAND_BYTES_MAX};
    struct span record, ledger, value;
    struct customer moved = errands->moved;
    msgpack_packer packer;
    char id[33];

    moved.previous = 0; /* those ids stay with the redirect */
    if (customer_encode(&moved, arena, &record) != STATUS_OK ||
        ledger_encode(&errands->moved_ledger, arena, &ledger) != STATUS_OK)
        return STATUS_FULL;
    output.cap = 64 + cause->customer.len + record.len + ledger.len;
    MUST(output.cap <= ERRAND_BYTES_MAX);
    output.at = arena_alloc(arena, output.cap);
    if (!output.at)
        return STATUS_FULL;
    msgpack_packer_init(&packer, &output, output_write);
    msgpack_pack_map(&packer, 3);
    pack_key(&packer, "previous");
    msgpack_pack_str_with_body(&packer, cause->customer.at, cause->customer.len);
    pack_key(&packer, "record");
    msgpack_pack_bin_with_body(&packer, record.at, record.len);
    pack_key(&packer, "ledger");
    msgpack_pack_bin_with_body(&packer, ledger.at, ledger.len);
    value = (struct span){output.at, output.len};
    /* Of the place in the log: a customer that was unlinked, came back and is joined again by the
     * very same Alias gives another state. */
    id_of('s', (uint64_t)cause->record->partition << 48 ^ (uint64_t)cause->record->offset,
          cause->customer, errands_to(errands), id);
    return envelope_put(cause, types[1].type, id, errands_to(errands), value, arena, ret_message);
}

enum status errand_forward(const struct errand_cause *cause, struct span to,
                           const struct header *headers, size_t header_count, struct arena *arena,
                           struct sink_message *ret_message)
{
    const struct record *record = cause->record;
    struct sink_message message = {.topic = SINK_INPUT,
                                   .partition = -1,
                                   .timestamp_ms =
                                       record->timestamp_ms > 0 ? record->timestamp_ms : 0};
    struct span named = record->key;
    struct headers ours;

    if (!headers_begin(&ours, arena) || !span_copy(arena, to, &message.key) ||
        (record->value.at && !span_copy(arena, record->value, &message.value)))
        return STATUS_FULL;
    for (size_t i = 0; i < header_count; i++) {
        if (span_is(headers[i].name, ENVELOPE_PREVIOUS_ID))
            named = headers[i].value;
        struct span name;

        if (!envelope_reads(headers[i].name))
            continue;
        if (!span_copy(arena, headers[i].name, &name))
            return STATUS_FULL;
        put(&ours, "", headers[i].value);
        ours.at[ours.count - 1].name = name;
    }
    put(&ours, ENVELOPE_PREVIOUS_ID, named);
    put_number(&ours, ENVELOPE_HOPS, cause->event->hops + 1);
    put_cause(&ours, cause);
    message.headers = ours.at;
    message.header_count = ours.count;
    *ret_message = message;
    return ours.full ? STATUS_FULL : STATUS_OK;
}

/* --- the receipt --- */

static struct span receipt_json(const struct errand_cause *cause, const struct errands *errands,
                                char *buffer, size_t cap)
{
    struct json_writer writer;

    json_writer_init(&writer, buffer, cap);
    json_put_object(&writer);
    json_put_key(&writer, "known");
    json_put_bool(&writer, errands->was_known);
    json_put_key(&writer, "erased_at");
    json_put_time(&writer, cause->event->time_ms);
    json_put_key(&writer, "partition");
    json_put_i64(&writer, cause->record->partition);
    json_put_key(&writer, "offset");
    json_put_i64(&writer, cause->record->offset);
    json_put_key(&writer, "followed");
    json_put_i64(&writer, errands->unlink.count + errands->forward);
    json_put_object_end(&writer);
    MUST(!writer.full);
    return (struct span){buffer, writer.len};
}

static struct span receipt_msgpack(const struct errand_cause *cause, const struct errands *errands,
                                   char *buffer, size_t cap)
{
    struct output output = {.at = buffer, .cap = cap};
    char time[TEXT_TIME_BYTES];
    size_t len = text_time_format(cause->event->time_ms, time);
    msgpack_packer packer;

    msgpack_packer_init(&packer, &output, output_write);
    msgpack_pack_map(&packer, 5);
    pack_key(&packer, "known");
    if (errands->was_known)
        msgpack_pack_true(&packer);
    else
        msgpack_pack_false(&packer);
    pack_key(&packer, "erased_at");
    msgpack_pack_str_with_body(&packer, time, len);
    pack_key(&packer, "partition");
    msgpack_pack_int32(&packer, cause->record->partition);
    pack_key(&packer, "offset");
    msgpack_pack_int64(&packer, cause->record->offset);
    pack_key(&packer, "followed");
    msgpack_pack_int64(&packer, errands->unlink.count + errands->forward);
    return (struct span){buffer, output.len};
}

enum status errand_receipt(const struct errand_cause *cause, const struct errands *errands,
                           bool msgpack, int64_t recorded_ms, struct arena *arena,
                           struct sink_message *ret_message)
{
    enum { VALUE_MAX = 256 };
    struct sink_message message = {.topic = SINK_ALERTS, .partition = -1};
    struct headers headers;
    char id[33], because[23] = "event:", *value = arena_alloc(arena, VALUE_MAX);

    if (!value || !headers_begin(&headers, arena) ||
        !span_copy(arena, cause->customer, &message.key))
        return STATUS_FULL;
    message.value = msgpack ? receipt_msgpack(cause, errands, value, VALUE_MAX)
                            : receipt_json(cause, errands, value, VALUE_MAX);
    errand_receipt_id(cause->event, cause->customer, id);
    put_hex(because + 6, cause->event->id_fp);
    put(&headers, "content-type",
        msgpack ? SPAN_LITERAL("application/msgpack") : SPAN_LITERAL("application/json"));
    put(&headers, "ce_specversion", SPAN_LITERAL("1.0"));
    put(&headers, "ce_id", span_of(id));
    put(&headers, "ce_source", span_of(cause->source));
    put(&headers, "ce_type", SPAN_LITERAL("lifecycled.receipt.erased.v1"));
    put(&headers, "ce_subject", cause->customer);
    put_time(&headers, "ce_time", cause->event->time_ms);
    put_time(&headers, "ce_recordedtime", recorded_ms);
    put(&headers, "ce_causationid", (struct span){because, 22});
    message.headers = headers.at;
    message.header_count = headers.count;
    *ret_message = message;
    return headers.full ? STATUS_FULL : STATUS_OK;
}
