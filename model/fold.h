/* fold: (state, event or timer, parameters) → (state, effects). The heart of the product: pure,
 * deterministic, no clock, no memory, no I/O. Both of the daemon's paths (live and replay), the
 * simulation, `explain` and the tests call exactly this. */
#ifndef LC_MODEL_FOLD_H
#define LC_MODEL_FOLD_H

#include "model/effect.h"
#include "model/ledger.h"

enum fold_outcome {
    FOLD_APPLIED,
    FOLD_DUPLICATE, /* seen before (same source and id, same order or refund): nothing changed */
    FOLD_IGNORED,   /* from before the customer's erasure, or of no concern: nothing changed */
    FOLD_FORWARDED, /* the customer has become another: nothing changed, the event belongs there
                       (effects->errands) */
    FOLD_REJECTED /* contradicts the contract (no rate, amount out of range, ...): nothing changed;
                     dead letter */
};

/* Apply one event.
 * 1. Timers due at or before the event's time fire first, in order of due time, each at its due
 * time.
 * 2. The event is applied; fold time becomes max(fold time, event time).
 * 3. Stage and rules are evaluated at fold time; then timers due at or before max(fold time,
 * watermark_ms) fire. What became true more than params->alerts late_max before event->record_ms
 * changes state and raises nothing. On REJECTED *ret_why is a constant string for lc-error-detail.
 */
enum fold_outcome fold_event(struct customer *customer, struct ledger *ledger,
                             const struct event *event, int64_t watermark_ms,
                             const struct params *params, struct effects *effects,
                             const char **ret_why);

/* Fire every timer of the customer that is due at or before until_ms (a tick of the watermark to
 * until_ms, or the event clock). found_ms is the time against which lateness is measured: the
 * tick's own time for a wall clock, the record time of the event that moved an event clock. When
 * the customer is forgotten its state becomes empty (customer_is_empty). */
void fold_timers(struct customer *customer, int64_t until_ms, int64_t found_ms,
                 const struct params *params, struct effects *effects);

/* When silence alone next changes something; what due_ms caches. INT64_MAX never. */
int64_t fold_due(const struct customer *customer, const struct params *params);

/* After a switch to new parameters at watermark_ms: due_ms anew, not before watermark_ms. */
void fold_rearm(struct customer *customer, int64_t watermark_ms, uint32_t params_version,
                const struct params *params);

#endif
