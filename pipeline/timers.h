/* timers: the due customers of one partition within one batch, in (due, customer) order. Only times
 * up to the batch's horizon are kept: whatever is due later is the index's business
 * (state/store.h).
 *
 * A customer whose due time changed is pushed again; its older entry comes up later and is dropped
 * by the caller, who compares it with the customer's due_ms. */
#ifndef LC_PIPELINE_TIMERS_H
#define LC_PIPELINE_TIMERS_H

#include "base/arena.h"
#include "base/heap.h"
#include "base/status.h"

struct timers {
    struct heap heap;
    struct arena *arena;
    int64_t horizon_ms; /* inclusive; INT64_MIN: nothing is kept */
};

void timers_init(struct timers *timers, struct arena *arena, int64_t horizon_ms);
/* key orders customers of one due time; index is the caller's. FULL: arena. */
enum status timers_push(struct timers *timers, struct heap_item item) LC_CHECKED;
/* The next entry due at or before until_ms; false when there is none. */
bool timers_pop(struct timers *timers, int64_t until_ms, struct heap_item *ret_item);

#endif
