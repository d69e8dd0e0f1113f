/* accuracy: how good forecasts of a population were, once the time has passed. */
#ifndef LC_CTL_ACCURACY_H
#define LC_CTL_ACCURACY_H

#include <stddef.h>

#include "base/status.h"

struct forecast {
    double p;        /* P(buys in the horizon) */
    double expected; /* purchase days in it */
    double spend;    /* in it; only its order matters here */
};

struct outcome {
    double days, spend; /* of the horizon; days > 0: bought */
};

struct accuracy {
    double auc;      /* P(a buyer was ranked above a non-buyer), ties half */
    double log_loss; /* mean −ln of the probability given to what happened */
    double brier;    /* mean squared error of p */
    double rmse;     /* of expected against purchase days */
    double ratio;    /* Σ expected / Σ purchase days */
    double caught;   /* share of all spend that came from the 20 % forecast to spend most */
};

#define ACCURACY_TOP 0.2

/* REJECT when all or none of them bought: then nothing can be ranked. FATAL without memory. */
enum status accuracy_of(const struct forecast forecasts[], const struct outcome outcomes[],
                        size_t count, struct accuracy *ret_accuracy) LC_CHECKED;

/* One tenth of the customers, by forecast p. */
struct accuracy_bin {
    size_t customers;
    double predicted; /* mean p */
    double bought;    /* share of them who bought */
    double low, high; /* of that share: Wilson's 95 % interval */
};

#define ACCURACY_BINS 10

/* From the lowest p to the highest; a bin of no customers is all zero. FATAL without memory. */
enum status accuracy_calibration(const struct forecast forecasts[], const struct outcome outcomes[],
                                 size_t count,
                                 struct accuracy_bin ret_bins[ACCURACY_BINS]) LC_CHECKED;

#endif
