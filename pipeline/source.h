/* source: the port from which records, rebalances and committed positions come: a consumer-group
 * member reading the input topic, and a plain reader of the control topic. pipeline/kafka_source.c
 * is the real one; tests/sim has the simulated one.
 *
 * Used by one thread. Every call returns within its timeout. Rebalances are data, not callbacks:
 * they come out of poll, and the group waits until `assign` acknowledges them (within
 * max.poll.interval). */
#ifndef LC_PIPELINE_SOURCE_H
#define LC_PIPELINE_SOURCE_H

#include "base/arena.h"
#include "base/report.h"
#include "base/status.h"
#include "pipeline/record.h"

#define SOURCE_PARTITIONS_MAX 1024 /* owned by one worker */

enum source_change { SOURCE_NO_CHANGE, SOURCE_ASSIGNED, SOURCE_REVOKED, SOURCE_LOST };

struct source_batch {
    struct record *records; /* in order within a partition */
    size_t count;
    /* A change of ownership that happened during this poll; `records` then holds only what came
     * before it. The partitions are those gained or taken away, not the whole set. Must be
     * acknowledged by `assign` once acted upon. */
    enum source_change change;
    int32_t *partitions;
    size_t partition_count;
    /* Partitions whose end was reached: everything below `end` has been delivered (transaction
     * markers leave gaps). */
    struct source_end {
        int32_t partition;
        int64_t end;
    } * ends;
    size_t end_count;
};

struct source_start {
    int32_t partition;
    int64_t offset; /* explicit, never the stored position */
    bool paused;    /* owned, but nothing is fetched */
};

/* The group membership of now, for the sink's send-offsets; opaque, valid until the next poll. */
struct source_membership {
    const void *impl;
    int64_t generation; /* of the group; −1 not a member */
};

struct source {
    void *self;
    /* Up to `max` records, waiting at most timeout_ms for the first. The batch lives until the next
     * poll. FATAL: recreate the source (report). FENCED: another instance with our static name.
     * RETRY never: an empty batch instead, and `problem` below tells what is wrong. */
    enum status (*poll)(void *self, int timeout_ms, size_t max, struct source_batch *ret_batch,
                        struct report *report) LC_CHECKED;
    /* Headers of a record of the last batch; at most `max`, the count is returned; more than max:
     * max + 1. */
    size_t (*headers)(void *self, const struct record *record, struct header *ret_headers,
                      size_t max);
    /* The whole set of partitions owned now, with where each starts or goes on. Acknowledges a
     * pending change. A partition already fetching at exactly `offset` is left alone; one that
     * starts, goes back or resumes says its end anew when it is there. */
    enum status (*assign)(void *self, const struct source_start *starts, size_t count,
                          struct report *report) LC_CHECKED;
    /* K of a partition and its metadata (copied into arena); *ret_offset −1: none. Waits for stable
     * offsets; RETRY while unknown. */
    enum status (*committed)(void *self, int32_t partition, struct arena *arena,
                             int64_t *ret_offset, struct span *ret_metadata,
                             struct report *report) LC_CHECKED;
    /* Log start and end of an input partition (as of now). RETRY. */
    enum status (*bounds)(void *self, int32_t partition, int64_t *ret_low, int64_t *ret_high,
                          struct report *report) LC_CHECKED;
    /* Number of partitions of the input topic and of the control topic; RETRY while unknown;
     * REJECT: topic does not exist. */
    enum status (*partitions)(void *self, int32_t *ret_input, int32_t *ret_control,
                              struct report *report) LC_CHECKED;
    /* Committed control records of a partition from control-topic offset `from`, at most `max`,
     * copied into arena; *ret_end: all below it has been read (may pass gaps); *ret_low: log start
     * of the control partition. RETRY. */
    enum status (*control)(void *self, int32_t partition, int64_t from, size_t max,
                           struct arena *arena, struct record **ret_records, size_t *ret_count,
                           int64_t *ret_end, int64_t *ret_low, struct report *report) LC_CHECKED;
    /* Membership of now, taken fresh. */
    struct source_membership (*membership)(void *self);
    /* Plain (non-transactional) commit of a position: only for the embedded mock cluster, which
     * stores no transactional offsets. */
    enum status (*commit_plain)(void *self, int32_t partition, int64_t offset, struct span metadata,
                                struct report *report) LC_CHECKED;
    /* Leave nothing behind: bounded by timeout_ms. A static member does not leave the group. */
    void (*close)(void *self, int timeout_ms);
};

#endif
