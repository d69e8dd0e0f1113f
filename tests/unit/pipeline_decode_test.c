/* Every row decodes one record and compares the event, written as one line, or the error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "model/effect.h"
#include "pipeline/decode.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define NOW_MS      INT64_C(1735700000000) /* 2025-01-01T02:53:20Z: timestamp of every record */

static const struct decode_alias aliases[] = {
    {"purchase", EVENT_ORDER_COMPLETED},
    {"comexampleship", EVENT_APPLICATION_OPENED},
};

static struct decode_options options_default(void)
{
    return (struct decode_options){
        .bytes_max = 4096,
        .future_max_ms = TEXT_MS_PER_DAY,
        .aliases = aliases,
        .alias_count = ROWS(aliases),
    };
}

/* "Order Completed c-1 2025-01-01T00:00:00.000Z 1999 EUR order channel=web" */
static void event_line(const struct event *event, char *text, size_t cap)
{
    static const char *const metrics[] = {"nps", "csat"}, *const purposes[] = {"marketing",
                                                                               "analytics"};
    char time[TEXT_TIME_BYTES];
    FILE *out = fmemopen(text, cap, "w");

    assert_non_null(out);
    (void)text_time_format(event->time_ms, time);
    fprintf(out, "%s %.*s %s", event_type_title(event->type), (int)event->customer.len,
            event->customer.at, time);
    if (event->has & EVENT_HAS_AMOUNT)
        fprintf(out, " %lld %s", (long long)event->amount_minor, currency_code(event->currency));
    fprintf(out, "%s%s%s%s", event->has & EVENT_HAS_ORDER ? " order" : "",
            event->has & EVENT_HAS_REFUND ? " refund" : "",
            event->has & EVENT_HAS_TICKET ? " ticket" : "",
            event->has & EVENT_HAS_SUBSCRIPTION ? " subscription" : "");
    if (event->has & EVENT_HAS_SCORE)
        fprintf(out, " %s=%d", metrics[event->metric], event->score);
    if (event->has & EVENT_HAS_ENDS) {
        (void)text_time_format(event->ends_ms, time);
        fprintf(out, " ends=%s", time);
    }
    if (event->has & EVENT_HAS_PURPOSE)
        fprintf(out, " %s=%s", purposes[event->purpose], event->granted ? "granted" : "denied");
    if (event->reason)
        fprintf(out, " reason=%d", (int)event->reason);
    if (event->channel.at)
        fprintf(out, " channel=%.*s", (int)event->channel.len, event->channel.at);
    if (event->plan.at)
        fprintf(out, " plan=%.*s", (int)event->plan.len, event->plan.at);
    if (event->category.at)
        fprintf(out, " category=%.*s", (int)event->category.len, event->category.at);
    if (event->previous.at)
        fprintf(out, " previous=%.*s", (int)event->previous.len, event->previous.at);
    fclose(out);
}

struct outcome {
    enum decode_error error;
    char line[512]; /* the event, or the detail */
    struct event event;
};

/* Key and value on the heap in their exact size, so that the sanitizer sees a byte too far. */
static struct outcome decode(struct span key, struct span value, const struct header *headers,
                             size_t header_count, const struct decode_options *options)
{
    struct outcome outcome = {0};
    struct record record = {.timestamp_ms = NOW_MS, .offset = 7};
    struct arena scratch;
    struct span detail = SPAN_ABSENT;
    char *copy = malloc(value.len ? value.len : 1);

    assert_non_null(copy);
    if (value.at)
        memcpy(copy, value.at, value.len);
    record.key = key;
    record.value = value.at ? (struct span){copy, value.len} : SPAN_ABSENT;
    arena_init(&scratch, 1 << 20);
    outcome.error =
        decode_record(&record, headers, header_count, options, &scratch, &outcome.event, &detail);
    if (outcome.error == DECODE_NONE)
        event_line(&outcome.event, outcome.line, sizeof(outcome.line));
    else
        snprintf(outcome.line, sizeof(outcome.line), "%.*s", (int)detail.len, detail.at);
    arena_fini(&scratch);
    free(copy);
    return outcome;
}

struct row {
    const char *name;
    const char *value;
    enum decode_error error;
    const char *want; /* the event's line; of an error a part of the detail */
};

static void check(const char *name, struct outcome outcome, enum decode_error error,
                  const char *want)
{
    if (outcome.error != error)
        fail_msg("%s: %s (%s)", name, decode_error_code(outcome.error), outcome.line);
    if (error == DECODE_NONE ? strcmp(outcome.line, want) != 0 : !strstr(outcome.line, want))
        fail_msg("%s: \"%s\", not \"%s\"", name, outcome.line, want);
}

static void check_rows(const struct row *rows, size_t count, const struct header *headers,
                       size_t header_count)
{
    const struct decode_options options = options_default();

    for (size_t i = 0; i < count; i++)
        check(rows[i].name,
              decode(SPAN_LITERAL("c-1"), span_of(rows[i].value), headers, header_count, &options),
              rows[i].error, rows[i].want);
}

#define FLAT  "{\"id\":\"e1\",\"customer_id\":\"c-1\",\"time\":\"2025-01-01T00:00:00Z\","
#define AT    " c-1 2025-01-01T00:00:00.000Z"
#define ORDER FLAT "\"type\":\"order.completed\","
#define TRACK                                                                                      \
    "{\"messageId\":\"m1\",\"userId\":\"c-1\",\"timestamp\":\"2025-01-01T00:00:00Z\","             \
    "\"type\":\"track\","

