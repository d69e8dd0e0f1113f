/* spread: buckets by the logarithm; Lorenz curve and Gini take those of one bucket as equal. */
#include "insight/spread.h"

#include <math.h>
#include <string.h>

#include "base/must.h"

#define SUM_MAX INT64_C(4000000000000000000) /* sums of hostile amounts must not overflow */

/* ln(1.005/0.995) */
static const double log_gamma = 0.01000008333458335;

void spread_init(struct spread *ret_spread)
{
    memset(ret_spread, 0, sizeof *ret_spread);
}

static int bucket_of(int64_t amount)
{
    int bucket = (int)(log((double)amount) / log_gamma);

    return bucket < SPREAD_BUCKETS ? bucket : SPREAD_BUCKETS - 1;
}

static int64_t sum_of(int64_t left, int64_t right)
{
    int64_t sum;

    if (__builtin_add_overflow(left, right, &sum))
        return right > 0 ? SUM_MAX : -SUM_MAX;
    return sum > SUM_MAX ? SUM_MAX : sum < -SUM_MAX ? -SUM_MAX : sum;
}

void spread_add(struct spread *spread, int64_t amount)
{
    if (spread->count == 0 || amount < spread->min)
        spread->min = amount;
    if (spread->count == 0 || amount > spread->max)
        spread->max = amount;
    spread->count++;
    spread->sum = sum_of(spread->sum, amount);
    if (amount <= 0) {
        spread->none++;
        spread->none_sum = sum_of(spread->none_sum, amount);
    } else {
        int bucket = bucket_of(amount);

        spread->counts[bucket]++;
        spread->sums[bucket] = sum_of(spread->sums[bucket], amount);
    }
}

/* The one value within 0.5 % of every other in the bucket. */
static int64_t middle_of(const struct spread *spread, int bucket)
{
    const double low = exp(bucket * log_gamma), gamma = exp(log_gamma);
    const double middle = rint(2 * gamma / (1 + gamma) * low);

    return middle < (double)spread->max ? (int64_t)middle : spread->max;
}

int64_t spread_quantile(const struct spread *spread, int percent)
{
    int64_t rank, below = spread->none;

    MUST(percent >= 0);
    MUST(percent <= 100);
    if (spread->count == 0)
        return 0;
    /* ⌈p·n/100⌉ without overflow */
    rank = spread->count / 100 * percent + (spread->count % 100 * percent + 99) / 100;
    if (rank <= 1)
        return spread->min;
    if (rank >= spread->count)
        return spread->max;
    if (rank <= below)
        return 0;
    for (int i = 0; i < SPREAD_BUCKETS; i++) {
        below += spread->counts[i];
        if (rank <= below)
            return middle_of(spread, i);
    }
    return spread->max;
}

static double positive_sum(const struct spread *spread)
{
    double sum = 0;

    for (int i = 0; i < SPREAD_BUCKETS; i++)
        sum += (double)spread->sums[i];
    return sum;
}

/* L(share): what the poorest `share` hold, in parts of the whole; linear within a bucket. */
static double lorenz_at(const struct spread *spread, double share, double whole)
{
    double people = share * (double)spread->count - (double)spread->none, held = 0;

    for (int i = 0; i < SPREAD_BUCKETS && people > 0; i++) {
        double here = (double)spread->counts[i];

        if (here == 0)
            continue;
        held += (double)spread->sums[i] * fmin(1, people / here);
        people -= here;
    }
    return held / whole;
}

void spread_lorenz(const struct spread *spread, double ret_shares[SPREAD_LORENZ])
{
    double whole = positive_sum(spread);

    for (int i = 0; i < SPREAD_LORENZ; i++)
        ret_shares[i] = whole > 0 ? lorenz_at(spread, i / (double)(SPREAD_LORENZ - 1), whole) : 0;
}

double spread_top_share(const struct spread *spread, double share)
{
    double whole = positive_sum(spread);

    return whole > 0 ? 1 - lorenz_at(spread, 1 - share, whole) : 0;
}

double spread_gini(const struct spread *spread)
{
    double whole = positive_sum(spread), n = (double)spread->count, held = 0, area = 0;

    if (whole <= 0)
        return 0;
    /* Twice the area under the Lorenz curve, trapezium by trapezium. */
    for (int i = 0; i < SPREAD_BUCKETS; i++) {
        double more = (double)spread->sums[i] / whole;

        area += (double)spread->counts[i] / n * (held + held + more);
        held += more;
    }
    return 1 - area;
}
