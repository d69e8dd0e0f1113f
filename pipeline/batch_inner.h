/* batch_inner: what the files of the batch share. batch.c: memory, table, write-out; batch_load.c:
 * decoding and loading; batch_plan.c: which records and control records a part takes; batch_fold.c:
 * folding them. */
#ifndef LC_PIPELINE_BATCH_INNER_H
#define LC_PIPELINE_BATCH_INNER_H

#include "pipeline/batch.h"

/* --- batch.c --- */
/* A part of the partition, not yet in the batch. NULL: arena. */
struct batch_part *batch_part_new(struct batch *batch, struct partition *partition);
/* The customer of the part, made when it is not there. The id is copied when `copy`. NULL: arena.
 */
struct batch_customer *batch_customer(struct batch *batch, struct batch_part *part, struct span id,
                                      bool copy);
struct batch_customer *batch_customer_find(const struct batch *batch, const struct batch_part *part,
                                           struct span id, uint64_t hash);
/* The earliest due time of the customers of a bucket that was loaded, as they are now. */
int64_t batch_bucket_due(const struct batch *batch, const struct batch_part *part,
                         const struct store_bucket *bucket);
/* Encode what changed, set the sweeps, append the part to the batch. */
enum status batch_part_finish(struct batch *batch, struct batch_part *part) LC_CHECKED;

/* When W fires the customer's timer. */
static inline int64_t batch_customer_due(const struct batch_customer *customer)
{
    return worker_due_ms(customer->hash, customer->state.due_ms);
}

/* --- batch_load.c --- */
enum status batch_decode(struct batch *batch, struct batch_part *part, size_t count) LC_CHECKED;
enum status batch_load(struct batch *batch, struct batch_part *part,
                       struct report *report) LC_CHECKED;
/* The buckets due by horizon_ms and the timers of every customer of the part. *ret_until_ms: how
 * far W may go: the horizon, or less when more buckets are due than one batch takes. */
enum status batch_load_due(struct batch *batch, struct batch_part *part, int64_t horizon_ms,
                           int64_t *ret_until_ms, struct report *report) LC_CHECKED;

/* --- batch_plan.c --- */
enum status batch_plan(struct batch *batch, struct batch_part *part, size_t max,
                       struct report *report) LC_CHECKED;
/* The newest time W may be brought to by what is planned; INT64_MIN when nothing moves it. */
int64_t batch_plan_horizon(const struct batch_part *part);
/* Keep only what brings W to until_ms at most. false: the very first of it goes beyond. */
bool batch_plan_cut(struct batch_part *part, int64_t until_ms);

/* --- batch_fold.c --- */
enum status batch_fold(struct batch *batch, struct batch_part *part,
                       struct report *report) LC_CHECKED;
/* Bring W to until_ms and fire what is due; found_ms: against which lateness is measured. */
enum status batch_advance(struct batch *batch, struct batch_part *part, int64_t until_ms,
                          int64_t found_ms) LC_CHECKED;

#endif
