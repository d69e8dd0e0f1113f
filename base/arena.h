/* arena: memory of one batch. Allocations are bumps; reset gives all of it back at once.
 * Grows by chunks up to `bytes_max`, keeps its chunks over a reset, so the steady state calls no
 * malloc; what one burst needed and a whole season of resets did not goes back to malloc. */
#ifndef LC_BASE_ARENA_H
#define LC_BASE_ARENA_H

#include <stddef.h>

/* After so many resets an arena that holds ARENA_HELD_SHARE times the most that any of them had in
 * use gives all of it back and grows anew. */
#define ARENA_SEASON_RESETS 1024
#define ARENA_HELD_SHARE    8

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t bytes_used;          /* since the last reset, with padding */
    size_t bytes_held;          /* from malloc, all chunks */
    size_t bytes_max;           /* bound of bytes_held */
    size_t season_peak;         /* most in use at a reset of this season */
    unsigned season_resets;
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
