/* tally: what an event adds to the customer's statistics, before any judgement. Nothing here depends on the order of events
 * within the kept window: sums, minima, maxima and "the newest wins, ties by value". */
#ifndef LC_MODEL_TALLY_H
#define LC_MODEL_TALLY_H

#include "model/customer.h"

/* NULL when tally_add() can take the event, else why not (constant string; the event is a dead letter). */
const char *tally_refuses(const struct event *event, const struct params *params);
/* order_seen: the ledger has the order the event names. */
void tally_add(struct customer *customer, const struct event *event, bool order_seen,
               const struct params *params);
/* A sign of life of the customer: engagement (but to unsubscribe) or an order. Counts in the activity bins. */
bool tally_is_activity(enum event_type type);
/* Newest sign of life; INT64_MIN none. */
int64_t tally_active_ms(const struct customer *customer);

#endif
