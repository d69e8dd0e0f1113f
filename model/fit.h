/* fit: maximum likelihood of the models, over histories with counts, in the logarithms of their
 * parameters: ln L with its analytic gradient, standard errors from the Hessian, and the verdict
 * whether such parameters may be used. Pure; whoever links an optimiser climbs (insight/optimum.h).
 */
#ifndef LC_MODEL_FIT_H
#define LC_MODEL_FIT_H

#include <stdbool.h>
#include <stddef.h>

#include "model/customer.h"

#define FIT_PARAMS_MAX 4

/* FIT_MODEL(id, name in options, name in print, number of parameters, their names) */
#define FIT_MODELS_TABLE(FIT_MODEL)                                                                \
    FIT_MODEL(MBG, "mbg", "MBG/NBD", 4, "r", "alpha", "a", "b")                                    \
    FIT_MODEL(BG, "bg", "BG/NBD", 4, "r", "alpha", "a", "b")                                       \
    FIT_MODEL(PARETO, "pareto", "Pareto/NBD", 4, "r", "alpha", "s", "beta")                        \
    FIT_MODEL(NBD, "nbd", "NBD", 2, "r", "alpha", "", "")                                          \
    FIT_MODEL(GG, "gg", "Gamma-Gamma", 3, "p", "q", "gamma", "")                                   \
    FIT_MODEL(SBG, "sbg", "sBG", 2, "alpha", "beta", "", "")

enum fit_model {
#define FIT_MODEL(id, name, title, params, p0, p1, p2, p3) FIT_##id,
    FIT_MODELS_TABLE(FIT_MODEL)
#undef FIT_MODEL
        FIT_MODELS
};

const char *fit_name(enum fit_model model);  /* "mbg" */
const char *fit_title(enum fit_model model); /* "MBG/NBD" */
int fit_params(enum fit_model model);
const char *fit_param(enum fit_model model, int i); /* "alpha" */
bool fit_is_time(enum fit_model model, int i);      /* in units of time */

/* `count` customers with one history. Buying models read h. Gamma-Gamma reads h.x, the number of
 * amounts, and their mean. sBG reads h.x, the renewals made, and whether the next was not. */
struct fit_cell {
    double count;
    struct history h;
    double mean;
    bool gone;
};

/* A weak opinion held before looking: −weight/2·Σ (u − prior)² on the summed ln L, u in ln θ. */
struct fit_prior {
    double u[FIT_PARAMS_MAX];
    double weight; /* 1/σ² */
};

struct fit_problem {
    enum fit_model model;
    double unit_days; /* 1 or 7: what one unit of h is; bounds of time scales follow it */
    const struct fit_cell *cells;
    size_t count;
    const struct fit_prior *prior; /* NULL: none */
};

/* Where a climb starts, in ln θ: moments of the cells; attempt 0, 1, … start elsewhere. */
#define FIT_STARTS 3
void fit_start(const struct fit_problem *problem, int attempt, double ret_u[FIT_PARAMS_MAX]);

/* Σ count·ln L at θ = e^u, with the prior, and its derivatives in u. Outside the parameters' bounds
 * a smooth wall is subtracted, so that a climb cannot run away; finite for every finite u. */
double fit_loglik(const struct fit_problem *problem, const double u[], double ret_gradient[]);

#define FIT_REPEATERS_MIN                                                                          \
    100 /* repeat buyers (sBG: customers lost) below which nothing is fitted */
#define FIT_DROPOUT_GAIN_MIN 6 /* 2·(ln L − ln L of NBD) below which nobody seems to leave */

/* FIT_VERDICT(id, name, what is wrong, what would help) */
#define FIT_VERDICTS_TABLE(FIT_VERDICT)                                                            \
    FIT_VERDICT(OK, "ok", "usable", "")                                                            \
    FIT_VERDICT(FEW, "too-few", "too few repeat buyers: at least 100 are needed",                  \
                "a longer history, or more customers in it; until then keep the shipped defaults") \
    FIT_VERDICT(NO_DROPOUT, "dropout-not-identified",                                              \
                "dropout not identified: a model in which nobody ever leaves explains the "        \
                "histories as well",                                                               \
                "histories from each customer's real first purchase on, and a period several "     \
                "times the usual gap between purchases, so that leaving can be told from waiting") \
    FIT_VERDICT(AT_BOUND, "at-bound", "a parameter ran to the end of its range",                   \
                "more varied or longer histories; check that dates, unit and --until are right")   \
    FIT_VERDICT(INDEFINITE, "indefinite",                                                          \
                "the likelihood has no clear maximum: its Hessian is not negative definite",       \
                "more repeat buyers, or a longer period")                                          \
    FIT_VERDICT(STUCK, "no-convergence", "the climb ended before it reached a maximum",            \
                "look for impossible histories: one customer id shared by many, dates of one day")

enum fit_verdict {
#define FIT_VERDICT(id, name, reason, help) FIT_##id,
    FIT_VERDICTS_TABLE(FIT_VERDICT)
#undef FIT_VERDICT
};

const char *fit_verdict_name(enum fit_verdict verdict);
const char *fit_verdict_reason(enum fit_verdict verdict);
const char *fit_verdict_help(enum fit_verdict verdict);

struct fit_result {
    enum fit_model model;
    double theta[FIT_PARAMS_MAX];
    double error[FIT_PARAMS_MAX]; /* standard errors; 0 when the Hessian gives none */
    double loglik, loglik_nbd;    /* without the prior; the latter for buying models with dropout,
                                     else 0 */
    double customers, repeaters;
    enum fit_verdict verdict;
};

/* Judges the end of a climb. loglik_nbd: the maximum of NBD over the same cells (ignored where the
 * model has no dropout). */
void fit_judge(const struct fit_problem *problem, const double u[], double loglik_nbd,
               struct fit_result *ret_result);

#endif
