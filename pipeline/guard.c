#include "pipeline/guard.h"

#include "base/must.h"

#define HOUR_MS     INT64_C(3600000)
#define GAP_WEIGHT  64 /* gaps that the trailing mean remembers */
#define GAPS_USUAL  20 /* means, or an hour: a longer gap counts as so long */
#define GAP_MAX_MS  (24 * HOUR_MS)
#define MEAN_WEIGHT 24   /* hours that it does */
#define MEAN_UNIT   1000 /* of mean_milli */
#define HOURS_MAX   1000 /* after so many empty hours the mean is 0 */
#define DOUBLED_MAX 30   /* from then on a storm is let go */

void guard_init(struct guard *guard)
{
    *guard = (struct guard){.clock_ms = INT64_MIN,
                            .arrived_ms = INT64_MIN,
                            .storm_at_ms = INT64_MIN,
                            .cut_ms = INT64_MIN};
}

/* --- figures of the log --- */

/* Timestamps are the publishers' word: a clock that is wrong once makes one gap, and is corrected
 * by the next record. A gap beyond the usual counts as the longest usual one: an outage leaves the
 * mean as good as it was, and a partition whose records become rare has its mean follow within some
 * ten of them. */
void guard_log_record(struct store_guard *log, int64_t timestamp_ms)
{
    int64_t usual_ms = GAPS_USUAL * log->gap_ms, gap_ms = 0;

    if (usual_ms < HOUR_MS)
        usual_ms = HOUR_MS;
    if (usual_ms > GAP_MAX_MS)
        usual_ms = GAP_MAX_MS;
    if (log->heard_ms != 0 && timestamp_ms > log->heard_ms &&
        (__builtin_sub_overflow(timestamp_ms, log->heard_ms, &gap_ms) || gap_ms > usual_ms))
        gap_ms = usual_ms;
    log->gap_ms += (gap_ms - log->gap_ms) / GAP_WEIGHT;
    log->heard_ms = timestamp_ms;
}

/* What was counted so far is an hour's. */
static void close_hour(struct store_guard *log)
{
    log->mean_milli += (log->alerts * MEAN_UNIT - log->mean_milli) / MEAN_WEIGHT;
    log->alerts = 0;
}

void guard_log_alerts(struct store_guard *log, int64_t at_ms, uint32_t count)
{
    int64_t hour = at_ms / HOUR_MS;

    if (count == 0)
        return;
    if (hour - log->hour > HOURS_MAX) {
        log->mean_milli = log->alerts = 0;
        log->hour = hour;
    }
    for (; log->hour < hour; log->hour++)
        close_hour(log);
    log->alerts += count;
}

void guard_log_held(struct store_guard *log, uint32_t held, int64_t held_ms)
{
    if (log->held & ~held & STORE_HELD_STORM)
        close_hour(log); /* or what is left of this hour would begin another storm */
    log->held = held;
    log->held_ms = held != 0 ? held_ms : 0;
}

int64_t guard_silence_ms(const struct guard_options *options, const struct store_guard *log)
{
    int64_t gaps_ms = options->silence_gaps * log->gap_ms;

    return gaps_ms > options->silence_min_ms ? gaps_ms : options->silence_min_ms;
}

int64_t guard_storm_limit(const struct guard_options *options, const struct store_guard *log)
{
    int64_t limit = options->storm_factor * log->mean_milli / MEAN_UNIT;

    return limit > options->storm_min ? limit : options->storm_min;
}

/* --- the clock --- */

void guard_start(struct guard *guard, const struct guard_options *options,
                 const struct store_meta *meta, struct guard_time now)
{
    const struct store_guard *log = &meta->guard;
    int64_t clock_ms = now.wall_ms;

    if (log->held & STORE_HELD_SILENCE)
        clock_ms = log->held_ms;
    else if (options->silence && log->heard_ms != 0 && log->heard_ms < clock_ms)
        clock_ms = log->heard_ms;
    guard->clock_ms = clock_ms > meta->watermark_ms ? clock_ms : meta->watermark_ms;
    guard->clock_at_ms = now.mono_ms;
}

