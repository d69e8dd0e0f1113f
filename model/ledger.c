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

void ledger_add_previous(struct ledger *ledger, struct span id)
{
    MUST(previous_add(&ledger->previous, id));
    ledger->changed = true;
}

void ledger_clear_repeats(struct ledger *ledger)
{
    ledger->order_count = 0;
    ledger->event_count = 0;
    ledger->changed = true;
}

void ledger_clear(struct ledger *ledger)
{
    ledger_clear_repeats(ledger);
    ledger->previous.len = 0;
    ledger->previous.count = 0;
}

/* `other` joins the ring: taken by turns from the newest on, each fingerprint once. */
static void merge(uint64_t *ring, uint32_t *count, uint32_t cap, uint32_t max,
                  const uint64_t *other, uint32_t other_count)
{
    uint64_t newest_first[LEDGER_ORDERS_MAX];
    uint32_t kept = 0, i = *count, j = other_count;

    MUST(max <= LEDGER_ORDERS_MAX);
    while (kept < max && (i > 0 || j > 0)) {
        if (i > 0)
            newest_first[kept++] = ring[--i];
        if (j > 0 && kept < max && !has(ring, *count, other[--j]))
            newest_first[kept++] = other[j];
    }
    MUST(kept <= cap);
    for (uint32_t k = 0; k < kept; k++)
        ring[k] = newest_first[kept - 1 - k];
    *count = kept;
}

void ledger_merge(struct ledger *into, const struct ledger *from)
{
    merge(into->orders, &into->order_count, into->order_cap, LEDGER_ORDERS_MAX, from->orders,
          from->order_count);
    merge(into->events, &into->event_count, into->event_cap, LEDGER_EVENTS_MAX, from->events,
          from->event_count);
    into->changed = true;
}
