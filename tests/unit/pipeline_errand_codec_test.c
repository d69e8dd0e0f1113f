#include "pipeline/errand_codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "pipeline/outbox.h"

#define TIME_MS INT64_C(1740000000123)

struct fixture {
    struct arena arena;
    struct decode_options options;
    struct errands errands;
    struct event event;
    struct record record;
    struct errand_cause cause;
};

static struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    arena_init(&f->arena, 4 << 20);
    errands_clear(&f->errands);
    f->options = (struct decode_options){
        .bytes_max = 1024, .future_max_ms = 86400000, .currency = CURRENCY_EUR};
    f->event = (struct event){.customer = SPAN_LITERAL("p"),
                              .type = EVENT_ALIAS,
                              .id_fp = 77,
                              .time_ms = TIME_MS,
                              .record_ms = TIME_MS + 5};
    f->record = (struct record){
        .partition = 3, .offset = 42, .timestamp_ms = TIME_MS + 5, .key = SPAN_LITERAL("p")};
    f->cause = (struct errand_cause){.source = "lifecycled/test",
                                     .customer = SPAN_LITERAL("p"),
                                     .event = &f->event,
                                     .record = &f->record};
    return f;
}

static void fixture_free(struct fixture *f)
{
    arena_fini(&f->arena);
    free(f);
}

static enum decode_error read_back(struct fixture *f, const struct sink_message *message,
                                   struct event *ret_event)
{
    struct record record = {.partition = 0,
                            .offset = 9,
                            .timestamp_ms = message->timestamp_ms,
                            .key = message->key,
                            .value = message->value};
    struct span detail;

    return decode_record(&record, message->headers, message->header_count, &f->options, &f->arena,
                         ret_event, &detail);
}

static void a_request_and_an_unlink_come_back_as_they_were_sent(void **state)
{
    struct fixture *f = fixture_new();
    struct sink_message message;
    struct event first, second;

    (void)state;
    assert_int_equal(errand_request(&f->cause, SPAN_LITERAL("q"), &f->arena, &message), STATUS_OK);
    assert_int_equal(message.topic, SINK_INPUT);
    assert_int_equal(message.timestamp_ms, TIME_MS + 5); /* as late as its cause, not later */
    assert_int_equal(read_back(f, &message, &first), DECODE_NONE);
    assert_int_equal(first.errand, EVENT_REQUEST);
    assert_true(span_is(first.customer, "q"));
    assert_true(span_is(first.into, "p"));
    assert_int_equal(first.time_ms, TIME_MS);
    assert_int_equal(first.offset, 9);
    assert_int_equal(errand_unlink(&f->cause, SPAN_LITERAL("q"), &f->arena, &message), STATUS_OK);
    assert_int_equal(read_back(f, &message, &second), DECODE_NONE);
    assert_int_equal(second.errand, EVENT_UNLINK);
    assert_true(second.id_fp != first.id_fp);
    assert_int_equal(errand_request(&f->cause, SPAN_LITERAL("q"), &f->arena, &message), STATUS_OK);
    assert_int_equal(read_back(f, &message, &second), DECODE_NONE);
    assert_true(second.id_fp == first.id_fp); /* the same in every try */
    fixture_free(f);
}

