/* cells: what the models are fitted on, out of a file: histories, spend, or a cohort's survivors.
 */
#ifndef LC_CTL_CELLS_H
#define LC_CTL_CELLS_H

#include "ctl/transactions.h"
#include "model/fit.h"

struct cells {
    struct fit_cell *cells;
    size_t count;
};

void cells_close(struct cells *cells);
/* Histories of the buyers in units of unit_days, equal ones merged. FATAL without memory. */
enum status cells_of_histories(const struct buyer *buyers, size_t count, double unit_days,
                               struct cells *ret_cells) LC_CHECKED;
/* Mean spend of those with paid repeat days. */
enum status cells_of_spend(const struct buyer *buyers, size_t count,
                           struct cells *ret_cells) LC_CHECKED;
/* A CSV with one row a period: how many of one cohort are still there, the first row being all of
 * them. The last column, or that named survivors. REJECT with file:line. */
enum status cells_of_survivors(const char *path, struct cells *ret_cells,
                               struct report *report) LC_CHECKED;

#endif
