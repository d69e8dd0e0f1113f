/* contest: forecasts of one population by several contestants: a fitted model, and baselines that
 * know no model. */
#ifndef LC_CTL_CONTEST_H
#define LC_CTL_CONTEST_H

#include "base/report.h"
#include "ctl/accuracy.h"
#include "ctl/transactions.h"
#include "model/predict.h"

/* CONTESTANT(id, name in JSON, name in print, what it is) */
#define CONTESTANTS_TABLE(CONTESTANT)                                                              \
    CONTESTANT(MODEL, "model", "the model", "fitted on the calibration period")                    \
    CONTESTANT(LEARNED, "learned", "learned layer",                                                \
               "P(buys) with the weights learned by then, as the daemon would have said it")       \
    CONTESTANT(GOING_ON, "learned-going-on", "learned, going on",                                  \
               "the same, but each customer's outcome is learned after its own forecast: tested "  \
               "before trained")                                                                   \
    CONTESTANT(RECENCY, "recency", "recency only",                                                 \
               "regression on days since the last purchase, trained on the window before")         \
    CONTESTANT(RFM, "rfm-logistic", "RFM logistic",                                                \
               "regression on recency, frequency, age and spend, trained on the window before")    \
    CONTESTANT(RFM_HINDSIGHT, "rfm-logistic-hindsight", "RFM, in hindsight",                       \
               "the same, but cross-validated on the holdout's own outcomes, which nobody has "    \
               "in advance")

enum contestant {
#define CONTESTANT(id, name, title, what) CONTEST_##id,
    CONTESTANTS_TABLE(CONTESTANT)
#undef CONTESTANT
        CONTESTANTS
};

const char *contest_name(enum contestant contestant);
const char *contest_title(enum contestant contestant);
const char *contest_what(enum contestant contestant);

/* The learned layer says P(buys) only; purchases and spend are the model's. */
static inline bool contest_is_learned(enum contestant contestant)
{
    return contestant == CONTEST_LEARNED || contestant == CONTEST_GOING_ON;
}

/* A model with what each purchase is worth. */
struct contest_model {
    struct predictor predictor;
    bool has_spend;  /* else a purchase is worth the customer's own mean */
    double spend[3]; /* Gamma-Gamma: p, q, γ */
};

void contest_forecast_model(const struct contest_model *model, const struct buyer buyers[],
                            size_t count, int32_t horizon, struct forecast ret_forecasts[]);
/* `past`: the population as it was one horizon before, with what came then. REJECT when it says
 * nothing (nobody bought, everybody did); FATAL without memory. */
enum status contest_forecast_baseline(enum contestant contestant, const struct buyer past[],
                                      size_t past_count, const struct buyer buyers[], size_t count,
                                      struct forecast ret_forecasts[]) LC_CHECKED;

#endif
