#include "state/redirect_codec.h"

#include <msgpack/pack.h>

#include "base/must.h"
#include "model/previous.h"

struct output {
    char bytes[16 + EVENT_CUSTOMER_BYTES_MAX + REDIRECT_ITEMS * 9];
    size_t len;
};

static int output_write(void *self, const char *bytes, size_t len)
{
    struct output *output = self;

    MUST(len <= sizeof output->bytes - output->len);
    memcpy(output->bytes + output->len, bytes, len);
    output->len += len;
    return 0;
}

enum status redirect_encode(const struct customer *customer, struct arena *arena,
                            struct span *ret_record)
{
    struct output output = {.len = 0};
    msgpack_packer packer;
    char *at;

    MUST(customer_is_redirect(customer));
    msgpack_packer_init(&packer, &output, output_write);
    msgpack_pack_array(&packer, REDIRECT_ITEMS);
    msgpack_pack_int64(&packer, REDIRECT_RECORD_VERSION);
    msgpack_pack_str_with_body(&packer, customer->into, customer->into_len);
    msgpack_pack_int64(&packer, customer->now_ms);
    msgpack_pack_int64(&packer, customer->erased_ms);
    msgpack_pack_int64(&packer, customer->erased_offset);
    msgpack_pack_uint32(&packer, customer->episode_count);
    msgpack_pack_uint32(&packer, customer->alert_count);
    msgpack_pack_uint8(&packer, customer->previous);
    at = arena_copy(arena, output.bytes, output.len);
    if (!at)
        return STATUS_FULL;
    *ret_record = (struct span){at, output.len};
    return STATUS_OK;
}

static uint64_t read_below(struct mp_reader *reader, uint64_t max)
{
    uint64_t number = mp_read_u64(reader);

    if (number > max)
        mp_fault(reader, "a field of the redirect is out of its range");
    return number > max ? 0 : number;
}

void redirect_read(struct mp_reader *reader, struct customer *ret_customer)
{
    struct span into = mp_read_str(reader);

    customer_init(ret_customer);
    if (!reader->fault && (into.len < 1 || into.len > EVENT_CUSTOMER_BYTES_MAX))
        mp_fault(reader, "the redirect's id is no id");
    if (!reader->fault) {
        ret_customer->into_len = (uint8_t)into.len;
        memcpy(ret_customer->into, into.at, into.len);
    }
    ret_customer->now_ms = mp_read_i64(reader);
    ret_customer->erased_ms = mp_read_i64(reader);
    ret_customer->erased_offset = mp_read_i64(reader);
    ret_customer->episode_count = (uint32_t)read_below(reader, UINT32_MAX);
    ret_customer->alert_count = (uint32_t)read_below(reader, UINT32_MAX);
    ret_customer->previous = (uint8_t)read_below(reader, PREVIOUS_MAX);
    if (!reader->fault && ret_customer->now_ms == INT64_MIN)
        mp_fault(reader, "the redirect has no time");
}
