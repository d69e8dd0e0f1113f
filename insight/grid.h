/* grid: histories of many customers in few cells: how many there are in each, and the sums of three
 * figures, from which the cell's centroid follows. Exact integers: the order of adding does not
 * matter. */
#ifndef LC_INSIGHT_GRID_H
#define LC_INSIGHT_GRID_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define GRID_SUMS 3
#define GRID_CELLS_MAX                                                                             \
    (UINT32_C(1) << 19) /* 40 MiB; a million customers fall into about 58,000                      \
                         */

struct grid_cell {
    uint64_t key; /* 0: free */
    int64_t count;
    int64_t sum[GRID_SUMS];
};

struct grid {
    struct grid_cell *slots; /* open addressing, at most half full */
    size_t slot_count, count;
    int64_t left_out; /* customers for whose cell there was no room */
};

void grid_fini(struct grid *grid); /* accepts zeroed, which is an empty grid */
/* One customer into the cell `key` ≠ 0. FULL: left out, and counted. */
enum status grid_add(struct grid *grid, uint64_t key, const int64_t figures[GRID_SUMS]) LC_CHECKED;
/* The cells in ascending order of their keys, so that sums over them have the same bits whatever
 * the order of adding was. `ret_cells` has room for grid->count. */
void grid_sorted(const struct grid *grid, struct grid_cell *ret_cells);

#endif
