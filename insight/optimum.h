/* optimum: the top of a smooth function of few variables, by limited-memory BFGS (liblbfgs; Nocedal
 * 1980). */
#ifndef LC_INSIGHT_OPTIMUM_H
#define LC_INSIGHT_OPTIMUM_H

#include "base/status.h"

#define OPTIMUM_VARIABLES_MAX 8

/* The value at u, to be maximised, and its gradient; both of order 1 and finite everywhere. */
typedef double optimum_fn(void *self, const double u[], double ret_gradient[]);

/* Climbs from u, which becomes the best point reached. OK also when rounding ends the climb (judge
 * by the gradient); FATAL without memory. */
enum status optimum_climb(optimum_fn *value, void *self, int variables, double u[]) LC_CHECKED;

#endif