/* How long nothing has come: as the records' own times have it, or, whatever those say, since one
 * came that nobody had to wait for. All of it on the wall's clock: when that leaps, nothing has
 * come for so long either, and time stays where a record was heard. */
static int64_t quiet_ms(const struct guard *guard, const struct store_guard *log, int64_t wall_ms)
{
    int64_t heard_ms = log->heard_ms != 0 && log->heard_ms <= wall_ms ? log->heard_ms : INT64_MIN;

    if (guard->arrived_ms > heard_ms)
        heard_ms = guard->arrived_ms;
    return heard_ms == INT64_MIN || heard_ms > wall_ms ? 0 : wall_ms - heard_ms;
}

int64_t guard_clock(struct guard *guard, const struct guard_options *options,
                    const struct store_meta *meta, struct guard_time now, bool *ret_silent)
{
    const struct store_guard *log = &meta->guard;
    int64_t silence_ms = guard_silence_ms(options, log);
    int64_t elapsed_ms = now.mono_ms - guard->clock_at_ms, limit_ms, beyond_ms;
    bool was_silent = (log->held & STORE_HELD_SILENCE) != 0;

    MUST(guard->clock_ms != INT64_MIN);
    /* The time in which no tick was made (lag, a server away) is not made up for at once. */
    if (elapsed_ms > options->elapsed_max_ms)
        elapsed_ms = options->elapsed_max_ms;
    guard->clock_at_ms = now.mono_ms;
    limit_ms = guard->clock_ms + elapsed_ms * options->pace;
    beyond_ms = options->silence && meta->customers > 0
                    ? quiet_ms(guard, log, now.wall_ms) - silence_ms
                    : 0;
    if (now.wall_ms < limit_ms)
        limit_ms = now.wall_ms;
    if (beyond_ms > 0 && now.wall_ms - beyond_ms < limit_ms)
        limit_ms = now.wall_ms - beyond_ms;
    if (limit_ms > guard->clock_ms)
        guard->clock_ms = limit_ms;
    *ret_silent =
        options->silence &&
        (beyond_ms > 0 || (was_silent ? guard->clock_ms < now.wall_ms
                                      : now.wall_ms - guard->clock_ms > options->silence_min_ms));
    return guard->clock_ms;
}

int64_t guard_budget(struct guard *guard, const struct guard_options *options,
                     const struct store_guard *log, int64_t mono_ms)
{
    double limit = (double)guard_storm_limit(options, log), most;
    int64_t doubled;

    if (!(log->held & STORE_HELD_STORM)) {
        guard->storm_at_ms = INT64_MIN;
        return INT64_MAX;
    }
    if (guard->storm_at_ms == INT64_MIN) {
        guard->storm_at_ms = guard->paid_at_ms = guard->cut_ms = mono_ms;
        guard->alerts = 0;
    }
    doubled = (mono_ms - guard->storm_at_ms) / options->storm_slow_ms;
    if (!options->storm || doubled > DOUBLED_MAX)
        return INT64_MAX;
    most = limit * (double)(INT64_C(1) << doubled);
    guard->alerts += most * (double)(mono_ms - guard->paid_at_ms) / (double)options->storm_slow_ms;
    if (guard->alerts > most)
        guard->alerts = most;
    guard->paid_at_ms = mono_ms;
    return (int64_t)guard->alerts;
}

void guard_spent(struct guard *guard, int64_t told, bool cut, int64_t mono_ms)
{
    if (guard->storm_at_ms == INT64_MIN)
        return;
    guard->alerts = guard->alerts > (double)told ? guard->alerts - (double)told : 0;
    if (cut)
        guard->cut_ms = mono_ms;
}

bool guard_storm_is_over(const struct guard *guard, const struct guard_options *options,
                         int64_t mono_ms)
{
    return !options->storm ||
           (guard->storm_at_ms != INT64_MIN && mono_ms - guard->cut_ms >= options->storm_slow_ms);
}
