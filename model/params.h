/* params: everything the fold depends on besides state and log. One immutable version at a time: a
 * partition switches versions at a recorded offset (SWITCH in the control topic), so that a replay
 * folds with the same numbers. */
#ifndef LC_MODEL_PARAMS_H
#define LC_MODEL_PARAMS_H

#include <stdint.h>

#include "model/currency.h"
#include "model/insight.h"

/* The newest level of the fold that this build knows. A level is a version of what the fold does
 * and of what its records hold; a build knows all levels up to its own and behaves as `fold_level`
 * says, so that daemons of two versions can share a group, and one can go back (docs/HACKING.md,
 * docs/ OPERATIONS.md). LC_FOLD_NEXT makes a build of the version after this one, for drills: its
 * level counts the events of a customer. */
#ifdef LC_FOLD_NEXT
#define FOLD_LEVEL 2
#else
#define FOLD_LEVEL 1
#endif

/* Types of params.def in C. */
#define PARAM_C_FRACTION double
#define PARAM_C_NUMBER   double
#define PARAM_C_COUNT    int64_t
#define PARAM_C_DURATION int64_t
#define PARAM_C_MONEY    int64_t
#define PARAM_C_FLAG     int64_t

/* Which clock moves the watermark W: recorded ticks (service) or the newest event time (history,
 * demos, tests). */
enum fold_clock { FOLD_CLOCK_WALL, FOLD_CLOCK_EVENT };

struct params {
#define PARAM(section, name, type, fallback, min, max, unit, help) PARAM_C_##type name;
#include "model/params.def"
#undef PARAM
    enum fold_clock clock;
    enum currency reporting;                    /* reporting currency; its own rate is always 1 */
    struct currency_rate rates[CURRENCY_COUNT]; /* by enum currency; mantissa 0 = unknown */
    struct insight insight;                     /* newest published; version 0: none */
};

/* Defaults of params.def, clock wall, reporting EUR, no other rate. */
void params_default(struct params *ret_params);
/* Puts a newer insight over the configured numbers: keeps it, and lets what was fitted stand in
 * place of model.mbg_*, gg_*, sbg_* (calibrated, then) and of stage.population_gap, unless
 * insight.use_fitted is off, and what was learned in place of the weights of `warnings`, unless
 * insight.use_learned is. */
void params_learn(struct params *params, const struct insight *insight);
/* The learned layer of P(buy) is in force. */
static inline bool params_learned(const struct params *params)
{
    return params->use_learned && params->insight.learned;
}
/* The weights of the warnings in the order of enum warning. */
void params_warning_weights(const struct params *params, double ret_weight[WARNING_COUNT]);
/* NULL when all hold; else one sentence naming the parameters that contradict each other (constant
 * string). Ranges are checked by whoever read the text. */
const char *params_contradiction(const struct params *params);

#endif
