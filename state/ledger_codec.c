/* Version 1 of the ledger: MessagePack [version, bin of orders, bin of events], fingerprints oldest
 * first and little-endian, eight bytes an order and six an event. */
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
    struct output output = {.cap = 16 + ledger->order_count * (size_t)ORDER_BYTES +
                                   ledger->event_count * (size_t)EVENT_BYTES};
    msgpack_packer packer;

    MUST(ledger->order_count <= LEDGER_ORDERS_MAX);
    MUST(ledger->event_count <= LEDGER_EVENTS_MAX);
    output.at = arena_alloc(arena, output.cap);
    if (!output.at)
        return STATUS_FULL;
    msgpack_packer_init(&packer, &output, output_write);
    msgpack_pack_array(&packer, 3);
    msgpack_pack_int64(&packer, LEDGER_VERSION);
    pack(&packer, ledger->orders, ledger->order_count, ORDER_BYTES);
    pack(&packer, ledger->events, ledger->event_count, EVENT_BYTES);
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

enum status ledger_decode(struct span record, uint32_t extra, struct arena *arena,
                          struct ledger *ret_ledger, const char **ret_why)
{
    struct span orders = SPAN_ABSENT, events = SPAN_ABSENT;
    struct ledger ledger = {0};
    struct mp_reader reader;
    int64_t version;

    mp_reader_init(&reader, record);
    if (record.len > 0) {
        if (mp_read_array(&reader) != 3)
            mp_fault(&reader, "the ledger is no list of three");
        version = mp_read_i64(&reader);
        if (!reader.fault && version > LEDGER_VERSION)
            mp_fault(&reader, customer_record_newer);
        if (version < 1)
            mp_fault(&reader, "the ledger has no version");
        orders = mp_read_bin(&reader);
        events = mp_read_bin(&reader);
        if (orders.len % ORDER_BYTES != 0 || orders.len / ORDER_BYTES > LEDGER_ORDERS_MAX ||
            events.len % EVENT_BYTES != 0 || events.len / EVENT_BYTES > LEDGER_EVENTS_MAX)
            mp_fault(&reader, "the ledger's lists are malformed");
        if (!reader.fault && reader.at != reader.end)
            mp_fault(&reader, "bytes follow the ledger");
    }
    if (reader.fault) {
        *ret_why = reader.fault;
        return STATUS_REJECT;
    }
    if (!ring_read(orders, ORDER_BYTES, LEDGER_ORDERS_MAX, extra, arena, &ledger.orders,
                   &ledger.order_count, &ledger.order_cap) ||
        !ring_read(events, EVENT_BYTES, LEDGER_EVENTS_MAX, extra, arena, &ledger.events,
                   &ledger.event_count, &ledger.event_cap))
        return STATUS_FULL;
    *ret_ledger = ledger;
    return STATUS_OK;
}
