/* backtest: what the model would have said on a day of the past, against what then happened, beside
 * baselines that had the same information. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ctl/backtest_print.h"
#include "ctl/cells.h"
#include "ctl/ctl.h"
#include "ctl/fit_print.h"
#include "insight/estimate.h"

struct backtest {
    struct backtested told;
    enum fit_model model;
    bool allow_unidentified;
    struct transactions in;
    /* the populations at --calibrate-until, and one horizon before */
    struct buyer *buyers, *past;
    struct outcome *outcomes;
    struct forecast *model_says, *forecasts;
};

static enum status no_memory(struct report *report)
{
    report_set(report, "backtest", "no memory for these transactions");
    return STATUS_FATAL;
}

static enum status fit_both(struct backtest *b, struct report *report)
{
    struct cells histories = {NULL, 0}, spend = {NULL, 0};
    enum status status = STATUS_FATAL;
    if (cells_of_histories(b->buyers, b->told.customers, 1, &histories) == STATUS_OK &&
        cells_of_spend(b->buyers, b->told.customers, &spend) == STATUS_OK) {
        const struct fit_problem buying = {b->model, 1, histories.cells, histories.count, NULL};
        const struct fit_problem money = {FIT_GG, 1, spend.cells, spend.count, NULL};
        status = estimate_fit(&buying, &b->told.fit);
        if (status == STATUS_OK && spend.count > 0)
            status = estimate_fit(&money, &b->told.spend_fit);
        b->told.has_spend = spend.count > 0 && b->told.spend_fit.verdict == FIT_OK;
    }
    cells_close(&histories);
    cells_close(&spend);
    return status == STATUS_OK ? STATUS_OK : no_memory(report);
}

static enum status populations(struct backtest *b, struct report *report)
{
    struct backtested *told = &b->told;
    const int32_t until = told->until_day, horizon = told->horizon;
    char ends[TEXT_TIME_BYTES];
    if (b->in.last_day - until < horizon) {
        (void)text_date_format(b->in.last_day * TEXT_MS_PER_DAY, ends);
        report_set(report, "backtest",
                   "%s ends on %s, %ld days after --calibrate-until: too few for --horizon %ld",
                   told->path, ends, (long)(b->in.last_day - until), (long)horizon);
        return STATUS_REJECT;
    }
    b->buyers = transactions_buyers(&b->in, until, horizon, &told->customers);
    b->past = transactions_buyers(&b->in, until - horizon, horizon, &told->past_customers);
    b->outcomes = calloc(told->customers + 1, sizeof *b->outcomes);
    b->model_says = calloc(told->customers + 1, sizeof *b->model_says);
    b->forecasts = calloc(told->customers + 1, sizeof *b->forecasts);
    if (!b->buyers || !b->past || !b->outcomes || !b->model_says || !b->forecasts)
        return no_memory(report);
    for (size_t i = 0; i < told->customers; i++) {
        b->outcomes[i] =
            (struct outcome){.days = b->buyers[i].later_days, .spend = b->buyers[i].later_spend};
        told->bought += b->outcomes[i].days > 0;
        told->days += b->outcomes[i].days;
        told->spend += b->outcomes[i].spend;
    }
    if (told->customers == 0) {
        report_set(report, "backtest", "%s: nobody bought before --calibrate-until", told->path);
        return STATUS_REJECT;
    }
    if (told->bought == 0 || told->bought == told->customers) {
        report_set(report, "backtest",
                   "%zu of %zu customers bought in the horizon: nothing to tell apart",
                   told->bought, told->customers);
        return STATUS_REJECT;
    }
    return STATUS_OK;
}

static struct predictor predictor_of(const struct backtest *b)
{
    struct predictor predictor = {.model = b->model};
    memcpy(predictor.theta, b->told.fit.theta, sizeof predictor.theta);
    return predictor;
}

/* Forecasts of one contestant. REJECT when it has nothing to learn from. CONTEST_MODEL's come
 * first: the learned layer stands on them. */
static enum status forecast(struct backtest *b, enum contestant contestant)
{
    struct backtested *told = &b->told;
    const struct predictor predictor = predictor_of(b);
    switch (contestant) {
    case CONTEST_MODEL: {
        struct contest_model model = {.predictor = predictor, .has_spend = told->has_spend};
        memcpy(model.spend, told->spend_fit.theta, sizeof model.spend);
        contest_forecast_model(&model, b->buyers, told->customers, told->horizon, b->model_says);
        memcpy(b->forecasts, b->model_says, told->customers * sizeof *b->forecasts);
        return STATUS_OK;
    }
    case CONTEST_LEARNED:
        lessons_forecast(&told->lessons, &predictor, b->buyers, told->customers, told->horizon,
                         b->model_says, b->forecasts);
        return STATUS_OK;
    case CONTEST_GOING_ON:
        return lessons_forecast_going_on(&told->lessons, &predictor, b->buyers, told->customers,
                                         told->horizon, b->model_says, b->forecasts);
    default:
        return contest_forecast_baseline(contestant, b->past, told->past_customers, b->buyers,
                                         told->customers, b->forecasts);
    }
}

