/* bench_micro: the operations one by one: ns and mallocs each.
 *
 *   bench_micro [--smoke]       --smoke: a hundredth of the repetitions
 *
 * One JSON object: name → {ns, mallocs, bytes}. `unit` is a fixed piece of integer work: ns of one
 * run divided by its own `unit` compare with those of another run better than the ns do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/must.h"
#include "bench/count.h"
#include "bench/stream.h"
#include "model/churn.h"
#include "model/fold.h"
#include "model/value.h"
#include "pipeline/alert_codec.h"
#include "pipeline/decode.h"
#include "state/cache.h"
#include "state/customer_codec.h"
#include "state/store.h"

#define EVENTS    20000
#define CUSTOMERS 1000
#define YEAR_MS   INT64_C(31536000000)
#define END_MS    INT64_C(1767225600000)

struct subject {
    struct customer customer;
    struct ledger ledger;
    struct span record;
};

struct micro {
    long repeat;
    struct stream_event events[EVENTS];
    char bytes[EVENTS][STREAM_BYTES_MAX];
    size_t lens[EVENTS];
    char keys[EVENTS][16];
    struct event decoded[EVENTS];
    struct subject subjects[CUSTOMERS];
    struct params params;
    struct effects effects;
    struct effect alerts[EVENTS]; /* samples of what the fold told */
    size_t alert_count;
    struct arena kept, scratch;
    struct cache *cache;
    bool first;
};

static volatile uint64_t sink; /* results that must not be optimised away */

static double now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

struct lap {
    double ns;
    uint64_t mallocs;
};

static struct lap lap_begin(void)
{
    return (struct lap){now_ns(), count_mallocs()};
}

static void lap_end(struct micro *micro, struct lap lap, const char *name, double operations,
                    double bytes)
{
    double ns = (now_ns() - lap.ns) / operations;
    double mallocs = (double)(count_mallocs() - lap.mallocs) / operations;

    printf("%s\"%s\":{\"ns\":%.1f,\"mallocs\":%.4f", micro->first ? "{" : ",\n", name, ns, mallocs);
    if (bytes > 0)
        printf(",\"bytes\":%.0f", bytes);
    printf("}");
    micro->first = false;
}

static void unit(struct micro *micro)
{
    struct lap lap = lap_begin();
    uint64_t value = 1;

    for (long i = 0; i < micro->repeat * 2000000; i++)
        value = value * UINT64_C(6364136223846793005) + (uint64_t)i;
    sink = value;
    lap_end(micro, lap, "unit", (double)micro->repeat * 2000000 / 100, 0);
}

/* --- decoding --- */

static void fill(struct micro *micro, enum stream_form form)
{
    const struct stream_options options = {
        .seed = 1, .customers = CUSTOMERS, .events = EVENTS, .end_ms = END_MS, .span_ms = YEAR_MS};
    struct stream *stream = stream_open(&options);

    MUST(stream);
    for (size_t i = 0; i < EVENTS; i++) {
        MUST(stream_next(stream, &micro->events[i]));
        micro->lens[i] = stream_write(&micro->events[i], form, micro->bytes[i]);
        (void)stream_key(&micro->events[i], micro->keys[i]);
    }
    stream_close(stream);
}

static void decode_all(struct micro *micro, enum stream_form form)
{
    const struct decode_options options = {.bytes_max = 262144, .future_max_ms = 86400000};
    const struct header header = {SPAN_LITERAL("content-type"),
                                  SPAN_LITERAL("application/cloudevents+json")};

    arena_reset(&micro->scratch);
    for (size_t i = 0; i < EVENTS; i++) {
        struct record record = {.timestamp_ms = micro->events[i].time_ms,
                                .key = span_of(micro->keys[i]),
                                .value = {micro->bytes[i], micro->lens[i]}};
        struct span detail;

        MUST(decode_record(&record, &header, form == STREAM_CLOUD_JSON, &options, &micro->scratch,
                           &micro->decoded[i], &detail) == DECODE_NONE);
    }
}

