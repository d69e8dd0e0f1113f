/* storm_alert: the one alert that is of a partition and not of a customer: silence tells so much at
 * once that W is slowed down (pipeline/guard.h). docs/FORMATS.md has the example. Key and subject
 * are "partition-N"; its id is that of the control record it is told with, so that it is the same
 * in every retry. */
#ifndef LC_PIPELINE_STORM_ALERT_H
#define LC_PIPELINE_STORM_ALERT_H

#include "pipeline/alert_codec.h"

struct storm_alert {
    int32_t partition;
    int64_t number;     /* of the control record */
    int64_t at_ms;      /* W: where it was noticed */
    int64_t alerts;     /* told in that hour of W */
    int64_t limit;      /* above which it is a storm */
    int64_t mean_milli; /* trailing mean of the hours before, in thousandths */
    bool silent;        /* while W catches up after a silence */
};

/* Into the arena; *ret_key is the message's. FULL: arena. */
enum status storm_alert_encode(const struct storm_alert *storm, const struct alert_options *options,
                               int64_t recorded_ms, struct arena *arena, struct span *ret_key,
                               struct alert *ret_alert) LC_CHECKED;
/* ce_id. */
void storm_alert_id(int32_t partition, int64_t number, char ret_id[33]);

#endif
