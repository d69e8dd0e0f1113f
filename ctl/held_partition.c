/* held_partition: see the header. */
#include "ctl/held_partition.h"

#include <unistd.h>

#include "base/clock.h"
#include "ctl/ctl.h"

/* A tool that was killed keeps the daemon waiting for so long at most. */
#define HOLD_MS  15000
#define RENEW_MS 2000

static void token_make(char token[64])
{
    struct clock clock = clock_system();
    char host[32] = "host";

    (void)gethostname(host, sizeof host);
    host[sizeof host - 1] = '\0';
    (void)snprintf(token, 64, "lifecyclectl:%s:%d:%llx", host, (int)getpid(),
                   (unsigned long long)clock_wall_ms(&clock));
}

enum status held_partition_open(struct servers *servers, int32_t partition,
                                struct held_partition *held, struct report *report)
{
    struct clock clock = clock_system();
    enum status status;

    *held = (struct held_partition){.begun_ms = clock_mono_ms(&clock)};
    held->renewed_ms = held->begun_ms;
    token_make(held->token);
    held->store = store_open(servers->redis, &(struct store_options){.app = servers->config.app,
                                                                     .partition = partition,
                                                                     .token = held->token});
    if (!held->store) {
        report_set(report, "memory", "no memory");
        return STATUS_RETRY;
    }
    status = store_hold(held->store, HOLD_MS, report);
    if (status == STATUS_OK)
        status = store_claim(held->store, &held->meta, &held->present, report);
    if (status != STATUS_OK)
        (void)held_partition_close(held);
    return status;
}

enum status held_partition_renew(struct held_partition *held, struct report *report)
{
    struct clock clock = clock_system();
    int64_t now_ms = clock_mono_ms(&clock);

    if (ctl_interrupted()) {
        report_set(report, "interrupted", "stopped before the end");
        return STATUS_REJECT;
    }
    if (now_ms - held->renewed_ms < RENEW_MS)
        return STATUS_OK;
    held->renewed_ms = now_ms;
    return store_hold(held->store, HOLD_MS, report);
}

int64_t held_partition_close(struct held_partition *held)
{
    struct clock clock = clock_system();

    if (held->store)
        store_release(held->store);
    store_close(held->store);
    held->store = NULL;
    return clock_mono_ms(&clock) - held->begun_ms;
}