static void decoding(struct micro *micro)
{
    char name[48];

    for (int form = STREAM_FORMS - 1; form >= 0; form--) { /* flat JSON last: it is used below */
        struct lap lap;
        double bytes = 0;

        fill(micro, (enum stream_form)form);
        decode_all(micro, (enum stream_form)form);
        lap = lap_begin();
        for (long i = 0; i < micro->repeat; i++)
            decode_all(micro, (enum stream_form)form);
        for (size_t i = 0; i < EVENTS; i++)
            bytes += (double)micro->lens[i];
        snprintf(name, sizeof name, "decode %s", stream_form_name((enum stream_form)form));
        lap_end(micro, lap, name, (double)micro->repeat * EVENTS, bytes / EVENTS);
    }
}

/* --- folding: by type of event, each with its part of the stream --- */

static void people_begin(struct micro *micro)
{
    arena_reset(&micro->kept);
    for (size_t i = 0; i < CUSTOMERS; i++) {
        struct subject *subject = &micro->subjects[i];
        const char *why;

        customer_init(&subject->customer);
        MUST(ledger_decode(SPAN_ABSENT, 256, &micro->kept, &subject->ledger, &why) == STATUS_OK);
    }
}

static void folding(struct micro *micro)
{
    double ns[EVENT_TYPE_COUNT] = {0}, total_ns = 0;
    uint64_t mallocs = 0;
    long counts[EVENT_TYPE_COUNT] = {0}, total = 0, told = 0;

    for (long repeat = 0; repeat < micro->repeat; repeat++) {
        people_begin(micro);
        for (size_t i = 0; i < EVENTS; i++) {
            struct subject *subject = &micro->subjects[micro->events[i].customer];
            struct lap lap;
            const char *why;
            double took;

            if (subject->ledger.event_count >= 250 || subject->ledger.order_count >= 250)
                continue;
            micro->effects.count = 0;
            lap = lap_begin();
            sink = fold_event(&subject->customer, &subject->ledger, &micro->decoded[i], INT64_MIN,
                              &micro->params, &micro->effects, &why);
            took = now_ns() - lap.ns;
            mallocs += count_mallocs() - lap.mallocs;
            ns[micro->decoded[i].type] += took;
            total_ns += took;
            counts[micro->decoded[i].type]++;
            total++;
            told += micro->effects.count;
            for (uint32_t j = 0; j < micro->effects.count && micro->alert_count < EVENTS; j++)
                micro->alerts[micro->alert_count++] = micro->effects.at[j];
        }
    }
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        if (counts[type] > 0)
            printf(",\n\"fold %s\":{\"ns\":%.1f,\"mallocs\":0}",
                   event_type_title((enum event_type)type), ns[type] / (double)counts[type]);
    printf(",\n\"fold a stream's event\":{\"ns\":%.1f,\"mallocs\":%.4f,\"alerts\":%.3f}",
           total_ns / (double)total, (double)mallocs / (double)total, (double)told / (double)total);
}

/* --- models, records, cache, alerts: over the customers the folding left --- */

static void models(struct micro *micro)
{
    struct lap lap = lap_begin();
    long repeat = micro->repeat * 10;

    for (long i = 0; i < repeat; i++)
        for (size_t j = 0; j < CUSTOMERS; j++) {
            struct churn_risk risk;

            churn_risk_at(&micro->subjects[j].customer, END_MS, &micro->params, &risk);
            sink = risk.risk > 0.5;
        }
    lap_end(micro, lap, "churn risk", (double)repeat * CUSTOMERS, 0);
    lap = lap_begin();
    for (long i = 0; i < repeat; i++)
        for (size_t j = 0; j < CUSTOMERS; j++) {
            struct value value;

            value_at(&micro->subjects[j].customer, END_MS, &micro->params, &value);
            sink = (uint64_t)value.clv_minor;
        }
    lap_end(micro, lap, "12-month value", (double)repeat * CUSTOMERS, 0);
    lap = lap_begin();
    for (long i = 0; i < repeat; i++)
        for (size_t j = 0; j < CUSTOMERS; j++)
            sink = (uint64_t)fold_due(&micro->subjects[j].customer, &micro->params);
    lap_end(micro, lap, "due time", (double)repeat * CUSTOMERS, 0);
}