static const struct row form_rows[] = {
    {"a flat event", FLAT "\"type\":\"visit\"}", DECODE_NONE, "Unknown" AT},
    {"a type in snake case", FLAT "\"type\":\"page_viewed\"}", DECODE_NONE, "Page Viewed" AT},
    {"a type as the publisher calls it",
     FLAT "\"type\":\"Purchase\",\"amount\":1,\"currency\":"
          "\"EUR\"}",
     DECODE_NONE, "Order Completed" AT " 100 EUR"},
    {"a track call", TRACK "\"event\":\"Demo Attended\"}", DECODE_NONE, "Demo Attended" AT},
    {"a track call without its event", TRACK "\"context\":{}}", DECODE_MISSING_FIELD, "event"},
    {"an identify call",
     "{\"messageId\":\"m\",\"userId\":\"c-1\",\"type\":\"identify\",\"traits\":"
     "{\"name\":\"x\"}}",
     DECODE_NONE, "Identify c-1 2025-01-01T02:53:20.000Z"},
    {"a page call", "{\"messageId\":\"m\",\"userId\":\"c-1\",\"type\":\"page\"}", DECODE_NONE,
     "Page Viewed c-1 2025-01-01T02:53:20.000Z"},
    {"a screen call", "{\"messageId\":\"m\",\"userId\":\"c-1\",\"type\":\"screen\"}", DECODE_NONE,
     "Application Opened c-1 2025-01-01T02:53:20.000Z"},
    {"an alias call",
     "{\"messageId\":\"m\",\"userId\":\"c-1\",\"type\":\"alias\",\"previousId\":"
     "\"anon\"}",
     DECODE_NONE, "Alias c-1 2025-01-01T02:53:20.000Z previous=anon"},
    {"an alias of itself",
     "{\"id\":\"m\",\"userId\":\"c-1\",\"type\":\"alias\",\"previousId\":"
     "\"c-1\"}",
     DECODE_BAD_FIELD, "previousId"},
    {"an alias without the previous id", "{\"id\":\"m\",\"userId\":\"c-1\",\"type\":\"alias\"}",
     DECODE_MISSING_FIELD, "previous_id"},
    {"an anonymous visitor", "{\"messageId\":\"m\",\"anonymousId\":\"c-1\",\"type\":\"page\"}",
     DECODE_NONE, "Page Viewed c-1 2025-01-01T02:53:20.000Z"},
    {"userId goes before anonymousId",
     "{\"messageId\":\"m\",\"anonymousId\":\"x\",\"userId\":\"c-1\",\"type\":\"page\"}",
     DECODE_NONE, "Page Viewed c-1 2025-01-01T02:53:20.000Z"},
    {"null is absent",
     "{\"messageId\":\"m\",\"anonymousId\":\"c-1\",\"userId\":null,\"type\":"
     "\"page\"}",
     DECODE_NONE, "Page Viewed c-1 2025-01-01T02:53:20.000Z"},
    {"fields within properties",
     ORDER "\"properties\":{\"amount\":12.5,\"currency\":\"EUR\","
           "\"order_id\":\"o\",\"type\":\"shoe\",\"id\":3}}",
     DECODE_NONE, "Order Completed" AT " 1250 EUR order"},
    {"what is not ours is skipped, whatever it is",
     FLAT "\"type\":\"visit\",\"context\":{\"a\":[1,{\"b\":[true,null,-1.5e3,\"\\u00e9\"]}]}}",
     DECODE_NONE, "Unknown" AT},
    {"white space anywhere", " { \"id\" : \"e\" , \"userId\" : \"c-1\" , \"type\" : \"page\" } ",
     DECODE_NONE, "Page Viewed c-1 2025-01-01T02:53:20.000Z"},
    {"escapes are decoded", "{\"id\":\"e\",\"userId\":\"c\\u002d1\",\"type\":\"pa\\u0067e\"}",
     DECODE_NONE, "Page Viewed c-1 2025-01-01T02:53:20.000Z"},
    {"integer milliseconds",
     "{\"id\":1,\"userId\":\"c-1\",\"type\":\"page\",\"time\":"
     "1735689600000}",
     DECODE_NONE, "Page Viewed" AT},
    {"a zone",
     "{\"id\":1,\"userId\":\"c-1\",\"type\":\"page\",\"time\":"
     "\"2025-01-01T02:00:00+02:00\"}",
     DECODE_NONE, "Page Viewed" AT},
};

static void accepted_forms_become_events(void **state)
{
    (void)state;
    check_rows(form_rows, ROWS(form_rows), NULL, 0);
}

static const struct row money_rows[] = {
    {"a decimal is exact", ORDER "\"amount\":0.29,\"currency\":\"EUR\"}", DECODE_NONE,
     "Order Completed" AT " 29 EUR"},
    {"a decimal as text", ORDER "\"amount\":\"19.99\",\"currency\":\"EUR\"}", DECODE_NONE,
     "Order Completed" AT " 1999 EUR"},
    {"a currency without decimals", ORDER "\"amount\":500,\"currency\":\"JPY\"}", DECODE_NONE,
     "Order Completed" AT " 500 JPY"},
    {"a currency with three", ORDER "\"amount\":1.234,\"currency\":\"KWD\"}", DECODE_NONE,
     "Order Completed" AT " 1234 KWD"},
    {"one decimal too many", ORDER "\"amount\":1.001,\"currency\":\"EUR\"}", DECODE_BAD_FIELD,
     "amount"},
    {"a zero too many changes nothing", ORDER "\"amount\":1.000,\"currency\":\"EUR\"}", DECODE_NONE,
     "Order Completed" AT " 100 EUR"},
    {"minor units", ORDER "\"amount_minor\":1999,\"currency\":\"EUR\"}", DECODE_NONE,
     "Order Completed" AT " 1999 EUR"},
    {"minor units with a fraction", ORDER "\"amount_minor\":19.99,\"currency\":\"EUR\"}",
     DECODE_BAD_FIELD, "amount_minor"},
    {"minor units go before amount, amount before total, total before revenue",
     ORDER "\"revenue\":4,\"total\":3,\"amount\":2,\"amount_minor\":1,\"currency\":\"EUR\"}",
     DECODE_NONE, "Order Completed" AT " 1 EUR"},
    {"amount before total", ORDER "\"revenue\":4,\"total\":3,\"amount\":2,\"currency\":\"EUR\"}",
     DECODE_NONE, "Order Completed" AT " 200 EUR"},
    {"total before revenue", ORDER "\"revenue\":4,\"total\":3,\"currency\":\"EUR\"}", DECODE_NONE,
     "Order Completed" AT " 300 EUR"},
    {"zero is an amount", ORDER "\"amount\":0,\"currency\":\"EUR\"}", DECODE_NONE,
     "Order Completed" AT " 0 EUR"},
    {"the largest amount", ORDER "\"amount_minor\":9000000000000000,\"currency\":\"EUR\"}",
     DECODE_NONE, "Order Completed" AT " 9000000000000000 EUR"},
    {"one more", ORDER "\"amount_minor\":9000000000000001,\"currency\":\"EUR\"}", DECODE_BAD_FIELD,
     "9e15"},
    {"a number of a thousand digits' size", ORDER "\"amount\":1e999,\"currency\":\"EUR\"}",
     DECODE_BAD_FIELD, "amount"},
    {"an order below zero", ORDER "\"amount\":-1,\"currency\":\"EUR\"}", DECODE_BAD_FIELD,
     "Order Refunded"},
    {"a refund below zero", FLAT "\"type\":\"Order Refunded\",\"amount\":-1,\"currency\":\"EUR\"}",
     DECODE_BAD_FIELD, "positive"},
    {"no currency", ORDER "\"amount\":1}", DECODE_MISSING_FIELD, "currency"},
    {"a currency nobody has", ORDER "\"amount\":1,\"currency\":\"XXQ\"}", DECODE_UNKNOWN_CURRENCY,
     "ISO 4217"},
    {"a currency in small letters", ORDER "\"amount\":1,\"currency\":\"eur\"}",
     DECODE_UNKNOWN_CURRENCY, "capitals"},
    {"an amount that is true", ORDER "\"amount\":true,\"currency\":\"EUR\"}", DECODE_BAD_FIELD,
     "amount"},
    {"an order without an amount", ORDER "\"currency\":\"EUR\"}", DECODE_MISSING_FIELD, "amount"},
    {"a page view does not look at its total", FLAT "\"type\":\"page\",\"total\":\"many\"}",
     DECODE_NONE, "Page Viewed" AT},
    {"a refund of an order, whole", FLAT "\"type\":\"Order Refunded\",\"order_id\":\"o\"}",
     DECODE_NONE, "Order Refunded" AT " order"},
    {"a refund of a sum",
     FLAT "\"type\":\"Order Refunded\",\"amount\":2,\"currency\":\"EUR\","
          "\"refund_id\":\"r\"}",
     DECODE_NONE, "Order Refunded" AT " 200 EUR refund"},
    {"a refund of nothing", FLAT "\"type\":\"Order Refunded\",\"refund_id\":\"r\"}",
     DECODE_MISSING_FIELD, "order_id or amount"},
    {"service cost", FLAT "\"type\":\"Service Cost Recorded\",\"cost\":2.5,\"currency\":\"EUR\"}",
     DECODE_NONE, "Service Cost Recorded" AT " 250 EUR"},
    {"the cost of an order's goods is not its amount",
     ORDER "\"amount\":9,\"cost\":2.5,\"currency\":\"EUR\"}", DECODE_NONE,
     "Order Completed" AT " 900 EUR"},
};

