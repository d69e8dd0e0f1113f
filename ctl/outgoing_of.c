/* outgoing_of: names and units. */
#include "ctl/outgoing_of.h"

void outgoing_of(const struct behaviour_event *from, struct outgoing *ret_event)
{
    static const char *const reasons[CHURN_REASON_COUNT] = {"", "competition", "price", "service",
                                                            "need_gone"};
    *ret_event = (struct outgoing){.event = event_type_title(from->type),
                                   .customer = span_of(from->customer),
                                   .message_id = span_of(from->id),
                                   .time_ms = from->time_ms,
                                   .channel = span_of(from->channel),
                                   .order_id = span_of(from->order_id),
                                   .refund_id = span_of(from->refund_id),
                                   .ticket_id = span_of(from->ticket_id),
                                   .plan = span_of(from->plan),
                                   .category = span_of(from->category),
                                   .reason = span_of(reasons[from->reason]),
                                   .has_amount = from->has_amount,
                                   .amount_minor = from->amount_minor,
                                   .currency = "EUR",
                                   .exponent = 2,
                                   .has_score = from->has_score,
                                   .score = from->score};
    if (from->has_ends) {
        ret_event->ends_key = from->type == EVENT_TRIAL_STARTED ? SPAN_LITERAL("trial_ends_at")
                                                                : SPAN_LITERAL("renews_at");
        ret_event->ends_ms = from->ends_ms;
    }
}