static void records(struct micro *micro)
{
    long repeat = micro->repeat * 10;
    double bytes = 0;
    struct lap lap;
    static struct customer customer;
    const char *why;

    arena_reset(&micro->scratch);
    for (size_t j = 0; j < CUSTOMERS; j++) {
        MUST(customer_encode(&micro->subjects[j].customer, &micro->scratch,
                             &micro->subjects[j].record) == STATUS_OK);
        bytes += (double)micro->subjects[j].record.len;
    }
    lap = lap_begin();
    for (long i = 0; i < repeat; i++)
        for (size_t j = 0; j < CUSTOMERS; j++)
            MUST(customer_decode(micro->subjects[j].record, &customer, &why) == STATUS_OK);
    lap_end(micro, lap, "record decode", (double)repeat * CUSTOMERS, bytes / CUSTOMERS);
    lap = lap_begin();
    for (long i = 0; i < repeat; i++) {
        arena_reset(&micro->kept);
        for (size_t j = 0; j < CUSTOMERS; j++) {
            struct span record;

            MUST(customer_encode(&micro->subjects[j].customer, &micro->kept, &record) == STATUS_OK);
            sink = record.len;
        }
    }
    lap_end(micro, lap, "record encode", (double)repeat * CUSTOMERS, bytes / CUSTOMERS);
}

static void caching(struct micro *micro)
{
    static char keys[CUSTOMERS][16];
    long repeat = micro->repeat * 20, found = 0;
    uint64_t hashes[CUSTOMERS];
    struct span ids[CUSTOMERS], record, ledger;
    struct lap lap;

    for (uint32_t j = 0; j < CUSTOMERS; j++) {
        const struct stream_event event = {.customer = j};

        ids[j] = (struct span){keys[j], stream_key(&event, keys[j])};
        hashes[j] = store_customer_hash(ids[j]);
        cache_put(micro->cache, 0, hashes[j], ids[j], micro->subjects[j].record, SPAN_LITERAL(""));
    }
    lap = lap_begin();
    for (long i = 0; i < repeat; i++)
        for (uint32_t j = 0; j < CUSTOMERS; j++)
            found += cache_get(micro->cache, 0, hashes[j], ids[j], &record, &ledger);
    MUST(found == repeat * CUSTOMERS);
    lap_end(micro, lap, "cache look-up", (double)repeat * CUSTOMERS, 0);
}

static void alerts(struct micro *micro, bool msgpack)
{
    const struct alert_options options = {.source = "lifecycled/bench",
                                          .msgpack = msgpack,
                                          .reporting = CURRENCY_EUR,
                                          .horizon_ms = micro->params.churn_horizon_ms,
                                          .params_version = 1};
    double bytes = 0;
    long repeat = micro->repeat * 2;
    struct lap lap;

    MUST(micro->alert_count > 0);
    for (int warm = 1; warm >= 0; warm--) {
        lap = lap_begin();
        bytes = 0;
        for (long i = 0; i < (warm ? 1 : repeat); i++) {
            arena_reset(&micro->scratch);
            for (size_t j = 0; j < micro->alert_count; j++) {
                struct alert alert;

                MUST(alert_encode(&micro->alerts[j], SPAN_LITERAL("c00001234"), &options, END_MS,
                                  &micro->scratch, &alert) == STATUS_OK);
                bytes += (double)alert.value.len;
            }
        }
    }
    lap_end(micro, lap, msgpack ? "alert MessagePack" : "alert JSON",
            (double)repeat * (double)micro->alert_count,
            bytes / (double)repeat / (double)micro->alert_count);
}

int main(int argc, char **argv)
{
    struct micro *micro = calloc(1, sizeof *micro);

    MUST(micro);
    micro->repeat = argc > 1 && strcmp(argv[1], "--smoke") == 0 ? 1 : 20;
    micro->first = true;
    micro->effects.cap = EFFECTS_PER_STEP_MAX;
    micro->effects.at = calloc(EFFECTS_PER_STEP_MAX, sizeof *micro->effects.at);
    MUST(micro->effects.at);
    arena_init(&micro->kept, (size_t)64 << 20);
    arena_init(&micro->scratch, (size_t)256 << 20);
    micro->cache = cache_open((size_t)16 << 20);
    params_default(&micro->params);
    unit(micro);
    decoding(micro);
    folding(micro);
    models(micro);
    records(micro);
    caching(micro);
    alerts(micro, false);
    alerts(micro, true);
    printf("}\n");
    cache_close(micro->cache);
    arena_fini(&micro->scratch);
    arena_fini(&micro->kept);
    free(micro->effects.at);
    free(micro);
    return 0;
}
