/* sink: the port through which alerts, dead letters, control records and positions leave, in
 * transactions. pipeline/kafka_sink.c is the real one; tests/sim has the simulated one.
 *
 * One transaction at a time. Results mean what base/status.h says:
 *   RETRY  abortable: call abort, then the same effects may be sent again in a new transaction
 *   STALE  the group generation is old: abort, poll the source, look who owns what, send again if
 * still ours FATAL  or an unknown outcome, or the coordinator was lost during commit: call reopen,
 * then re-read K and state FENCED another instance with our name took the transactional id: stop */
#ifndef LC_PIPELINE_SINK_H
#define LC_PIPELINE_SINK_H

#include "base/report.h"
#include "base/status.h"
#include "pipeline/source.h"

enum sink_topic { SINK_ALERTS, SINK_DEAD_LETTERS, SINK_CONTROL, SINK_INPUT };

struct sink_message {
    enum sink_topic topic;
    int32_t partition;      /* −1: by key with the configured partitioner */
    struct span key, value; /* absent: null */
    const struct header *headers;
    size_t header_count;
    int64_t timestamp_ms; /* of the record; 0: now */
};

struct sink_offset {
    int32_t partition;
    int64_t offset;       /* K: the next to be consumed */
    struct span metadata; /* ASCII, ≤ 1024 bytes here (the broker takes 4096) */
};

struct sink {
    void *self;
    /* Make the producer ready (init transactions, fencing an older one of the same name) and warm.
     * RETRY, FENCED, REJECT. */
    enum status (*open)(void *self, struct report *report) LC_CHECKED;
    enum status (*begin)(void *self, struct report *report) LC_CHECKED;
    /* Copies. FULL: the local queue stays full past its deadline. REJECT: larger than the topic
     * takes. */
    enum status (*send)(void *self, const struct sink_message *message,
                        struct report *report) LC_CHECKED;
    enum status (*offsets)(void *self, const struct sink_offset *offsets, size_t count,
                           struct source_membership membership, struct report *report) LC_CHECKED;
    enum status (*commit)(void *self, struct report *report) LC_CHECKED;
    enum status (*abort)(void *self, struct report *report) LC_CHECKED;
    /* Destroy the producer and make a new one; a transaction that was open is aborted by the
     * broker. Then `open` again. */
    void (*reopen)(void *self);
    void (*close)(void *self, int timeout_ms);
    bool exactly_once; /* false: the embedded mock cluster: begin/offsets/commit flush and commit
                          plainly */
};

#endif
