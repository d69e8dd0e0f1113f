/* plan: what a change of parameters does to the customers there are, worked out by the daemon's own
 * fold on copies of them.
 *
 * What is predicted, exactly: every partition switches at its W (clock: event), or at the time
 * looked from (clock: wall); from then on no customer sends anything. Each customer is judged anew
 * at its time within the hour after (worker_rearm_ms), and the window ends when the last one of the
 * partition has been: an hour and a minute after the switch. What then differs from the same window
 * without the switch is because of it. Alerts a day are counted over the days after the window, in
 * the same silence. */
#ifndef LC_CTL_PLAN_H
#define LC_CTL_PLAN_H

#include "model/fold.h"

#define PLAN_WINDOW_MS (3600000 + 60000) /* WORKER_REARM_SPREAD_MS + WORKER_DUE_SPREAD_MS */

/* Alerts of one fate: what happens to a customer with the switch, or without. */
struct plan_alerts {
    uint64_t window[KIND_COUNT][PHASE_COUNT]; /* told within the window */
    uint64_t after[KIND_COUNT];               /* raised in the days after it */
};

struct plan_sums {
    int64_t customers,
        affected;           /* affected: another stage, tier or open alerts because of the switch */
    int64_t affected_minor; /* their expected value */
    /* [from][to] at the end of the window: customers that are in `to` with the switch and in `from`
     * without it, and their value */
    int64_t stage[STAGE_COUNT][STAGE_COUNT], stage_minor[STAGE_COUNT][STAGE_COUNT];
    int64_t tier[TIER_COUNT][TIER_COUNT], tier_minor[TIER_COUNT][TIER_COUNT];
    struct plan_alerts with, without;
    int64_t days; /* of `after` */
};

/* One alert of one customer within the window. */
struct plan_row {
    struct span customer;
    int32_t partition;
    const struct effect *effect;
    bool anyway; /* it would be told without the switch, too */
    int64_t value_minor;
};

/* What is printed. */
struct plan_view {
    const struct params *params; /* new */
    bool json;
    int64_t at_ms, rows_max, rows;
};

void plan_row_print(struct plan_view *view, const struct plan_row *row);
void plan_sums_print(const struct plan_view *view, const struct plan_sums *sums);

#endif
