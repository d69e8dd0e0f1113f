/* outlook: what happens next if the customer stays silent: the timers of a copy, fired one by one.
 * What `explain` shows and what the demo proves. */
#ifndef LC_MODEL_OUTLOOK_H
#define LC_MODEL_OUTLOOK_H

#include "model/fold.h"

struct outlook_step {
    int64_t at_ms;
    enum kind kind;
    enum phase phase;
    uint8_t band;
    enum stage from, to; /* stage_changed */
    double risk;
    bool forgotten; /* the state is dropped here; kind is meaningless */
};

/* Steps in order of time up to horizon_ms, at most cap; the number found. `scratch` collects
 * effects of one step. */
uint32_t outlook_of(const struct customer *customer, int64_t horizon_ms,
                    const struct params *params, struct effects *scratch,
                    struct outlook_step *ret_steps, uint32_t cap);

#endif
