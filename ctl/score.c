/* score: histories, or transactions, become ln L, P(alive), P(buys), expected purchases and the
 * 12-month value, one line a row in full precision: what the daemon would compute, to be checked by
 * anybody. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/must.h"
#include "base/text.h"
#include "ctl/ctl.h"
#include "ctl/fit_print.h"
#include "ctl/transactions.h"
#include "model/predict.h"
#include "model/value.h"

enum { COLUMN_X, COLUMN_T_X, COLUMN_T, COLUMN_MEAN, COLUMNS };

static const char *const column_names[COLUMNS][CSV_NAMES_MAX] = {
    {"x", "frequency"},
    {"t_x", "recency"},
    {"T", "age"},
    {"mean_amount", "mean", "monetary_value"},
};

/* Wider than what a fit would return; beyond, binary64 no longer carries the models. */
#define PARAM_MIN 1e-6
#define PARAM_MAX 1e9
#define COUNT_MAX 1e12 /* of purchases, and of days */
#define MONEY_MAX 1e15

struct score {
    struct predictor predictor;
    bool has_spend;
    double spend[3]; /* Gamma-Gamma: p, q, γ */
    double horizon, timer, discount, unit_days;
    bool timing, json;
    /* input */
    const char *path;
    bool begun, of_transactions;
    int at[COLUMNS];
    bool skip_bad;
    int64_t bad;
    struct transactions transactions;
};

struct scores {
    double loglik, alive, buy, expected, clv;
};

/* x paid repeat days of `mean` each; 0 when none is known: the population's mean. */
static struct scores scores_of(const struct score *score, struct history h, double x, double mean)
{
    const struct predictor *p = &score->predictor;
    double months[VALUE_MONTHS], expected[VALUE_MONTHS];
    for (int i = 0; i < VALUE_MONTHS; i++)
        months[i] = (i + 1) * VALUE_MONTH_DAYS / score->unit_days;
    predict_expected_each(p, h, VALUE_MONTHS, months, expected);
    const double spend =
        score->has_spend ? value_gg_mean(score->spend[0], score->spend[1], score->spend[2], x, mean)
                         : 1;
    return (struct scores){
        .loglik = predict_loglik(p, h),
        .alive = predict_alive(p, h),
        .buy = predict_buy(p, h, score->horizon),
        .expected = predict_expected(p, h, score->horizon),
        .clv = spend * value_discounted(expected, score->discount),
    };
}

/* --- printing: a line of CSV, or a JSON object, a row --- */

enum { FIGURES_MAX = 5, NAMED_MAX = 4 };

/* A row's figures in the order of their columns; infinity: never. */
struct line {
    struct span customer; /* absent: rows are known by their order */
    const char *const *names;
    int count;
    double named[NAMED_MAX]; /* x, t_x, T and mean, of a customer */
    double figure[FIGURES_MAX];
};

static const char *const named_columns[NAMED_MAX] = {"x", "t_x", "T", "mean_amount"};
static const char *const score_columns[] = {"loglik", "p_alive", "p_buy_H", "expected_H", "clv_12"};
static const char *const timer_columns[] = {"T_alive", "T_buy"};

static void print_csv(const struct line *line)
{
    if (line->customer.at) {
        csv_put_cell(stdout, line->customer);
        for (int i = 0; i < NAMED_MAX; i++)
            printf(",%.17g", line->named[i]);
    }
    for (int i = 0; i < line->count; i++) {
        fputs(line->customer.at || i > 0 ? "," : "", stdout);
        if (isfinite(line->figure[i]))
            printf("%.17g", line->figure[i]);
        else
            fputs("never", stdout);
    }
    putchar('\n');
}

