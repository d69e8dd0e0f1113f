/* activity: the two windows of recent engagement, the last 30 days and the 90 before, as they stand
 * in one bin of event time (CUSTOMER_BIN_DAYS) and, moved on bin by bin, in the next ones. Between
 * two bins nothing of them changes. */
#ifndef LC_MODEL_ACTIVITY_H
#define LC_MODEL_ACTIVITY_H

#include <stdbool.h>

#include "model/customer.h"

#define ACTIVITY_RECENT_DAYS 30
#define ACTIVITY_BEFORE_DAYS 90
/* So many bins after the newest one with events both windows are empty, and stay so. */
#define ACTIVITY_BINS_AFTER ((ACTIVITY_RECENT_DAYS + ACTIVITY_BEFORE_DAYS) / CUSTOMER_BIN_DAYS + 1)

struct activity {
    const struct customer *customer; /* borrowed */
    int64_t bin;
    uint32_t recent, before; /* events: bins bin − 3 … bin, and the nine before those */
};

/* `bin` is of a time of the fold (customer_bin_of). */
struct activity activity_of(const struct customer *customer, int64_t bin);
/* One bin later, of a customer that stays silent. */
void activity_advance(struct activity *activity);
/* Less than half of what was usual, of a customer active enough for that to mean something. */
static inline bool activity_declines(const struct activity *activity, const struct params *params)
{
    const int64_t recent = activity->recent, before = activity->before;

    return before >= params->activity_min &&
           2 * recent * ACTIVITY_BEFORE_DAYS < before * ACTIVITY_RECENT_DAYS;
}

#endif
