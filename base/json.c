/* The reader is on the path of every event: keys, strings and numbers are scanned where they lie,
 * eight bytes at a time where that helps, and nothing is copied unless it holds an escape. */
#include "base/json.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/double.h"
#include "base/must.h"
#include "base/text.h"

#ifdef __SSE2__ /* of every amd64 */
#define SCAN_BYTES 16

/* One bit a byte of the block at `at` that is a quote, a backslash or a control. */
static inline unsigned scan_block(const char *at)
{
    __m128i block = _mm_loadu_si128((const __m128i_u *)at);
    __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
    __m128i escape = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
    /* The unsigned minimum with 0x1f leaves controls, and only them, as they are. */
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, escape), control));
}

static inline size_t scan_first(unsigned hits)
{
    return (size_t)__builtin_ctz(hits);
}
#else
#define SCAN_BYTES 8
#define ONES       UINT64_C(0x0101010101010101)
#define HIGHS      UINT64_C(0x8080808080808080)

/* The top bit of every byte that is zero. Bytes above the lowest hit may be false; the lowest never
 * is. */
static inline uint64_t zero_bytes(uint64_t word)
{
    return (word - ONES) & ~word & HIGHS;
}

static inline uint64_t scan_block(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return zero_bytes(word ^ ONES * '"') | zero_bytes(word ^ ONES * '\\') |
           ((word - ONES * 0x20) & ~word & HIGHS);
}

static inline size_t scan_first(uint64_t hits)
{
    return (size_t)__builtin_ctzll(hits) >> 3;
}
#endif

/* First quote, backslash or control at or after `at`; `end` when there is none. */
static inline const char *string_stop(const char *at, const char *end)
{
    for (; end - at >= SCAN_BYTES; at += SCAN_BYTES)
        if (scan_block(at))
            return at + scan_first(scan_block(at));
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20)
        at++;
    return at;
}

static inline const char *space_skip(const char *at, const char *end)
{
    if (at < end && (unsigned char)*at > ' ') /* nearly always */
        return at;
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

static inline bool is_digit(char byte)
{
    return (unsigned char)(byte - '0') <= 9;
}

void json_reader_init(struct json_reader *reader, struct span text, struct arena *scratch)
{
    const char *begin = text.at ? text.at : "";

    *reader = (struct json_reader){
        .at = begin, .begin = begin, .end = begin + text.len, .scratch = scratch};
}

void json_fault(struct json_reader *reader, const char *why)
{
    if (!reader->fault)
        reader->fault = why;
    reader->end = reader->at; /* nothing is left to read, and `at` still tells where */
}

enum json_type json_peek(struct json_reader *reader)
{
    /* By first byte; 0 is a byte that begins no value. */
    static const uint8_t types[256] = {
        ['"'] = JSON_STRING + 1, ['{'] = JSON_OBJECT + 1, ['['] = JSON_ARRAY + 1,
        ['t'] = JSON_BOOL + 1,   ['f'] = JSON_BOOL + 1,   ['n'] = JSON_NULL + 1,
        ['-'] = JSON_NUMBER + 1, ['0'] = JSON_NUMBER + 1, ['1'] = JSON_NUMBER + 1,
        ['2'] = JSON_NUMBER + 1, ['3'] = JSON_NUMBER + 1, ['4'] = JSON_NUMBER + 1,
        ['5'] = JSON_NUMBER + 1, ['6'] = JSON_NUMBER + 1, ['7'] = JSON_NUMBER + 1,
        ['8'] = JSON_NUMBER + 1, ['9'] = JSON_NUMBER + 1,
    };
    uint8_t type;

    reader->at = space_skip(reader->at, reader->end);
    if (reader->at == reader->end)
        return JSON_END;
    type = types[(unsigned char)*reader->at];
    if (type == 0) {
        json_fault(reader, "not a JSON value");
        return JSON_END;
    }
    return (enum json_type)(type - 1);
}

/* The next byte that is not white space is `byte`: consume it. */
static inline bool take(struct json_reader *reader, char byte)
{
    const char *at = reader->at;

    if (at < reader->end && *at == byte) { /* no white space: nearly always */
        reader->at = at + 1;
        return true;
    }
    at = space_skip(at, reader->end);
    if (at == reader->end || *at != byte)
        return false;
    reader->at = at + 1;
    return true;
}

static void container_begin(struct json_reader *reader, char open, const char *why)
{
    if (!take(reader, open)) {
        json_fault(reader, why);
    } else if (reader->depth == JSON_DEPTH_MAX) {
        json_fault(reader, "nested too deep");
    } else {
        reader->depth++;
        reader->opened = true;
    }
}

/* True when another member follows and stands next; false at the closing bracket (consumed) or on a
 * fault. */
static inline bool container_next(struct json_reader *reader, char close)
{
    bool opened = reader->opened;

    reader->opened = false;
    if (!opened && take(reader, ','))
        return true;
    if (take(reader, close)) {
        MUST(reader->depth > 0);
        reader->depth--;
        return false;
    }
    if (!opened)
        json_fault(reader, "a comma or a closing bracket is missing");
    return !reader->fault;
}

void json_object_begin(struct json_reader *reader)
{
    container_begin(reader, '{', "not an object");
}

void json_array_begin(struct json_reader *reader)
{
    container_begin(reader, '[', "not an array");
}

bool json_array_next(struct json_reader *reader)
{
    return container_next(reader, ']');
}

/* Four hexadecimal digits at `at`; -1 when they are not. */
static int32_t hex4(const char *at, const char *end)
{
    int32_t value = 0;

    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char lower = (char)(at[i] | 0x20);

        if (is_digit(at[i]))
            value = value * 16 + (at[i] - '0');
        else if (lower >= 'a' && lower <= 'f')
            value = value * 16 + (lower - 'a' + 10);
        else
            return -1;
    }
    return value;
}

