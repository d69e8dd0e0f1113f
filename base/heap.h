/* heap: a binary min-heap of (at_ms, key): the timers of a batch. An item whose time changed is
 * pushed again; the caller knows the old one by its index and drops it when it comes up. */
#ifndef LC_BASE_HEAP_H
#define LC_BASE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct heap_item {
    int64_t at_ms;  /* first order */
    uint64_t key;   /* second order: makes the order total (customer rank) */
    uint32_t index; /* the caller's */
};

struct heap {
    struct heap_item *items; /* caller's memory, cap items */
    uint32_t count, cap;
};

void heap_init(struct heap *heap, struct heap_item *items, uint32_t cap);
bool heap_push(struct heap *heap, struct heap_item item);  /* false when full */
const struct heap_item *heap_top(const struct heap *heap); /* NULL when empty */
struct heap_item heap_pop(struct heap *heap);              /* must not be empty */

#endif
