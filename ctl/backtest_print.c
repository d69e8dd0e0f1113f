/* backtest_print: one struct in three shapes. */
#include "ctl/backtest_print.h"

#include <math.h>

#include "base/must.h"
#include "ctl/fit_print.h"

static const char *title_of(const struct backtested *b, enum contestant contestant)
{
    return contestant == CONTEST_MODEL ? fit_title(b->fit.model) : contest_title(contestant);
}

/* --- for people --- */

static void head_text(const struct backtested *b, FILE *out)
{
    char until[TEXT_TIME_BYTES], ends[TEXT_TIME_BYTES];
    fprintf(out, "%s fitted to %s on %zu customers", title_of(b, CONTEST_MODEL),
            fit_print_day(b->until_day, until), b->customers);
    for (int i = 0; i < fit_params(b->fit.model); i++)
        fprintf(out, "%s%s %.5g", i ? ", " : ": ", fit_param(b->fit.model, i), b->fit.theta[i]);
    fprintf(out, " (days)\nHoldout of %ld days to %s: %zu of them bought (%.1f %%), on %.0f days\n",
            (long)b->horizon, fit_print_day(b->until_day + b->horizon, ends), b->bought,
            100.0 * (double)b->bought / (double)b->customers, b->days);
    if (b->bad > 0)
        fprintf(out, "%lld bad rows skipped\n", (long long)b->bad);
    if (b->fit.verdict != FIT_OK)
        fprintf(out,
                "NOT IDENTIFIED: this fit was refused (%s) and ran only because of "
                "--allow-unidentified:\n%s.\n",
                fit_verdict_name(b->fit.verdict), fit_verdict_reason(b->fit.verdict));
    if (!b->has_spend)
        fputs("No usable Gamma-Gamma: a purchase is taken to be worth the customer's own mean.\n",
              out);
}

static void row_text(const struct backtested *b, enum contestant c, FILE *out)
{
    const struct accuracy *a = &b->accuracy[c];
    if (!b->present[c]) {
        fprintf(out, "%-18s  nothing to learn from\n", title_of(b, c));
        return;
    }
    fprintf(out, "%-18s  %6.4f    %6.4f  %6.4f", title_of(b, c), a->auc, a->log_loss, a->brier);
    if (!contest_is_learned(c))
        fprintf(out, "  %6.3f         %6.3f  %6.1f %%", a->rmse, a->ratio, 100 * a->caught);
    fputc('\n', out);
}

static void learned_text(const struct backtested *b, FILE *out)
{
    const struct lessons *l = &b->lessons;
    char until[TEXT_TIME_BYTES];
    fprintf(out, "\nLearned layer: %zu lessons matured by %s", l->taken,
            fit_print_day(b->until_day, until));
    if (l->measured)
        fprintf(out,
                ", each tested before it was taken:\nlog loss %.4f, %s alone %.4f; AUC %.4f, alone "
                "%.4f",
                l->learned.log_loss, title_of(b, CONTEST_MODEL), l->plain.log_loss, l->learned.auc,
                l->plain.auc);
    fprintf(out, ".\n%s\n",
            l->belief.better
                ? "Better there by more than two standard errors, so these weights are used above:"
                : "Not better there by two standard errors: it says what the model "
                  "says.");
    if (!l->belief.better)
        return;
    struct belief_weights weights;
    belief_weights(&l->belief, &weights);
    for (int i = 0; i < FEATURE_COUNT; i++)
        if (i != FEATURE_ENGAGEMENT)
            fprintf(out, "  %-17s %+.3f\n", feature_label((enum feature)i), weights.feature[i]);
}

static void calibration_text(const struct backtested *b, FILE *out)
{
    fprintf(out, "\nCalibration of %s, by tenths of the customers:\n", title_of(b, CONTEST_MODEL));
    fputs("customers  forecast  bought   95 % interval\n", out);
    for (int i = 0; i < ACCURACY_BINS; i++) {
        const struct accuracy_bin *bin = &b->bins[CONTEST_MODEL][i];
        fprintf(out, "%9zu    %6.4f  %6.4f   %6.4f to %6.4f\n", bin->customers, bin->predicted,
                bin->bought, bin->low, bin->high);
    }
}

void backtest_print_text(const struct backtested *b, FILE *out)
{
    head_text(b, out);
    fputs("\n                       AUC  log loss   Brier    RMSE  ratio of sums  spend caught by "
          "top 20 %\n",
          out);
    for (int c = 0; c < CONTESTANTS; c++)
        row_text(b, (enum contestant)c, out);
    fputc('\n', out);
    for (int c = CONTEST_MODEL + 1; c < CONTESTANTS; c++)
        fprintf(out, "%s: %s\n", title_of(b, (enum contestant)c), contest_what((enum contestant)c));
    learned_text(b, out);
    calibration_text(b, out);
}

