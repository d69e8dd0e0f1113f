/* fit_print: what a fit found, for people, programs, and the configuration file. */
#ifndef LC_CTL_FIT_PRINT_H
#define LC_CTL_FIT_PRINT_H

#include <stdint.h>
#include <stdio.h>

#include "base/json.h"
#include "base/text.h"
#include "model/fit.h"

struct fitted {
    const char *path;
    enum fit_model model; /* FIT_SBG: `buying` is a cohort's, and nothing below it is set */
    double unit_days;
    double prior; /* standard deviation around the defaults, of ln θ; 0: none */
    struct fit_result buying;
    bool has_spend;
    struct fit_result spend; /* Gamma-Gamma */
    int32_t first_day, until_day;
    int64_t bad;
};

void fit_print_text(const struct fitted *fitted, FILE *out);
void fit_print_json(const struct fitted *fitted, FILE *out);
/* Parameters, errors, ln L and verdict as the members of an object. */
void fit_print_result(const struct fit_result *result, struct json_writer *json);

/* "1997-09-30" */
const char *fit_print_day(int32_t day, char text[TEXT_TIME_BYTES]);

/* Names of the options, shared by the analyst's commands. */
bool fit_unit_named(const char *text, double *ret_unit_days);
bool fit_model_named(const char *text, bool with_sbg, enum fit_model *ret_model);

#endif
