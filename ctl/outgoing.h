/* outgoing: an event as a publisher would write it (Segment form of docs/FORMATS.md), JSON or
 * MessagePack. */
#ifndef LC_CTL_OUTGOING_H
#define LC_CTL_OUTGOING_H

#include <stdint.h>

#include "base/span.h"
#include "base/status.h"

/* Everything optional is absent when its span is, or its flag is false. */
struct outgoing {
    const char *event; /* title of the type */
    struct span customer, message_id;
    int64_t time_ms;
    struct span channel, order_id, refund_id, ticket_id, plan, category, reason;
    bool has_amount;
    int64_t amount_minor;
    const char *currency; /* ISO code, with has_amount */
    int exponent;
    bool has_score;
    int score;            /* nps */
    struct span ends_key; /* "renews_at" or "trial_ends_at" */
    int64_t ends_ms;
};

#define OUTGOING_MAX 2048

/* Writes into buffer (OUTGOING_MAX bytes). FULL when the texts are too long for it. */
enum status outgoing_json(const struct outgoing *event, char *buffer, size_t *ret_len) LC_CHECKED;
enum status outgoing_msgpack(const struct outgoing *event, char *buffer,
                             size_t *ret_len) LC_CHECKED;

#endif
