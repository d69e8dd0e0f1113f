/* errands: what a step wants done beyond alerts and beyond its own customer, as data: events for
 * other customers, and the receipt of an erasure. The edge writes them in the transaction of the
 * step (pipeline/errand_codec). */
#ifndef LC_MODEL_ERRANDS_H
#define LC_MODEL_ERRANDS_H

#include "model/customer.h"
#include "model/ledger.h"

/* Of one step. About 17 KB: one for a batch, the caller's. */
struct errands {
    bool forward;   /* the event belongs to `to` by now: send it on as it is */
    bool request;   /* ask `to` to become this customer */
    bool state;     /* `to` gets `moved` */
    bool receipt;   /* this customer was erased */
    bool was_known; /* receipt: there was something to erase */
    uint8_t to_len;
    char to[EVENT_CUSTOMER_BYTES_MAX];
    struct customer moved;
    struct ledger moved_ledger; /* over the two rings below */
    uint64_t orders[LEDGER_ORDERS_MAX], events[LEDGER_EVENTS_MAX];
    struct previous unlink; /* their redirects here are to go, over the bytes below */
    char unlink_bytes[PREVIOUS_BYTES_MAX];
};

/* Nothing to do. */
void errands_clear(struct errands *errands);
static inline struct span errands_to(const struct errands *errands)
{
    return (struct span){errands->to, errands->to_len};
}
/* All of these accept NULL and then do nothing. */
void errands_forward(struct errands *errands, struct span to);
void errands_request(struct errands *errands, struct span to);
void errands_state(struct errands *errands, struct span to, const struct customer *moved,
                   const struct ledger *ledger);
void errands_erased(struct errands *errands, bool was_known, const struct previous *unlink);

#endif
