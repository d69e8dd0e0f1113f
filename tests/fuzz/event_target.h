/* event_target: what the targets of the decoder share: decode twice and see that it is one thing,
 * and that what is accepted is within its stated ranges. */
#ifndef LC_TESTS_FUZZ_EVENT_TARGET_H
#define LC_TESTS_FUZZ_EVENT_TARGET_H

#include "base/must.h"
#include "base/text.h"
#include "model/customer.h"
#include "pipeline/decode.h"

#define TARGET_BYTES_MAX   16384
#define TARGET_SCRATCH_MAX ((size_t)8 * TARGET_BYTES_MAX + 65536)

static inline void target_span_check(struct span span, size_t max)
{
    MUST(span.len <= max);
    MUST(text_utf8_valid(span));
}

static inline void target_event_check(const struct event *event)
{
    target_span_check(event->customer, EVENT_CUSTOMER_BYTES_MAX);
    target_span_check(event->channel, 16);
    target_span_check(event->plan, 16);
    target_span_check(event->category, 256);
    target_span_check(event->previous, EVENT_CUSTOMER_BYTES_MAX);
    target_span_check(event->type_name, 256);
    MUST(event->customer.len > 0);
    MUST((unsigned)event->type < EVENT_TYPE_COUNT);
    MUST((unsigned)event->currency < CURRENCY_COUNT);
    MUST((unsigned)event->reason < CHURN_REASON_COUNT);
    MUST((unsigned)event->purpose < CONSENT_PURPOSE_COUNT);
    MUST((event_type_required(event->type) & ~event->has) == 0);
    MUST(event->id_fp != 0);
    MUST(event->amount_minor >= 0);
    MUST(event->amount_minor <= INT64_C(9000000000000000));
    MUST(!(event->has & EVENT_HAS_AMOUNT) || event->currency != CURRENCY_NONE);
    MUST(!(event->has & EVENT_HAS_ORDER) == (event->order_fp == 0));
    MUST(!(event->has & EVENT_HAS_REFUND) == (event->refund_fp == 0));
    MUST(!(event->has & EVENT_HAS_TICKET) == (event->ticket_fp == 0));
    MUST(event->score >= 0);
    MUST(event->score <= 10);
    MUST(event->time_ms - event->record_ms <= TEXT_MS_PER_DAY);
    MUST(!event->moved || !customer_check(event->moved));
    MUST(!event->moved == !event->moved_ledger);
}

static inline void target_decode(struct span value, const struct header *headers,
                                 size_t header_count)
{
    static const struct decode_alias aliases[] = {{"purchase", EVENT_ORDER_COMPLETED}};
    const struct decode_options options = {.bytes_max = TARGET_BYTES_MAX,
                                           .future_max_ms = TEXT_MS_PER_DAY,
                                           .currency = CURRENCY_EUR,
                                           .aliases = aliases,
                                           .alias_count = 1};
    const struct record record = {
        .timestamp_ms = INT64_C(1735700000000), .key = SPAN_LITERAL("c-1"), .value = value};
    enum decode_error error[2];
    struct event event[2];
    struct span detail[2];
    struct arena scratch;

    arena_init(&scratch, TARGET_SCRATCH_MAX);
    for (int i = 0; i < 2; i++)
        error[i] = decode_record(&record, headers, header_count, &options, &scratch, &event[i],
                                 &detail[i]);
    MUST(error[0] == error[1]);
    MUST((unsigned)error[0] < DECODE_ERROR_COUNT);
    if (error[0] == DECODE_NONE) {
        target_event_check(&event[0]);
        MUST(event[0].type == event[1].type);
        MUST(event[0].id_fp == event[1].id_fp);
        MUST(event[0].order_fp == event[1].order_fp);
        MUST(event[0].time_ms == event[1].time_ms);
        MUST(event[0].amount_minor == event[1].amount_minor);
    } else {
        MUST(detail[0].len > 0);
        MUST(span_equal(detail[0], detail[1]));
    }
    MUST(value.len > TARGET_BYTES_MAX || error[0] != DECODE_TOO_LARGE); /* scratch sufficed */
    arena_fini(&scratch);
}

#endif
