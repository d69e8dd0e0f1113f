/* sim_memory: see the header. The wrappers are called by every object of the executable, also by
 * the worker's. */
#include "tests/sim/sim_memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
void __real_free(void *block);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
void __wrap_free(void *block);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);

#define OWNERS_MAX (1 << 16) /* workers of one run */

struct slot {
    void *block; /* NULL: free */
    int owner;
};

/* Open addressing, linear probing, deletion by shifting back. */
static struct slot *slots;
static size_t slot_cap, slot_count;
static int current;
static size_t blocks_of[OWNERS_MAX]; /* by owner */

static size_t slot_of(const void *block)
{
    uint64_t key = (uint64_t)(uintptr_t)block >> 4;
    return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (slot_cap - 1);
}

static void slot_put(void *block, int owner)
{
    size_t at = slot_of(block);
    while (slots[at].block != NULL)
        at = (at + 1) & (slot_cap - 1);
    slots[at] = (struct slot){block, owner};
}

static void grow(void)
{
    struct slot *old = slots;
    size_t old_cap = slot_cap;
    slot_cap = old_cap == 0 ? 4096 : 2 * old_cap;
    slots = __real_calloc(slot_cap, sizeof *slots);
    MUST(slots != NULL);
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].block != NULL)
            slot_put(old[i].block, old[i].owner);
    __real_free(old);
}

static void remember(void *block)
{
    if (block == NULL || current == 0)
        return;
    if (2 * (slot_count + 1) > slot_cap)
        grow();
    slot_put(block, current);
    slot_count++;
    blocks_of[current]++;
}

/* Owner of the block, 0 when it was not remembered. */
static int forget(const void *block)
{
    if (slot_cap == 0)
        return 0;
    size_t at = slot_of(block);
    while (slots[at].block != block) {
        if (slots[at].block == NULL)
            return 0;
        at = (at + 1) & (slot_cap - 1);
    }
    int owner = slots[at].owner;
    for (size_t next = (at + 1) & (slot_cap - 1); slots[next].block != NULL;
         next = (next + 1) & (slot_cap - 1)) {
        size_t home = slot_of(slots[next].block);
        if (((next - home) & (slot_cap - 1)) >= ((next - at) & (slot_cap - 1))) {
            slots[at] = slots[next];
            at = next;
        }
    }
    slots[at].block = NULL;
    slot_count--;
    blocks_of[owner]--;
    return owner;
}

int sim_memory_owner(int owner)
{
    int until_now = current;
    MUST(owner >= 0 && owner < OWNERS_MAX);
    current = owner;
    return until_now;
}

size_t sim_memory_blocks(int owner)
{
    return blocks_of[owner];
}

size_t sim_memory_free_all(int owner)
{
    size_t blocks = blocks_of[owner];
    /* A shift over the end of the table may move one behind the walk: then there is a second. */
    while (blocks_of[owner] > 0)
        for (size_t i = 0; i < slot_cap && blocks_of[owner] > 0;) {
            void *block = slots[i].block;
            if (block == NULL || slots[i].owner != owner) {
                i++;
                continue;
            }
            (void)forget(block); /* shifts another one into slot i, perhaps: look at i again */
            __real_free(block);
        }
    return blocks;
}

void *__wrap_malloc(size_t bytes)
{
    void *block = __real_malloc(bytes);
    remember(block);
    return block;
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    void *block = __real_calloc(count, bytes);
    remember(block);
    return block;
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    void *block = __real_aligned_alloc(alignment, bytes);
    remember(block);
    return block;
}

void *__wrap_realloc(void *block, size_t bytes)
{
    int owner = block != NULL ? forget(block) : current;
    void *moved = __real_realloc(block, bytes);
    MUST(moved != NULL || bytes == 0);
    int until_now = sim_memory_owner(owner);
    remember(moved);
    (void)sim_memory_owner(until_now);
    return moved;
}

void __wrap_free(void *block)
{
    if (block != NULL)
        (void)forget(block);
    __real_free(block);
}

char *__wrap_strndup(const char *text, size_t len)
{
    len = strnlen(text, len);
    char *copy = __wrap_malloc(len + 1);
    if (copy != NULL) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

char *__wrap_strdup(const char *text)
{
    return __wrap_strndup(text, strlen(text));
}
