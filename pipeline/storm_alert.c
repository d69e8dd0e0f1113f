#include "pipeline/storm_alert.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <msgpack/pack.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/must.h"
#include "base/text.h"

#define VALUE_MAX 512
#define KEY_MAX   24
#define DAY_MS    TEXT_MS_PER_DAY
/* Its own seeds: no customer's alert has such an id. */
#define SEED_HIGH UINT64_C(0x6c6966656373746f)
#define SEED_LOW  UINT64_C(0x6c69666563737470)

void storm_alert_id(int32_t partition, int64_t number, char ret_id[33])
{
    char what[48];
    int len = snprintf(what, sizeof what, "storm/%" PRId32 "/%" PRId64, partition, number);
    struct span name = {what, (size_t)len};

    snprintf(ret_id, 33, "%016" PRIx64 "%016" PRIx64, hash_bytes(name, SEED_HIGH),
             hash_bytes(name, SEED_LOW));
}

/* The members, once for both forms. */
enum member_type { MEMBER_TEXT, MEMBER_WHOLE, MEMBER_REAL, MEMBER_ACTION };
struct member {
    const char *name;
    enum member_type type;
    const char *text;
    int64_t whole;
    double real;
};
#define MEMBERS 9

static void members_of(const struct storm_alert *storm, const struct alert_options *options,
                       struct member ret_members[MEMBERS])
{
    const struct member members[MEMBERS] = {
        {"kind", MEMBER_TEXT, "storm", 0, 0},
        {"phase", MEMBER_TEXT, "raised", 0, 0},
        {"partition", MEMBER_WHOLE, NULL, storm->partition, 0},
        {"alerts_in_hour", MEMBER_WHOLE, NULL, storm->alerts, 0},
        {"limit", MEMBER_WHOLE, NULL, storm->limit, 0},
        {"mean_an_hour", MEMBER_REAL, NULL, 0, (double)storm->mean_milli / 1000},
        {"during", MEMBER_TEXT, storm->silent ? "catch_up" : "service", 0, 0},
        {"action", MEMBER_ACTION, "review_before_acting", 0, 0},
        {"rules_version", MEMBER_WHOLE, NULL, options->params_version, 0},
    };

    memcpy(ret_members, members, sizeof members);
}

/* As in every alert. */
static void action_json(struct json_writer *writer, const char *code)
{
    json_put_object(writer);
    json_put_key(writer, "code");
    json_put_string(writer, span_of(code));
    json_put_key(writer, "channel_hint");
    json_put_null(writer);
    json_put_key(writer, "requires_approval");
    json_put_bool(writer, true);
    json_put_object_end(writer);
}

static size_t value_json(const struct member members[MEMBERS], char text[VALUE_MAX])
{
    struct json_writer writer;

    json_writer_init(&writer, text, VALUE_MAX);
    json_put_object(&writer);
    for (int i = 0; i < MEMBERS; i++) {
        json_put_key(&writer, members[i].name);
        if (members[i].type == MEMBER_TEXT)
            json_put_string(&writer, span_of(members[i].text));
        else if (members[i].type == MEMBER_WHOLE)
            json_put_i64(&writer, members[i].whole);
        else if (members[i].type == MEMBER_REAL)
            json_put_double(&writer, members[i].real);
        else
            action_json(&writer, members[i].text);
    }
    json_put_object_end(&writer);
    MUST(!writer.full);
    return writer.len;
}

struct packed {
    char *at;
    size_t len;
};

static int packed_write(void *self, const char *bytes, size_t len)
{
    struct packed *packed = self;

    MUST(len <= VALUE_MAX - packed->len);
    memcpy(packed->at + packed->len, bytes, len);
    packed->len += len;
    return 0;
}

static void text_msgpack(msgpack_packer *packer, const char *text)
{
    msgpack_pack_str_with_body(packer, text, strlen(text));
}

static void action_msgpack(msgpack_packer *packer, const char *code)
{
    msgpack_pack_map(packer, 3);
    text_msgpack(packer, "code");
    text_msgpack(packer, code);
    text_msgpack(packer, "channel_hint");
    msgpack_pack_nil(packer);
    text_msgpack(packer, "requires_approval");
    msgpack_pack_true(packer);
}

