#include "model/ticket.h"

#include <string.h>

static int64_t later(int64_t left, int64_t right)
{
    return left > right ? left : right;
}

static bool ticket_before(const struct ticket *left, const struct ticket *right)
{
    if (left->fp != right->fp)
        return left->fp < right->fp;
    return left->complaint < right->complaint;
}

/* What is worth least: resolved longest ago; when all are open, the one filed first. */
static uint8_t ticket_least(const struct customer *customer)
{
    uint8_t least = 0;

    for (uint8_t i = 1; i < customer->tickets; i++) {
        const struct ticket *left = &customer->ticket[i], *right = &customer->ticket[least];
        bool left_open = left->resolved_ms == INT64_MIN,
             right_open = right->resolved_ms == INT64_MIN;

        if (left_open != right_open ? right_open
            : left_open             ? left->opened_ms < right->opened_ms
                                    : left->resolved_ms < right->resolved_ms)
            least = i;
    }
    return least;
}

/* The ticket, made when there is none; the least one makes room. */
static struct ticket *ticket_get(struct customer *customer, uint64_t fp, bool complaint)
{
    struct ticket fresh = {
        .fp = fp, .complaint = complaint, .opened_ms = INT64_MIN, .resolved_ms = INT64_MIN};
    uint8_t i = 0;

    while (i < customer->tickets && ticket_before(&customer->ticket[i], &fresh))
        i++;
    if (i < customer->tickets && !ticket_before(&fresh, &customer->ticket[i]))
        return &customer->ticket[i];
    if (customer->tickets == CUSTOMER_TICKETS_MAX) {
        uint8_t least = ticket_least(customer);

        memmove(&customer->ticket[least], &customer->ticket[least + 1],
                (size_t)(customer->tickets - least - 1) * sizeof(fresh));
        customer->tickets--;
        i = (uint8_t)(i - (least < i));
    }
    memmove(&customer->ticket[i + 1], &customer->ticket[i],
            (size_t)(customer->tickets - i) * sizeof(fresh));
    customer->ticket[i] = fresh;
    customer->tickets++;
    return &customer->ticket[i];
}

/* A resolution settles what was filed up to it; a later filing opens the ticket again. */
static void ticket_resolve(struct ticket *ticket, int64_t at_ms)
{
    if (at_ms >= ticket->opened_ms)
        ticket->resolved_ms = later(ticket->resolved_ms, at_ms);
}

void ticket_add(struct customer *customer, const struct event *event)
{
    bool complaint =
        event->type == EVENT_COMPLAINT_FILED || event->type == EVENT_COMPLAINT_RESOLVED;
    bool filed = event->type == EVENT_COMPLAINT_FILED || event->type == EVENT_TICKET_OPENED;
    bool named = (event->has & EVENT_HAS_TICKET) != 0;
    struct ticket *ticket;

    if (!filed && !named) {
        ticket_get(customer, 0, complaint)->resolved_ms =
            later(ticket_get(customer, 0, complaint)->resolved_ms, event->time_ms);
        for (uint8_t i = 0; i < customer->tickets; i++)
            if (customer->ticket[i].complaint == complaint &&
                customer->ticket[i].opened_ms != INT64_MIN)
                ticket_resolve(&customer->ticket[i], event->time_ms);
        return;
    }
    ticket = ticket_get(customer, named ? event->ticket_fp : event->id_fp, complaint);
    if (!filed) {
        ticket_resolve(ticket, event->time_ms);
        return;
    }
    ticket->opened_ms = later(ticket->opened_ms, event->time_ms);
    if (ticket->resolved_ms < ticket->opened_ms)
        ticket->resolved_ms = INT64_MIN;
    for (uint8_t i = 0; i < customer->tickets; i++)
        if (customer->ticket[i].complaint == complaint && customer->ticket[i].fp == 0)
            ticket_resolve(ticket, customer->ticket[i].resolved_ms);
}

/* What waits as a resolution without an id settles every ticket of its sort filed up to then. */
static void settle(struct customer *customer)
{
    for (uint8_t i = 0; i < customer->tickets; i++)
        for (uint8_t j = 0; customer->ticket[i].fp == 0 && j < customer->tickets; j++)
            if (customer->ticket[j].complaint == customer->ticket[i].complaint &&
                customer->ticket[j].opened_ms != INT64_MIN)
                ticket_resolve(&customer->ticket[j], customer->ticket[i].resolved_ms);
}

void ticket_merge(struct customer *into, const struct customer *from)
{
    for (uint8_t i = 0; i < from->tickets; i++) {
        const struct ticket *other = &from->ticket[i];
        struct ticket *ticket = ticket_get(into, other->fp, other->complaint);

        ticket->opened_ms = later(ticket->opened_ms, other->opened_ms);
        ticket->resolved_ms = later(ticket->resolved_ms, other->resolved_ms);
        if (ticket->resolved_ms < ticket->opened_ms)
            ticket->resolved_ms = INT64_MIN;
    }
    settle(into);
}
