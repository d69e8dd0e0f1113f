/* Orders of customers by bucket: the commands of a step are made bucket by bucket. A sort by digits
 * of a byte, of which only those are looked at that differ; a step sorts thousands, and a sort by
 * comparisons was a twentieth of a worker's time. */
#include <string.h>

#include "base/must.h"
#include "state/store_inner.h"

#define FEW 32 /* are inserted one by one */

/* Twice the room: the sort moves between the halves. */
uint64_t *store_order(size_t count, struct arena *arena)
{
    MUST(count <= UINT32_MAX);
    return arena_alloc(arena, (count + 1) * 2 * sizeof(uint64_t));
}

static void insert_each(uint64_t *order, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint64_t value = order[i];
        size_t at = i;

        for (; at > 0 && order[at - 1] > value; at--)
            order[at] = order[at - 1];
        order[at] = value;
    }
}

static void sort_by_digit(const uint64_t *from, uint64_t *to, size_t count, unsigned shift)
{
    size_t place[256] = {0}, next = 0;

    for (size_t i = 0; i < count; i++)
        place[from[i] >> shift & 0xff]++;
    for (size_t digit = 0; digit < 256; digit++) {
        size_t here = place[digit];

        place[digit] = next;
        next += here;
    }
    for (size_t i = 0; i < count; i++)
        to[place[from[i] >> shift & 0xff]++] = from[i];
}

void store_order_sort(uint64_t *order, size_t count)
{
    uint64_t *from = order, *to = order + count + 1, differ = 0;

    if (count <= FEW) {
        insert_each(order, count);
        return;
    }
    for (size_t i = 1; i < count; i++)
        differ |= order[i] ^ order[0];
    for (unsigned shift = 0; shift < 64; shift += 8) {
        uint64_t *sorted = to;

        if ((differ >> shift & 0xff) == 0)
            continue;
        sort_by_digit(from, to, count, shift);
        to = from;
        from = sorted;
    }
    if (from != order)
        memcpy(order, from, count * sizeof *order);
}
