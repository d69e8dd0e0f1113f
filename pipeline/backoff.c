#include "pipeline/backoff.h"

void backoff_fail(struct backoff *backoff, int64_t now_ms)
{
    int64_t wait_ms = BACKOFF_FIRST_MS;
    for (uint32_t i = 0; i < backoff->tries && wait_ms < BACKOFF_MAX_MS; i++)
        wait_ms *= 2;
    if (wait_ms > BACKOFF_MAX_MS)
        wait_ms = BACKOFF_MAX_MS;
    backoff->tries++;
    backoff->until_ms = now_ms + wait_ms;
}

void backoff_clear(struct backoff *backoff)
{
    *backoff = (struct backoff){0};
}

bool backoff_ready(const struct backoff *backoff, int64_t now_ms)
{
    return backoff->tries == 0 || now_ms >= backoff->until_ms;
}
