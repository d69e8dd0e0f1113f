/* malloc and its family for the whole process, in front of the real one. One thread. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "tests/torture/torture.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif
void *REAL(malloc)(size_t bytes);
void *REAL(calloc)(size_t count, size_t bytes);
void *REAL(realloc)(void *at, size_t bytes);
void *REAL(memalign)(size_t align, size_t bytes);
void REAL(free)(void *at);

static long armed_from, armed_to, count, live;
static int exempt;
static bool armed;

void torture_arm(long from, long width)
{
    armed_from = from;
    armed_to = from + width;
    count = 0;
    armed = true;
}

long torture_disarm(void)
{
    armed = false;
    return count;
}

void torture_exempt(int by)
{
    exempt += by;
}

long torture_live(void)
{
    return live;
}

static bool refused(void)
{
    if (!armed || exempt > 0)
        return false;
    count++;
    if (count < armed_from || count >= armed_to)
        return false;
    errno = ENOMEM;
    return true;
}

static void *kept(void *at)
{
    live += at != NULL;
    return at;
}

void *malloc(size_t bytes)
{
    return refused() ? NULL : kept(REAL(malloc)(bytes));
}

void *calloc(size_t number, size_t bytes)
{
    return refused() ? NULL : kept(REAL(calloc)(number, bytes));
}

void *realloc(void *at, size_t bytes)
{
    void *moved;

    if (refused())
        return NULL;
    moved = REAL(realloc)(at, bytes);
    live += (at == NULL) - (moved == NULL && bytes == 0);
    return moved;
}

void *memalign(size_t align, size_t bytes)
{
    return refused() ? NULL : kept(REAL(memalign)(align, bytes));
}

void *aligned_alloc(size_t align, size_t bytes)
{
    return memalign(align, bytes);
}

int posix_memalign(void **ret_at, size_t align, size_t bytes)
{
    void *at = memalign(align, bytes);

    if (!at)
        return ENOMEM;
    *ret_at = at;
    return 0;
}

/* AddressSanitizer has copies of these that know nothing of the malloc above. */
static char *copy_of(const char *text, size_t len)
{
    char *copy = malloc(len + 1);

    if (copy) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

#undef strdup
#undef strndup
char *strdup(const char *text)
{
    return copy_of(text, strlen(text));
}

char *__strdup(const char *text);
char *__strdup(const char *text)
{
    return copy_of(text, strlen(text));
}

char *strndup(const char *text, size_t max)
{
    return copy_of(text, strnlen(text, max));
}

void free(void *at)
{
    live -= at != NULL;
    REAL(free)(at);
}
