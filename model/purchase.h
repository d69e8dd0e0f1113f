/* purchase: orders, refunds and cancellations as the customer's purchase days and sums.
 *
 * Order of arrival does not matter: an order nets what is left of it after its refunds, counted in
 * its own currency, whichever came first. A day counts while it has at least one live order. Money
 * arrives converted; see currency.h. */
#ifndef LC_MODEL_PURCHASE_H
#define LC_MODEL_PURCHASE_H

#include "model/customer.h"

struct purchase {
    uint64_t fp; /* of the order; 0: none given, so it cannot be refunded by name */
    int32_t day;
    enum currency currency;
    int64_t native; /* >= 0, in currency's minor units */
    int64_t minor;  /* the same in the reporting currency */
};

/* last_ms[] of the event's type must count the event already. */
void purchase_complete(struct customer *customer, const struct purchase *order,
                       const struct params *params);

/* A refund. fp 0: of no named order, reduces spend only. whole: of all that is left (native and
 * minor are not looked at). seen: the order is known to have come (the ledger has it), so nothing
 * waits for it. A refund in another currency than its order's reduces spend only. */
void purchase_refund(struct customer *customer, const struct purchase *refund, bool whole,
                     bool seen, const struct params *params);

/* All purchases of `from`, which is used up, become those of `into`; last_ms[] of both must be
 * merged already. An order of both (among the kept ones) counts once; a refund finds its order at
 * the other (purchase_merge.c). */
void purchase_merge(struct customer *into, struct customer *from, const struct params *params);
/* To what was spent in one currency; a seventh currency is not kept. */
void purchase_currency_add(struct customer *customer, enum currency currency, int64_t native);

/* last_day and last_purchase_ms from the kept days and last_ms[]; after each event whose type can
 * be a purchase. */
void purchase_last_refresh(struct customer *customer);

/* Into the reporting currency; REJECT without a rate or past 9e15. */
enum status purchase_convert(int64_t native, enum currency currency, const struct params *params,
                             int64_t *ret_minor) LC_CHECKED;

#endif
