/* fit: sums over cells, the wall at the bounds, the Hessian by differences of the gradient, and the
 * verdict.
 *
 * In ln θ every parameter is free, errors are relative, and the surface is close to a parabola. */
#include "model/fit.h"

#include <math.h>

#include "base/must.h"
#include "model/fit_density.h"

/* Bounds of the settings (model/params.def), so that what is fitted can be configured. */
#define SHAPE_MIN      1e-3
#define SHAPE_MAX      1e3
#define TIME_DAYS_MIN  1e-3
#define TIME_DAYS_MAX  1e6
#define MONEY_MIN      1e-6
#define MONEY_MAX      1e12
#define MEAN_SHAPE_MIN 1.001 /* of q: at 1 the mean spend is infinite */

#define WALL           100.0 /* a customer, times the square of the way outside */
#define WALL_REACH     2.0   /* further out only the wall grows */
#define NEAR_BOUND     0.01
#define HESSIAN_STEP   1e-4
#define GRADIENT_LEAST 1e-4 /* a customer: what rounding leaves at a maximum is far below */

struct fit_row {
    const char *name, *title;
    int params;
    const char *param[FIT_PARAMS_MAX];
};

static const struct fit_row rows[FIT_MODELS] = {
#define FIT_MODEL(id, name, title, params, p0, p1, p2, p3)                                         \
    [FIT_##id] = {name, title, params, {p0, p1, p2, p3}},
    FIT_MODELS_TABLE(FIT_MODEL)
#undef FIT_MODEL
};

static fit_density_fn *const densities[FIT_MODELS] = {
    [FIT_MBG] = fit_mbg, [FIT_BG] = fit_bg, [FIT_PARETO] = fit_pareto,
    [FIT_NBD] = fit_nbd, [FIT_GG] = fit_gg, [FIT_SBG] = fit_sbg,
};

static const char *const verdicts[][3] = {
#define FIT_VERDICT(id, name, reason, help) [FIT_##id] = {name, reason, help},
    FIT_VERDICTS_TABLE(FIT_VERDICT)
#undef FIT_VERDICT
};

const char *fit_name(enum fit_model model)
{
    return rows[model].name;
}

const char *fit_title(enum fit_model model)
{
    return rows[model].title;
}

int fit_params(enum fit_model model)
{
    return rows[model].params;
}

const char *fit_param(enum fit_model model, int i)
{
    return rows[model].param[i];
}

bool fit_is_time(enum fit_model model, int i)
{
    const bool buying = model != FIT_GG && model != FIT_SBG;
    return buying && (i == 1 || (model == FIT_PARETO && i == 3));
}

const char *fit_verdict_name(enum fit_verdict verdict)
{
    return verdicts[verdict][0];
}

const char *fit_verdict_reason(enum fit_verdict verdict)
{
    return verdicts[verdict][1];
}

const char *fit_verdict_help(enum fit_verdict verdict)
{
    return verdicts[verdict][2];
}

/* --- ln L --- */

struct range {
    double low, high; /* in ln θ */
};

static struct range range_of(const struct fit_problem *problem, int i)
{
    const enum fit_model model = problem->model;
    if (fit_is_time(model, i)) {
        return (struct range){log(TIME_DAYS_MIN / problem->unit_days),
                              log(TIME_DAYS_MAX / problem->unit_days)};
    }
    if (model == FIT_GG && i == 2) {
        return (struct range){log(MONEY_MIN), log(MONEY_MAX)};
    }
    return (struct range){log(model == FIT_GG && i == 1 ? MEAN_SHAPE_MIN : SHAPE_MIN),
                          log(SHAPE_MAX)};
}

/* What the prior adds to the summed ln L. */
static double opinion_of(const struct fit_problem *problem, const double u[])
{
    double sum = 0;
    for (int i = 0; problem->prior != NULL && i < fit_params(problem->model); i++) {
        const double off = u[i] - problem->prior->u[i];
        sum -= problem->prior->weight / 2 * off * off;
    }
    return sum;
}

double fit_loglik(const struct fit_problem *problem, const double u[], double ret_gradient[])
{
    const int params = fit_params(problem->model);
    fit_density_fn *const density = densities[problem->model];
    double theta[FIT_PARAMS_MAX], outside[FIT_PARAMS_MAX], gradient[FIT_PARAMS_MAX];
    double loglik = 0, customers = 0, sum[FIT_PARAMS_MAX] = {0};
    for (int i = 0; i < params; i++) {
        const struct range range = range_of(problem, i);
        outside[i] = u[i] - fmax(range.low, fmin(range.high, u[i]));
        theta[i] = exp(fmax(range.low - WALL_REACH, fmin(range.high + WALL_REACH, u[i])));
    }
    for (size_t k = 0; k < problem->count; k++) {
        const struct fit_cell *cell = &problem->cells[k];
        loglik += cell->count * density(theta, cell, gradient);
        customers += cell->count;
        for (int i = 0; i < params; i++) {
            sum[i] += cell->count * gradient[i];
        }
    }
    for (int i = 0; i < params; i++) {
        const bool reached = fabs(outside[i]) < WALL_REACH;
        loglik -= customers * WALL * outside[i] * outside[i];
        ret_gradient[i] = (reached ? sum[i] * theta[i] : 0) - 2 * customers * WALL * outside[i];
        if (problem->prior != NULL) {
            ret_gradient[i] -= problem->prior->weight * (u[i] - problem->prior->u[i]);
        }
    }
    return loglik + opinion_of(problem, u);
}

/* --- starts --- */

struct moments {
    double customers, repeaters, lost, x, T, mean;
};

static struct moments moments_of(const struct fit_problem *problem)
{
    struct moments m = {0};
    for (size_t k = 0; k < problem->count; k++) {
        const struct fit_cell *cell = &problem->cells[k];
        m.customers += cell->count;
        m.repeaters += cell->h.x > 0 ? cell->count : 0;
        m.lost += cell->gone ? cell->count : 0;
        m.x += cell->count * cell->h.x;
        m.T += cell->count * cell->h.T;
        m.mean += cell->count * cell->mean;
    }
    const double each = 1 / fmax(1, m.customers);
    m.x *= each;
    m.T *= each;
    m.mean *= each;
    return m;
}

void fit_start(const struct fit_problem *problem, int attempt, double ret_u[FIT_PARAMS_MAX])
{
    /* Shapes of a mixed population, then an even and a very mixed one. */
    static const double spreads[FIT_STARTS] = {1, 3, 0.3};
    MUST(attempt >= 0);
    MUST(attempt < FIT_STARTS);
    const struct moments m = moments_of(problem);
    const double spread = spreads[attempt], r = 0.6 * spread;
    const double alpha = fmax(0.01 / problem->unit_days, 0.7 * r * m.T / fmax(0.01, m.x));
    const double starts[FIT_MODELS][FIT_PARAMS_MAX] = {
        [FIT_MBG] = {r, alpha, 0.8 * spread, 2 * spread},
        [FIT_BG] = {r, alpha, 0.8 * spread, 2.5 * spread},
        [FIT_PARETO] = {r, alpha, 0.6 * spread, fmax(0.01, 0.4 * m.T * spread)},
        [FIT_NBD] = {r, alpha / 0.7, 1, 1},
        [FIT_GG] = {4 * spread, 3 + spread, fmax(1e-3, m.mean * (2 + spread) / (4 * spread)), 1},
        [FIT_SBG] = {spread, 2 * spread, 1, 1},
    };
    for (int i = 0; i < FIT_PARAMS_MAX; i++) {
        ret_u[i] = log(starts[problem->model][i]);
    }
}

/* --- verdict --- */

/* −H in u by central differences of the gradient, made symmetric. */
static void curvature_of(const struct fit_problem *problem, const double u[],
                         double ret_curvature[FIT_PARAMS_MAX][FIT_PARAMS_MAX])
{
    const int params = fit_params(problem->model);
    double raw[FIT_PARAMS_MAX][FIT_PARAMS_MAX];
    for (int i = 0; i < params; i++) {
        double at[FIT_PARAMS_MAX], above[FIT_PARAMS_MAX], below[FIT_PARAMS_MAX];
        for (int j = 0; j < params; j++) {
            at[j] = u[j];
        }
        at[i] = u[i] + HESSIAN_STEP;
        (void)fit_loglik(problem, at, above);
        at[i] = u[i] - HESSIAN_STEP;
        (void)fit_loglik(problem, at, below);
        for (int j = 0; j < params; j++) {
            raw[i][j] = (below[j] - above[j]) / (2 * HESSIAN_STEP);
        }
    }
    for (int i = 0; i < params; i++) {
        for (int j = 0; j < params; j++) {
            ret_curvature[i][j] = (raw[i][j] + raw[j][i]) / 2;
        }
    }
}

/* Diagonal of the inverse by Cholesky; false when the matrix is not positive definite. */
static bool inverse_diagonal(int n, double m[FIT_PARAMS_MAX][FIT_PARAMS_MAX],
                             double ret_diagonal[FIT_PARAMS_MAX])
{
    double l[FIT_PARAMS_MAX][FIT_PARAMS_MAX] = {{0}};
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            double rest = m[i][j];
            for (int k = 0; k < j; k++) {
                rest -= l[i][k] * l[j][k];
            }
            if (i == j && !(rest > 1e-9 * m[i][i])) { /* beyond what the differences resolve */
                return false;
            }
            l[i][j] = i == j ? sqrt(rest) : rest / l[j][j];
        }
    }
    for (int column = 0; column < n; column++) { /* L·y = e_column; Σ y² is the diagonal */
        double y[FIT_PARAMS_MAX] = {0}, sum = 0;
        for (int i = column; i < n; i++) {
            double rest = i == column ? 1 : 0;
            for (int k = column; k < i; k++) {
                rest -= l[i][k] * y[k];
            }
            y[i] = rest / l[i][i];
            sum += y[i] * y[i];
        }
        ret_diagonal[column] = sum;
    }
    return true;
}