static void a_state_comes_back_whole_although_larger_than_events_may_be(void **state)
{
    struct fixture *f = fixture_new();
    struct customer moved;
    uint64_t orders[LEDGER_ORDERS_MAX], events[LEDGER_EVENTS_MAX];
    struct ledger ledger = {.orders = orders,
                            .order_count = LEDGER_ORDERS_MAX,
                            .events = events,
                            .event_count = LEDGER_EVENTS_MAX};
    struct sink_message message;
    struct event event;

    (void)state;
    for (uint64_t i = 0; i < LEDGER_ORDERS_MAX; i++)
        orders[i] = UINT64_C(0xfedcba9876543210) + i;
    for (uint64_t i = 0; i < LEDGER_EVENTS_MAX; i++)
        events[i] = LEDGER_EVENT_MASK - i;
    customer_init(&moved);
    moved.now_ms = moved.touch_ms = moved.first_ms = TIME_MS;
    moved.stage = STAGE_LEAD;
    moved.count[EVENT_LEAD_CREATED] = 3;
    moved.previous = 2;
    errands_state(&f->errands, SPAN_LITERAL("n"), &moved, &ledger);
    assert_int_equal(errand_state(&f->cause, &f->errands, &f->arena, &message), STATUS_OK);
    assert_true(message.value.len > f->options.bytes_max);
    assert_int_equal(read_back(f, &message, &event), DECODE_NONE);
    assert_int_equal(event.errand, EVENT_STATE);
    assert_true(span_is(event.customer, "n"));
    assert_true(span_is(event.previous, "p"));
    assert_int_equal(event.moved->count[EVENT_LEAD_CREATED], 3);
    assert_int_equal(event.moved->previous, 0); /* those ids stay with the redirect */
    assert_int_equal(event.moved_ledger->order_count, LEDGER_ORDERS_MAX);
    assert_true(event.moved_ledger->orders[1023] == orders[1023]);
    assert_int_equal(event.moved_ledger->event_count, LEDGER_EVENTS_MAX);
    fixture_free(f);
}

static void a_record_sent_on_is_the_record_of_whom_it_is_keyed_by(void **state)
{
    struct fixture *f = fixture_new();
    static const struct header headers[] = {{{"X-Trace", 7}, {"t", 1}},
                                            {{"Content-Type", 12}, {"application/json", 16}}};
    struct sink_message message, further;
    struct event original, event;
    struct span detail;

    (void)state;
    f->record.value =
        SPAN_LITERAL("{\"messageId\":\"m\",\"event\":\"Page Viewed\",\"userId\":\"p\"}");
    assert_int_equal(
        decode_record(&f->record, headers, 2, &f->options, &f->arena, &original, &detail),
        DECODE_NONE);
    f->cause.event = &original;
    assert_int_equal(errand_forward(&f->cause, SPAN_LITERAL("n"), headers, 2, &f->arena, &message),
                     STATUS_OK);
    assert_int_equal(read_back(f, &message, &event), DECODE_NONE);
    assert_true(span_is(event.customer, "n"));
    assert_int_equal(event.hops, 1);
    assert_true(event.id_fp == original.id_fp); /* so a repeat is known there */
    assert_int_equal(event.record_ms, original.record_ms);

    struct record there = {
        .key = message.key, .value = message.value, .timestamp_ms = message.timestamp_ms};
    f->cause = (struct errand_cause){
        .source = "s", .customer = event.customer, .event = &event, .record = &there};
    assert_int_equal(errand_forward(&f->cause, SPAN_LITERAL("q"), message.headers,
                                    message.header_count, &f->arena, &further),
                     STATUS_OK);
    assert_int_equal(read_back(f, &further, &event), DECODE_NONE);
    assert_true(span_is(event.customer, "q"));
    assert_int_equal(event.hops, 2);
    fixture_free(f);
}

