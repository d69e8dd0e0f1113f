/* backoff: when to try again. Doubles from BACKOFF_FIRST_MS to BACKOFF_MAX_MS; time is the
 * monotonic clock's. */
#ifndef LC_PIPELINE_BACKOFF_H
#define LC_PIPELINE_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define BACKOFF_FIRST_MS 20
#define BACKOFF_MAX_MS   5000

/* Zeroed: ready at once. */
struct backoff {
    uint32_t tries;   /* that failed in a row */
    int64_t until_ms; /* not before */
};

/* Another failure at now_ms: wait twice as long as the last time. */
void backoff_fail(struct backoff *backoff, int64_t now_ms);
void backoff_clear(struct backoff *backoff);
bool backoff_ready(const struct backoff *backoff, int64_t now_ms);

#endif
