#include "bench/count.h"

#include <stdatomic.h>
#include <stddef.h>

static atomic_ullong mallocs;
static _Thread_local int paused;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);

static void add(void)
{
    if (paused == 0)
        atomic_fetch_add_explicit(&mallocs, 1, memory_order_relaxed);
}

void *__wrap_malloc(size_t bytes)
{
    add();
    return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    add();
    return __real_calloc(count, bytes);
}

void *__wrap_realloc(void *old, size_t bytes)
{
    add();
    return __real_realloc(old, bytes);
}

uint64_t count_mallocs(void)
{
    return mallocs;
}

void count_pause(void)
{
    paused++;
}

void count_resume(void)
{
    paused--;
}
