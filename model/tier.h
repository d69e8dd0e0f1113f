/* tier: A, B, C, D: where a buyer stands among all buyers by expected 12-month value, with
 * hysteresis: promoted at once, demoted only after some time some points below. docs/MODELS.md,
 * "Value". Pure. */
#ifndef LC_MODEL_TIER_H
#define LC_MODEL_TIER_H

#include "model/customer.h"

const char *tier_label(enum tier tier); /* "A" … "D"; NULL: none */
/* Percentile from which a buyer is in the tier. */
double tier_floor(enum tier tier, const struct params *params);

/* Assesses the customer at `at_ms`, when its value is `value_minor`: sets value_minor, assessed_ms,
 * tier, tier_since_ms, tier_below_ms. Without a purchase or a population there is no tier. */
void tier_assess(struct customer *customer, int64_t value_minor, int64_t at_ms,
                 const struct params *params);
/* When silence alone next calls for an assessment, > at_ms; INT64_MAX: never. */
int64_t tier_due(const struct customer *customer, int64_t at_ms, const struct params *params);

/* What kind of customer it is, and what to do about it (IBM's classes). */
enum customer_class { CLASS_NONE, CLASS_LOYAL, CLASS_FAST_GROWING, CLASS_SLEEPING, CLASS_NURTURE };
/* The first that holds of sleeping (tier A or B, quiet for stage.decline_gaps of its own rhythm),
 * fast-growing (spend of 90 days ≥ rules.upsell_growth above the 90 before), loyal (the stage),
 * worth nurturing (tier C or D and rising at all). */
enum customer_class tier_class(const struct customer *customer, int64_t at_ms,
                               const struct params *params);
const char *tier_class_label(enum customer_class class); /* NULL: none */

#endif
