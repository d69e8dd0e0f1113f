/* optimum: liblbfgs minimises, so signs turn here. */
#include "insight/optimum.h"

#include <lbfgs.h>
#include <stdbool.h>
#include <string.h>

#include "base/must.h"

#define STEPS_MAX 500

struct climb {
    optimum_fn *value;
    void *self;
    double best, best_u[OPTIMUM_VARIABLES_MAX];
    bool begun;
};

static lbfgsfloatval_t on_evaluate(void *self, const lbfgsfloatval_t *u, lbfgsfloatval_t *gradient,
                                   const int variables, const lbfgsfloatval_t step)
{
    struct climb *climb = self;
    const double value = climb->value(climb->self, u, gradient);
    (void)step;
    for (int i = 0; i < variables; i++)
        gradient[i] = -gradient[i];
    if (!climb->begun || value > climb->best) {
        climb->begun = true;
        climb->best = value;
        memcpy(climb->best_u, u, sizeof *u * (size_t)variables);
    }
    return -value;
}

enum status optimum_climb(optimum_fn *value, void *self, int variables, double u[])
{
    _Static_assert(sizeof(lbfgsfloatval_t) == sizeof(double), "liblbfgs of doubles");
    struct climb climb = {.value = value, .self = self};
    lbfgs_parameter_t how;
    MUST(variables > 0);
    MUST(variables <= OPTIMUM_VARIABLES_MAX);
    lbfgsfloatval_t *at = lbfgs_malloc(variables);
    if (!at)
        return STATUS_FATAL;
    lbfgs_parameter_init(&how);
    how.m = OPTIMUM_VARIABLES_MAX;
    how.epsilon = 1e-10; /* of the gradient, as the variables are of order 1 */
    how.max_iterations = STEPS_MAX;
    how.max_linesearch = 60;
    memcpy(at, u, sizeof *u * (size_t)variables);
    /* Its result only tells whether rounding or the tolerance came first: the caller sees the
     * gradient. */
    int ended = lbfgs(variables, at, NULL, on_evaluate, NULL, &climb, &how);
    lbfgs_free(at);
    if (ended == LBFGSERR_OUTOFMEMORY)
        return STATUS_FATAL;
    MUST(climb.begun);
    memcpy(u, climb.best_u, sizeof *u * (size_t)variables);
    return STATUS_OK;
}