static bool near_bound(const struct fit_problem *problem, const double u[])
{
    for (int i = 0; i < fit_params(problem->model); i++) {
        const struct range range = range_of(problem, i);
        if (u[i] < range.low + NEAR_BOUND || u[i] > range.high - NEAR_BOUND) {
            return true;
        }
    }
    return false;
}

void fit_judge(const struct fit_problem *problem, const double u[], double loglik_nbd,
               struct fit_result *ret_result)
{
    const enum fit_model model = problem->model;
    const int params = fit_params(model);
    const bool dropout = model == FIT_MBG || model == FIT_BG || model == FIT_PARETO;
    const struct moments m = moments_of(problem);
    double gradient[FIT_PARAMS_MAX], diagonal[FIT_PARAMS_MAX], steepest = 0;
    double curvature[FIT_PARAMS_MAX][FIT_PARAMS_MAX];
    struct fit_result result = {.model = model,
                                .loglik = fit_loglik(problem, u, gradient) - opinion_of(problem, u),
                                .loglik_nbd = dropout ? loglik_nbd : 0,
                                .customers = m.customers,
                                .repeaters = model == FIT_SBG ? m.lost : m.repeaters};
    curvature_of(problem, u, curvature);
    const bool definite = inverse_diagonal(params, curvature, diagonal);
    for (int i = 0; i < params; i++) {
        result.theta[i] = exp(u[i]);
        result.error[i] = definite ? result.theta[i] * sqrt(diagonal[i]) : 0;
        steepest = fmax(steepest, fabs(gradient[i]));
    }
    if (result.repeaters < FIT_REPEATERS_MIN) {
        result.verdict = FIT_FEW;
    } else if (dropout && 2 * (result.loglik - loglik_nbd) < FIT_DROPOUT_GAIN_MIN) {
        result.verdict = FIT_NO_DROPOUT;
    } else if (near_bound(problem, u)) {
        result.verdict = FIT_AT_BOUND;
    } else if (steepest > GRADIENT_LEAST * m.customers) {
        result.verdict = FIT_STUCK;
    } else if (!definite) {
        result.verdict = FIT_INDEFINITE;
    } else {
        result.verdict = FIT_OK;
    }
    *ret_result = result;
}