/* What a hostile publisher may try. */
static void forged_internal_events_are_dead_letters(void **state)
{
    static const struct {
        const char *name, *type, *value;
        size_t len;
        const char *time, *previous_id, *hops;
    } rows[] = {
        {"no payload", "lifecycled.alias.requested.v1", "", 0, "2025-02-19T21:20:00Z", NULL, NULL},
        {"an empty map", "lifecycled.alias.requested.v1", "\x80", 1, "2025-02-19T21:20:00Z", NULL,
         NULL},
        {"no time", "lifecycled.alias.requested.v1", "\x81\xa4into\xa1x", 8, NULL, NULL, NULL},
        {"a time ahead", "lifecycled.alias.requested.v1", "\x81\xa4into\xa1x", 8,
         "2025-02-21T21:20:00Z", NULL, NULL},
        {"an empty id", "lifecycled.alias.requested.v1", "\x81\xa4into\xa0", 7,
         "2025-02-19T21:20:00Z", NULL, NULL},
        {"an id that is a mark's name", "lifecycled.alias.requested.v1", "\x81\xa4into\xa1\xff", 8,
         "2025-02-19T21:20:00Z", NULL, NULL},
        {"a member twice", "lifecycled.alias.erased.v1", "\x82\xa4into\xa1x\xa4into\xa1y", 15,
         "2025-02-19T21:20:00Z", NULL, NULL},
        {"a state without a state", "lifecycled.alias.moved.v1", "\x81\xa8previous\xa1x", 12,
         "2025-02-19T21:20:00Z", NULL, NULL},
        {"a state that cannot be read", "lifecycled.alias.moved.v1",
         "\x83\xa8previous\xa1x\xa6record\xc4\x01\xff\xa6ledger\xc4\x00", 31,
         "2025-02-19T21:20:00Z", NULL, NULL},
        {"a map of four billion", "lifecycled.alias.moved.v1", "\xdf\xff\xff\xff\xff", 5,
         "2025-02-19T21:20:00Z", NULL, NULL},
        {"no hops", "lifecycled.alias.requested.v1", "\x81\xa4into\xa1x", 8, "2025-02-19T21:20:00Z",
         "p", NULL},
        {"too many hops", "lifecycled.alias.requested.v1", "\x81\xa4into\xa1x", 8,
         "2025-02-19T21:20:00Z", "p", "17"},
        {"negative hops", "lifecycled.alias.requested.v1", "\x81\xa4into\xa1x", 8,
         "2025-02-19T21:20:00Z", "p", "-1"},
        {"sent on for somebody else", "lifecycled.alias.requested.v1", "\x81\xa4into\xa1x", 8,
         "2025-02-19T21:20:00Z", "q", "1"},
    };
    struct fixture *f = fixture_new();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct header headers[8] = {{{"ce_id", 5}, {"1", 1}},
                                    {{"ce_source", 9}, {"s", 1}},
                                    {{"ce_specversion", 14}, {"1.0", 3}},
                                    {{"ce_subject", 10}, {"p", 1}},
                                    {{"ce_type", 7}, span_of(rows[i].type)}};
        size_t count = 5;
        struct event event;
        struct span detail;

        if (rows[i].time)
            headers[count++] = (struct header){{"ce_time", 7}, span_of(rows[i].time)};
        if (rows[i].previous_id)
            headers[count++] =
                (struct header){{"lc-previous-id", 14}, span_of(rows[i].previous_id)};
        if (rows[i].hops)
            headers[count++] = (struct header){{"lc-hops", 7}, span_of(rows[i].hops)};
        f->record.value = (struct span){rows[i].value, rows[i].len};
        if (decode_record(&f->record, headers, count, &f->options, &f->arena, &event, &detail) ==
            DECODE_NONE)
            fail_msg("%s is taken", rows[i].name);
    }
    fixture_free(f);
}

static void a_receipt_names_whom_when_and_where_and_is_one_a_delete(void **state)
{
    struct fixture *f = fixture_new();
    struct previous none = {0};
    struct sink_message message;
    char id[33];

    (void)state;
    errands_erased(&f->errands, true, &none);
    assert_int_equal(
        errand_receipt(&f->cause, &f->errands, false, TIME_MS + 9, &f->arena, &message), STATUS_OK);
    assert_int_equal(message.topic, SINK_ALERTS);
    assert_true(span_is(message.key, "p"));
    assert_true(span_is(message.value, "{\"known\":true,\"erased_at\":\"2025-02-19T21:20:00.123Z\","
                                       "\"partition\":3,\"offset\":42,\"followed\":0}"));
    errand_receipt_id(&f->event, f->cause.customer, id);
    assert_string_equal(id, "6583279c0208d7a6f5299971dd068bd3");
    assert_true(span_is(message.headers[2].value, id));
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_and_an_unlink_come_back_as_they_were_sent),
        cmocka_unit_test(a_state_comes_back_whole_although_larger_than_events_may_be),
        cmocka_unit_test(a_record_sent_on_is_the_record_of_whom_it_is_keyed_by),
        cmocka_unit_test(forged_internal_events_are_dead_letters),
        cmocka_unit_test(a_receipt_names_whom_when_and_where_and_is_one_a_delete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