static void money_is_read_exactly_or_not_at_all(void **state)
{
    (void)state;
    check_rows(money_rows, ROWS(money_rows), NULL, 0);
}

#define SURVEY FLAT "\"type\":\"Survey Responded\","

static const struct row field_rows[] = {
    {"NPS 0", SURVEY "\"score\":0}", DECODE_NONE, "Survey Responded" AT " nps=0"},
    {"NPS 10", SURVEY "\"score\":10,\"metric\":\"NPS\"}", DECODE_NONE,
     "Survey Responded" AT " nps=10"},
    {"NPS 11", SURVEY "\"score\":11}", DECODE_BAD_FIELD, "0 to 10"},
    {"NPS -1", SURVEY "\"score\":-1}", DECODE_BAD_FIELD, "0 to 10"},
    {"CSAT 1", SURVEY "\"score\":1,\"metric\":\"csat\"}", DECODE_NONE,
     "Survey Responded" AT " csat=1"},
    {"CSAT 5", SURVEY "\"score\":5.0,\"metric\":\"csat\"}", DECODE_NONE,
     "Survey Responded" AT " csat=5"},
    {"CSAT 0", SURVEY "\"score\":0,\"metric\":\"csat\"}", DECODE_BAD_FIELD, "1 to 5"},
    {"CSAT 6", SURVEY "\"score\":6,\"metric\":\"csat\"}", DECODE_BAD_FIELD, "1 to 5"},
    {"half a point", SURVEY "\"score\":7.5}", DECODE_BAD_FIELD, "score"},
    {"a metric nobody knows", SURVEY "\"score\":1,\"metric\":\"ces\"}", DECODE_BAD_FIELD, "csat"},
    {"a survey without a score", SURVEY "\"metric\":\"nps\"}", DECODE_MISSING_FIELD, "score"},
    {"a lead's score is not looked at", FLAT "\"type\":\"Lead Created\",\"score\":87}", DECODE_NONE,
     "Lead Created" AT},
    {"consent denied",
     FLAT "\"type\":\"Consent Changed\",\"purpose\":\"marketing\",\"granted\":"
          "false}",
     DECODE_NONE, "Consent Changed" AT " marketing=denied"},
    {"consent granted",
     FLAT "\"type\":\"Consent Changed\",\"purpose\":\"analytics\",\"granted\":"
          "true}",
     DECODE_NONE, "Consent Changed" AT " analytics=granted"},
    {"consent to something else",
     FLAT "\"type\":\"Consent Changed\",\"purpose\":\"sale\","
          "\"granted\":true}",
     DECODE_BAD_FIELD, "purpose"},
    {"consent as text",
     FLAT "\"type\":\"Consent Changed\",\"purpose\":\"marketing\",\"granted\":"
          "\"no\"}",
     DECODE_BAD_FIELD, "granted"},
    {"consent without a word", FLAT "\"type\":\"Consent Changed\",\"purpose\":\"marketing\"}",
     DECODE_MISSING_FIELD, "granted"},
    {"a trial and its end",
     FLAT "\"type\":\"Trial Started\",\"trial_ends_at\":\"2025-01-15\","
          "\"plan\":\"pro\"}",
     DECODE_NONE, "Trial Started" AT " ends=2025-01-15T00:00:00.000Z plan=pro"},
    {"a subscription",
     FLAT "\"type\":\"subscription_renewed\",\"subscription_id\":\"s\","
          "\"renews_at\":\"2025-02-01T00:00:00Z\",\"amount\":9,\"currency\":"
          "\"EUR\"}",
     DECODE_NONE, "Subscription Renewed" AT " 900 EUR subscription ends=2025-02-01T00:00:00.000Z"},
    {"a subscription's payment names its order",
     FLAT "\"type\":\"subscription_renewed\",\"order_id\":\"o\",\"amount\":9,\"currency\":"
          "\"EUR\"}",
     DECODE_NONE, "Subscription Renewed" AT " 900 EUR order"},
    {"renews_at that is no time", FLAT "\"type\":\"subscription_renewed\",\"renews_at\":\"soon\"}",
     DECODE_BAD_FIELD, "renews_at"},
    {"why it left", FLAT "\"type\":\"Subscription Cancelled\",\"reason\":\"Need gone\"}",
     DECODE_NONE, "Subscription Cancelled" AT " reason=4"},
    {"a reason that is none of ours", FLAT "\"type\":\"Delete\",\"reason\":\"moved\"}", DECODE_NONE,
     "Delete" AT},
    {"a long channel is cut between characters",
     FLAT "\"type\":\"page\",\"channel\":\"0123456789abcde\xc3\xa9\"}", DECODE_NONE,
     "Page Viewed" AT " channel=0123456789abcde"},
    {"sixteen bytes of channel are kept",
     FLAT "\"type\":\"page\",\"channel\":\"0123456789abcd\xc3\xa9\"}", DECODE_NONE,
     "Page Viewed" AT " channel=0123456789abcd\xc3\xa9"},
    {"a channel that is an object", FLAT "\"type\":\"page\",\"channel\":{}}", DECODE_BAD_FIELD,
     "channel"},
    {"a category of an order", ORDER "\"amount\":1,\"currency\":\"EUR\",\"category\":\"toys\"}",
     DECODE_NONE, "Order Completed" AT " 100 EUR category=toys"},
    {"an order id may be an integer", ORDER "\"amount\":1,\"currency\":\"EUR\",\"order_id\":17}",
     DECODE_NONE, "Order Completed" AT " 100 EUR order"},
    {"but no fraction", ORDER "\"amount\":1,\"currency\":\"EUR\",\"order_id\":1.5}",
     DECODE_BAD_FIELD, "order_id"},
    {"a failed payment is not its order", FLAT "\"type\":\"Payment Failed\",\"order_id\":\"o\"}",
     DECODE_NONE, "Payment Failed" AT},
    {"a complaint and its ticket", FLAT "\"type\":\"Complaint Filed\",\"ticket_id\":\"t\"}",
     DECODE_NONE, "Complaint Filed" AT " ticket"},
};

