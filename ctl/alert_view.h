/* alert_view: an alert record as a person reads it: one line. */
#ifndef LC_CTL_ALERT_VIEW_H
#define LC_CTL_ALERT_VIEW_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "pipeline/record.h"

/* Spans borrow from the record and the scratch arena. */
struct alert_view {
    struct span customer, time, kind, phase, band, from, to, currency, action;
    double risk;
    int64_t clv_minor;
    bool by_timer; /* caused by silence, not by an event */
};

/* REJECT: not one of our alerts (JSON payload; MessagePack ones are shown by their headers only).
 */
enum status alert_view_of(const struct record *record, const struct header *headers,
                          size_t header_count, struct arena *scratch,
                          struct alert_view *ret_view) LC_CHECKED;
void alert_view_print(const struct alert_view *view);

#endif
