#include "model/activity.h"

#define RECENT_BINS (ACTIVITY_RECENT_DAYS / CUSTOMER_BIN_DAYS + 1) /* the filling one on top */
#define BEFORE_BINS (ACTIVITY_BEFORE_DAYS / CUSTOMER_BIN_DAYS)

static uint32_t events_in(const struct customer *customer, int64_t bin)
{
    int64_t at = (int64_t)customer->bin_newest - bin;

    return at >= 0 && at < CUSTOMER_BINS_MAX ? customer->bins[at].events : 0;
}

struct activity activity_of(const struct customer *customer, int64_t bin)
{
    struct activity activity = {.customer = customer, .bin = bin};

    for (int i = 0; i < RECENT_BINS; i++)
        activity.recent += events_in(customer, bin - i);
    for (int i = RECENT_BINS; i < RECENT_BINS + BEFORE_BINS; i++)
        activity.before += events_in(customer, bin - i);
    return activity;
}

void activity_advance(struct activity *activity)
{
    int64_t leaves = activity->bin - RECENT_BINS + 1;
    uint32_t moved = events_in(activity->customer, leaves);

    activity->bin++;
    activity->recent += events_in(activity->customer, activity->bin) - moved;
    activity->before += moved - events_in(activity->customer, leaves - BEFORE_BINS);
}
