/* fit_density: ln L of one history with its derivatives in the parameters themselves (not their
 * logarithms), one function a model; see fit.h. */
#ifndef LC_MODEL_FIT_DENSITY_H
#define LC_MODEL_FIT_DENSITY_H

#include "model/fit.h"

typedef double fit_density_fn(const double theta[], const struct fit_cell *cell,
                              double ret_gradient[]);

double fit_mbg(const double theta[], const struct fit_cell *cell, double ret_gradient[]);
double fit_bg(const double theta[], const struct fit_cell *cell, double ret_gradient[]);
double fit_pareto(const double theta[], const struct fit_cell *cell, double ret_gradient[]);
double fit_nbd(const double theta[], const struct fit_cell *cell, double ret_gradient[]);
double fit_gg(const double theta[], const struct fit_cell *cell, double ret_gradient[]);
double fit_sbg(const double theta[], const struct fit_cell *cell, double ret_gradient[]);

#endif
