/* position_codec: both forms are read back by other builds than wrote them. The metadata grows by
 * further name=value pairs, which an older build skips; a control record by further items at the
 * end of its array. A change that an older build must not skip raises the version instead. */
#include "pipeline/position_codec.h"

#include <msgpack/pack.h>
#include <stdio.h>

#include "base/mp.h"
#include "base/must.h"
#include "base/text.h"
#include "state/params_codec.h"

#define METADATA_VERSION 1
#define CONTROL_VERSION  1
#define CONTROL_ITEMS    8
#define CONTROL_HEAD_MAX 80 /* array header, seven integers of nine bytes, a str header */

size_t position_metadata_encode(const struct delivered *delivered,
                                char ret_text[POSITION_METADATA_MAX])
{
    int len = snprintf(ret_text, POSITION_METADATA_MAX, "v=%d;C=%lld;CO=%lld;W=%lld;cfg=%.*s;pv=%u",
                       METADATA_VERSION, (long long)delivered->at.control,
                       (long long)delivered->control_offset, (long long)delivered->watermark_ms,
                       STORE_CFG_BYTES - 1, delivered->cfg, (unsigned)delivered->params_version);

    MUST(len > 0);
    MUST(len < POSITION_METADATA_MAX);
    if (delivered->last_known)
        len +=
            snprintf(ret_text + len, POSITION_METADATA_MAX - (size_t)len, ";lo=%lld;lh=%016llx",
                     (long long)delivered->last_offset, (unsigned long long)delivered->last_hash);
    MUST(len < POSITION_METADATA_MAX);
    return (size_t)len;
}

/* The next "name=value" of the text, which loses it; false at its end or when it has no '='. */
static bool pair_next(struct span *text, struct span *ret_name, struct span *ret_value)
{
    const char *end = text->len > 0 ? memchr(text->at, ';', text->len) : NULL;
    size_t len = end ? (size_t)(end - text->at) : text->len;
    const char *equals = len > 0 ? memchr(text->at, '=', len) : NULL;

    if (!equals)
        return false;
    *ret_name = (struct span){text->at, (size_t)(equals - text->at)};
    *ret_value = (struct span){equals + 1, len - ret_name->len - 1};
    len += end != NULL;
    *text = (struct span){text->at + len, text->len - len};
    return true;
}

static bool is_hex(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!(text.at[i] >= '0' && text.at[i] <= '9') && !(text.at[i] >= 'a' && text.at[i] <= 'f'))
            return false;
    return true;
}

enum {
    HAS_V = 1,
    HAS_C = 2,
    HAS_CO = 4,
    HAS_W = 8,
    HAS_CFG = 16,
    HAS_PV = 32,
    HAS_ALL = 63,
    HAS_LO = 64,
    HAS_LH = 128
};

/* One pair into its place; its bit, 0 for a name that is not known, −1 when the value is wrong. */
static int pair_take(struct span name, struct span value, struct delivered *delivered)
{
    int64_t number = 0;

    if (span_is(name, "cfg")) {
        if (value.len >= STORE_CFG_BYTES || !is_hex(value))
            return -1;
        memset(delivered->cfg, 0, sizeof(delivered->cfg));
        memcpy(delivered->cfg, value.at, value.len);
        return HAS_CFG;
    }
    if (span_is(name, "lh"))
        return text_u64_hex_parse(value, &delivered->last_hash) == STATUS_OK ? HAS_LH : -1;
    if (!span_is(name, "v") && !span_is(name, "C") && !span_is(name, "CO") && !span_is(name, "W") &&
        !span_is(name, "pv") && !span_is(name, "lo"))
        return 0;
    if (text_i64_parse(value, &number) != STATUS_OK)
        return -1;
    if (span_is(name, "v"))
        return number == METADATA_VERSION ? HAS_V : -1;
    if (span_is(name, "C")) {
        delivered->at.control = number;
        return number >= 0 ? HAS_C : -1;
    }
    if (span_is(name, "CO")) {
        delivered->control_offset = number;
        return number >= -1 ? HAS_CO : -1;
    }
    if (span_is(name, "lo")) {
        delivered->last_offset = number;
        return number >= 0 ? HAS_LO : -1;
    }
    if (span_is(name, "W")) {
        delivered->watermark_ms = number;
        return HAS_W;
    }
    delivered->params_version = (uint32_t)number;
    return number >= 0 && number <= UINT32_MAX ? HAS_PV : -1;
}

