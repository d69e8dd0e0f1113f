/* json: a bounded pull reader (RFC 8259, strict) with a sticky error, and a bounded writer.
 *
 * The reader walks the bytes in place, builds no tree and allocates nothing. Strings without
 * escapes are borrowed from the input; strings with escapes are decoded into the caller's scratch
 * arena. Depth ≤ JSON_DEPTH_MAX; strict UTF-8 is the caller's check over the whole text
 * (text_utf8_valid), made once. Duplicate keys are the schema's business. */
#ifndef LC_BASE_JSON_H
#define LC_BASE_JSON_H

#include <stdint.h>

#include "base/arena.h"
#include "base/span.h"

#define JSON_DEPTH_MAX 8

enum json_type {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
    JSON_END
};

struct json_reader {
    const char *at, *end, *begin;
    struct arena *scratch;
    const char *fault; /* NULL while all is well, else a constant string */
    int depth;
    bool opened; /* a container was just opened: no comma is due */
};

void json_reader_init(struct json_reader *reader, struct span text, struct arena *scratch);
enum json_type json_peek(struct json_reader *reader);
/* Objects: json_object_begin, then while (json_object_next(&key)) read or skip the value. Returns
 * false at the closing brace (consumed) or on a fault. Arrays alike. */
void json_object_begin(struct json_reader *reader);
bool json_object_next(struct json_reader *reader, struct span *ret_key);
void json_array_begin(struct json_reader *reader);
bool json_array_next(struct json_reader *reader);
struct span json_read_string(struct json_reader *reader);
struct span
json_read_number(struct json_reader *reader); /* its text, valid by the grammar, not converted */
bool json_read_bool(struct json_reader *reader);
void json_read_null(struct json_reader *reader);
void json_skip(struct json_reader *reader);
/* Only white space may remain; else a fault. */
void json_finish(struct json_reader *reader);
void json_fault(struct json_reader *reader, const char *why);

/* Writer into a caller's buffer; commas and quotes are its business. When the buffer is too small
 * `full` is set and the rest is dropped; check once at the end. Strings must be valid UTF-8. */
struct json_writer {
    char *buffer;
    size_t len, cap;
    bool full;
    uint8_t depth;
    bool need_comma[JSON_DEPTH_MAX + 1];
};

void json_writer_init(struct json_writer *writer, char *buffer, size_t cap);
void json_put_object(struct json_writer *writer);     /* { */
void json_put_object_end(struct json_writer *writer); /* } */
void json_put_array(struct json_writer *writer);
void json_put_array_end(struct json_writer *writer);
void json_put_key(struct json_writer *writer,
                  const char *key); /* a constant that needs no escapes */
void json_put_string(struct json_writer *writer, struct span text); /* absent: null */
void json_put_text(struct json_writer *writer, const char *text);
void json_put_i64(struct json_writer *writer, int64_t value);
/* Shortest of %.15g..%.17g that reads back to the same double; NaN and infinity are bugs (MUST). */
void json_put_double(struct json_writer *writer, double value);
void json_put_bool(struct json_writer *writer, bool value);
void json_put_null(struct json_writer *writer);
void json_put_time(struct json_writer *writer, int64_t ms);      /* RFC 3339 in quotes */
void json_put_raw(struct json_writer *writer, struct span json); /* already JSON */

#endif
