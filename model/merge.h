/* merge: two customers are one (Alias). Statistics become what they would be had all events come to
 * one id, and do not depend on which of the two is which; stage history and episodes follow the
 * log. The table of rules is in model/README.md. */
#ifndef LC_MODEL_MERGE_H
#define LC_MODEL_MERGE_H

#include "model/customer.h"

/* `from` joins `into`. Fold time becomes the later of the two; due_ms is not set: judge afterwards.
 * What belongs to an id and not to a person stays: counters of alerts, erasure, previous ids. */
void merge_customer(struct customer *into, const struct customer *from,
                    const struct params *params);

#endif
