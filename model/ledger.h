/* ledger: what makes a repeated event harmless. Fingerprints of a customer's newest events and of
 * its newest orders and refunds, kept beside the customer and written in the same step.
 *
 * Bounded: beyond LEDGER_ORDERS_MAX orders and LEDGER_EVENTS_MAX other events a repeat is not
 * detected any more (said in docs/FORMATS.md). An event that carries an order or refund id is known
 * by that alone. */
#ifndef LC_MODEL_LEDGER_H
#define LC_MODEL_LEDGER_H

#include "model/previous.h"

#define LEDGER_ORDERS_MAX 1024
#define LEDGER_EVENTS_MAX 64
#define LEDGER_EVENT_MASK UINT64_C(0xffffffffffff) /* event fingerprints are kept in six bytes */

/* Rings in insertion order; oldest falls out. Memory is the caller's: `orders` and `events` must
 * have room for one more than they hold before every fold step (up to the bounds). */
struct ledger {
    uint64_t *orders; /* oldest first */
    uint32_t order_count, order_cap;
    uint64_t *events;
    uint32_t event_count, event_cap;
    struct previous previous; /* ids that became this customer */
    bool changed;             /* since it was loaded */
};

bool ledger_has_order(const struct ledger *ledger, uint64_t fp);
bool ledger_has_event(const struct ledger *ledger, uint64_t fp);
void ledger_add_order(struct ledger *ledger, uint64_t fp);
void ledger_add_event(struct ledger *ledger, uint64_t fp);
void ledger_add_previous(struct ledger *ledger, struct span id); /* there is room */
/* Forget everything of the kind. */
void ledger_clear_repeats(struct ledger *ledger);
void ledger_clear(struct ledger *ledger);
/* The repeats `from` knows become known here. When both do not fit the bounds, the newest of each
 * stay, by turns. There must be room for all that stay. */
void ledger_merge(struct ledger *into, const struct ledger *from);

#endif
