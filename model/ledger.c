#include "model/ledger.h"

#include <string.h>

#include "base/must.h"

static bool has(const uint64_t *ring, uint32_t count, uint64_t fp)
{
    /* Newest first: a publisher's retry follows soon. */
    for (uint32_t i = count; i-- > 0;)
        if (ring[i] == fp)
            return true;
    return false;
}

static void add(uint64_t *ring, uint32_t *count, uint32_t cap, uint32_t max, uint64_t fp)
{
    if (*count >= max) {
        memmove(ring, ring + 1, (max - 1) * sizeof(*ring));
        *count = max - 1;
    }
    MUST(*count < cap);
    ring[(*count)++] = fp;
}

bool ledger_has_order(const struct ledger *ledger, uint64_t fp)
{
    return has(ledger->orders, ledger->order_count, fp);
}

bool ledger_has_event(const struct ledger *ledger, uint64_t fp)
{
    return has(ledger->events, ledger->event_count, fp & LEDGER_EVENT_MASK);
}

void ledger_add_order(struct ledger *ledger, uint64_t fp)
{
    add(ledger->orders, &ledger->order_count, ledger->order_cap, LEDGER_ORDERS_MAX, fp);
    ledger->changed = true;
}

void ledger_add_event(struct ledger *ledger, uint64_t fp)
{
    add(ledger->events, &ledger->event_count, ledger->event_cap, LEDGER_EVENTS_MAX,
        fp & LEDGER_EVENT_MASK);
    ledger->changed = true;
}
