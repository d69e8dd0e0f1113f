/* spread: how an amount is spread over a population: counts and sums in logarithmic buckets. Exact
 * integers, so the order of adding does not matter; a quantile read from it is within 0.5 % of the
 * exact one (and the rounding to a minor unit), shares and Gini within 1e-5 (docs/MODELS.md,
 * "Value"). */
#ifndef LC_INSIGHT_SPREAD_H
#define LC_INSIGHT_SPREAD_H

#include <stdbool.h>
#include <stdint.h>

/* Bucket i holds (γ^i, γ^(i+1)], γ = 1.005/0.995; the last one reaches beyond 2^63. */
#define SPREAD_BUCKETS 4400
#define SPREAD_LORENZ  101 /* points at 0, 1, … 100 % of the population */

struct spread {
    int64_t count, sum; /* of all */
    int64_t min, max;   /* meaningful when count > 0 */
    int64_t none;       /* how many are ≤ 0 */
    int64_t none_sum;
    int64_t counts[SPREAD_BUCKETS];
    int64_t sums[SPREAD_BUCKETS];
};

void spread_init(struct spread *ret_spread);
void spread_add(struct spread *spread, int64_t amount);
/* The amount of rank ⌈percent/100 · count⌉ from below (percent 0: the least); 0 when empty. The
 * ends are exact. */
int64_t spread_quantile(const struct spread *spread, int percent);
/* Share of the sum held by the poorest i %, for each i; amounts ≤ 0 hold nothing. All 0 when there
 * is no sum. */
void spread_lorenz(const struct spread *spread, double ret_shares[SPREAD_LORENZ]);
/* Share of the sum held by the richest `share` (0–1) of the population; 0 when there is no sum. */
double spread_top_share(const struct spread *spread, double share);
/* 0: all have the same; towards 1: one has all. */
double spread_gini(const struct spread *spread);

#endif