static void fields_mean_what_the_contract_says(void **state)
{
    (void)state;
    check_rows(field_rows, ROWS(field_rows), NULL, 0);
}

#define LONG_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct row refused_rows[] = {
    {"nothing", "", DECODE_SYNTAX, "neither"},
    {"text", "hello", DECODE_SYNTAX, "neither"},
    {"an array", "[]", DECODE_SYNTAX, "neither"},
    {"half an object", FLAT, DECODE_SYNTAX, "byte"},
    {"two objects", FLAT "\"type\":\"page\"}{}", DECODE_SYNTAX, "more after"},
    {"a broken tail behind a good head", FLAT "\"type\":\"page\",\"x\":[1,]}", DECODE_SYNTAX, ""},
    {"NaN", FLAT "\"type\":\"page\",\"x\":NaN}", DECODE_SYNTAX, ""},
    {"no id", "{\"userId\":\"c-1\",\"type\":\"page\"}", DECODE_MISSING_FIELD, "id"},
    {"an empty id", "{\"id\":\"\",\"userId\":\"c-1\",\"type\":\"page\"}", DECODE_MISSING_FIELD,
     "id"},
    {"an id that is an object", "{\"id\":{},\"userId\":\"c-1\",\"type\":\"page\"}",
     DECODE_BAD_FIELD, "id"},
    {"no customer", "{\"id\":\"e\",\"type\":\"page\"}", DECODE_MISSING_FIELD, "customer"},
    {"no type", "{\"id\":\"e\",\"userId\":\"c-1\"}", DECODE_MISSING_FIELD, "type"},
    {"another customer than the key", "{\"id\":\"e\",\"userId\":\"c-2\",\"type\":\"page\"}",
     DECODE_KEY_MISMATCH, "same bytes"},
    {"a name twice", FLAT "\"type\":\"page\",\"type\":\"page\"}", DECODE_DUPLICATE_KEY, "type"},
    {"a name twice, once null", FLAT "\"type\":\"page\",\"channel\":null,\"channel\":\"web\"}",
     DECODE_DUPLICATE_KEY, "channel"},
    {"a name outside and inside properties",
     FLAT "\"type\":\"page\",\"channel\":\"web\",\"properties\":{\"channel\":\"app\"}}",
     DECODE_DUPLICATE_KEY, "channel"},
    {"a name twice, once escaped", FLAT "\"type\":\"page\",\"typ\\u0065\":\"page\"}",
     DECODE_DUPLICATE_KEY, "type"},
    {"nested nine deep", FLAT "\"type\":\"page\",\"x\":[[[[[[[[1]]]]]]]]}", DECODE_SYNTAX, "deep"},
    {"nested eight deep", FLAT "\"type\":\"page\",\"x\":[[[[[[[1]]]]]]]}", DECODE_NONE,
     "Page Viewed" AT},
    {"not UTF-8", FLAT "\"type\":\"page\",\"x\":\"\xff\"}", DECODE_UTF8, "UTF-8"},
    {"an overlong slash", FLAT "\"type\":\"page\",\"x\":\"\xc0\xaf\"}", DECODE_UTF8, "UTF-8"},
    {"half a surrogate pair", FLAT "\"type\":\"page\",\"x\":\"\\ud800\"}", DECODE_SYNTAX, ""},
    {"a control character in the customer",
     "{\"id\":\"e\",\"userId\":\"c\\u00001\",\"type\":\"page\"}", DECODE_BAD_FIELD, "control"},
    {"an identifier of 257 bytes",
     "{\"id\":\"" LONG_64 LONG_64 LONG_64 LONG_64 "0\",\"userId\":\"c-1\",\"type\":\"page\"}",
     DECODE_BAD_FIELD, "256"},
    {"an identifier of 256 bytes",
     "{\"id\":\"" LONG_64 LONG_64 LONG_64 LONG_64 "\",\"userId\":\"c-1\",\"type\":\"page\"}",
     DECODE_NONE, "Page Viewed c-1 2025-01-01T02:53:20.000Z"},
    {"a customer of 129 bytes",
     "{\"id\":\"e\",\"userId\":\"" LONG_64 LONG_64 "0\",\"type\":\"page\"}", DECODE_BAD_FIELD,
     "128"},
    {"a day ahead of the record",
     "{\"id\":\"e\",\"userId\":\"c-1\",\"type\":\"page\",\"time\":1735786400000}", DECODE_NONE,
     "Page Viewed c-1 2025-01-02T02:53:20.000Z"},
    {"a millisecond more",
     "{\"id\":\"e\",\"userId\":\"c-1\",\"type\":\"page\",\"time\":1735786400001}", DECODE_FUTURE,
     "86400 s"},
    {"seconds instead of milliseconds",
     "{\"id\":\"e\",\"userId\":\"c-1\",\"type\":\"page\",\"time\":1735689600}", DECODE_BAD_FIELD,
     "seconds"},
    {"a time without a zone",
     "{\"id\":\"e\",\"userId\":\"c-1\",\"type\":\"page\",\"time\":\"2025-01-01T00:00:00\"}",
     DECODE_BAD_FIELD, "zone"},
};

static void records_that_break_the_contract_are_refused(void **state)
{
    (void)state;
    check_rows(refused_rows, ROWS(refused_rows), NULL, 0);
}

#define HEADER(name, value)                                                                        \
    {                                                                                              \
        SPAN_LITERAL(name), SPAN_LITERAL(value)                                                    \
    }

static const struct header structured_headers[] = {
    HEADER("content-type", "application/cloudevents+json; charset=utf-8")};

#define CE                                                                                         \
    "{\"specversion\":\"1.0\",\"id\":\"e\",\"source\":\"/shop\",\"subject\":\"c-1\","              \
    "\"time\":\"2025-01-01T00:00:00Z\","