static enum status measure(struct backtest *b, enum contestant contestant, struct report *report)
{
    struct backtested *told = &b->told;
    enum status status = forecast(b, contestant);
    if (status == STATUS_REJECT)
        return STATUS_OK; /* absent, and told so */
    if (status == STATUS_OK)
        status =
            accuracy_of(b->forecasts, b->outcomes, told->customers, &told->accuracy[contestant]);
    if (status == STATUS_OK)
        status = accuracy_calibration(b->forecasts, b->outcomes, told->customers,
                                      told->bins[contestant]);
    told->present[contestant] = status == STATUS_OK;
    return status == STATUS_OK ? STATUS_OK : no_memory(report);
}

static enum status learn(struct backtest *b, struct report *report)
{
    const struct predictor predictor = predictor_of(b);
    return lessons_learn(&b->in, &predictor, b->told.until_day, b->told.horizon,
                         &b->told.lessons) == STATUS_OK
               ? STATUS_OK
               : no_memory(report);
}

static enum status run(struct backtest *b, bool skip_bad, struct report *report)
{
    struct backtested *told = &b->told;
    enum status status = transactions_read(told->path, skip_bad, &b->in, report);
    told->bad = b->in.bad;
    if (status == STATUS_OK)
        status = populations(b, report);
    if (status == STATUS_OK)
        status = fit_both(b, report);
    if (status == STATUS_OK && told->fit.verdict != FIT_OK && !b->allow_unidentified) {
        report_set(report, "backtest",
                   "%s refused (%s): %s. What would help: %s. --allow-unidentified runs it all the "
                   "same",
                   fit_title(b->model), fit_verdict_name(told->fit.verdict),
                   fit_verdict_reason(told->fit.verdict), fit_verdict_help(told->fit.verdict));
        return STATUS_REJECT;
    }
    if (status == STATUS_OK)
        status = learn(b, report);
    for (int c = 0; c < CONTESTANTS && status == STATUS_OK; c++)
        status = measure(b, (enum contestant)c, report);
    return status;
}

static int tell(const struct backtested *told, bool json, const char *svg)
{
    if (json)
        backtest_print_json(told, stdout);
    else
        backtest_print_text(told, stdout);
    if (!svg)
        return CTL_OK;
    FILE *file = fopen(svg, "w");
    if (!file)
        return ctl_fail(CTL_FAILED, "backtest: %s: %s", svg, strerror(errno));
    backtest_print_svg(told, file);
    const bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed)
        return ctl_fail(CTL_FAILED, "backtest: %s: cannot write", svg);
    return CTL_OK;
}

int backtest_command(int argc, char **argv)
{
    struct backtest b = {.model = FIT_MBG};
    const char *model = "mbg", *svg = NULL;
    int64_t until_ms = INT64_MIN, horizon = 90;
    bool skip_bad = false, json = false;
    const struct ctl_option options[] = {
        {CTL_TIME, "calibrate-until", "DATE", "fit on what happened until the end of this day",
         &until_ms},
        {CTL_COUNT, "horizon", "DAYS", "and forecast so many days after it (default 90)", &horizon},
        {CTL_TEXT, "model", "NAME", "mbg (default; the daemon's), bg or pareto", &model},
        {CTL_FLAG, "allow-unidentified", NULL, "go on with a fit that is refused, and say so",
         &b.allow_unidentified},
        {CTL_FLAG, "skip-bad", NULL, "count bad rows and go on", &skip_bad},
        {CTL_FLAG, "json", NULL, "one JSON object", &json},
        {CTL_TEXT, "svg", "FILE", "write a calibration plot", &svg},
        {CTL_END, NULL, NULL, NULL, NULL},
    };
    ctl_options(argc, argv,
                "backtest FILE.csv --calibrate-until DATE [OPTIONS]\n\n"
                "What a model would have said at the end of a past day, against what then "
                "happened, beside simple baselines.\n"
                "FILE.csv: customer,date[,amount], with or without a header; - is standard input.\n"
                "Example: lifecyclectl backtest orders.csv --calibrate-until 2025-03-31 --horizon "
                "90 --svg plot.svg",
                options, 1, 1);
    if (until_ms == INT64_MIN)
        return ctl_fail(CTL_USAGE, "backtest: --calibrate-until DATE is needed");
    if (horizon < 1 || horizon > 36525)
        return ctl_fail(CTL_USAGE, "backtest: --horizon is 1 to 36525 days");
    if (!fit_model_named(model, false, &b.model))
        return ctl_fail(CTL_USAGE, "backtest: --model is mbg, bg or pareto, not '%s'", model);
    b.told.path = argv[0];
    b.told.until_day = text_day_of(until_ms);
    b.told.horizon = (int32_t)horizon;
    struct report report = {0};
    const int result = run(&b, skip_bad, &report) == STATUS_OK ? tell(&b.told, json, svg)
                                                               : ctl_fail_report(CTL_DATA, &report);
    transactions_close(&b.in);
    free(b.buyers);
    free(b.past);
    free(b.outcomes);
    free(b.model_says);
    free(b.forecasts);
    return result;
}
