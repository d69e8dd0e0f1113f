/* learner: the thread that keeps the insight of the population fresh.
 *
 * Every process has one. Each offers the newest insight its workers have found in force when the
 * key in Redis is gone or behind (state/proposal.h). The one whose process owns input partition 0
 * also makes new ones: every insight.every, as soon as there are insight.buyers_min buyers and none
 * was made yet, and when a person asks. Ownership is the consumer group's own; for a moment two
 * processes may both believe to have it: each then makes version n + 1 from the same state, the
 * second offer is refused (STALE), and nothing is lost but its work. The notes of the learned layer
 * (insight/notes.h) are read before a survey and written after its offer. */
#ifndef LC_DAEMON_LEARNER_H
#define LC_DAEMON_LEARNER_H

#include "base/clock.h"
#include "base/report.h"
#include "insight/learn.h"
#include "model/belief.h"
#include "model/params.h"
#include "state/redis.h"

struct learner_options {
    const char *app;
    const struct params *params; /* configured */
    struct clock clock;
    int64_t every_ms; /* 0: only when asked */
    int64_t look_ms;
    int64_t buyers_min;
    void *self; /* of the functions below; called in the learner's thread */
    /* A connection of its own, opened anew after disconnect. */
    enum status (*connect)(void *self, struct redis *ret_redis, struct report *report);
    void (*disconnect)(void *self);
    int32_t (*partitions)(void *self); /* of the input topic; 0: not known yet */
    bool (*owns)(void *self);          /* partition 0, live, in this process */
    /* The newest insight the workers of this process know; version 0: none. */
    void (*known)(void *self, struct insight *ret_insight);
};

/* For the metrics. */
struct learner_view {
    struct insight insight; /* the newest known; version 0: none */
    uint64_t surveys, failures;
    double survey_s; /* the last one took so long; 0: none yet in this process */
    bool judged;     /* `lessons` are those of the last survey of this process */
    struct learn_lesson lessons[LEARN_SUBJECTS];
    struct belief belief; /* of the learned layer, likewise */
    size_t notes;         /* customers noted whose horizon is not over */
};

struct learner;

/* Starts the thread. NULL: no memory or threads. The options are copied. */
struct learner *learner_start(const struct learner_options *options);
void learner_view(struct learner *learner, struct learner_view *ret_view);
/* Asks it to end; a survey under way ends at its next bucket. */
void learner_quit(struct learner *learner);
/* The same, and joins the thread. Accepts NULL. */
void learner_stop(struct learner *learner);

#endif