static char *utf8_put(char *out, uint32_t point)
{
    if (point < 0x80) {
        *out++ = (char)point;
    } else if (point < 0x800) {
        *out++ = (char)(0xc0 | point >> 6);
        *out++ = (char)(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        *out++ = (char)(0xe0 | point >> 12);
        *out++ = (char)(0x80 | (point >> 6 & 0x3f));
        *out++ = (char)(0x80 | (point & 0x3f));
    } else {
        *out++ = (char)(0xf0 | point >> 18);
        *out++ = (char)(0x80 | (point >> 12 & 0x3f));
        *out++ = (char)(0x80 | (point >> 6 & 0x3f));
        *out++ = (char)(0x80 | (point & 0x3f));
    }
    return out;
}

/* Length of the escape at `at` (which starts with a backslash) and its code point; 0 and a fault
 * when it is none. */
static size_t escape_read(struct json_reader *reader, const char *at, const char *end,
                          uint32_t *ret_point)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *hit;
    int32_t high, low;

    if (end - at >= 2 && at[1] != '\0' && (hit = strchr(from, at[1]))) {
        *ret_point = (uint32_t)(unsigned char)to[hit - from];
        return 2;
    }
    high = end - at >= 2 && at[1] == 'u' ? hex4(at + 2, end) : -1;
    if (high < 0) {
        json_fault(reader, "an unknown escape");
        return 0;
    }
    if (high < 0xd800 || high > 0xdfff) {
        *ret_point = (uint32_t)high;
        return 6;
    }
    low = end - at >= 12 && at[6] == '\\' && at[7] == 'u' ? hex4(at + 8, end) : -1;
    if (high > 0xdbff || low < 0xdc00 || low > 0xdfff) {
        json_fault(reader, "half a surrogate pair");
        return 0;
    }
    *ret_point = 0x10000 + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
    return 12;
}

/* The closing quote of a string whose first byte is at `at`; NULL and a fault when it has none. */
static const char *string_end(struct json_reader *reader, const char *at)
{
    for (;;) {
        at = string_stop(at, reader->end);
        if (at == reader->end) {
            json_fault(reader, "a string without its closing quote");
            return NULL;
        }
        if (*at == '"')
            return at;
        if (*at != '\\') {
            json_fault(reader, "a control character in a string");
            return NULL;
        }
        if (reader->end - at < 2) {
            json_fault(reader, "a string without its closing quote");
            return NULL;
        }
        at += 2;
    }
}

/* The slow way: the string at `first` (after its quote) holds an escape. Decoded it is never longer
 * than written. */
static struct span string_decode(struct json_reader *reader, const char *first)
{
    const char *close = string_end(reader, first), *at = first;
    char *text, *out;

