/* relief: the smallest change that would end a churn_risk. Tried out on a copy of the customer,
 * since a purchase is not always enough: an unresolved complaint or a poor score weighs on after
 * it. */
#ifndef LC_MODEL_RELIEF_H
#define LC_MODEL_RELIEF_H

#include "model/rule.h"

/* "purchase", "resolution" (of every complaint), "better_score" or, joined with +, several of them;
 * NULL: not even all of them, other signs have to fade first. *ret_amount: 1, of a better score
 * alone the score. */
const char *relief_of(const struct view *view, double *ret_amount);

#endif
