/* contest: each baseline is two regressions on the same features: P(buys) by a logistic one,
 * purchase days by Poisson's. */
#include "ctl/contest.h"

#include <math.h>
#include <stdlib.h>

#include "base/must.h"
#include "ctl/glm.h"
#include "model/value.h"

enum { FEATURES_RECENCY = 2, FEATURES_RFM = 5, FOLDS = 5 };

static const char *const words[CONTESTANTS][3] = {
#define CONTESTANT(id, name, title, what) {name, title, what},
    CONTESTANTS_TABLE(CONTESTANT)
#undef CONTESTANT
};

const char *contest_name(enum contestant contestant)
{
    return words[contestant][0];
}

const char *contest_title(enum contestant contestant)
{
    return words[contestant][1];
}

const char *contest_what(enum contestant contestant)
{
    return words[contestant][2];
}

/* --- the model --- */

static double own_mean(const struct buyer *buyer)
{
    return buyer->spend / (buyer->h.x + 1);
}

void contest_forecast_model(const struct contest_model *model, const struct buyer buyers[],
                            size_t count, int32_t horizon, struct forecast ret_forecasts[])
{
    for (size_t i = 0; i < count; i++) {
        const struct buyer *b = &buyers[i];
        const double worth = model->has_spend
                                 ? value_gg_mean(model->spend[0], model->spend[1], model->spend[2],
                                                 b->mean > 0 ? b->paid_days : 0, b->mean)
                                 : own_mean(b);
        const double expected = predict_expected(&model->predictor, b->h, horizon);
        ret_forecasts[i] = (struct forecast){.p = predict_buy(&model->predictor, b->h, horizon),
                                             .expected = expected,
                                             .spend = expected * worth};
    }
}

/* --- baselines --- */

static void features_of(const struct buyer *b, double ret_features[FEATURES_RFM])
{
    ret_features[0] = 1;
    ret_features[1] = log1p(b->h.T - b->h.t_x) / 5; /* of order 1 */
    ret_features[2] = log1p(b->h.x);
    ret_features[3] = log1p(b->h.T) / 5;
    ret_features[4] = log1p(own_mean(b)) / 5;
}

struct training {
    int features;
    double *x, *days, *bought; /* rows of `features` numbers; y of each regression */
    size_t count;
};

struct trained {
    struct glm buys, days;
};

static void training_close(struct training *training)
{
    free(training->x);
    free(training->days);
    free(training->bought);
}

/* Rows of all customers but those of the fold left out (FOLDS: none is). */
static enum status training_open(int features, const struct buyer past[], size_t count,
                                 size_t left_out, struct training *ret_training)
{
    struct training t = {.features = features};
    t.x = malloc((count + 1) * (size_t)features * sizeof *t.x);
    t.days = malloc((count + 1) * sizeof *t.days);
    t.bought = malloc((count + 1) * sizeof *t.bought);
    *ret_training = t;
    if (!t.x || !t.days || !t.bought)
        return STATUS_FATAL;
    for (size_t i = 0; i < count; i++) {
        double f[FEATURES_RFM];
        if (i % FOLDS == left_out)
            continue;
        features_of(&past[i], f);
        for (int k = 0; k < features; k++)
            t.x[t.count * (size_t)features + (size_t)k] = f[k];
        t.days[t.count] = past[i].later_days;
        t.bought[t.count++] = past[i].later_days > 0;
    }
    *ret_training = t;
    return STATUS_OK;
}

static enum status train(int features, const struct buyer past[], size_t count, size_t left_out,
                         struct trained *ret_trained)
{
    struct training t;
    enum status status = training_open(features, past, count, left_out, &t);
    if (status == STATUS_OK)
        status = glm_fit(GLM_LOGISTIC, features, t.count, t.x, t.bought, &ret_trained->buys);
    if (status == STATUS_OK)
        status = glm_fit(GLM_POISSON, features, t.count, t.x, t.days, &ret_trained->days);
    training_close(&t);
    return status;
}

static struct forecast forecast_of(const struct trained *trained, const struct buyer *buyer)
{
    double f[FEATURES_RFM];
    features_of(buyer, f);
    const double expected = glm_mean(&trained->days, f);
    const bool knows_spend = trained->days.features == FEATURES_RFM;
    return (struct forecast){.p = glm_mean(&trained->buys, f),
                             .expected = expected,
                             .spend = expected * (knows_spend ? own_mean(buyer) : 1)};
}

static enum status forecast_hindsight(const struct buyer buyers[], size_t count,
                                      struct forecast ret_forecasts[])
{
    for (size_t fold = 0; fold < FOLDS; fold++) {
        struct trained trained;
        enum status status = train(FEATURES_RFM, buyers, count, fold, &trained);
        if (status != STATUS_OK)
            return status;
        for (size_t i = fold; i < count; i += FOLDS)
            ret_forecasts[i] = forecast_of(&trained, &buyers[i]);
    }
    return STATUS_OK;
}

enum status contest_forecast_baseline(enum contestant contestant, const struct buyer past[],
                                      size_t past_count, const struct buyer buyers[], size_t count,
                                      struct forecast ret_forecasts[])
{
    struct trained trained;
    MUST(contestant != CONTEST_MODEL);
    MUST(!contest_is_learned(contestant));
    if (contestant == CONTEST_RFM_HINDSIGHT)
        return forecast_hindsight(buyers, count, ret_forecasts);
    enum status status = train(contestant == CONTEST_RECENCY ? FEATURES_RECENCY : FEATURES_RFM,
                               past, past_count, FOLDS, &trained);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        ret_forecasts[i] = forecast_of(&trained, &buyers[i]);
    return status;
}