    if (!close)
        return SPAN_ABSENT;
    text = arena_alloc(reader->scratch, (size_t)(close - first));
    if (!text) {
        json_fault(reader, "no room to decode a string");
        return SPAN_ABSENT;
    }
    out = text;
    while (at < close) {
        const char *stop = string_stop(at, close);
        uint32_t point;
        size_t len;

        memcpy(out, at, (size_t)(stop - at));
        out += stop - at;
        at = stop;
        if (at == close)
            break;
        len = escape_read(reader, at, close, &point);
        if (len == 0)
            return SPAN_ABSENT;
        out = utf8_put(out, point);
        at += len;
    }
    reader->at = close + 1;
    return (struct span){text, (size_t)(out - text)};
}

/* The string whose opening quote was just taken. */
static inline struct span string_rest(struct json_reader *reader)
{
    const char *first = reader->at;
    const char *stop = string_stop(first, reader->end);

    if (stop < reader->end && *stop == '"') {
        reader->at = stop + 1;
        return (struct span){first, (size_t)(stop - first)};
    }
    return string_decode(reader, first);
}

struct span json_read_string(struct json_reader *reader)
{
    if (!take(reader, '"')) {
        json_fault(reader, "not a string");
        return SPAN_ABSENT;
    }
    return string_rest(reader);
}

bool json_object_next(struct json_reader *reader, struct span *ret_key)
{
    struct span key;

    if (!container_next(reader, '}'))
        return false;
    if (!take(reader, '"')) {
        json_fault(reader, "a member without a name");
        return false;
    }
    key = string_rest(reader);
    if (!take(reader, ':')) {
        json_fault(reader, "a colon is missing");
        return false;
    }
    *ret_key = key;
    return true;
}

static inline const char *digits_skip(const char *at, const char *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

struct span json_read_number(struct json_reader *reader)
{
    const char *first, *at, *end = reader->end, *part;

    if (json_peek(reader) != JSON_NUMBER) {
        json_fault(reader, "not a number");
        return SPAN_ABSENT;
    }
    first = reader->at;
    at = first + (*first == '-');
    part = at;
    at = digits_skip(at, end);
    if (at == part || (*part == '0' && at - part > 1))
        goto fault;
    if (at < end && *at == '.') {
        part = ++at;
        at = digits_skip(at, end);
        if (at == part)
            goto fault;
    }
    if (at < end && (*at | 0x20) == 'e') {
        at++;
        if (at < end && (*at == '-' || *at == '+'))
            at++;
        part = at;
        at = digits_skip(at, end);
        if (at == part)
            goto fault;
    }
    reader->at = at;
    return (struct span){first, (size_t)(at - first)};
fault:
    json_fault(reader, "a number that JSON does not know");
    return SPAN_ABSENT;
}

static bool word_take(struct json_reader *reader, struct span word)
{
    if (json_peek(reader) == JSON_END || (size_t)(reader->end - reader->at) < word.len ||
        memcmp(reader->at, word.at, word.len) != 0)
        return false;
    reader->at += word.len;
    return true;
}

bool json_read_bool(struct json_reader *reader)
{
    if (word_take(reader, SPAN_LITERAL("true")))
        return true;
    if (!word_take(reader, SPAN_LITERAL("false")))
        json_fault(reader, "not a boolean");
    return false;
}

void json_read_null(struct json_reader *reader)
{
    if (!word_take(reader, SPAN_LITERAL("null")))
        json_fault(reader, "not a null");
}

/* Recursion is bounded by JSON_DEPTH_MAX. */
void json_skip(struct json_reader *reader)
{
    struct span key;

    switch (json_peek(reader)) {
    case JSON_NULL:
        json_read_null(reader);
        break;
    case JSON_BOOL:
        (void)json_read_bool(reader);
        break;
    case JSON_NUMBER:
        (void)json_read_number(reader);
        break;
    case JSON_STRING:
        (void)json_read_string(reader);
        break;
    case JSON_ARRAY:
        json_array_begin(reader);
        while (json_array_next(reader))
            json_skip(reader);
        break;
    case JSON_OBJECT:
        json_object_begin(reader);
        while (json_object_next(reader, &key))
            json_skip(reader);
        break;
    case JSON_END:
        json_fault(reader, "a value is missing");
        break;
    }
}

void json_finish(struct json_reader *reader)
{
    if (reader->fault)
        return;
    reader->at = space_skip(reader->at, reader->end);
    if (reader->at != reader->end || reader->depth != 0)
        json_fault(reader, "more after the value");
}

/* Whole fragments or nothing, so that what is there is never half an escape. */
static void put(struct json_writer *writer, const char *at, size_t len)
{
    if (writer->full || len > writer->cap - writer->len) {
        writer->full = true;
        return;
    }
    memcpy(writer->buffer + writer->len, at, len);
    writer->len += len;
}

static void put_char(struct json_writer *writer, char byte)
{
    put(writer, &byte, 1);
}

/* Before every value: the comma that its neighbour left due. */
static void value_begin(struct json_writer *writer)
{
    bool *need_comma = &writer->need_comma[writer->depth];

    if (*need_comma) {
        MUST(writer->depth > 0); /* a text holds one value */
        put_char(writer, ',');
    }
    *need_comma = true;
}

static void container_put(struct json_writer *writer, char open)
{
    MUST(writer->depth < JSON_DEPTH_MAX);
    value_begin(writer);
    put_char(writer, open);
    writer->need_comma[++writer->depth] = false;
}

static void container_put_end(struct json_writer *writer, char close)
{
    MUST(writer->depth > 0);
    writer->depth--;
    put_char(writer, close);
}

void json_writer_init(struct json_writer *writer, char *buffer, size_t cap)
{
    *writer = (struct json_writer){.buffer = buffer, .cap = cap};
}

void json_put_object(struct json_writer *writer)
{
    container_put(writer, '{');
}

void json_put_object_end(struct json_writer *writer)
{
    container_put_end(writer, '}');
}

void json_put_array(struct json_writer *writer)
{
    container_put(writer, '[');
}

void json_put_array_end(struct json_writer *writer)
{
    container_put_end(writer, ']');
}

void json_put_key(struct json_writer *writer, const char *key)
{
    MUST(writer->depth > 0);
    value_begin(writer);
    put_char(writer, '"');
    put(writer, key, strlen(key));
    put(writer, "\":", 2);
    writer->need_comma[writer->depth] = false;
}

static void put_escape(struct json_writer *writer, char byte)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt", hex[] = "0123456789abcdef";
    const char *hit = byte != '\0' ? strchr(from, byte) : NULL;

    if (hit) {
        put(writer, (char[]){'\\', to[hit - from]}, 2);
        return;
    }
    put(writer, (char[]){'\\', 'u', '0', '0', hex[byte >> 4 & 15], hex[byte & 15]}, 6);
}