/* --- for programs --- */

static void put_number(struct json_writer *json, const char *key, double value)
{
    json_put_key(json, key);
    json_put_double(json, value);
}

static void contestant_json(const struct backtested *b, int c, struct json_writer *json)
{
    const struct accuracy *a = &b->accuracy[c];
    json_put_object(json);
    json_put_key(json, "name");
    json_put_text(json, contest_name((enum contestant)c));
    json_put_key(json, "about");
    json_put_text(json, contest_what((enum contestant)c));
    put_number(json, "auc", a->auc);
    put_number(json, "log_loss", a->log_loss);
    put_number(json, "brier", a->brier);
    if (!contest_is_learned((enum contestant)c)) {
        put_number(json, "rmse", a->rmse);
        put_number(json, "ratio_of_sums", a->ratio);
        put_number(json, "spend_caught_top_20", a->caught);
    }
    json_put_key(json, "calibration");
    json_put_array(json);
    for (int i = 0; i < ACCURACY_BINS; i++) {
        const struct accuracy_bin *bin = &b->bins[c][i];
        json_put_object(json);
        put_number(json, "customers", (double)bin->customers);
        put_number(json, "forecast", bin->predicted);
        put_number(json, "bought", bin->bought);
        put_number(json, "low", bin->low);
        put_number(json, "high", bin->high);
        json_put_object_end(json);
    }
    json_put_array_end(json);
    json_put_object_end(json);
}

static void learned_json(const struct lessons *l, struct json_writer *json)
{
    struct belief_weights weights;
    belief_weights(&l->belief, &weights);
    json_put_key(json, "learned");
    json_put_object(json);
    put_number(json, "lessons", (double)l->taken);
    json_put_key(json, "in_force");
    json_put_bool(json, l->belief.better);
    if (l->measured) {
        put_number(json, "log_loss_model", l->plain.log_loss);
        put_number(json, "log_loss", l->learned.log_loss);
        put_number(json, "auc_model", l->plain.auc);
        put_number(json, "auc", l->learned.auc);
    }
    json_put_key(json, "weights");
    json_put_object(json);
    for (int i = 0; i < FEATURE_COUNT; i++)
        put_number(json, feature_label((enum feature)i), weights.feature[i]);
    json_put_object_end(json);
    json_put_object_end(json);
}

void backtest_print_json(const struct backtested *b, FILE *out)
{
    char buffer[32768], text[TEXT_TIME_BYTES];
    struct json_writer json;
    json_writer_init(&json, buffer, sizeof buffer);
    json_put_object(&json);
    json_put_key(&json, "calibrate_until");
    json_put_text(&json, fit_print_day(b->until_day, text));
    put_number(&json, "horizon_days", b->horizon);
    put_number(&json, "customers", (double)b->customers);
    put_number(&json, "bought", (double)b->bought);
    put_number(&json, "purchase_days", b->days);
    put_number(&json, "spend", b->spend);
    json_put_key(&json, "bad_rows");
    json_put_i64(&json, b->bad);
    json_put_key(&json, "identified");
    json_put_bool(&json, b->fit.verdict == FIT_OK);
    json_put_key(&json, "fit");
    json_put_object(&json);
    fit_print_result(&b->fit, &json);
    json_put_object_end(&json);
    if (b->has_spend) {
        json_put_key(&json, "gamma_gamma");
        json_put_object(&json);
        fit_print_result(&b->spend_fit, &json);
        json_put_object_end(&json);
    }
    json_put_key(&json, "contestants");
    json_put_array(&json);
    for (int c = 0; c < CONTESTANTS; c++)
        if (b->present[c])
            contestant_json(b, c, &json);
    json_put_array_end(&json);
    learned_json(&b->lessons, &json);
    json_put_object_end(&json);
    MUST(!json.full);
    fprintf(out, "%.*s\n", (int)json.len, buffer);
}

/* --- for the eye --- */

enum { PLOT_LEFT = 70, PLOT_TOP = 60, PLOT_SIZE = 480, PLOT_WIDTH = 640, PLOT_HEIGHT = 600 };

struct plot {
    FILE *out;
    double most; /* both axes run from 0 to this */
    double step;
};

static double plot_x(const struct plot *plot, double p)
{
    return PLOT_LEFT + PLOT_SIZE * p / plot->most;
}

static double plot_y(const struct plot *plot, double share)
{
    return PLOT_TOP + PLOT_SIZE * (1 - share / plot->most);
}