static const struct row structured_rows[] = {
    {"a structured CloudEvent",
     CE "\"type\":\"order.completed\",\"data\":{\"amount\":1,"
        "\"currency\":\"EUR\"}}",
     DECODE_NONE, "Order Completed" AT " 100 EUR"},
    {"a type by its alias", CE "\"type\":\"com.example.ship\"}", DECODE_NONE,
     "Application Opened" AT},
    {"attributes are not data",
     CE "\"type\":\"page.viewed\",\"channel\":\"web\",\"data\":"
        "{\"id\":7,\"subject\":8,\"type\":9}}",
     DECODE_NONE, "Page Viewed" AT},
    {"data in base64, JSON",
     CE "\"type\":\"page.viewed\",\"data_base64\":"
        "\"eyJjaGFubmVsIjoid2ViIn0=\"}",
     DECODE_NONE, "Page Viewed" AT " channel=web"},
    {"data in base64, MessagePack",
     CE "\"type\":\"page.viewed\",\"datacontenttype\":"
        "\"application/msgpack\",\"data_base64\":"
        "\"gadjaGFubmVso3dlYg==\"}",
     DECODE_NONE, "Page Viewed" AT " channel=web"},
    {"base64 with a wrong letter", CE "\"type\":\"page.viewed\",\"data_base64\":\"e$==\"}",
     DECODE_BAD_FIELD, "data_base64"},
    {"base64 cut", CE "\"type\":\"page.viewed\",\"data_base64\":\"eyJ\"}", DECODE_BAD_FIELD,
     "data_base64"},
    {"no specversion", "{\"id\":\"e\",\"source\":\"s\",\"type\":\"page\",\"subject\":\"c-1\"}",
     DECODE_MISSING_FIELD, "specversion"},
    {"another specversion",
     "{\"specversion\":\"0.3\",\"id\":\"e\",\"source\":\"s\",\"type\":"
     "\"page\",\"subject\":\"c-1\"}",
     DECODE_VERSION, "1.0"},
    {"no subject", "{\"specversion\":\"1.0\",\"id\":\"e\",\"source\":\"s\",\"type\":\"page\"}",
     DECODE_MISSING_FIELD, "subject"},
};

static void structured_cloudevents_are_read(void **state)
{
    (void)state;
    check_rows(structured_rows, ROWS(structured_rows), structured_headers,
               ROWS(structured_headers));
}

static const struct header binary_headers[] = {
    HEADER("ce_specversion", "1.0"),  HEADER("ce_id", "e"),
    HEADER("ce_source", "/shop"),     HEADER("ce_type", "Order Completed"),
    HEADER("ce_subject", "c-1"),      HEADER("ce_time", "2025-01-01T00:00:00Z"),
    HEADER("ce_traceparent", "00-1"), HEADER("Content-Type", "application/json"),
};

static const struct row binary_rows[] = {
    {"a binary CloudEvent", "{\"amount\":1,\"currency\":\"EUR\",\"id\":5,\"type\":\"shoe\"}",
     DECODE_NONE, "Order Completed" AT " 100 EUR"},
    {"no data at all is allowed by the binding, not by an order", "", DECODE_MISSING_FIELD,
     "amount"},
    {"MessagePack that says it is JSON", "\x80", DECODE_UTF8, "UTF-8"},
};

static void binary_cloudevents_are_read(void **state)
{
    (void)state;
    check_rows(binary_rows, ROWS(binary_rows), binary_headers, ROWS(binary_headers));
}

static void headers_decide_the_envelope(void **state)
{
    const struct decode_options options = options_default();
    const struct span key = SPAN_LITERAL("c-1");
    const struct span plain = SPAN_LITERAL("{\"id\":\"e\",\"userId\":\"c-1\",\"type\":\"page\"}");
    const struct span data = SPAN_LITERAL("{\"amount\":1,\"currency\":\"EUR\"}");
    struct header headers[RECORD_HEADERS_MAX + 1];
    const struct header batch[] = {HEADER("content-type", "application/cloudevents-batch+json")};
    const struct header avro[] = {HEADER("content-type", "application/cloudevents+avro")};

    (void)state;
    for (size_t i = 0; i < ROWS(headers); i++)
        headers[i] = (struct header)HEADER("x-trace", "1");
    check("64 headers", decode(key, plain, headers, RECORD_HEADERS_MAX, &options), DECODE_NONE,
          "Page Viewed c-1 2025-01-01T02:53:20.000Z");
    check("65 headers", decode(key, plain, headers, RECORD_HEADERS_MAX + 1, &options),
          DECODE_HEADERS, "64");
    check("a batch", decode(key, plain, batch, 1, &options), DECODE_HEADERS, "batch");
    check("Avro", decode(key, plain, avro, 1, &options), DECODE_HEADERS, "+json");
    memcpy(headers, binary_headers, sizeof(binary_headers));
    headers[ROWS(binary_headers)] = (struct header)HEADER("ce_id", "e2");
    check("an attribute twice", decode(key, data, headers, ROWS(binary_headers) + 1, &options),
          DECODE_HEADERS, "twice");
    headers[1] = (struct header)HEADER("x-trace", "1");
    check("the id is the other one now",
          decode(key, data, headers, ROWS(binary_headers) + 1, &options), DECODE_NONE,
          "Order Completed" AT " 100 EUR");
    check("without a mandatory attribute it is the Segment form",
          decode(key, data, headers, ROWS(binary_headers), &options), DECODE_MISSING_FIELD, "id");
    headers[1] = (struct header){SPAN_LITERAL("ce_id"), {"\xff", 1}};
    check("an attribute that is not UTF-8",
          decode(key, data, headers, ROWS(binary_headers), &options), DECODE_UTF8, "ce_id");
}

static void key_and_partition_are_checked(void **state)
{
    struct decode_options options = options_default();
    const struct span value = SPAN_LITERAL("{\"id\":\"e\",\"userId\":\"c-1\",\"type\":\"page\"}");
    const struct span key = SPAN_LITERAL("c-1");
    int32_t murmur2 = hash_partition_murmur2(key, 64), crc32 = hash_partition_crc32(key, 64);

    (void)state;
    check("no key", decode(SPAN_ABSENT, value, NULL, 0, &options), DECODE_KEY_MISMATCH, "no key");
    check("a null value", decode(key, SPAN_ABSENT, NULL, 0, &options), DECODE_NULL_VALUE, "null");
    options.bytes_max = value.len;
    check("as many bytes as are read", decode(key, value, NULL, 0, &options), DECODE_NONE,
          "Page Viewed c-1 2025-01-01T02:53:20.000Z");
    options.bytes_max = value.len - 1;
    check("one more", decode(key, value, NULL, 0, &options), DECODE_TOO_LARGE, "bytes");
    options.bytes_max = 4096;
    assert_int_not_equal(murmur2, 0); /* decode() says partition 0 */
    assert_int_not_equal(crc32, 0);
    options.partitions = 64;
    check("another partition", decode(key, value, NULL, 0, &options), DECODE_WRONG_PARTITION,
          "murmur2");
    options.crc32 = true;
    check("another partition, by crc32", decode(key, value, NULL, 0, &options),
          DECODE_WRONG_PARTITION, "crc32");
    options.partitions = 1;
    check("one partition only", decode(key, value, NULL, 0, &options), DECODE_NONE,
          "Page Viewed c-1 2025-01-01T02:53:20.000Z");
}

static void amounts_without_a_currency_take_the_default(void **state)
{
    struct decode_options options = options_default();

    (void)state;
    options.currency = CURRENCY_USD;
    check("the default",
          decode(SPAN_LITERAL("c-1"), SPAN_LITERAL(ORDER "\"amount\":1}"), NULL, 0, &options),
          DECODE_NONE, "Order Completed" AT " 100 USD");
    check("its own",
          decode(SPAN_LITERAL("c-1"), SPAN_LITERAL(ORDER "\"amount\":1,\"currency\":\"JPY\"}"),
                 NULL, 0, &options),
          DECODE_NONE, "Order Completed" AT " 1 JPY");
}