void json_put_string(struct json_writer *writer, struct span text)
{
    const char *at = text.at, *end;

    if (!at) {
        json_put_null(writer);
        return;
    }
    value_begin(writer);
    put_char(writer, '"');
    end = at + text.len;
    while (at < end) {
        const char *stop = string_stop(at, end);

        put(writer, at, (size_t)(stop - at));
        at = stop;
        if (at < end)
            put_escape(writer, *at++);
    }
    put_char(writer, '"');
}

void json_put_text(struct json_writer *writer, const char *text)
{
    json_put_string(writer, span_of(text));
}

void json_put_i64(struct json_writer *writer, int64_t value)
{
    uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
    char text[24], *at = text + sizeof(text);

    do
        *--at = (char)('0' + magnitude % 10);
    while ((magnitude /= 10) > 0);
    if (value < 0)
        *--at = '-';
    value_begin(writer);
    put(writer, at, (size_t)(text + sizeof(text) - at));
}

void json_put_double(struct json_writer *writer, double value)
{
    char text[DOUBLE_TEXT_BYTES];
    size_t len = double_format(value, text);

    value_begin(writer);
    put(writer, text, len);
}

void json_put_bool(struct json_writer *writer, bool value)
{
    value_begin(writer);
    if (value)
        put(writer, "true", 4);
    else
        put(writer, "false", 5);
}

void json_put_null(struct json_writer *writer)
{
    value_begin(writer);
    put(writer, "null", 4);
}

void json_put_time(struct json_writer *writer, int64_t ms)
{
    char text[TEXT_TIME_BYTES];
    size_t len = text_time_format(ms, text);

    json_put_string(writer, (struct span){text, len});
}

void json_put_raw(struct json_writer *writer, struct span json)
{
    value_begin(writer);
    put(writer, json.at, json.len);
}