static void plot_axes(const struct plot *plot)
{
    FILE *out = plot->out;
    const double right = plot_x(plot, plot->most), bottom = plot_y(plot, 0);
    for (int i = 0; i * plot->step <= plot->most * 1.0001; i++) {
        const double at = i * plot->step, x = plot_x(plot, at), y = plot_y(plot, at);
        fprintf(out,
                "<path d=\"M%.1f %.1fV%dM%d %.1fH%.1f\" stroke=\"#dddddd\"/>\n"
                "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.3g</text>\n"
                "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n",
                x, bottom, PLOT_TOP, PLOT_LEFT, y, right, x, bottom + 20, at, PLOT_LEFT - 8, y + 5,
                at);
    }
    fprintf(out,
            "<path d=\"M%d %.1fL%.1f %d\" stroke=\"#888888\" stroke-dasharray=\"5 4\"/>\n"
            "<text x=\"%d\" y=\"%.1f\" text-anchor=\"middle\">mean forecast of P(buys)</text>\n"
            "<text transform=\"translate(20 %d) rotate(-90)\" text-anchor=\"middle\">share that "
            "bought</text>\n",
            PLOT_LEFT, bottom, right, PLOT_TOP, PLOT_LEFT + PLOT_SIZE / 2, bottom + 44,
            PLOT_TOP + PLOT_SIZE / 2);
}

static void plot_series(const struct plot *plot, const struct accuracy_bin bins[ACCURACY_BINS],
                        const char *title, const char *colour, int row)
{
    FILE *out = plot->out;
    fprintf(out, "<g stroke=\"%s\" fill=\"%s\">\n<path fill=\"none\" d=\"", colour, colour);
    for (int i = 0; i < ACCURACY_BINS; i++)
        fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M', plot_x(plot, bins[i].predicted),
                plot_y(plot, bins[i].bought));
    fputs("\"/>\n", out);
    for (int i = 0; i < ACCURACY_BINS; i++) {
        const double x = plot_x(plot, bins[i].predicted);
        fprintf(out, "<path d=\"M%.1f %.1fV%.1f\"/><circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>\n", x,
                plot_y(plot, bins[i].low), plot_y(plot, bins[i].high), x,
                plot_y(plot, bins[i].bought));
    }
    fprintf(out, "<circle cx=\"%d\" cy=\"%d\" r=\"4\"/></g>\n<text x=\"%d\" y=\"%d\">%s</text>\n",
            PLOT_LEFT + 16, PLOT_TOP + 16 + 20 * row, PLOT_LEFT + 26, PLOT_TOP + 21 + 20 * row,
            title);
}

void backtest_print_svg(const struct backtested *b, FILE *out)
{
    static const char *const colours[CONTESTANTS] = {
        [CONTEST_MODEL] = "#0072b2", [CONTEST_LEARNED] = "#009e73", [CONTEST_RFM] = "#d55e00"};
    struct plot plot = {.out = out, .most = 0};
    char until[TEXT_TIME_BYTES];
    int row = 0;
    for (int c = 0; c < CONTESTANTS; c++)
        for (int i = 0; b->present[c] && colours[c] && i < ACCURACY_BINS; i++)
            plot.most = fmax(plot.most, fmax(b->bins[c][i].predicted, b->bins[c][i].high));
    plot.step = plot.most > 0.5 ? 0.2 : plot.most > 0.25 ? 0.1 : 0.05;
    plot.most = fmin(1, plot.step * ceil(plot.most / plot.step));
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 "
            "%d %d\" font-family=\"sans-serif\" font-size=\"14\">\n"
            "<title>Calibration of %s</title>\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
            "<text x=\"%d\" y=\"26\" font-size=\"17\">Calibration of %s%s</text>\n"
            "<text x=\"%d\" y=\"47\" font-size=\"12\" fill=\"#555555\">%zu customers, %ld days "
            "after %s; tenths by "
            "forecast, with 95 %% intervals</text>\n",
            PLOT_WIDTH, PLOT_HEIGHT, PLOT_WIDTH, PLOT_HEIGHT, title_of(b, CONTEST_MODEL), PLOT_LEFT,
            title_of(b, CONTEST_MODEL), b->fit.verdict == FIT_OK ? "" : " (fit not identified)",
            PLOT_LEFT, b->customers, (long)b->horizon, fit_print_day(b->until_day, until));
    plot_axes(&plot);
    for (int c = 0; c < CONTESTANTS; c++)
        if (b->present[c] && colours[c])
            plot_series(&plot, b->bins[c], title_of(b, (enum contestant)c), colours[c], row++);
    fputs("</svg>\n", out);
}
