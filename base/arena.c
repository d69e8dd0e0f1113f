/* Under AddressSanitizer every byte of a chunk that is not part of a live allocation is poisoned,
 * and a guard separates neighbours, so that an overrun or a span kept past its batch is caught as
 * if it came from malloc. */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define ARENA_GUARD_BYTES 16
static void poison(const void *at, size_t len)
{
    __asan_poison_memory_region(at, len);
}
static void unpoison(const void *at, size_t len)
{
    __asan_unpoison_memory_region(at, len);
}
#else
#define ARENA_GUARD_BYTES 0
static void poison(const void *at, size_t len)
{
    (void)at;
    (void)len;
}
static void unpoison(const void *at, size_t len)
{
    (void)at;
    (void)len;
}
#endif

#define ARENA_ALIGN 16
#define ARENA_CHUNK_BYTES                                                                          \
    ((size_t)64 * 1024) /* the first chunk; later ones double what is held                         \
                         */

struct arena_chunk {
    struct arena_chunk *next;
    size_t cap, used; /* of bytes[] */
    size_t pad;       /* keeps bytes[] aligned */
    char bytes[];
};
_Static_assert(sizeof(struct arena_chunk) % ARENA_ALIGN == 0, "the first allocation is aligned");

static size_t round_up(size_t bytes)
{
    return (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

void arena_init(struct arena *arena, size_t bytes_max)
{
    *arena = (struct arena){.bytes_max = bytes_max};
}

/* A chunk kept from before the last reset that has room, moved to the front. The chunks double, so
 * the walk is short and happens once a chunk, not once an allocation. */
static struct arena_chunk *chunk_reuse(struct arena *arena, size_t need)
{
    for (struct arena_chunk **link = &arena->chunks; *link; link = &(*link)->next) {
        struct arena_chunk *chunk = *link;

        if (chunk->used == 0 && chunk->cap >= need) {
            *link = chunk->next;
            chunk->next = arena->chunks;
            arena->chunks = chunk;
            return chunk;
        }
    }
    return NULL;
}

static struct arena_chunk *chunk_new(struct arena *arena, size_t need)
{
    size_t room = arena->bytes_max - arena->bytes_held;
    size_t bytes = arena->bytes_held > ARENA_CHUNK_BYTES ? arena->bytes_held : ARENA_CHUNK_BYTES;
    struct arena_chunk *chunk;

    if (room < sizeof(*chunk) || need > room - sizeof(*chunk))
        return NULL;
    if (bytes < need + sizeof(*chunk))
        bytes = need + sizeof(*chunk);
    if (bytes > room)
        bytes = room;
    chunk = malloc(bytes);
    if (!chunk)
        return NULL;
    *chunk = (struct arena_chunk){.next = arena->chunks, .cap = bytes - sizeof(*chunk)};
    poison(chunk->bytes, chunk->cap);
    arena->chunks = chunk;
    arena->bytes_held += bytes;
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    struct arena_chunk *chunk = arena->chunks;
    size_t padded, need;
    void *at;

    if (bytes > arena->bytes_max) /* also keeps the sums below from wrapping */
        return NULL;
    MUST(arena->bytes_max <= SIZE_MAX / 4);
    padded = round_up(bytes > 0 ? bytes : 1);
    need = padded + ARENA_GUARD_BYTES;
    if (!chunk || need > chunk->cap - chunk->used) {
        chunk = chunk_reuse(arena, need);
        if (!chunk)
            chunk = chunk_new(arena, need);
        if (!chunk)
            return NULL;
    }
    at = chunk->bytes + chunk->used;
    chunk->used += need;
    arena->bytes_used += padded;
    unpoison(at, bytes);
    return at;
}

void *arena_zalloc(struct arena *arena, size_t bytes)
{
    void *at = arena_alloc(arena, bytes);

    if (at)
        memset(at, 0, bytes);
    return at;
}

void *arena_copy(struct arena *arena, const void *bytes, size_t len)
{
    void *at = arena_alloc(arena, len);

    if (at && len > 0)
        memcpy(at, bytes, len);
    return at;
}

static void chunks_free(struct arena *arena)
{
    while (arena->chunks) {
        struct arena_chunk *chunk = arena->chunks;

        arena->chunks = chunk->next;
        unpoison(chunk->bytes, chunk->cap);
        free(chunk);
    }
    arena->bytes_held = 0;
}

/* Chunks double, so what is held of a steady load is less than four times what it uses: only a
 * burst that is long over lets an arena hold ARENA_HELD_SHARE times as much. */
static void season_end(struct arena *arena)
{
    size_t enough = arena->season_peak > ARENA_CHUNK_BYTES ? arena->season_peak : ARENA_CHUNK_BYTES;

    if (arena->bytes_held / ARENA_HELD_SHARE >= enough)
        chunks_free(arena);
    arena->season_peak = 0;
    arena->season_resets = 0;
}

void arena_reset(struct arena *arena)
{
    for (struct arena_chunk *chunk = arena->chunks; chunk; chunk = chunk->next) {
        poison(chunk->bytes, chunk->used);
        chunk->used = 0;
    }
    if (arena->bytes_used > arena->season_peak)
        arena->season_peak = arena->bytes_used;
    arena->bytes_used = 0;
    if (++arena->season_resets == ARENA_SEASON_RESETS)
        season_end(arena);
}

void arena_fini(struct arena *arena)
{
    chunks_free(arena);
    *arena = (struct arena){0};
}
