/* control_codec: records of the control topic are read back by other builds than wrote them. They
 * grow by further items at the end of the array, which an older build skips; a change that an older
 * build must not skip raises the version instead. */
#include <msgpack/pack.h>

#include "base/mp.h"
#include "base/must.h"
#include "pipeline/position_codec.h"
#include "state/params_codec.h"

#define CONTROL_VERSION  1
#define CONTROL_ITEMS    8
#define CONTROL_HEAD_MAX 89 /* array header, eight integers of nine bytes, a str header */

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
    msgpack_pack_array(&packer, CONTROL_ITEMS + (control->kind == CONTROL_GUARD));
    msgpack_pack_int64(&packer, CONTROL_VERSION);
    msgpack_pack_int64(&packer, (int64_t)control->kind);
    msgpack_pack_int64(&packer, control->number);
    msgpack_pack_int64(&packer, control->label);
    msgpack_pack_int64(&packer, control->watermark_ms);
    msgpack_pack_int64(&packer, control->made_ms);
    msgpack_pack_uint32(&packer, control->params_version);
    msgpack_pack_str_with_body(&packer, control->params.at ? control->params.at : "",
                               control->params.len);
    if (control->kind == CONTROL_GUARD)
        msgpack_pack_uint32(&packer, control->held);
    *ret_value = (struct span){buffer.at, buffer.len};
    return STATUS_OK;
}

static const char *control_check(const struct control_record *control, int64_t version,
                                 int64_t kind, uint64_t params_version)
{
    if (version != CONTROL_VERSION)
        return "a control record of another version";
    if (kind < CONTROL_BIRTH || kind > CONTROL_GUARD)
        return "a control record of an unknown kind";
    if (control->number < 1)
        return "a control record whose number is below 1";
    if (control->label < 0)
        return "a control record whose label is no offset";
    if (params_version > UINT32_MAX)
        return "a control record whose parameter version is too large";
    if (control->held > (STORE_HELD_SILENCE | STORE_HELD_STORM))
        return "a control record that holds time for an unknown reason";
    if ((kind == CONTROL_BIRTH || kind == CONTROL_SWITCH) && control->params.len == 0)
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
    uint64_t params_version, held = 0;
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
    if (kind == CONTROL_GUARD && items == CONTROL_ITEMS)
        mp_fault(&reader, "a control record of a guard that does not say what it holds");
    if (kind == CONTROL_GUARD && !reader.fault)
        held = mp_read_u64(&reader);
    for (uint32_t i = CONTROL_ITEMS + (kind == CONTROL_GUARD); i < items && !reader.fault; i++)
        mp_skip(&reader); /* of a later build */
    if (!reader.fault && reader.at != reader.end)
        mp_fault(&reader, "more after the control record");
    control.held = held <= UINT32_MAX ? (uint32_t)held : UINT32_MAX;
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
