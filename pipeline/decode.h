/* decode: a Kafka record of any accepted form becomes a struct event, or a reason why not.
 *
 * Envelope, recognised in this order: content-type starting `application/cloudevents` → structured
 * CloudEvents; all mandatory ce_ headers → binary CloudEvents; else Segment form. Payload JSON or
 * MessagePack. Written against the schema, reading in place: no object tree, no allocation but
 * escaped strings (scratch arena), depth ≤ 8, strict UTF-8, duplicate keys refused. docs/FORMATS.md
 * is the published form. */
#ifndef LC_PIPELINE_DECODE_H
#define LC_PIPELINE_DECODE_H

#include "base/arena.h"
#include "base/report.h"
#include "model/event.h"
#include "pipeline/record.h"

struct decode_alias {
    const char *from; /* normalised as event_type_find does */
    enum event_type to;
};

struct decode_options {
    size_t bytes_max;       /* larger payloads are rejected; ≤ 1 MiB */
    int64_t future_max_ms;  /* event time this far after the record's timestamp is rejected */
    int32_t partitions;     /* of the input topic, for the partitioner check; 0: not checked */
    bool crc32;             /* partitioner: murmur2 or crc32 ("consistent") */
    enum currency currency; /* of amounts that name none; CURRENCY_NONE: they are rejected */
    const struct decode_alias *aliases; /* publisher's type names */
    size_t alias_count;
};

/* lc-error codes, stable: one table, also the label of a metric. */
#define DECODE_ERROR_TABLE(X)                                                                      \
    X(NONE, "none")                                                                                \
    X(NULL_VALUE, "null-value")                                                                    \
    X(TOO_LARGE, "too-large")                                                                      \
    X(SYNTAX, "syntax")                                                                            \
    X(UTF8, "utf8")                                                                                \
    X(DUPLICATE_KEY, "duplicate-key")                                                              \
    X(MISSING_FIELD, "missing-field")                                                              \
    X(BAD_FIELD, "bad-field")                                                                      \
    X(KEY_MISMATCH, "key-mismatch")                                                                \
    X(WRONG_PARTITION, "wrong-partition")                                                          \
    X(FUTURE, "future")                                                                            \
    X(UNKNOWN_CURRENCY, "unknown-currency")                                                        \
    X(VERSION, "version")                                                                          \
    X(FOLD, "contract") /* refused by the fold */                                                  \
    X(HEADERS, "headers")

enum decode_error {
#define X(name, code) DECODE_##name,
    DECODE_ERROR_TABLE(X)
#undef X
        DECODE_ERROR_COUNT
};

const char *decode_error_code(enum decode_error error);

/* Room that one record of `bytes` may need in the scratch arena. The caller keeps it free: a record
 * that fails for want of room would be a dead letter in one run and an event in another. */
#define DECODE_SCRATCH_BYTES(bytes) (8 * (bytes) + 1024 + DECODE_ERRAND_BYTES)
#define DECODE_ERRAND_BYTES         16384 /* a state and its ledger, read (pipeline/errand_codec.c) */

/* On an error *ret_detail says which field and why (a bounded text in the scratch arena or a
 * constant). Spans of the event point into the record and the scratch arena. */
enum decode_error decode_record(const struct record *record, const struct header *headers,
                                size_t header_count, const struct decode_options *options,
                                struct arena *scratch, struct event *ret_event,
                                struct span *ret_detail);

#endif