static void print_json(const struct line *line)
{
    char buffer[4096];
    struct json_writer json;
    json_writer_init(&json, buffer, sizeof buffer);
    json_put_object(&json);
    if (line->customer.at) {
        json_put_key(&json, "customer");
        json_put_string(&json, line->customer);
        for (int i = 0; i < NAMED_MAX; i++) {
            json_put_key(&json, named_columns[i]);
            json_put_double(&json, line->named[i]);
        }
    }
    for (int i = 0; i < line->count; i++) {
        json_put_key(&json, line->names[i]);
        if (isfinite(line->figure[i]))
            json_put_double(&json, line->figure[i]);
        else
            json_put_null(&json);
    }
    json_put_object_end(&json);
    MUST(!json.full); /* an id has at most EVENT_CUSTOMER_BYTES_MAX bytes */
    printf("%.*s\n", (int)json.len, buffer);
}

static void print_header(const struct score *score)
{
    const char *const *names = score->timing ? timer_columns : score_columns;
    if (score->json)
        return;
    if (score->of_transactions) {
        fputs("customer", stdout);
        for (int i = 0; i < NAMED_MAX; i++)
            printf(",%s", named_columns[i]);
    }
    for (int i = 0; i < (score->timing ? 2 : FIGURES_MAX); i++)
        printf("%s%s", score->of_transactions || i > 0 ? "," : "", names[i]);
    putchar('\n');
}

/* x paid repeat days of `mean`. False when a figure is not finite: then nothing was printed. */
static bool print_scores(const struct score *score, struct history h, double x, double mean,
                         struct span customer)
{
    struct line line = {.customer = customer, .named = {h.x, h.t_x, h.T, mean}};
    if (score->timing) {
        line.names = timer_columns;
        line.count = 2;
        line.figure[0] = predict_alive_timer(&score->predictor, h, score->timer);
        line.figure[1] = predict_buy_timer(&score->predictor, h, score->horizon, score->timer);
        if (isnan(line.figure[0]) || isnan(line.figure[1]))
            return false;
    } else {
        const struct scores s = scores_of(score, h, x, mean);
        if (!isfinite(s.loglik + s.alive + s.buy + s.expected + s.clv))
            return false;
        line.names = score_columns;
        line.count = FIGURES_MAX;
        memcpy(line.figure, (const double[]){s.loglik, s.alive, s.buy, s.expected, s.clv},
               sizeof line.figure);
    }
    (score->json ? print_json : print_csv)(&line);
    return true;
}

/* --- histories: row by row --- */

static struct span cell(const struct score *score, const struct csv_row *row, int column)
{
    int at = score->at[column];
    return at >= 0 && (size_t)at < row->count ? row->cells[at] : SPAN_ABSENT;
}

static bool number(struct span text, double most, double *ret)
{
    return text_double_parse(text, ret) == STATUS_OK && *ret >= 0 && *ret <= most;
}

static const char *history_parse(const struct score *score, const struct csv_row *row,
                                 struct history *ret, double *ret_mean, struct span *ret_cell)
{
    *ret_mean = 0;
    *ret_cell = cell(score, row, COLUMN_X);
    if (!number(*ret_cell, COUNT_MAX, &ret->x) || ret->x != floor(ret->x))
        return "x, the repeat purchases, must be a whole number, 0 or more";
    *ret_cell = cell(score, row, COLUMN_T_X);
    if (!number(*ret_cell, COUNT_MAX, &ret->t_x))
        return "t_x, the age at the last purchase, must be a number, 0 or more";
    if (ret->x == 0 && ret->t_x > 0)
        return "without a repeat purchase t_x must be 0";
    *ret_cell = cell(score, row, COLUMN_T);
    if (!number(*ret_cell, COUNT_MAX, &ret->T))
        return "T, the age, must be a number, 0 or more";
    if (ret->T < ret->t_x)
        return "T, the age now, must not be below t_x, that at the last purchase";
    *ret_cell = cell(score, row, COLUMN_MEAN);
    if (ret_cell->len > 0 && !number(*ret_cell, MONEY_MAX, ret_mean))
        return "mean_amount must be a number, 0 or more, or empty";
    return NULL;
}

