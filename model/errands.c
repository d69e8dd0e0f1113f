#include "model/errands.h"

#include "base/must.h"

void errands_clear(struct errands *errands)
{
    if (errands == NULL)
        return;
    errands->forward = errands->request = errands->state = errands->receipt = false;
    errands->was_known = false;
    errands->to_len = 0;
    errands->unlink = (struct previous){.bytes = errands->unlink_bytes, .cap = PREVIOUS_BYTES_MAX};
}

static void address(struct errands *errands, struct span to)
{
    MUST(to.len > 0 && to.len <= sizeof errands->to);
    MUST(errands->to_len == 0); /* one addressee a step */
    errands->to_len = (uint8_t)to.len;
    memcpy(errands->to, to.at, to.len);
}

void errands_forward(struct errands *errands, struct span to)
{
    if (errands == NULL)
        return;
    address(errands, to);
    errands->forward = true;
}

void errands_request(struct errands *errands, struct span to)
{
    if (errands == NULL)
        return;
    address(errands, to);
    errands->request = true;
}

void errands_state(struct errands *errands, struct span to, const struct customer *moved,
                   const struct ledger *ledger)
{
    if (errands == NULL)
        return;
    address(errands, to);
    errands->state = true;
    errands->moved = *moved;
    errands->moved_ledger = (struct ledger){.orders = errands->orders,
                                            .order_count = ledger->order_count,
                                            .order_cap = LEDGER_ORDERS_MAX,
                                            .events = errands->events,
                                            .event_count = ledger->event_count,
                                            .event_cap = LEDGER_EVENTS_MAX};
    if (ledger->order_count > 0)
        memcpy(errands->orders, ledger->orders, ledger->order_count * sizeof(uint64_t));
    if (ledger->event_count > 0)
        memcpy(errands->events, ledger->events, ledger->event_count * sizeof(uint64_t));
}

void errands_erased(struct errands *errands, bool was_known, const struct previous *unlink)
{
    if (errands == NULL)
        return;
    errands->receipt = true;
    errands->was_known = was_known;
    errands->unlink.len = unlink->len;
    errands->unlink.count = unlink->count;
    if (unlink->len > 0)
        memcpy(errands->unlink_bytes, unlink->bytes, unlink->len);
}
