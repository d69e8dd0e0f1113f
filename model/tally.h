/* tally: what an event adds to the customer's statistics, before any judgement. Nothing here
 * depends on the order of events within the kept window: sums, minima, maxima and "the newest wins,
 * ties by value". */
#ifndef LC_MODEL_TALLY_H
#define LC_MODEL_TALLY_H

#include "model/customer.h"

/* NULL when tally_add() can take the event, else why not (constant string; the event is a dead
 * letter). */
const char *tally_refuses(const struct event *event, const struct params *params);
/* order_seen: the ledger has the order the event names. */
void tally_add(struct customer *customer, const struct event *event, bool order_seen,
               const struct params *params);
/* An order, or a subscription's start, renewal or upgrade that carries an amount above zero: who
 * pays is no lead. */
bool tally_is_purchase(const struct event *event);
/* A sign of life of the customer: engagement (but to unsubscribe) or an order. Counts in the
 * activity bins, as every purchase does. */
bool tally_is_activity(enum event_type type);
/* Newest sign of life, purchases among them; INT64_MIN none. */
int64_t tally_active_ms(const struct customer *customer);

#endif