static size_t value_msgpack(const struct member members[MEMBERS], char text[VALUE_MAX])
{
    struct packed packed = {.at = text};
    msgpack_packer packer;

    msgpack_packer_init(&packer, &packed, packed_write);
    msgpack_pack_map(&packer, MEMBERS);
    for (int i = 0; i < MEMBERS; i++) {
        text_msgpack(&packer, members[i].name);
        if (members[i].type == MEMBER_TEXT)
            text_msgpack(&packer, members[i].text);
        else if (members[i].type == MEMBER_WHOLE)
            msgpack_pack_int64(&packer, members[i].whole);
        else if (members[i].type == MEMBER_REAL)
            msgpack_pack_double(&packer, members[i].real);
        else
            action_msgpack(&packer, members[i].text);
    }
    return packed.len;
}

/* What the headers borrow. */
struct header_block {
    char key[KEY_MAX], id[33], cause[6 + TEXT_TIME_BYTES];
    char time[TEXT_TIME_BYTES], recorded[TEXT_TIME_BYTES], expiry[TEXT_TIME_BYTES];
};

static struct span time_of(int64_t ms, char text[TEXT_TIME_BYTES])
{
    return (struct span){text, text_time_format(ms, text)};
}

static void headers_put(const struct storm_alert *storm, const struct alert_options *options,
                        int64_t recorded_ms, struct header_block *block, struct alert *alert)
{
    memcpy(block->cause, "timer:", 6);
    const struct header headers[] = {
        {SPAN_LITERAL("content-type"),
         options->msgpack ? SPAN_LITERAL("application/msgpack") : SPAN_LITERAL("application/json")},
        {SPAN_LITERAL("ce_specversion"), SPAN_LITERAL("1.0")},
        {SPAN_LITERAL("ce_id"), {block->id, 32}},
        {SPAN_LITERAL("ce_source"), span_of(options->source)},
        {SPAN_LITERAL("ce_type"), SPAN_LITERAL("lifecycled.alert.storm.raised.v1")},
        {SPAN_LITERAL("ce_subject"), span_of(block->key)},
        {SPAN_LITERAL("ce_time"), time_of(storm->at_ms, block->time)},
        {SPAN_LITERAL("ce_recordedtime"), time_of(recorded_ms, block->recorded)},
        {SPAN_LITERAL("ce_correlationid"), {block->id, 32}},
        {SPAN_LITERAL("ce_causationid"),
         {block->cause, 6 + text_time_format(storm->at_ms, block->cause + 6)}},
        {SPAN_LITERAL("ce_severitytext"), SPAN_LITERAL("WARN")},
        {SPAN_LITERAL("ce_expirytime"), time_of(recorded_ms + DAY_MS, block->expiry)},
    };
    _Static_assert(sizeof headers / sizeof headers[0] <= ALERT_HEADERS_MAX, "they fit");

    memcpy(alert->headers, headers, sizeof headers);
    alert->header_count = sizeof headers / sizeof headers[0];
}

enum status storm_alert_encode(const struct storm_alert *storm, const struct alert_options *options,
                               int64_t recorded_ms, struct arena *arena, struct span *ret_key,
                               struct alert *ret_alert)
{
    struct header_block *block = arena_alloc(arena, sizeof *block);
    struct member members[MEMBERS];
    char text[VALUE_MAX];
    size_t len;
    char *value;

    if (block == NULL)
        return STATUS_FULL;
    members_of(storm, options, members);
    len = options->msgpack ? value_msgpack(members, text) : value_json(members, text);
    value = arena_copy(arena, text, len);
    if (value == NULL)
        return STATUS_FULL;
    snprintf(block->key, sizeof block->key, "partition-%" PRId32, storm->partition);
    storm_alert_id(storm->partition, storm->number, block->id);
    headers_put(storm, options, recorded_ms, block, ret_alert);
    ret_alert->value = (struct span){value, len};
    *ret_key = span_of(block->key);
    return STATUS_OK;
}
