/* clock: the port through which time reaches everything but the fold (whose time arrives in events
 * and ticks). */
#ifndef LC_BASE_CLOCK_H
#define LC_BASE_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*wall_ms)(void *self); /* UTC, may jump */
    int64_t (*mono_ms)(void *self); /* never goes back; for intervals */
    void *self;
};

/* The machine's clock. */
struct clock clock_system(void);

static inline int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_ms(clock->self);
}

static inline int64_t clock_mono_ms(const struct clock *clock)
{
    return clock->mono_ms(clock->self);
}

#endif