struct packed {
    const char *name;
    struct span value;
    enum decode_error error;
    const char *want;
};

#define MP(text)                                                                                   \
    {                                                                                              \
        "" text, sizeof(text) - 1                                                                  \
    }
#define MP_HEAD(n)                                                                                 \
    n "\xa2id\xa2"                                                                                 \
      "e1"                                                                                         \
      "\xa6userId\xa3"                                                                             \
      "c-1"
#define MP_TIME "\xa4time\xcf\x00\x00\x01\x94\x1f\x29\x7c\x00" /* 1735689600000 */
#define MP_ORDER                                                                                   \
    "\xa4type\xa8purchase"                                                                         \
    "\xa8"                                                                                         \
    "currency\xa3"                                                                                 \
    "EUR"

static const struct packed packed_rows[] = {
    {"a map", MP(MP_HEAD("\x84") MP_TIME "\xa4type\xa4page"), DECODE_NONE, "Page Viewed" AT},
    {"a double that is a decimal",
     MP(MP_HEAD("\x86") MP_TIME MP_ORDER "\xa6"
                                         "amount\xcb\x3f\xd2\x8f\x5c\x28\xf5\xc2\x8f"),
     DECODE_NONE, "Order Completed" AT " 29 EUR"}, /* 0.29 */
    {"a double that is none",
     MP(MP_HEAD("\x86") MP_TIME MP_ORDER "\xa6"
                                         "amount\xcb\x3f\xd2\x8f\x5c\x28\xf5\xc2\x90"),
     DECODE_BAD_FIELD, "amount"},
    {"a double that is infinite",
     MP(MP_HEAD("\x86") MP_TIME MP_ORDER "\xa6"
                                         "amount\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"),
     DECODE_SYNTAX, "finite"},
    {"an integer amount",
     MP(MP_HEAD("\x86") MP_TIME MP_ORDER "\xa6"
                                         "amount\x05"),
     DECODE_NONE, "Order Completed" AT " 500 EUR"},
    {"an integer amount past 9e15",
     MP(MP_HEAD("\x86") MP_TIME MP_ORDER "\xa6"
                                         "amount\xcf\x00\x00\x60\x00\x00\x00\x00\x00"),
     DECODE_BAD_FIELD, "amount"},
    {"an unsigned time past int64",
     MP(MP_HEAD("\x84") "\xa4time\xcf\xff\xff\xff\xff\xff\xff\xff\xff"
                        "\xa4type\xa4page"),
     DECODE_SYNTAX, "2^63"},
    {"nil is absent",
     MP(MP_HEAD("\x84") "\xa4type\xa4page"
                        "\xa4time\xc0"),
     DECODE_NONE, "Page Viewed c-1 2025-01-01T02:53:20.000Z"},
    {"a name that is no text is skipped",
     MP(MP_HEAD("\x85") MP_TIME "\x01\x92\x02\x03"
                                "\xa4type\xa4page"),
     DECODE_NONE, "Page Viewed" AT},
    {"fields within properties",
     MP(MP_HEAD("\x85") MP_TIME "\xa4type\xa4page"
                                "\xaaproperties\x82\xa7"
                                "channel\xa3web"
                                "\xa2id\x05"),
     DECODE_NONE, "Page Viewed" AT " channel=web"},
    {"a name twice",
     MP(MP_HEAD("\x84") "\xa4type\xa4page"
                        "\xa4type\xa4page"),
     DECODE_DUPLICATE_KEY, "type"},
    {"bytes instead of text",
     MP("\x83\xa2id\xc4\x01"
        "e"
        "\xa6userId\xa3"
        "c-1"
        "\xa4type\xa4page"),
     DECODE_BAD_FIELD, "id"},
    {"text that is not UTF-8",
     MP("\x83\xa2id\xa1\xff\xa6userId\xa3"
        "c-1"
        "\xa4type\xa4page"),
     DECODE_UTF8, "id"},
    {"more after the map",
     MP(MP_HEAD("\x83") "\xa4type\xa4page"
                        "\xc0"),
     DECODE_SYNTAX, "more"},
    {"a map cut", MP(MP_HEAD("\x84") "\xa4type\xa4page"), DECODE_SYNTAX, "end"},
    {"five bytes that promise four billion items", MP("\xdf\xff\xff\xff\xff"), DECODE_SYNTAX,
     "hold"},
    {"the same inside", MP(MP_HEAD("\x83") "\xa1x\xdd\xff\xff\xff\xff"), DECODE_SYNTAX, "hold"},
};

static void messagepack_means_the_same(void **state)
{
    const struct decode_options options = options_default();

    (void)state;
    for (size_t i = 0; i < ROWS(packed_rows); i++)
        check(packed_rows[i].name,
              decode(SPAN_LITERAL("c-1"), packed_rows[i].value, NULL, 0, &options),
              packed_rows[i].error, packed_rows[i].want);
}

static void fingerprints_tell_identifiers_apart(void **state)
{
    const struct decode_options options = options_default();
    const struct span key = SPAN_LITERAL("c-1");
    struct outcome text, number, packed, other;

    (void)state;
#define REFUND "\"userId\":\"c-1\",\"type\":\"Order Refunded\",\"order_id\":\"7\",\"refund_id\":"
    text = decode(key, SPAN_LITERAL("{\"id\":\"7\",\"source\":\"a\"," REFUND "\"7\"}"), NULL, 0,
                  &options);
    number =
        decode(key, SPAN_LITERAL("{\"id\":7,\"source\":\"a\"," REFUND "7}"), NULL, 0, &options);
    packed = decode(key,
                    (struct span)MP("\x86\xa2id\x07\xa6source\xa1"
                                    "a"
                                    "\xa6userId\xa3"
                                    "c-1"
                                    "\xa4type\xae"
                                    "Order Refunded"
                                    "\xa8order_id\x07"
                                    "\xa9refund_id\x07"),
                    NULL, 0, &options);
    other = decode(key, SPAN_LITERAL("{\"id\":\"a7\"," REFUND "\"8\"}"), NULL, 0, &options);
    assert_int_equal(text.error | number.error | packed.error | other.error, DECODE_NONE);
    assert_true(text.event.id_fp == hash_pair(SPAN_LITERAL("a"), SPAN_LITERAL("7")));
    assert_true(text.event.id_fp == number.event.id_fp && text.event.id_fp == packed.event.id_fp);
    assert_true(text.event.order_fp == packed.event.order_fp);
    assert_true(text.event.refund_fp == number.event.refund_fp);
    assert_true(text.event.order_fp != text.event.refund_fp); /* one text, two things */
    assert_true(text.event.id_fp != other.event.id_fp);       /* "a" + "7", "" + "a7" */
    assert_true(text.event.order_fp == other.event.order_fp);
    assert_true(text.event.refund_fp != other.event.refund_fp);
}

