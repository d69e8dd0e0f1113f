/* rhythm: a customer's own time between purchases, shrunk to the population's, and silence against
 * it. G = (n·(last − first)/(n − 1) + 3·population gap)/(n + 3), clamped; the population gap for n
 * = 1. */
#ifndef LC_MODEL_RHYTHM_H
#define LC_MODEL_RHYTHM_H

#include "model/customer.h"

/* Own gap in ms; purchase_days must be > 0. */
int64_t rhythm_gap_ms(const struct customer *customer, const struct params *params);
/* Since the last purchase, never negative. */
int64_t rhythm_silence_ms(const struct customer *customer, int64_t at_ms);

#endif
