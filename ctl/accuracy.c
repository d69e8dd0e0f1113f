/* accuracy: everything that needs an order sorts one array of keys. */
#include "ctl/accuracy.h"

#include <math.h>
#include <stdlib.h>

#define P_LEAST 1e-15 /* a forecast of certainty that fails costs 35, not infinity */

struct ranked {
    double key;
    size_t at;
};

static int by_key(const void *left, const void *right)
{
    const struct ranked *l = left, *r = right;
    if (l->key != r->key)
        return l->key < r->key ? -1 : 1;
    return l->at < r->at ? -1 : l->at > r->at;
}

/* Mann and Whitney's statistic from the ranks of the buyers, ties at their middle. */
static double auc_of(const struct ranked ranks[], const struct outcome outcomes[], size_t count,
                     double buyers)
{
    double sum = 0;
    for (size_t from = 0, to; from < count; from = to) {
        double among = 0;
        for (to = from; to < count && ranks[to].key == ranks[from].key; to++)
            among += outcomes[ranks[to].at].days > 0;
        sum += among * ((double)(from + 1 + to) / 2);
    }
    return (sum - buyers * (buyers + 1) / 2) / (buyers * ((double)count - buyers));
}

/* Spend of the top ACCURACY_TOP by key; of those who tie at the cut each counts in part. */
static double caught_of(const struct ranked ranks[], const struct outcome outcomes[], size_t count,
                        double spend)
{
    double room = ACCURACY_TOP * (double)count, sum = 0;
    for (size_t to = count, from; to > 0 && room > 0; to = from) {
        double among = 0;
        for (from = to; from > 0 && ranks[from - 1].key == ranks[to - 1].key; from--)
            among += outcomes[ranks[from - 1].at].spend;
        const double share = fmin(1, room / (double)(to - from));
        sum += share * among;
        room -= (double)(to - from);
    }
    return spend > 0 ? sum / spend : 0;
}

enum status accuracy_of(const struct forecast forecasts[], const struct outcome outcomes[],
                        size_t count, struct accuracy *ret_accuracy)
{
    struct accuracy a = {0};
    double buyers = 0, expected = 0, days = 0, spend = 0;
    const double each = count > 0 ? 1 / (double)count : 0;
    for (size_t i = 0; i < count; i++) {
        const double p = forecasts[i].p, hit = outcomes[i].days > 0 ? 1 : 0;
        const double miss = forecasts[i].expected - outcomes[i].days;
        a.log_loss -= each * log(fmax(P_LEAST, hit > 0 ? p : 1 - p));
        a.brier += each * (p - hit) * (p - hit);
        a.rmse += each * miss * miss;
        buyers += hit;
        expected += forecasts[i].expected;
        days += outcomes[i].days;
        spend += outcomes[i].spend;
    }
    if (buyers == 0 || buyers == (double)count)
        return STATUS_REJECT;
    struct ranked *ranks = malloc(count * sizeof *ranks);
    if (!ranks)
        return STATUS_FATAL;
    for (size_t i = 0; i < count; i++)
        ranks[i] = (struct ranked){forecasts[i].p, i};
    qsort(ranks, count, sizeof *ranks, by_key);
    a.auc = auc_of(ranks, outcomes, count, buyers);
    for (size_t i = 0; i < count; i++)
        ranks[i] = (struct ranked){forecasts[i].spend, i};
    qsort(ranks, count, sizeof *ranks, by_key);
    a.caught = caught_of(ranks, outcomes, count, spend);
    free(ranks);
    a.rmse = sqrt(a.rmse);
    a.ratio = expected / days;
    *ret_accuracy = a;
    return STATUS_OK;
}

/* Wilson 1927. */
static void interval(struct accuracy_bin *bin)
{
    const double z = 1.959963984540054, n = (double)bin->customers, p = bin->bought;
    const double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
    const double half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n);
    bin->low = fmax(0, fmin(p, middle - half)); /* rounding must not put p outside */
    bin->high = fmin(1, fmax(p, middle + half));
}

enum status accuracy_calibration(const struct forecast forecasts[], const struct outcome outcomes[],
                                 size_t count, struct accuracy_bin ret_bins[ACCURACY_BINS])
{
    struct ranked *ranks = malloc((count + 1) * sizeof *ranks);
    if (!ranks)
        return STATUS_FATAL;
    for (size_t i = 0; i < count; i++)
        ranks[i] = (struct ranked){forecasts[i].p, i};
    qsort(ranks, count, sizeof *ranks, by_key);
    for (size_t b = 0; b < ACCURACY_BINS; b++) {
        const size_t from = b * count / ACCURACY_BINS, to = (b + 1) * count / ACCURACY_BINS;
        struct accuracy_bin bin = {.customers = to - from};
        for (size_t i = from; i < to; i++) {
            bin.predicted += forecasts[ranks[i].at].p;
            bin.bought += outcomes[ranks[i].at].days > 0;
        }
        if (bin.customers > 0) {
            bin.predicted /= (double)bin.customers;
            bin.bought /= (double)bin.customers;
            interval(&bin);
        }
        ret_bins[b] = bin;
    }
    free(ranks);
    return STATUS_OK;
}