static enum status on_history(struct score *score, const struct csv_row *row, struct report *report)
{
    struct history h;
    struct span wrong;
    double mean;
    const char *why = history_parse(score, row, &h, &mean, &wrong);
    if (!why && !print_scores(score, h, mean > 0 ? h.x : 0, mean, SPAN_ABSENT)) {
        wrong = cell(score, row, COLUMN_X);
        why = "these parameters give no finite number for such a history; x is";
    }
    return why ? csv_bad_row(score->path, row, why, wrong, score->skip_bad ? &score->bad : NULL,
                             report)
               : STATUS_OK;
}

/* Which kind of file this is shows in its first row: by the columns it names, or by its second
 * cell, which is a number in a history and a date in a transaction. True when it was a header. */
static bool header_of(struct score *score, const struct csv_row *row)
{
    double ignored;
    if (csv_header(row, column_names, COLUMNS, COLUMN_T + 1, score->at))
        return true;
    score->of_transactions =
        !(row->count >= 3 && text_double_parse(row->cells[1], &ignored) == STATUS_OK);
    return score->of_transactions && transactions_header(&score->transactions, row);
}

static enum status on_row(void *self, const struct csv_row *row, struct report *report)
{
    struct score *score = self;
    if (!score->begun) {
        score->begun = true;
        bool header = header_of(score, row);
        print_header(score);
        if (header)
            return STATUS_OK;
    }
    return score->of_transactions ? transactions_row(&score->transactions, row, report)
                                  : on_history(score, row, report);
}

/* --- transactions: all of them first --- */

static enum status score_buyers(struct score *score, int64_t until_ms, struct report *report)
{
    struct transactions *in = &score->transactions;
    const double unit = score->unit_days;
    enum status status = transactions_end(in, report);
    if (status != STATUS_OK)
        return status;
    const int32_t until = until_ms == INT64_MIN ? in->last_day : text_day_of(until_ms);
    size_t count = 0;
    struct buyer *buyers = transactions_buyers(in, until, 0, &count);
    if (!buyers) {
        report_set(report, "score", "no memory for %zu rows", in->count);
        return STATUS_FATAL;
    }
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        const struct buyer *b = &buyers[i];
        const struct history h = {.x = b->h.x, .t_x = b->h.t_x / unit, .T = b->h.T / unit};
        if (!print_scores(score, h, b->mean > 0 ? b->paid_days : 0, b->mean, b->customer)) {
            report_set(report, "score",
                       "no finite number for customer %.*s: parameters too extreme",
                       (int)b->customer.len, b->customer.at);
            status = STATUS_REJECT;
        }
    }
    score->bad = in->bad;
    free(buyers);
    return status;
}

/* --- the command --- */

/* Exactly `count` numbers with commas between them, each in [PARAM_MIN, PARAM_MAX]. */
static bool numbers(const char *text, int count, double ret[])
{
    for (int i = 0; i < count; i++) {
        char *end;
        ret[i] = strtod(text, &end); /* people write .243, which is no number of JSON */
        if (end == text || !(ret[i] >= PARAM_MIN && ret[i] <= PARAM_MAX) ||
            *end != (i + 1 < count ? ',' : '\0'))
            return false;
        text = end + 1;
    }
    return true;
}

static int score_file(struct score *score, int64_t until_ms)
{
    struct report report = {0};
    enum status status = csv_file_read(score->path, on_row, score, &report);
    if (status == STATUS_OK && score->of_transactions)
        status = score_buyers(score, until_ms, &report);
    transactions_close(&score->transactions);
    if (status == STATUS_OK && fflush(stdout) != 0) {
        report_set(&report, "score", "standard output: cannot write");
        status = STATUS_REJECT;
    }
    if (score->bad > 0)
        fprintf(stderr, "score: %" PRId64 " bad rows skipped\n", score->bad);
    return status == STATUS_OK ? CTL_OK : ctl_fail_report(CTL_DATA, &report);
}

