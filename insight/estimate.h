/* estimate: parameters of a model from histories: the climbs of model/fit.h from several starts,
 * and the comparison with NBD. */
#ifndef LC_INSIGHT_ESTIMATE_H
#define LC_INSIGHT_ESTIMATE_H

#include "base/status.h"
#include "model/fit.h"

/* FATAL without memory; whether the result may be used is its verdict. */
enum status estimate_fit(const struct fit_problem *problem,
                         struct fit_result *ret_result) LC_CHECKED;

/* Sorts the cells and merges those that say the same, counts added; the number left. */
size_t estimate_merge(struct fit_cell *cells, size_t count);

#endif
