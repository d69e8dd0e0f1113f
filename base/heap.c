#include "base/heap.h"

#include <stddef.h>

#include "base/must.h"

static bool before(const struct heap_item *left, const struct heap_item *right)
{
    if (left->at_ms != right->at_ms)
        return left->at_ms < right->at_ms;
    return left->key < right->key;
}

void heap_init(struct heap *heap, struct heap_item *items, uint32_t cap)
{
    *heap = (struct heap){.items = items, .count = 0, .cap = cap};
}

bool heap_push(struct heap *heap, struct heap_item item)
{
    uint32_t hole = heap->count;

    if (heap->count >= heap->cap)
        return false;
    heap->count++;
    /* Parents move down into the hole until the item may stand there. */
    while (hole > 0) {
        uint32_t parent = (hole - 1) / 2;

        if (!before(&item, &heap->items[parent]))
            break;
        heap->items[hole] = heap->items[parent];
        hole = parent;
    }
    heap->items[hole] = item;
    return true;
}

const struct heap_item *heap_top(const struct heap *heap)
{
    return heap->count > 0 ? &heap->items[0] : NULL;
}

struct heap_item heap_pop(struct heap *heap)
{
    struct heap_item top, last;
    uint32_t hole = 0;

    MUST(heap->count > 0);
    top = heap->items[0];
    last = heap->items[--heap->count];
    for (;;) {
        uint64_t child = 2 * (uint64_t)hole + 1;

        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && before(&heap->items[child + 1], &heap->items[child]))
            child++;
        if (!before(&heap->items[child], &last))
            break;
        heap->items[hole] = heap->items[child];
        hole = (uint32_t)child;
    }
    if (heap->count > 0)
        heap->items[hole] = last;
    return top;
}
