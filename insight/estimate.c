/* estimate: one start is enough for most histories; the others are tried when the first ends in
 * anything but a maximum. */
#include "insight/estimate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "insight/optimum.h"

struct climbing {
    const struct fit_problem *problem;
    double each; /* 1/customers: the climb is told means */
};

static double climbing_value(void *self, const double u[], double ret_gradient[])
{
    const struct climbing *climbing = self;
    double loglik = fit_loglik(climbing->problem, u, ret_gradient);
    for (int i = 0; i < fit_params(climbing->problem->model); i++)
        ret_gradient[i] *= climbing->each;
    return loglik * climbing->each;
}

static double customers_of(const struct fit_problem *problem)
{
    double sum = 0;
    for (size_t i = 0; i < problem->count; i++)
        sum += problem->cells[i].count;
    return sum;
}

static enum status best_of_starts(const struct fit_problem *problem, double loglik_nbd,
                                  struct fit_result *ret_result)
{
    struct climbing climbing = {problem, 1 / fmax(1, customers_of(problem))};
    struct fit_result best = {.loglik = -INFINITY}, result;
    for (int start = 0; start < FIT_STARTS; start++) {
        double u[FIT_PARAMS_MAX];
        fit_start(problem, start, u);
        if (optimum_climb(climbing_value, &climbing, fit_params(problem->model), u) != STATUS_OK)
            return STATUS_FATAL;
        fit_judge(problem, u, loglik_nbd, &result);
        if (start == 0 || result.loglik > best.loglik)
            best = result;
        if (best.verdict == FIT_OK || best.verdict == FIT_FEW)
            break;
    }
    *ret_result = best;
    return STATUS_OK;
}

enum status estimate_fit(const struct fit_problem *problem, struct fit_result *ret_result)
{
    struct fit_result nbd = {0};
    if (problem->model == FIT_MBG || problem->model == FIT_BG || problem->model == FIT_PARETO) {
        struct fit_problem without = *problem;
        without.model = FIT_NBD;
        without.prior = NULL;
        if (best_of_starts(&without, 0, &nbd) != STATUS_OK)
            return STATUS_FATAL;
    }
    return best_of_starts(problem, nbd.loglik, ret_result);
}

static int compare(double left, double right)
{
    return left < right ? -1 : left > right;
}

static int by_history(const void *left, const void *right)
{
    const struct fit_cell *l = left, *r = right;
    int order = compare(l->h.x, r->h.x);
    if (order == 0)
        order = compare(l->h.t_x, r->h.t_x);
    if (order == 0)
        order = compare(l->h.T, r->h.T);
    if (order == 0)
        order = compare(l->mean, r->mean);
    return order ? order : l->gone - r->gone;
}

size_t estimate_merge(struct fit_cell *cells, size_t count)
{
    size_t kept = 0;
    if (count > 0)
        qsort(cells, count, sizeof *cells, by_history);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && by_history(&cells[kept - 1], &cells[i]) == 0)
            cells[kept - 1].count += cells[i].count;
        else
            cells[kept++] = cells[i];
    }
    return kept;
}
