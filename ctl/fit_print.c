/* fit_print: numbers for people to the digits their standard errors deserve, for programs in full.
 */
#include "ctl/fit_print.h"

#include <math.h>
#include <string.h>

#include "base/must.h"

bool fit_unit_named(const char *text, double *ret_unit_days)
{
    if (strcmp(text, "day") != 0 && strcmp(text, "week") != 0)
        return false;
    *ret_unit_days = *text == 'd' ? 1 : 7;
    return true;
}

bool fit_model_named(const char *text, bool with_sbg, enum fit_model *ret_model)
{
    static const enum fit_model models[] = {FIT_MBG, FIT_BG, FIT_PARETO, FIT_SBG};
    for (size_t i = 0; i < 3 + (with_sbg ? 1 : 0); i++)
        if (strcmp(text, fit_name(models[i])) == 0) {
            *ret_model = models[i];
            return true;
        }
    return false;
}

const char *fit_print_day(int32_t day, char text[TEXT_TIME_BYTES])
{
    (void)text_date_format(day * TEXT_MS_PER_DAY, text);
    return text;
}

/* --- settings --- */

/* The setting a parameter belongs to, NULL when the daemon has none: it runs MBG/NBD. */
static const char *prefix_of(enum fit_model model)
{
    switch (model) {
    case FIT_MBG:
        return "mbg_";
    case FIT_GG:
        return "gg_";
    case FIT_SBG:
        return "sbg_";
    default:
        return NULL;
    }
}

static double setting_of(const struct fitted *fitted, const struct fit_result *result, int i)
{
    return result->theta[i] * (fit_is_time(result->model, i) ? fitted->unit_days : 1);
}

static bool usable(const struct fit_result *result)
{
    return result->verdict == FIT_OK && prefix_of(result->model) != NULL;
}

static void settings_text(const struct fitted *fitted, const struct fit_result *result, FILE *out)
{
    for (int i = 0; usable(result) && i < fit_params(result->model); i++)
        fprintf(out, "  %s%s: %.6g\n", prefix_of(result->model), fit_param(result->model, i),
                setting_of(fitted, result, i));
}

static void settings_json(const struct fitted *fitted, const struct fit_result *result,
                          struct json_writer *json)
{
    for (int i = 0; usable(result) && i < fit_params(result->model); i++) {
        char key[40];
        int n = snprintf(key, sizeof key, "%s%s", prefix_of(result->model),
                         fit_param(result->model, i));
        MUST(n > 0 && (size_t)n < sizeof key);
        json_put_key(json, key);
        json_put_double(json, setting_of(fitted, result, i));
    }
}

/* --- for people --- */

static void result_text(const struct fit_result *result, FILE *out)
{
    for (int i = 0; i < fit_params(result->model); i++) {
        fprintf(out, "  %-6s %10.5g", fit_param(result->model, i), result->theta[i]);
        if (result->error[i] > 0)
            fprintf(out, "   standard error %.2g", result->error[i]);
        fputc('\n', out);
    }
    fprintf(out, "  ln L   %10.1f", result->loglik);
    if (result->loglik_nbd < 0)
        fprintf(out, "   NBD, in which nobody leaves: %.1f; 2 x gain %.1f (at least %d needed)",
                result->loglik_nbd, 2 * fmax(0, result->loglik - result->loglik_nbd),
                FIT_DROPOUT_GAIN_MIN);
    fputc('\n', out);
    if (result->verdict == FIT_OK)
        fprintf(out, "  verdict: %s\n\n", fit_verdict_name(result->verdict));
    else
        fprintf(out, "  verdict: refused (%s): %s.\n  what would help: %s.\n\n",
                fit_verdict_name(result->verdict), fit_verdict_reason(result->verdict),
                fit_verdict_help(result->verdict));
}

