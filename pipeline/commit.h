/* commit: THE order in which a batch becomes true. Kafka first, then Redis; nothing else in the
 * program writes either.
 *
 *   1. one Kafka transaction: alerts, dead letters, control records, and K with its metadata for
 * the partitions that produced
 *   2. one Redis step a partition: customers, timer index, meta (R, C, W), guarded by WATCH
 *   3. only then the cache and the partition's own memory
 *
 * A crash between 1 and 2 leaves R behind K: the next owner replays [R, K) with effects suppressed.
 * The other order would leave a state that has counted events whose alerts nobody ever sends. */
#ifndef LC_PIPELINE_COMMIT_H
#define LC_PIPELINE_COMMIT_H

#include "pipeline/batch.h"

/* Carry the batch on from where it stands (batch->stage).
 *   OK      all done, or dropped for partitions that have to be claimed again (their phase says so)
 *   RETRY   nothing lost: call again with the same batch after a while
 *   STALE   the group moved (SEND only): poll, then call again if every partition is still owned,
 * else drop the batch FATAL   the producer is of no use: reopen it, drop the batch, claim every
 * partition again FENCED  stop A batch in SEND may be dropped at any time; one in STORE may be too:
 * its effects are delivered and will be replayed. */
enum status commit_batch(struct batch *batch, struct ports *ports,
                         struct report *report) LC_CHECKED;
/* Drop what is not done: its partitions will be claimed again or go on from where they were. */
void commit_drop(struct batch *batch, struct ports *ports);

#endif