/* Cut at every byte: an error or (never) the same event; every bit turned: whatever comes, no more
 * bytes are read than there are (the sanitizer's part). */
static void mangled_records_are_never_read_past_their_end(void **state)
{
    const struct decode_options options = options_default();
    const struct span whole[] = {
        SPAN_LITERAL(ORDER "\"amount\":12.50,\"currency\":\"EUR\",\"properties\":{\"order_id\":"
                           "\"\\u00e9\\ud83d\\ude00\",\"x\":[1,true,null]}}"),
        MP(MP_HEAD("\x86") MP_TIME MP_ORDER "\xa6"
                                            "amount\xcb\x3f\xd2\x8f\x5c\x28\xf5\xc2\x8f"),
    };

    (void)state;
    for (size_t w = 0; w < ROWS(whole); w++) {
        char copy[256];

        assert_true(whole[w].len < sizeof(copy));
        for (size_t len = 0; len < whole[w].len; len++)
            assert_int_not_equal(
                decode(SPAN_LITERAL("c-1"), (struct span){whole[w].at, len}, NULL, 0, &options)
                    .error,
                DECODE_NONE);
        for (size_t bit = 0; bit < 8 * whole[w].len; bit++) {
            memcpy(copy, whole[w].at, whole[w].len);
            copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
            (void)decode(SPAN_LITERAL("c-1"), (struct span){copy, whole[w].len}, NULL, 0, &options);
        }
    }
}

/* --- every event type through every envelope and format --- */

/* JSON as MessagePack, every integer and every length in its widest form. */
struct packing {
    uint8_t bytes[4096];
    size_t len;
};

static void pack(struct packing *out, uint8_t tag, uint64_t value, unsigned width)
{
    assert_true(out->len + 1 + width <= sizeof(out->bytes));
    out->bytes[out->len++] = tag;
    for (unsigned i = 0; i < width; i++)
        out->bytes[out->len++] = (uint8_t)(value >> 8 * (width - 1 - i));
}

static void pack_text(struct packing *out, struct span text)
{
    pack(out, 0xdb, text.len, 4);
    assert_true(out->len + text.len <= sizeof(out->bytes));
    memcpy(out->bytes + out->len, text.at, text.len);
    out->len += text.len;
}

static void pack_number(struct packing *out, struct span text)
{
    int64_t integer;
    double real;
    uint64_t bits;

    if (text_i64_parse(text, &integer) == STATUS_OK) {
        pack(out, 0xd3, (uint64_t)integer, 8);
        return;
    }
    assert_int_equal(text_double_parse(text, &real), STATUS_OK);
    memcpy(&bits, &real, sizeof(bits));
    pack(out, 0xcb, bits, 8);
}

static void pack_json(struct packing *out, struct json_reader *json)
{
    size_t head = out->len;
    uint32_t count = 0;
    struct span key;

    switch (json_peek(json)) {
    case JSON_OBJECT:
        pack(out, 0xdf, 0, 4);
        for (json_object_begin(json); json_object_next(json, &key); count++) {
            pack_text(out, key);
            pack_json(out, json);
        }
        out->bytes[head + 4] = (uint8_t)count;
        break;
    case JSON_ARRAY:
        pack(out, 0xdd, 0, 4);
        for (json_array_begin(json); json_array_next(json); count++)
            pack_json(out, json);
        out->bytes[head + 4] = (uint8_t)count;
        break;
    case JSON_STRING:
        pack_text(out, json_read_string(json));
        break;
    case JSON_NUMBER:
        pack_number(out, json_read_number(json));
        break;
    case JSON_BOOL:
        pack(out, json_read_bool(json) ? 0xc3 : 0xc2, 0, 0);
        break;
    default:
        json_read_null(json);
        pack(out, 0xc0, 0, 0);
        break;
    }
}

/* Members of a flat event, as JSON. */
struct parts {
    struct span id, source, customer, type, time, channel, properties;
};

static struct parts parts_of(struct span text, struct arena *arena)
{
    struct parts parts = {0};
    const struct {
        const char *name;
        struct span *to;
    } names[] = {
        {"id", &parts.id},
        {"source", &parts.source},
        {"type", &parts.type},
        {"customer_id", &parts.customer},
        {"time", &parts.time},
        {"channel", &parts.channel},
        {"properties", &parts.properties},
    };
    struct json_reader reader;
    struct span key;

    json_reader_init(&reader, text, arena);
    json_object_begin(&reader);
    while (json_object_next(&reader, &key)) {
        const char *first = (json_peek(&reader), reader.at);

        json_skip(&reader);
        for (size_t i = 0; i < ROWS(names); i++)
            if (span_is(key, names[i].name))
                *names[i].to = (struct span){first, (size_t)(reader.at - first)};
    }
    assert_null(reader.fault);
    return parts;
}

#define RAW(span) (int)(span).len, (span).at ? (span).at : ""

/* Decode in JSON and in MessagePack; both give the line, and the event's fingerprint. */
static void check_both(const char *name, const char *json, const struct header *headers,
                       size_t header_count, const char *msgpack_type, const char *want,
                       uint64_t id_fp)
{
    const struct decode_options options = options_default();
    struct header packed[16];
    struct packing out = {.len = 0};
    struct json_reader reader;
    struct outcome outcome;
    struct arena arena;

    outcome = decode(SPAN_LITERAL("c-1"), span_of(json), headers, header_count, &options);
    check(name, outcome, DECODE_NONE, want);
    assert_true(outcome.event.id_fp == id_fp);
    arena_init(&arena, 1 << 20);
    json_reader_init(&reader, span_of(json), &arena);
    pack_json(&out, &reader);
    assert_true(header_count < ROWS(packed));
    if (header_count > 0)
        memcpy(packed, headers, header_count * sizeof(*headers));
    for (size_t i = 0; i < header_count; i++)
        if (span_is(packed[i].name, "content-type"))
            packed[i].value = span_of(msgpack_type);
    outcome = decode(SPAN_LITERAL("c-1"), (struct span){(char *)out.bytes, out.len}, packed,
                     header_count, &options);
    check(name, outcome, DECODE_NONE, want);
    assert_true(outcome.event.id_fp == id_fp);
    arena_fini(&arena);
}

static struct span unquoted(struct span text)
{
    assert_true(text.len >= 2);
    return (struct span){text.at + 1, text.len - 2};
}

