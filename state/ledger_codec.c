/* Version 1 of the ledger: MessagePack [version, bin of orders, bin of events], fingerprints oldest
 * first and little-endian, eight bytes an order and six an event. A fourth item, the bin of
 * previous ids (model/previous.h), is there when there are any. */
#include <msgpack/pack.h>

#include "base/mp.h"
#include "base/must.h"
#include "state/customer_codec.h"

#define LEDGER_VERSION 1
#define ORDER_BYTES    8
#define EVENT_BYTES    6

_Static_assert(LEDGER_EVENT_MASK == (UINT64_C(1) << (8 * EVENT_BYTES)) - 1,
               "event fingerprints are kept in six bytes");

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

static void pack(msgpack_packer *packer, const uint64_t *ring, uint32_t count, size_t bytes)
{
    msgpack_pack_bin(packer, count * bytes);
    for (uint32_t i = 0; i < count; i++) {
        char word[8];

        for (size_t b = 0; b < bytes; b++)
            word[b] = (char)(ring[i] >> (8 * b) & 0xff);
        msgpack_pack_bin_body(packer, word, bytes);
    }
}

enum status ledger_encode(const struct ledger *ledger, struct arena *arena, struct span *ret_record)
{
    const struct previous *previous = &ledger->previous;
    struct output output = {.cap = 16 + ledger->order_count * (size_t)ORDER_BYTES +
                                   ledger->event_count * (size_t)EVENT_BYTES + previous->len};
    msgpack_packer packer;

    MUST(ledger->order_count <= LEDGER_ORDERS_MAX);
    MUST(ledger->event_count <= LEDGER_EVENTS_MAX);
    output.at = arena_alloc(arena, output.cap);
    if (!output.at)
        return STATUS_FULL;
    msgpack_packer_init(&packer, &output, output_write);
    msgpack_pack_array(&packer, previous->len > 0 ? 4 : 3);
    msgpack_pack_int64(&packer, LEDGER_VERSION);
    pack(&packer, ledger->orders, ledger->order_count, ORDER_BYTES);
    pack(&packer, ledger->events, ledger->event_count, EVENT_BYTES);
    if (previous->len > 0)
        msgpack_pack_bin_with_body(&packer, previous->bytes, previous->len);
    *ret_record = (struct span){output.at, output.len};
    return STATUS_OK;
}

/* A ring with room for `extra` more, up to its bound. False: arena full. */
static bool ring_read(struct span bytes, size_t width, uint32_t max, uint32_t extra,
                      struct arena *arena, uint64_t **ret_ring, uint32_t *ret_count,
                      uint32_t *ret_cap)
{
    uint32_t count = (uint32_t)(bytes.len / width);
    uint32_t cap = extra < max - count ? count + extra : max;
    uint64_t *ring = arena_alloc(arena, (cap + 1) * sizeof *ring);

    if (!ring)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const unsigned char *at = (const unsigned char *)bytes.at + i * width;

        ring[i] = 0;
        for (size_t b = 0; b < width; b++)
            ring[i] |= (uint64_t)at[b] << (8 * b);
    }
    *ret_ring = ring;
    *ret_count = count;
    *ret_cap = cap;
    return true;
}

/* The list with room for `extra` more ids. False: arena full. */
static bool previous_read(struct span bytes, uint32_t count, uint32_t extra, struct arena *arena,
                          struct previous *ret_previous)
{
    uint32_t more = extra < PREVIOUS_MAX - count ? extra : PREVIOUS_MAX - count;
    uint32_t cap = (uint32_t)bytes.len + more * (1 + EVENT_CUSTOMER_BYTES_MAX);
    char *list = arena_alloc(arena, cap + 1);

    if (!list)
        return false;
    if (bytes.len > 0)
        memcpy(list, bytes.at, bytes.len);
    *ret_previous = (struct previous){list, (uint32_t)bytes.len, cap, count};
    return true;
}

struct parts {
    struct span orders, events, previous;
    uint32_t previous_count;
};

static void parts_read(struct mp_reader *reader, struct parts *ret_parts)
{
    uint32_t items = mp_read_array(reader);
    int64_t version = mp_read_i64(reader);

    if (!reader->fault && version > LEDGER_VERSION)
        mp_fault(reader, customer_record_newer);
    if (version < 1)
        mp_fault(reader, "the ledger has no version");
    if (items != 3 && items != 4)
        mp_fault(reader, "the ledger is no list of three or four");
    ret_parts->orders = mp_read_bin(reader);
    ret_parts->events = mp_read_bin(reader);
    if (items == 4)
        ret_parts->previous = mp_read_bin(reader);
    if (ret_parts->orders.len % ORDER_BYTES != 0 ||
        ret_parts->orders.len / ORDER_BYTES > LEDGER_ORDERS_MAX ||
        ret_parts->events.len % EVENT_BYTES != 0 ||
        ret_parts->events.len / EVENT_BYTES > LEDGER_EVENTS_MAX ||
        !previous_valid(ret_parts->previous, &ret_parts->previous_count))
        mp_fault(reader, "the ledger's lists are malformed");
    if (!reader->fault && reader->at != reader->end)
        mp_fault(reader, "bytes follow the ledger");
}

enum status ledger_decode(struct span record, uint32_t extra, struct arena *arena,
                          struct ledger *ret_ledger, const char **ret_why)
{
    struct parts parts = {.previous_count = 0};
    struct ledger ledger = {0};
    struct mp_reader reader;

    mp_reader_init(&reader, record);
    if (record.len > 0)
        parts_read(&reader, &parts);
    if (reader.fault) {
        *ret_why = reader.fault;
        return STATUS_REJECT;
    }
    if (!ring_read(parts.orders, ORDER_BYTES, LEDGER_ORDERS_MAX, extra, arena, &ledger.orders,
                   &ledger.order_count, &ledger.order_cap) ||
        !ring_read(parts.events, EVENT_BYTES, LEDGER_EVENTS_MAX, extra, arena, &ledger.events,
                   &ledger.event_count, &ledger.event_cap) ||
        !previous_read(parts.previous, parts.previous_count, extra, arena, &ledger.previous))
        return STATUS_FULL;
    *ret_ledger = ledger;
    return STATUS_OK;
}
