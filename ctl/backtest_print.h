/* backtest_print: a finished backtest, for people, programs, and the eye. */
#ifndef LC_CTL_BACKTEST_PRINT_H
#define LC_CTL_BACKTEST_PRINT_H

#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "ctl/contest.h"
#include "ctl/lessons.h"
#include "model/fit.h"

struct backtested {
    const char *path;
    int32_t until_day, horizon;
    size_t customers, bought, past_customers;
    double days, spend; /* of the holdout */
    int64_t bad;
    struct fit_result fit, spend_fit;
    bool has_spend;            /* spend_fit is usable */
    struct lessons lessons;    /* matured by until_day */
    bool present[CONTESTANTS]; /* a baseline without a window to learn from is absent */
    struct accuracy accuracy[CONTESTANTS];
    struct accuracy_bin bins[CONTESTANTS][ACCURACY_BINS];
};

void backtest_print_text(const struct backtested *backtested, FILE *out);
void backtest_print_json(const struct backtested *backtested, FILE *out);
/* A calibration plot: share that bought over mean forecast, by tenths. */
void backtest_print_svg(const struct backtested *backtested, FILE *out);

#endif