void fit_print_text(const struct fitted *fitted, FILE *out)
{
    const struct fit_result *buying = &fitted->buying;
    char from[TEXT_TIME_BYTES], until[TEXT_TIME_BYTES];
    fprintf(out, "%s on %.0f customers, %.0f of them %s", fit_title(buying->model),
            buying->customers, buying->repeaters,
            buying->model == FIT_SBG ? "lost" : "repeat buyers");
    if (buying->model != FIT_SBG)
        fprintf(out, ", %s to %s, unit %s", fit_print_day(fitted->first_day, from),
                fit_print_day(fitted->until_day, until), fitted->unit_days == 1 ? "day" : "week");
    if (fitted->prior > 0)
        fprintf(out, ", prior of deviation %g around the defaults", fitted->prior);
    if (fitted->bad > 0)
        fprintf(out, "; %lld bad rows skipped", (long long)fitted->bad);
    fputc('\n', out);
    result_text(buying, out);
    if (fitted->has_spend) {
        fprintf(out, "%s on the spend of %.0f repeat buyers\n", fit_title(FIT_GG),
                fitted->spend.customers);
        result_text(&fitted->spend, out);
    }
    if (buying->verdict != FIT_OK) {
        fputs("Nothing to paste: keep the parameters you have.\n", out);
        return;
    }
    if (!usable(buying)) {
        fputs("The daemon runs MBG/NBD: fit --model mbg prints the lines for its configuration.\n",
              out);
        return;
    }
    fputs("For the configuration (days, major units of currency):\nmodel:\n", out);
    settings_text(fitted, buying, out);
    if (fitted->has_spend)
        settings_text(fitted, &fitted->spend, out);
    if (buying->model == FIT_MBG)
        fputs("  calibrated: true\n", out);
}

/* --- for programs --- */

void fit_print_result(const struct fit_result *result, struct json_writer *json)
{
    json_put_key(json, "model");
    json_put_text(json, fit_name(result->model));
    json_put_key(json, "customers");
    json_put_double(json, result->customers);
    json_put_key(json, result->model == FIT_SBG ? "lost" : "repeat_buyers");
    json_put_double(json, result->repeaters);
    json_put_key(json, "parameters");
    json_put_object(json);
    for (int i = 0; i < fit_params(result->model); i++) {
        json_put_key(json, fit_param(result->model, i));
        json_put_double(json, result->theta[i]);
    }
    json_put_object_end(json);
    json_put_key(json, "standard_errors");
    json_put_object(json);
    for (int i = 0; i < fit_params(result->model); i++) {
        json_put_key(json, fit_param(result->model, i));
        if (result->error[i] > 0)
            json_put_double(json, result->error[i]);
        else
            json_put_null(json);
    }
    json_put_object_end(json);
    json_put_key(json, "loglik");
    json_put_double(json, result->loglik);
    if (result->loglik_nbd < 0) {
        json_put_key(json, "loglik_nbd");
        json_put_double(json, result->loglik_nbd);
    }
    json_put_key(json, "verdict");
    json_put_text(json, fit_verdict_name(result->verdict));
    if (result->verdict != FIT_OK) {
        json_put_key(json, "reason");
        json_put_text(json, fit_verdict_reason(result->verdict));
        json_put_key(json, "help");
        json_put_text(json, fit_verdict_help(result->verdict));
    }
}

void fit_print_json(const struct fitted *fitted, FILE *out)
{
    char buffer[8192], text[TEXT_TIME_BYTES];
    struct json_writer json;
    json_writer_init(&json, buffer, sizeof buffer);
    json_put_object(&json);
    fit_print_result(&fitted->buying, &json);
    if (fitted->prior > 0) {
        json_put_key(&json, "prior_deviation");
        json_put_double(&json, fitted->prior);
    }
    if (fitted->model != FIT_SBG) {
        json_put_key(&json, "unit");
        json_put_text(&json, fitted->unit_days == 1 ? "day" : "week");
        json_put_key(&json, "until");
        json_put_text(&json, fit_print_day(fitted->until_day, text));
        json_put_key(&json, "bad_rows");
        json_put_i64(&json, fitted->bad);
    }
    if (fitted->has_spend) {
        json_put_key(&json, "gamma_gamma");
        json_put_object(&json);
        fit_print_result(&fitted->spend, &json);
        json_put_object_end(&json);
    }
    json_put_key(&json, "configuration");
    json_put_object(&json);
    if (usable(&fitted->buying)) {
        settings_json(fitted, &fitted->buying, &json);
        if (fitted->has_spend)
            settings_json(fitted, &fitted->spend, &json);
        if (fitted->model == FIT_MBG) {
            json_put_key(&json, "calibrated");
            json_put_bool(&json, true);
        }
    }
    json_put_object_end(&json);
    json_put_object_end(&json);
    MUST(!json.full);
    fprintf(out, "%.*s\n", (int)json.len, buffer);
}
