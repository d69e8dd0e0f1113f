/* worker_inner: what the files of the worker share. worker.c: open, step, stop, figures;
 * worker_poll.c: polling, assignment, rebalances; worker_look.c: newer insights; worker_round.c:
 * what the next batch is and how it is carried through. */
#ifndef LC_PIPELINE_WORKER_INNER_H
#define LC_PIPELINE_WORKER_INNER_H

#include <pthread.h>

#include "pipeline/commit.h"

struct worker {
    struct ports ports;
    struct partition *partitions[SOURCE_PARTITIONS_MAX]; /* owned now */
    size_t count;
    struct batch batch;
    size_t chunk_max;    /* records a batch; smaller after the arena was full */
    size_t turn;         /* which partition is first in the next batch */
    struct arena queues; /* of the present poll */
    bool sink_ready;
    struct backoff hold; /* of the sink, or of the batch that waits for a server */
    bool held;           /* everything is paused because of it */
    bool assign_due;     /* the source has to be told where to go on */
    bool fenced;
    struct report trouble; /* what the source last said is wrong, told once */
    int64_t look_at_ms;    /* mono: when to look for a newer insight */
    bool look_refused;     /* told */

    pthread_mutex_t lock; /* guards what follows */
    struct worker_stats published;
    struct partition_status *statuses;
    size_t status_count, status_cap;
    struct insight insight; /* the newest known */
};

/* --- worker_poll.c --- */
/* One poll: records into the partitions' queues, changes of ownership acted upon. The queues must
 * be empty or worth dropping. */
enum status worker_poll(struct worker *worker, int timeout_ms, struct report *report) LC_CHECKED;
/* Records not folded yet are given up; the source will bring them again. */
void worker_drop_queues(struct worker *worker);
void worker_release_all(struct worker *worker);

/* --- worker_look.c --- */
/* Is it time to look for a newer insight? Then do. Between two batches. */
void worker_look(struct worker *worker);

/* --- worker_round.c --- */
/* Build the next batch from whatever is to be done. OK also when there was nothing (batch.stage is
 * EMPTY). FATAL: the arena is too small for a single record. */
enum status worker_build(struct worker *worker, struct report *report) LC_CHECKED;
/* One try to carry the batch through; the result as of commit_batch, with the worker's state put
 * right. */
enum status worker_carry(struct worker *worker, struct report *report) LC_CHECKED;
/* Give the batch up. */
void worker_drop_batch(struct worker *worker);
/* The producer's outcome is unknown: another producer, everything claimed again. */
void worker_producer_lost(struct worker *worker, const struct report *why);
/* One try to bring K up to R for these partitions (NULL: all). */
void worker_flush(struct worker *worker, const int32_t *numbers, size_t count);
static inline bool worker_named(const int32_t *numbers, size_t count, int32_t number)
{
    for (size_t i = 0; i < count; i++)
        if (numbers[i] == number)
            return true;
    return false;
}

#endif