int score_command(int argc, char **argv)
{
    struct score score = {.at = {0, 1, 2, 3}, .horizon = 0, .timer = NAN, .discount = 0.01};
    const char *model = "mbg", *unit = "day", *params = NULL, *spend = NULL;
    int64_t until_ms = INT64_MIN;
    const struct ctl_option options[] = {
        {CTL_TEXT, "model", "NAME", "mbg (default; the daemon's), bg or pareto", &model},
        {CTL_TEXT, "params", "LIST", "r,alpha,a,b; pareto: r,alpha,s,beta. In --unit", &params},
        {CTL_TEXT, "gamma-gamma", "P,Q,GAMMA", "of spend; without it a purchase is worth 1",
         &spend},
        {CTL_NUMBER, "horizon", "N", "H, in --unit (default 90 days)", &score.horizon},
        {CTL_NUMBER, "timer", "THETA",
         "instead: ages T* at which P(alive) and P(buys within H) fall to THETA in silence",
         &score.timer},
        {CTL_NUMBER, "discount", "D", "a month, of the 12-month value (default 0.01)",
         &score.discount},
        {CTL_TEXT, "unit", "day|week", "of t_x, T, H and the parameters (default day)", &unit},
        {CTL_TIME, "until", "DATE", "transactions: as of the end of this day (default: the last)",
         &until_ms},
        {CTL_FLAG, "skip-bad", NULL, "count bad rows and go on", &score.skip_bad},
        {CTL_FLAG, "json", NULL, "one JSON object a row; a timer that never comes is null",
         &score.json},
        {CTL_END, NULL, NULL, NULL, NULL},
    };
    ctl_options(argc, argv,
                "score FILE.csv --params LIST [OPTIONS]\n\n"
                "What a model says of each customer, in full precision: ln L, P(alive), P(buys "
                "within H), expected purchases, 12-month value.\n"
                "FILE.csv: purchases, customer,date[,amount], or histories, x,t_x,T[,mean_amount] "
                "(repeat purchases, age at the last one,\n"
                "age now, all since the first); - is standard input.\n"
                "Example: lifecyclectl score orders.csv --params .525,43.281,.891,1.614 "
                "--gamma-gamma 6.25,3.74,15.44",
                options, 1, 1);
    score.path = argv[0];
    if (!fit_unit_named(unit, &score.unit_days))
        return ctl_fail(CTL_USAGE, "score: --unit is day or week, not '%s'", unit);
    if (!fit_model_named(model, false, &score.predictor.model))
        return ctl_fail(CTL_USAGE, "score: --model is mbg, bg or pareto, not '%s'", model);
    if (!params || !numbers(params, FIT_PARAMS_MAX, score.predictor.theta))
        return ctl_fail(CTL_USAGE,
                        "score: --params needs four numbers from 1e-6 to 1e9 (%s), not '%s'",
                        score.predictor.model == FIT_PARETO ? "r,alpha,s,beta" : "r,alpha,a,b",
                        params ? params : "");
    score.has_spend = spend != NULL;
    if (spend && (!numbers(spend, 3, score.spend) || score.spend[1] <= 1))
        return ctl_fail(
            CTL_USAGE,
            "score: --gamma-gamma needs p,q,gamma above 0, and q above 1 (at 1 the mean "
            "spend is infinite), not '%s'",
            spend);
    score.timing = !isnan(score.timer);
    if (score.timing && !(score.timer > 0 && score.timer < 1))
        return ctl_fail(CTL_USAGE, "score: --timer is between 0 and 1");
    if (score.horizon == 0)
        score.horizon = 90 / score.unit_days;
    if (!(score.horizon > 0 && score.horizon <= COUNT_MAX))
        return ctl_fail(CTL_USAGE, "score: --horizon must be above 0");
    if (!(score.discount >= 0 && score.discount < 1))
        return ctl_fail(CTL_USAGE, "score: --discount is at least 0 and below 1");
    score.transactions =
        (struct transactions){.path = score.path, .skip_bad = score.skip_bad, .at = {0, 1, 2}};
    return score_file(&score, until_ms);
}
