/* rhythm: exact integer arithmetic, so that the gap is the same on every machine. */
#include "model/rhythm.h"

#include "base/must.h"
#include "base/text.h"

/* How many purchase days' worth the population's gap weighs (docs/MODELS.md). */
#define RHYTHM_PRIOR_DAYS 3

__extension__ typedef __int128 wide;

int64_t rhythm_gap_ms(const struct customer *customer, const struct params *params)
{
    MUST(customer->purchase_days > 0);
    MUST(customer->last_day >= customer->first_day);
    MUST(params->gap_min_ms <= params->gap_max_ms);
    const wide n = customer->purchase_days;
    wide gap = params->population_gap_ms;
    if (n > 1) {
        /* Both summands over (n − 1), divided once: 2^32 · 2^32 · 8.64e7 is below 2^127. */
        const wide days = (wide)customer->last_day - customer->first_day;
        const wide own = n * days * TEXT_MS_PER_DAY;
        const wide prior = RHYTHM_PRIOR_DAYS * (wide)params->population_gap_ms * (n - 1);
        gap = (own + prior) / ((n - 1) * (n + RHYTHM_PRIOR_DAYS));
    }
    if (gap < params->gap_min_ms) {
        return params->gap_min_ms;
    }
    return gap > params->gap_max_ms ? params->gap_max_ms : (int64_t)gap;
}

int64_t rhythm_silence_ms(const struct customer *customer, int64_t at_ms)
{
    MUST(customer->purchase_days > 0);
    return at_ms > customer->last_purchase_ms ? at_ms - customer->last_purchase_ms : 0;
}
