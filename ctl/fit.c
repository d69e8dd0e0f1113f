/* fit: a CSV of past transactions becomes parameters, by the same model code as the daemon's. The
 * verdict says whether they may be used; only then are there lines to paste. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/must.h"
#include "base/text.h"
#include "ctl/cells.h"
#include "ctl/ctl.h"
#include "ctl/fit_print.h"
#include "insight/estimate.h"

/* Where a prior pulls to: the shipped defaults; of the models the daemon does not have, what they
 * were published with (CDNOW). In days and major units. */
static void prior_center(enum fit_model model, double ret_theta[FIT_PARAMS_MAX])
{
    static const double published[][FIT_PARAMS_MAX] = {
        [FIT_BG] = {.243, 30.898, .793, 2.426}, [FIT_PARETO] = {.553, 74.046, .606, 81.683}};
    struct params params;
    params_default(&params);
    const double mbg[] = {params.mbg_r, params.mbg_alpha, params.mbg_a, params.mbg_b};
    const double gg[] = {params.gg_p, params.gg_q, params.gg_gamma, 1};
    const double sbg[] = {params.sbg_alpha, params.sbg_beta, 1, 1};
    const double *center = model == FIT_MBG   ? mbg
                           : model == FIT_GG  ? gg
                           : model == FIT_SBG ? sbg
                                              : published[model];
    memcpy(ret_theta, center, FIT_PARAMS_MAX * sizeof *ret_theta);
}

/* A deviation of 0 is none. */
static struct fit_prior prior_of(enum fit_model model, double unit_days, double deviation)
{
    struct fit_prior prior = {.weight = deviation > 0 ? 1 / (deviation * deviation) : 0};
    double theta[FIT_PARAMS_MAX];
    prior_center(model, theta);
    for (int i = 0; i < fit_params(model); i++)
        prior.u[i] = log(theta[i] / (fit_is_time(model, i) ? unit_days : 1));
    return prior;
}

static enum status fit_one(enum fit_model model, const struct fitted *fitted,
                           const struct cells *cells, struct fit_result *ret_result,
                           struct report *report)
{
    const double unit_days = model == FIT_GG || model == FIT_SBG ? 1 : fitted->unit_days;
    const struct fit_prior prior = prior_of(model, unit_days, fitted->prior);
    const struct fit_problem problem = {.model = model,
                                        .unit_days = unit_days,
                                        .cells = cells->cells,
                                        .count = cells->count,
                                        .prior = fitted->prior > 0 ? &prior : NULL};
    if (estimate_fit(&problem, ret_result) == STATUS_OK)
        return STATUS_OK;
    report_set(report, "fit", "no memory for %zu histories", cells->count);
    return STATUS_FATAL;
}

static enum status fit_transactions(const struct transactions *in, struct fitted *fitted,
                                    struct report *report)
{
    struct cells histories = {NULL, 0}, spend = {NULL, 0};
    size_t count = 0;
    struct buyer *buyers = transactions_buyers(in, fitted->until_day, 0, &count);
    enum status status = STATUS_FATAL;
    report_set(report, "fit", "no memory for %zu rows", in->count);
    if (buyers && count == 0) {
        report_set(report, "fit", "%s: nobody bought before --until", in->path);
        status = STATUS_REJECT;
    } else if (buyers &&
               cells_of_histories(buyers, count, fitted->unit_days, &histories) == STATUS_OK &&
               cells_of_spend(buyers, count, &spend) == STATUS_OK) {
        status = fit_one(fitted->model, fitted, &histories, &fitted->buying, report);
        fitted->has_spend = spend.count > 0;
        if (status == STATUS_OK && fitted->has_spend)
            status = fit_one(FIT_GG, fitted, &spend, &fitted->spend, report);
    }
    cells_close(&histories);
    cells_close(&spend);
    free(buyers);
    return status;
}

static enum status fit_history_file(const char *path, bool skip_bad, int64_t until_ms,
                                    struct fitted *fitted, struct report *report)
{
    struct transactions in;
    enum status status = transactions_read(path, skip_bad, &in, report);
    if (status == STATUS_OK) {
        fitted->first_day = in.first_day;
        fitted->until_day = until_ms == INT64_MIN ? in.last_day : text_day_of(until_ms);
        fitted->bad = in.bad;
        status = fit_transactions(&in, fitted, report);
    }
    transactions_close(&in);
    return status;
}

static enum status fit_cohort_file(const char *path, struct fitted *fitted, struct report *report)
{
    struct cells cells = {NULL, 0};
    enum status status = cells_of_survivors(path, &cells, report);
    if (status == STATUS_OK)
        status = fit_one(FIT_SBG, fitted, &cells, &fitted->buying, report);
    cells_close(&cells);
    return status;
}

int fit_command(int argc, char **argv)
{
    struct fitted fitted = {.prior = 0};
    const char *model = "mbg", *unit = "day";
    int64_t until_ms = INT64_MIN;
    bool skip_bad = false, json = false;
    const struct ctl_option options[] = {
        {CTL_TIME, "until", "DATE", "as of the end of this day (default: the last in the file)",
         &until_ms},
        {CTL_TEXT, "unit", "day|week", "of t_x, T and the parameters (default day)", &unit},
        {CTL_TEXT, "model", "NAME", "mbg (default; the daemon's), bg, pareto; sbg fits a cohort",
         &model},
        {CTL_NUMBER, "prior", "DEVIATION",
         "pull parameters to the shipped defaults: standard deviation of their ln (default: none)",
         &fitted.prior},
        {CTL_FLAG, "skip-bad", NULL, "count bad rows and go on", &skip_bad},
        {CTL_FLAG, "json", NULL, "one JSON object", &json},
        {CTL_END, NULL, NULL, NULL, NULL},
    };
    ctl_options(argc, argv,
                "fit FILE.csv [OPTIONS]\n\n"
                "Parameters of the models from past purchases, with standard errors, a verdict "
                "whether to use them, and the lines to paste.\n"
                "FILE.csv: customer,date[,amount], with or without a header; - is standard input. "
                "For --model sbg: a column `survivors`,\n"
                "the customers of a cohort still there, one row a period.\n"
                "Example: lifecyclectl fit orders.csv --until 2025-03-31",
                options, 1, 1);
    struct report report = {0};
    fitted.path = argv[0];
    if (!(fitted.prior >= 0))
        return ctl_fail(CTL_USAGE, "fit: --prior is a standard deviation, above 0");
    if (!fit_unit_named(unit, &fitted.unit_days))
        return ctl_fail(CTL_USAGE, "fit: --unit is day or week, not '%s'", unit);
    if (!fit_model_named(model, true, &fitted.model))
        return ctl_fail(CTL_USAGE, "fit: --model is mbg, bg, pareto or sbg, not '%s'", model);
    if (fitted.model == FIT_SBG && skip_bad)
        return ctl_fail(CTL_USAGE,
                        "fit: --skip-bad does not go with --model sbg: without one period "
                        "those after it would count as earlier");
    enum status status = fitted.model == FIT_SBG
                             ? fit_cohort_file(argv[0], &fitted, &report)
                             : fit_history_file(argv[0], skip_bad, until_ms, &fitted, &report);
    if (status != STATUS_OK)
        return ctl_fail_report(CTL_DATA, &report);
    if (json)
        fit_print_json(&fitted, stdout);
    else
        fit_print_text(&fitted, stdout);
    return fitted.buying.verdict == FIT_OK ? CTL_OK : CTL_DATA;
}
