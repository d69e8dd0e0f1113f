#include "pipeline/timers.h"

#include <string.h>

#define TIMERS_FIRST_CAP 64u

void timers_init(struct timers *timers, struct arena *arena, int64_t horizon_ms)
{
    *timers = (struct timers){.arena = arena, .horizon_ms = horizon_ms};
    heap_init(&timers->heap, NULL, 0);
}

/* Twice the room; the old items stay in the arena until its reset, which at most doubles the use.
 */
static enum status timers_grow(struct timers *timers)
{
    struct heap *heap = &timers->heap;
    uint32_t cap = heap->cap == 0 ? TIMERS_FIRST_CAP : heap->cap * 2;
    struct heap_item *items = arena_alloc(timers->arena, cap * sizeof(*items));
    if (items == NULL)
        return STATUS_FULL;
    if (heap->count > 0)
        memcpy(items, heap->items, heap->count * sizeof(*items));
    heap->items = items; /* the order of a heap is that of its array: a copy stays a heap */
    heap->cap = cap;
    return STATUS_OK;
}

enum status timers_push(struct timers *timers, struct heap_item item)
{
    if (item.at_ms > timers->horizon_ms)
        return STATUS_OK;
    if (timers->heap.count == timers->heap.cap) {
        enum status status = timers_grow(timers);
        if (status != STATUS_OK)
            return status;
    }
    return heap_push(&timers->heap, item) ? STATUS_OK : STATUS_FULL;
}

bool timers_pop(struct timers *timers, int64_t until_ms, struct heap_item *ret_item)
{
    const struct heap_item *top = heap_top(&timers->heap);
    if (top == NULL || top->at_ms > until_ms)
        return false;
    *ret_item = heap_pop(&timers->heap);
    return true;
}