enum status position_metadata_decode(struct span text, struct delivered *ret_delivered)
{
    struct delivered delivered = *ret_delivered; /* at.offset stays */
    int seen = 0;

    if (text.len >= POSITION_METADATA_MAX)
        return STATUS_REJECT;
    while (text.len > 0) {
        struct span name, value;
        int bit;

        if (!pair_next(&text, &name, &value))
            return STATUS_REJECT;
        bit = pair_take(name, value, &delivered);
        if (bit < 0 || (seen & bit))
            return STATUS_REJECT;
        seen |= bit;
    }
    if ((seen & HAS_ALL) != HAS_ALL || !(seen & HAS_LO) != !(seen & HAS_LH))
        return STATUS_REJECT;
    delivered.last_known = (seen & HAS_LO) != 0;
    *ret_delivered = delivered;
    return STATUS_OK;
}

struct control_buffer {
    char *at;
    size_t len, cap;
};

static int control_write(void *self, const char *bytes, size_t len)
{
    struct control_buffer *buffer = self;

    MUST(len <= buffer->cap - buffer->len);
    memcpy(buffer->at + buffer->len, bytes, len);
    buffer->len += len;
    return 0;
}

enum status control_encode(const struct control_record *control, struct arena *arena,
                           struct span *ret_value)
{
    struct control_buffer buffer = {.cap = CONTROL_HEAD_MAX + control->params.len};
    msgpack_packer packer;

    MUST(control->params.len <= PARAMS_TEXT_MAX);
    buffer.at = arena_alloc(arena, buffer.cap);
    if (!buffer.at)
        return STATUS_FULL;
    msgpack_packer_init(&packer, &buffer, control_write);
    msgpack_pack_array(&packer, CONTROL_ITEMS);
    msgpack_pack_int64(&packer, CONTROL_VERSION);
    msgpack_pack_int64(&packer, (int64_t)control->kind);
    msgpack_pack_int64(&packer, control->number);
    msgpack_pack_int64(&packer, control->label);
    msgpack_pack_int64(&packer, control->watermark_ms);
    msgpack_pack_int64(&packer, control->made_ms);
    msgpack_pack_uint32(&packer, control->params_version);
    msgpack_pack_str_with_body(&packer, control->params.at ? control->params.at : "",
                               control->params.len);
    *ret_value = (struct span){buffer.at, buffer.len};
    return STATUS_OK;
}

static const char *control_check(const struct control_record *control, int64_t version,
                                 int64_t kind, uint64_t params_version)
{
    if (version != CONTROL_VERSION)
        return "a control record of another version";
    if (kind < CONTROL_BIRTH || kind > CONTROL_TICK)
        return "a control record of an unknown kind";
    if (control->number < 1)
        return "a control record whose number is below 1";
    if (control->label < 0)
        return "a control record whose label is no offset";
    if (params_version > UINT32_MAX)
        return "a control record whose parameter version is too large";
    if (kind != CONTROL_TICK && control->params.len == 0)
        return "a control record without its parameters";
    if (control->params.len > PARAMS_TEXT_MAX)
        return "a control record with too large parameters";
    return NULL;
}

enum status control_decode(struct span value, struct control_record *ret_control,
                           const char **ret_why)
{
    struct control_record control = {0};
    struct mp_reader reader;
    int64_t version, kind;
    uint64_t params_version;
    uint32_t items;
    const char *why;

    mp_reader_init(&reader, value);
    items = mp_read_array(&reader);
    if (!reader.fault && items < CONTROL_ITEMS)
        mp_fault(&reader, "a control record with too few items");
    version = mp_read_i64(&reader);
    kind = mp_read_i64(&reader);
    control.number = mp_read_i64(&reader);
    control.label = mp_read_i64(&reader);
    control.watermark_ms = mp_read_i64(&reader);
    control.made_ms = mp_read_i64(&reader);
    params_version = mp_read_u64(&reader);
    control.params = mp_read_str(&reader);
    for (uint32_t i = CONTROL_ITEMS; i < items && !reader.fault; i++)
        mp_skip(&reader); /* of a later build */
    if (!reader.fault && reader.at != reader.end)
        mp_fault(&reader, "more after the control record");
    why = reader.fault ? reader.fault : control_check(&control, version, kind, params_version);
    if (why) {
        *ret_why = why;
        return STATUS_REJECT;
    }
    control.kind = (enum control_kind)kind;
    control.params_version = (uint32_t)params_version;
    *ret_control = control;
    return STATUS_OK;
}
