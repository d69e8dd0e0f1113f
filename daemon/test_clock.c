#include "daemon/test_clock.h"

#include <stddef.h>

#include "base/text.h"

#define NUMBERS  3
#define RATE_MAX 1000000

static struct {
    int64_t real_ms, start_ms, rate;
} scale; /* of the process; written once, before the workers */

static int64_t scaled_wall_ms(void *self)
{
    struct clock clock = clock_system();

    (void)self;
    return scale.start_ms + (clock_wall_ms(&clock) - scale.real_ms) * scale.rate;
}

static int64_t scaled_mono_ms(void *self)
{
    struct clock clock = clock_system();

    (void)self;
    return clock_mono_ms(&clock) * scale.rate;
}

struct clock test_clock_from(const char *text, bool *ret_on)
{
    int64_t number[NUMBERS];
    struct span rest = text ? span_of(text) : SPAN_ABSENT;

    *ret_on = false;
    for (int i = 0; i < NUMBERS; i++) {
        const char *colon = rest.len > 0 ? memchr(rest.at, ':', rest.len) : NULL;
        size_t len = colon ? (size_t)(colon - rest.at) : rest.len;

        if ((colon == NULL) != (i == NUMBERS - 1) ||
            text_i64_parse((struct span){rest.at, len}, &number[i]) != STATUS_OK)
            return clock_system();
        len += colon != NULL;
        rest = (struct span){rest.at + len, rest.len - len};
    }
    if (number[2] < 1 || number[2] > RATE_MAX)
        return clock_system();
    scale.real_ms = number[0];
    scale.start_ms = number[1];
    scale.rate = number[2];
    *ret_on = true;
    return (struct clock){.wall_ms = scaled_wall_ms, .mono_ms = scaled_mono_ms};
}
