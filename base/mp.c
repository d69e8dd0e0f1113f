#include "base/mp.h"

#include <endian.h>
#include <math.h>
#include <string.h>

void mp_reader_init(struct mp_reader *reader, struct span bytes)
{
    static const uint8_t nothing[1];

    reader->at = bytes.at ? (const uint8_t *)bytes.at : nothing;
    reader->end = reader->at + bytes.len;
    reader->fault = NULL;
}

void mp_fault(struct mp_reader *reader, const char *why)
{
    if (!reader->fault)
        reader->fault = why;
    reader->at = reader->end; /* so that every later read meets the end */
}

static size_t left_of(const struct mp_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/* Big-endian unsigned of `bytes` bytes, 1–8; 0 and a fault when they are not there. */
static uint64_t take(struct mp_reader *reader, unsigned bytes)
{
    uint64_t value = 0;

    if (left_of(reader) >= sizeof value) { /* in one go, but near the end */
        memcpy(&value, reader->at, sizeof value);
        reader->at += bytes;
        return be64toh(value) >> (64 - 8 * bytes);
    }
    if (left_of(reader) < bytes) {
        mp_fault(reader, "the bytes end inside an item");
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | *reader->at++;
    return value;
}

/* The tag byte; 0xc1, which the specification never uses, when there is none. */
static uint8_t take_tag(struct mp_reader *reader)
{
    if (reader->at == reader->end) {
        mp_fault(reader, "the bytes end before an item");
        return 0xc1;
    }
    return *reader->at++;
}

static enum mp_type type_of(uint8_t tag)
{
    /* 0xc0 to 0xdf, one a line of the specification's table. */
    static const uint8_t types[32] = {
        MP_NIL, MP_END, MP_BOOL,  MP_BOOL,  MP_BIN,   MP_BIN,   MP_BIN, MP_EXT,
        MP_EXT, MP_EXT, MP_FLOAT, MP_FLOAT, MP_INT,   MP_INT,   MP_INT, MP_INT,
        MP_INT, MP_INT, MP_INT,   MP_INT,   MP_EXT,   MP_EXT,   MP_EXT, MP_EXT,
        MP_EXT, MP_STR, MP_STR,   MP_STR,   MP_ARRAY, MP_ARRAY, MP_MAP, MP_MAP,
    };

    if (tag <= 0x7f || tag >= 0xe0)
        return MP_INT;
    if (tag <= 0x8f)
        return MP_MAP;
    if (tag <= 0x9f)
        return MP_ARRAY;
    if (tag <= 0xbf)
        return MP_STR;
    return (enum mp_type)types[tag - 0xc0];
}

enum mp_type mp_peek(const struct mp_reader *reader)
{
    return reader->at < reader->end ? type_of(*reader->at) : MP_END;
}

bool mp_read_nil(struct mp_reader *reader)
{
    if (reader->at == reader->end || *reader->at != 0xc0)
        return false;
    reader->at++;
    return true;
}

bool mp_read_bool(struct mp_reader *reader)
{
    uint8_t tag = take_tag(reader);

    if (tag != 0xc2 && tag != 0xc3) {
        mp_fault(reader, "not a boolean");
        return false;
    }
    return tag == 0xc3;
}

struct integer {
    uint64_t bits; /* two's complement when negative */
    bool negative;
};

static struct integer integer_of_signed(int64_t value)
{
    return (struct integer){.bits = (uint64_t)value, .negative = value < 0};
}

static struct integer take_integer(struct mp_reader *reader, uint8_t tag)
{
    if (tag <= 0x7f)
        return (struct integer){.bits = tag};
    if (tag >= 0xe0)
        return integer_of_signed((int8_t)tag);
    switch (tag) {
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return (struct integer){.bits = take(reader, 1u << (tag - 0xcc))};
    case 0xd0:
        return integer_of_signed((int8_t)take(reader, 1));
    case 0xd1:
        return integer_of_signed((int16_t)take(reader, 2));
    case 0xd2:
        return integer_of_signed((int32_t)take(reader, 4));
    case 0xd3:
        return integer_of_signed((int64_t)take(reader, 8));
    default:
        mp_fault(reader, "not an integer");
        return (struct integer){0};
    }
}

int64_t mp_read_i64(struct mp_reader *reader)
{
    struct integer value = take_integer(reader, take_tag(reader));

    if (!value.negative && value.bits > INT64_MAX) {
        mp_fault(reader, "an integer above 2^63-1");
        return 0;
    }
    return (int64_t)value.bits;
}

uint64_t mp_read_u64(struct mp_reader *reader)
{
    struct integer value = take_integer(reader, take_tag(reader));

    if (value.negative) {
        mp_fault(reader, "a negative integer");
        return 0;
    }
    return value.bits;
}

double mp_read_double(struct mp_reader *reader)
{
    uint8_t tag = take_tag(reader);
    struct integer integer = {0};
    double value;

    if (tag == 0xca) {
        uint32_t bits = (uint32_t)take(reader, 4);
        float narrow;

        memcpy(&narrow, &bits, sizeof(narrow));
        value = narrow;
    } else if (tag == 0xcb) {
        uint64_t bits = take(reader, 8);

        memcpy(&value, &bits, sizeof(value));
    } else {
        if (type_of(tag) != MP_INT)
            mp_fault(reader, "not a number");
        else
            integer = take_integer(reader, tag);
        if (reader->fault)
            return 0;
        return integer.negative ? (double)(int64_t)integer.bits : (double)integer.bits;
    }
    if (!isfinite(value)) {
        mp_fault(reader, "a number that is not finite");
        return 0;
    }
    return value;
}

static struct span take_span(struct mp_reader *reader, uint64_t len)
{
    struct span span = SPAN_ABSENT;

    if (reader->fault)
        return span;
    if (len > left_of(reader)) {
        mp_fault(reader, "a length beyond the bytes");
        return span;
    }
    span = (struct span){(const char *)reader->at, (size_t)len};
    reader->at += len;
    return span;
}

struct span mp_read_str(struct mp_reader *reader)
{
    uint8_t tag = take_tag(reader);

    if (tag >= 0xa0 && tag <= 0xbf)
        return take_span(reader, tag & 31u);
    if (tag >= 0xd9 && tag <= 0xdb)
        return take_span(reader, take(reader, 1u << (tag - 0xd9)));
    mp_fault(reader, "not a string");
    return SPAN_ABSENT;
}

struct span mp_read_bin(struct mp_reader *reader)
{
    uint8_t tag = take_tag(reader);

    if (tag >= 0xc4 && tag <= 0xc6)
        return take_span(reader, take(reader, 1u << (tag - 0xc4)));
    mp_fault(reader, "not binary");
    return SPAN_ABSENT;
}

/* `count` containers' items of at least `bytes_each` have to be in what remains. */
static uint32_t bounded(struct mp_reader *reader, uint64_t count, unsigned bytes_each)
{
    if (reader->fault)
        return 0;
    if (count * bytes_each > left_of(reader)) {
        mp_fault(reader, "more items than the bytes can hold");
        return 0;
    }
    return (uint32_t)count;
}

uint32_t mp_read_array(struct mp_reader *reader)
{
    uint8_t tag = take_tag(reader);

    if (tag >= 0x90 && tag <= 0x9f)
        return bounded(reader, tag & 15u, 1);
    if (tag == 0xdc || tag == 0xdd)
        return bounded(reader, take(reader, tag == 0xdc ? 2 : 4), 1);
    mp_fault(reader, "not an array");
    return 0;
}

uint32_t mp_read_map(struct mp_reader *reader)
{
    uint8_t tag = take_tag(reader);

    if (tag >= 0x80 && tag <= 0x8f)
        return bounded(reader, tag & 15u, 2);
    if (tag == 0xde || tag == 0xdf)
        return bounded(reader, take(reader, tag == 0xde ? 2 : 4), 2);
    mp_fault(reader, "not a map");
    return 0;
}

static void skip_ext(struct mp_reader *reader)
{
    uint8_t tag = take_tag(reader);
    uint64_t len;

    if (tag >= 0xd4 && tag <= 0xd8)
        len = 1u << (tag - 0xd4);
    else
        len = take(reader, 1u << (tag - 0xc7));
    (void)take_span(reader, len + 1); /* and the type byte */
}

/* Skip one scalar, or open one container and give how many items it holds. */
static uint64_t skip_one(struct mp_reader *reader)
{
    switch (mp_peek(reader)) {
    case MP_NIL:
        (void)mp_read_nil(reader);
        return 0;
    case MP_BOOL:
        (void)mp_read_bool(reader);
        return 0;
    case MP_INT:
        (void)take_integer(reader, take_tag(reader));
        return 0;
    case MP_FLOAT:
        (void)take(reader, take_tag(reader) == 0xca ? 4 : 8);
        return 0;
    case MP_STR:
        (void)mp_read_str(reader);
        return 0;
    case MP_BIN:
        (void)mp_read_bin(reader);
        return 0;
    case MP_EXT:
        skip_ext(reader);
        return 0;
    case MP_ARRAY:
        return mp_read_array(reader);
    case MP_MAP:
        return 2 * (uint64_t)mp_read_map(reader);
    case MP_END:
        break;
    }
    mp_fault(reader, reader->at == reader->end ? "the bytes end before an item" : "an unused tag");
    return 0;
}

void mp_skip(struct mp_reader *reader)
{
    uint64_t pending[MP_DEPTH_MAX + 1]; /* items to go at each depth */
    unsigned depth = 0;

    pending[0] = 1;
    while (!reader->fault) {
        uint64_t inside;
        bool container;

        while (pending[depth] == 0) {
            if (depth == 0)
                return;
            depth--;
        }
        pending[depth]--;
        container = mp_peek(reader) == MP_ARRAY || mp_peek(reader) == MP_MAP;
        inside = skip_one(reader);
        if (!container)
            continue;
        if (depth == MP_DEPTH_MAX) {
            mp_fault(reader, "nested too deep");
            return;
        }
        pending[++depth] = inside;
    }
}
