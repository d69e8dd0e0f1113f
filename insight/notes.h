/* notes: how a sample of buyers looked at some time, kept until their horizon is over and it is
 * known whether they bought; then each is a lesson of the learned layer (model/belief.h).
 *
 * Notes are taken and looked up in a walk over all customers. They are no part of the fold: they
 * live in one hash of Redis, {app:notes}, and losing them only means that learning starts again.
 * Customers are known by a hash of their id; whoever is not met in a walk any more (erased,
 * forgotten) is dropped with it. */
#ifndef LC_INSIGHT_NOTES_H
#define LC_INSIGHT_NOTES_H

#include "base/arena.h"
#include "base/span.h"
#include "model/belief.h"
#include "model/customer.h"
#include "state/redis.h"

#define NOTES_MAX        20000
#define NOTES_CHUNK      1000 /* notes in one field of the hash */
#define NOTES_CHUNKS     (NOTES_MAX / NOTES_CHUNK)
#define NOTES_GRACE_DAYS 2 /* after the horizon, for events that come late */

struct note {
    uint64_t who;
    int64_t at_ms;
    int32_t last_day; /* of its purchases, then */
    struct lesson lesson;
    bool met; /* in this walk */
};

struct notes {
    /* What they were taken for; another horizon or currency makes all of them useless. */
    int64_t horizon_ms;
    enum currency reporting;
    int64_t noted_ms; /* when notes were taken last; INT64_MIN: never */
    struct belief belief;
    size_t count, old; /* the first `old` of them, before this walk, are sorted by who */
    struct note *note; /* NOTES_MAX of them */
    /* of the walk under way */
    int64_t at_ms;
    uint64_t threshold;    /* who hashes below it is noted */
    struct params looking; /* to see figures and signs by */
};

/* Empty. FATAL: no memory. Close in any case. */
enum status notes_open(struct notes *ret_notes) LC_CHECKED;
void notes_close(struct notes *notes);

/* A walk at at_ms begins. `configured`: without what was learned; `in_force`: whose fitted models
 * P(buy) is taken from; `customers`: about how many there are. So many are noted that over a
 * horizon NOTES_MAX are. Begins anew when the notes are of another horizon or currency, the belief
 * when the configured weights of warnings are others. */
void notes_begin(struct notes *notes, int64_t at_ms, const struct params *configured,
                 const struct insight *in_force, int64_t customers);
/* Each customer once. */
void notes_meet(struct notes *notes, struct span id, const struct customer *customer);
/* Everybody was met: who was not is dropped, and weights go into the insight while they are worth
 * it. */
void notes_end(struct notes *notes, struct insight *insight);

/* --- in Redis --- */

/* Absent: stays empty. RETRY: Redis does not answer. REJECT: damaged, or of a newer version. */
enum status notes_load(struct redis *redis, const char *app, struct notes *notes,
                       struct report *report) LC_CHECKED;
/* Replaces what is there, in one step. */
enum status notes_save(struct redis *redis, const char *app, const struct notes *notes,
                       struct report *report) LC_CHECKED;

/* --- as bytes: version 1, MessagePack (docs/FORMATS.md) --- */

/* FULL: arena. */
enum status notes_encode_head(const struct notes *notes, struct arena *arena,
                              struct span *ret_bytes) LC_CHECKED;
enum status notes_encode_chunk(const struct notes *notes, size_t chunk, struct arena *arena,
                               struct span *ret_bytes) LC_CHECKED;
/* Head first, then chunks in order; REJECT with a constant reason leaves the notes in an undefined
 * state, to be closed. */
enum status notes_decode_head(struct span bytes, struct notes *notes, size_t *ret_count,
                              const char **ret_why) LC_CHECKED;
enum status notes_decode_chunk(struct span bytes, struct notes *notes,
                               const char **ret_why) LC_CHECKED;

#endif
