/* stream: the customers and events that every benchmark uses: seeded, the same everywhere.
 *
 * Customers differ in how often they are heard of (a flattened Zipf law), in what they spend and in
 * when they stop buying. Of the events 39 % are page views, 24 % opened e-mails, 19 % orders, 6 %
 * renewals, 5 % surveys, 4 % complaints (half of them resolved by the next), 3 % trials; event time
 * runs over `span_ms` up to `end_ms`. JSON of about 220 bytes in the flat form, MessagePack of
 * about 170. */
#ifndef LC_BENCH_STREAM_H
#define LC_BENCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAM_BYTES_MAX 768

struct stream_options {
    uint64_t seed;
    uint32_t customers;
    uint64_t events;
    int64_t end_ms, span_ms;
    double hot;   /* share of the events that are one customer's, 0–1 */
    bool uniform; /* every customer equally often */
};

enum stream_form {
    STREAM_FLAT_JSON,
    STREAM_FLAT_MSGPACK,
    STREAM_SEGMENT_JSON,
    STREAM_CLOUD_JSON,
    STREAM_FORMS
};

struct stream_event {
    int64_t time_ms;
    const char *type, *channel, *campaign, *currency; /* type in the words of the contract */
    uint64_t id;
    uint32_t customer, number; /* number: makes order and page names */
    int32_t cents;             /* −1: no amount */
    int16_t score;             /* −1: no score */
};

struct stream;

struct stream *stream_open(const struct stream_options *options); /* NULL: no memory */
void stream_close(struct stream *stream);
/* false: all `events` were given. */
bool stream_next(struct stream *stream, struct stream_event *ret_event);

/* The key, and the payload in a form; lengths are returned. */
size_t stream_key(const struct stream_event *event, char ret_key[16]);
size_t stream_write(const struct stream_event *event, enum stream_form form,
                    char ret_bytes[STREAM_BYTES_MAX]);
const char *stream_form_name(enum stream_form form);

#endif
