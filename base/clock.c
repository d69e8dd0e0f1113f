#include "base/clock.h"

#include <stddef.h>
#include <time.h>

#include "base/must.h"

static int64_t now_ms(clockid_t id)
{
    struct timespec now;

    MUST(clock_gettime(id, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_wall_ms(void *self)
{
    (void)self;
    return now_ms(CLOCK_REALTIME);
}

static int64_t system_mono_ms(void *self)
{
    (void)self;
    return now_ms(CLOCK_MONOTONIC);
}

struct clock clock_system(void)
{
    return (struct clock){.wall_ms = system_wall_ms, .mono_ms = system_mono_ms, .self = NULL};
}
