/* grid: see the header. */
#include "insight/grid.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/must.h"

#define SLOTS_MIN ((size_t)4096)

void grid_fini(struct grid *grid)
{
    free(grid->slots);
    *grid = (struct grid){0};
}

static struct grid_cell *slot_of(struct grid_cell *slots, size_t slot_count, uint64_t key)
{
    uint64_t mixed = key * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(mixed >> 32 ^ mixed) & (slot_count - 1);

    while (slots[at].key != 0 && slots[at].key != key)
        at = (at + 1) & (slot_count - 1);
    return &slots[at];
}

static bool grow(struct grid *grid)
{
    size_t slot_count = grid->slot_count > 0 ? 2 * grid->slot_count : SLOTS_MIN;
    struct grid_cell *slots = calloc(slot_count, sizeof *slots);

    if (!slots)
        return false;
    for (size_t i = 0; i < grid->slot_count; i++)
        if (grid->slots[i].key != 0)
            *slot_of(slots, slot_count, grid->slots[i].key) = grid->slots[i];
    free(grid->slots);
    grid->slots = slots;
    grid->slot_count = slot_count;
    return true;
}

enum status grid_add(struct grid *grid, uint64_t key, const int64_t figures[GRID_SUMS])
{
    struct grid_cell *cell;

    MUST(key != 0);
    if (2 * (grid->count + 1) > grid->slot_count && grid->count < GRID_CELLS_MAX && !grow(grid) &&
        grid->count + 1 >= grid->slot_count) {
        grid->left_out++;
        return STATUS_FULL;
    }
    cell = slot_of(grid->slots, grid->slot_count, key);
    if (cell->key == 0) {
        if (grid->count >= GRID_CELLS_MAX || grid->count + 1 >= grid->slot_count) {
            grid->left_out++;
            return STATUS_FULL;
        }
        cell->key = key;
        grid->count++;
    }
    cell->count++;
    for (int i = 0; i < GRID_SUMS; i++)
        cell->sum[i] += figures[i];
    return STATUS_OK;
}

static int by_key(const void *left, const void *right)
{
    uint64_t l = ((const struct grid_cell *)left)->key, r = ((const struct grid_cell *)right)->key;

    return l < r ? -1 : l > r;
}

void grid_sorted(const struct grid *grid, struct grid_cell *ret_cells)
{
    size_t count = 0;

    for (size_t i = 0; i < grid->slot_count; i++)
        if (grid->slots[i].key != 0)
            ret_cells[count++] = grid->slots[i];
    MUST(count == grid->count);
    if (count > 0)
        qsort(ret_cells, count, sizeof *ret_cells, by_key);
}