static void check_every_form(const char *flat, const char *want)
{
    struct arena arena;
    struct parts parts;
    char data[2048], text[4096];
    uint64_t id_fp;
    bool bare;

    arena_init(&arena, 1 << 20);
    parts = parts_of(span_of(flat), &arena);
    id_fp = hash_pair(unquoted(parts.source), unquoted(parts.id));
    bare = parts.properties.len <= 2;
    snprintf(data, sizeof(data), "{%s%.*s%s%.*s}", parts.channel.at ? "\"channel\":" : "",
             RAW(parts.channel), parts.channel.at && !bare ? "," : "",
             bare ? 0 : (int)parts.properties.len - 2, bare ? "" : parts.properties.at + 1);
    const struct header binary[] = {
        HEADER("content-type", "application/json"),
        HEADER("ce_specversion", "1.0"),
        {SPAN_LITERAL("ce_id"), unquoted(parts.id)},
        {SPAN_LITERAL("ce_source"), unquoted(parts.source)},
        {SPAN_LITERAL("ce_type"), unquoted(parts.type)},
        {SPAN_LITERAL("ce_subject"), unquoted(parts.customer)},
        {SPAN_LITERAL("ce_time"), unquoted(parts.time)},
    };

    check_both(want, flat, NULL, 0, NULL, want, id_fp);
    check_both(want, data, binary, ROWS(binary), "application/msgpack", want, id_fp);
    snprintf(text, sizeof(text),
             "{\"specversion\":\"1.0\",\"id\":%.*s,\"source\":%.*s,\"type\":%.*s,\"subject\":%.*s,"
             "\"time\":%.*s,\"data\":%s}",
             RAW(parts.id), RAW(parts.source), RAW(parts.type), RAW(parts.customer),
             RAW(parts.time), data);
    check_both(want, text, structured_headers, 1, "application/cloudevents+msgpack", want, id_fp);
    snprintf(
        text, sizeof(text),
        "{\"messageId\":%.*s,\"source\":%.*s,\"type\":\"track\",\"event\":%.*s,\"userId\":%.*s,"
        "\"timestamp\":%.*s,\"context\":{\"ip\":\"::1\"},\"properties\":%s}",
        RAW(parts.id), RAW(parts.source), RAW(parts.type), RAW(parts.customer), RAW(parts.time),
        data);
    check_both(want, text, NULL, 0, NULL, want, id_fp);
    arena_fini(&arena);
}

static void every_type_is_one_event_in_every_form(void **state)
{
    bool seen[EVENT_TYPE_COUNT] = {false};
    char flat[2048], want[512];
    FILE *file = fopen(LC_SOURCE_DIR "/tests/golden/events/events.txt", "r");

    (void)state;
    assert_non_null(file);
    while (fgets(flat, sizeof(flat), file)) {
        const struct decode_options options = options_default();
        struct outcome outcome;

        if (flat[0] != '{')
            continue;
        flat[strcspn(flat, "\n")] = '\0';
        assert_non_null(fgets(want, sizeof(want), file));
        want[strcspn(want, "\n")] = '\0';
        check_every_form(flat, want);
        outcome = decode(SPAN_LITERAL("c-1"), span_of(flat), NULL, 0, &options);
        seen[outcome.event.type] = true;
    }
    fclose(file);
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        if (!seen[type])
            fail_msg("%s has no example", event_type_title((enum event_type)type));
}

/* Every fenced block of docs/FORMATS.md that is marked `json event` decodes, as `json structured`
 * does with its content type, and the hex of `msgpack event`. */
static void check_block(const char *mark, const char *block)
{
    const struct decode_options options = options_default();
    const struct span key = SPAN_LITERAL("c-1001");
    struct outcome outcome;
    struct packing out = {.len = 0};

    if (strncmp(mark, "hex", 3) == 0) {
        for (const char *at = block; *at; at++) {
            unsigned byte;

            if (strchr(" \n", *at))
                continue;
            assert_int_equal(sscanf(at, "%2x", &byte), 1);
            pack(&out, (uint8_t)byte, 0, 0);
            at++;
        }
        outcome = decode(key, (struct span){(char *)out.bytes, out.len}, NULL, 0, &options);
    } else {
        outcome = decode(key, span_of(block), structured_headers,
                         strstr(mark, "structured") ? 1 : 0, &options);
    }
    if (outcome.error != DECODE_NONE)
        fail_msg("docs/FORMATS.md: %s in\n%s", outcome.line, block);
    assert_int_not_equal(outcome.event.type, EVENT_UNKNOWN);
}

static void the_examples_of_the_documentation_decode(void **state)
{
    char line[1024], mark[64] = "", block[8192] = "";
    int blocks = 0;
    FILE *file = fopen(LC_SOURCE_DIR "/docs/FORMATS.md", "r");

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        bool fence = strncmp(line, "```", 3) == 0;

        if (fence && mark[0] == '\0') {
            snprintf(mark, sizeof(mark), "%.60s", line + 3);
            block[0] = '\0';
        } else if (fence) {
            if (strstr(mark, "event") || strstr(mark, "structured")) {
                check_block(mark, block);
                blocks++;
            }
            mark[0] = '\0';
        } else if (mark[0] != '\0') {
            assert_true(strlen(block) + strlen(line) < sizeof(block));
            strcat(block, line);
        }
    }
    fclose(file);
    assert_true(blocks >= 4);
}

static void the_documentation_names_every_type_and_error(void **state)
{
    static char text[131072];
    FILE *file = fopen(LC_SOURCE_DIR "/docs/FORMATS.md", "r");

    (void)state;
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    for (int type = EVENT_UNKNOWN + 1; type < EVENT_TYPE_COUNT; type++) {
        char row[64];

        snprintf(row, sizeof(row), "\n| %s |", event_type_title((enum event_type)type));
        if (!strstr(text, row))
            fail_msg("docs/FORMATS.md has no row for %s", row);
    }
    for (int error = DECODE_NONE + 1; error < DECODE_ERROR_COUNT; error++) {
        char row[64];

        snprintf(row, sizeof(row), "\n| `%s` |", decode_error_code((enum decode_error)error));
        if (!strstr(text, row))
            fail_msg("docs/FORMATS.md has no row for %s", row);
    }
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        char row[64];

        snprintf(row, sizeof(row), "\n  \"kind\": \"%s\",", kind_label((enum kind)kind));
        if (!strstr(text, row))
            fail_msg("docs/FORMATS.md has no example of %s", kind_label((enum kind)kind));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted_forms_become_events),
        cmocka_unit_test(money_is_read_exactly_or_not_at_all),
        cmocka_unit_test(fields_mean_what_the_contract_says),
        cmocka_unit_test(records_that_break_the_contract_are_refused),
        cmocka_unit_test(structured_cloudevents_are_read),
        cmocka_unit_test(binary_cloudevents_are_read),
        cmocka_unit_test(headers_decide_the_envelope),
        cmocka_unit_test(key_and_partition_are_checked),
        cmocka_unit_test(amounts_without_a_currency_take_the_default),
        cmocka_unit_test(messagepack_means_the_same),
        cmocka_unit_test(fingerprints_tell_identifiers_apart),
        cmocka_unit_test(every_type_is_one_event_in_every_form),
        cmocka_unit_test(the_examples_of_the_documentation_decode),
        cmocka_unit_test(the_documentation_names_every_type_and_error),
        cmocka_unit_test(mangled_records_are_never_read_past_their_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
