/* kafka_client: an idempotent producer and a plain reader, for the commands that publish or read a
 * topic. */
#ifndef LC_CTL_KAFKA_CLIENT_H
#define LC_CTL_KAFKA_CLIENT_H

#include "pipeline/kafka_conf.h"

struct kafka_producer;

/* Partitions keys as the daemon checks them. REJECT with words when a property is wrong. */
enum status kafka_producer_open(const struct kafka_options *kafka,
                                struct kafka_producer **ret_producer,
                                struct report *report) LC_CHECKED;
/* Copies; waits while the local queue is full. RETRY after 60 s without any progress (broker away),
 * REJECT: refused. */
enum status kafka_producer_send(struct kafka_producer *producer, const char *topic, struct span key,
                                struct span value, struct report *report) LC_CHECKED;
/* Until everything is acknowledged. REJECT when a record was refused, RETRY when the broker went
 * away. */
enum status kafka_producer_flush(struct kafka_producer *producer, int timeout_ms,
                                 struct report *report) LC_CHECKED;
void kafka_producer_close(struct kafka_producer *producer); /* accepts NULL */

struct kafka_reader;

/* Every partition of the topic, read_committed, from its beginning or its end; no group. */
enum status kafka_reader_open(const struct kafka_options *kafka, const char *topic,
                              bool from_beginning, struct kafka_reader **ret_reader,
                              struct report *report) LC_CHECKED;
/* The next record (valid until the next call); *ret_end is true when, instead, every partition's
 * end has been reached. RETRY: nothing within timeout_ms. */
enum status kafka_reader_next(struct kafka_reader *reader, int timeout_ms,
                              struct record *ret_record, bool *ret_end,
                              struct report *report) LC_CHECKED;
size_t kafka_reader_headers(struct kafka_reader *reader, struct header *ret_headers, size_t max);
void kafka_reader_close(struct kafka_reader *reader); /* accepts NULL */

/* Positions of one partition as the broker has them: K with metadata (−1: none), log start and end.
 */
struct kafka_positions {
    int64_t committed, low, high;
    char metadata[256];
};
/* Number of partitions of the input topic, and each one's positions (caller's memory, cap of them).
 */
enum status kafka_positions_read(const struct kafka_options *kafka,
                                 struct kafka_positions *ret_positions, size_t cap,
                                 size_t *ret_count, struct report *report) LC_CHECKED;
/* How many members the group has now (a killed static member counts until its session ends). */
enum status kafka_group_members(const struct kafka_options *kafka, int *ret_members,
                                struct report *report) LC_CHECKED;

#endif
