/* guard: how fast time may go for a partition. W stands for what silence means; whether silence is
 * the customers' or an outage's, this decides.
 *
 * Silence guard: the partition's clock follows the wall, but never further than `silence` after the
 * newest record (no publisher is heard, so nobody's silence means anything), not at all while the
 * partition lags, and by at most `pace` times the wall when it has to catch up. Storm brake: an
 * hour of W in which silence told more than `storm_limit` alerts is a mass event; as many are let
 * go in the time storm_slow, then twice as many in the next, until nothing is held back.
 *
 * What is in force stands in the control topic (CONTROL_GUARD) and so in the meta: while it is,
 * time held does not count as lateness. The figures it is decided by (struct store_guard) are
 * functions of the log, too, and survive whatever the meta survives. Only struct guard, the clock
 * itself, is lost with the process: it begins again cautiously, where the newest record of the
 * delivered log stands, and catches up from there. */
#ifndef LC_PIPELINE_GUARD_H
#define LC_PIPELINE_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "state/store.h"

struct guard_options {
    bool silence, storm;
    int64_t silence_min_ms; /* the shortest silence that says something */
    int64_t silence_gaps;   /* and how many mean gaps it has to be */
    int64_t pace;           /* W catches up by so much time in the same time */
    int64_t elapsed_max_ms; /* of it one tick makes up for no more */
    int64_t storm_min;      /* alerts an hour of W that never are a storm */
    int64_t storm_factor;   /* and how many times the trailing mean */
    int64_t storm_slow_ms;
};

/* Of one partition. */
struct guard {
    int64_t clock_ms;   /* how far time may go; INT64_MIN: not known yet */
    int64_t arrived_ms; /* wall: a record came while the partition was caught up; INT64_MIN none */
    /* monotonic */
    int64_t clock_at_ms;
    /* while a storm is held */
    int64_t storm_at_ms; /* since when, in this process; INT64_MIN: no storm */
    int64_t cut_ms;      /* when something was held back last */
    int64_t paid_at_ms;
    double alerts; /* that may go now */
};

void guard_init(struct guard *guard);

/* --- figures of the log --- */

/* A record of the input was folded. */
void guard_log_record(struct store_guard *log, int64_t timestamp_ms);
/* A timer that W = at_ms fired told so many alerts. */
void guard_log_alerts(struct store_guard *log, int64_t at_ms, uint32_t count);
/* A CONTROL_GUARD took effect. */
void guard_log_held(struct store_guard *log, uint32_t held, int64_t held_ms);
/* Against what lateness is measured: time held does not count. */
static inline int64_t guard_found_ms(const struct store_guard *log, int64_t found_ms)
{
#ifndef LC_PLANT_HELD_IS_LATE
    if (log->held != 0 && found_ms > log->held_ms)
        return log->held_ms;
#endif
    (void)log;
    return found_ms;
}
/* Silence up to this long says nothing. */
int64_t guard_silence_ms(const struct guard_options *options, const struct store_guard *log);
/* An hour of W that tells more alerts is a storm. */
int64_t guard_storm_limit(const struct guard_options *options, const struct store_guard *log);
static inline bool guard_storm_begins(const struct guard_options *options,
                                      const struct store_guard *log)
{
    return options->storm && !(log->held & STORE_HELD_STORM) &&
           log->alerts > guard_storm_limit(options, log);
}

/* --- the clock --- */

struct guard_time {
    int64_t wall_ms, mono_ms;
};
/* A tick: moves the clock. Before it, the partition is caught up and live. *ret_silent: is (or
 * still has) time to be held? */
int64_t guard_clock(struct guard *guard, const struct guard_options *options,
                    const struct store_meta *meta, struct guard_time now, bool *ret_silent);
/* The clock begins where the log delivered so far ends. Once, when the partition becomes live. */
void guard_start(struct guard *guard, const struct guard_options *options,
                 const struct store_meta *meta, struct guard_time now);
/* In a storm: how many alerts W may tell now; INT64_MAX: no bound. */
int64_t guard_budget(struct guard *guard, const struct guard_options *options,
                     const struct store_guard *log, int64_t mono_ms);
/* What came of it; cut: more would have been told. */
void guard_spent(struct guard *guard, int64_t told, bool cut, int64_t mono_ms);
/* Nothing was held back for storm_slow: it is over. */
bool guard_storm_is_over(const struct guard *guard, const struct guard_options *options,
                         int64_t mono_ms);

#endif
