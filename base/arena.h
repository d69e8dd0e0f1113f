/* arena: memory of one batch. Allocations are bumps; reset gives all of it back at once.
 * Grows by chunks up to `bytes_max`, keeps its chunks over a reset, so the steady state calls no
 * malloc. */
#ifndef LC_BASE_ARENA_H
#define LC_BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t bytes_used;          /* since the last reset, with padding */
    size_t bytes_held;          /* from malloc, all chunks */
    size_t bytes_max;           /* bound of bytes_held */
};

void arena_init(struct arena *arena, size_t bytes_max);
/* Aligned to 16, not cleared. NULL when bytes_max would be passed or malloc refuses. */
void *arena_alloc(struct arena *arena, size_t bytes) __attribute__((malloc, warn_unused_result));
/* As arena_alloc, cleared. */
void *arena_zalloc(struct arena *arena, size_t bytes) __attribute__((malloc, warn_unused_result));
/* A copy of bytes; NULL as above. */
void *arena_copy(struct arena *arena, const void *bytes, size_t len)
    __attribute__((warn_unused_result));
/* Every earlier allocation is void after this. */
void arena_reset(struct arena *arena);
void arena_fini(struct arena *arena); /* accepts zeroed */

#endif
