#include "bench/stream.h"

#include <math.h>
#include <msgpack/pack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Weight of the customer of rank i: (i + SHIFT) ^ -POWER. */
#define SHIFT 20
#define POWER 0.7

struct person {
    float birth, leaves, spend; /* birth: share of the span; leaves: chance a purchase */
    bool gone, complains;
};

struct stream {
    struct stream_options options;
    uint64_t state, given;
    double *weights; /* summed up */
    struct person *people;
};

/* splitmix64: Steele, Lea, Flood 2014. */
static uint64_t draw(struct stream *stream)
{
    uint64_t z = (stream->state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static double share(struct stream *stream)
{
    return (double)(draw(stream) >> 11) * 0x1p-53;
}

void stream_close(struct stream *stream)
{
    if (!stream)
        return;
    free(stream->weights);
    free(stream->people);
    free(stream);
}

struct stream *stream_open(const struct stream_options *options)
{
    struct stream *stream = calloc(1, sizeof *stream);
    double sum = 0;

    if (!stream)
        return NULL;
    stream->options = *options;
    stream->state = options->seed;
    stream->weights = malloc(options->customers * sizeof *stream->weights);
    stream->people = calloc(options->customers, sizeof *stream->people);
    if (!stream->weights || !stream->people) {
        stream_close(stream);
        return NULL;
    }
    for (uint32_t i = 0; i < options->customers; i++) {
        sum += options->uniform ? 1 : pow(i + 1.0 + SHIFT, -POWER);
        stream->weights[i] = sum;
        stream->people[i] = (struct person){.birth = (float)(share(stream) * 1.1 - 0.3),
                                            .leaves = (float)(share(stream) * 0.25),
                                            .spend = (float)(10 + 60 * share(stream))};
    }
    return stream;
}

static uint32_t pick(struct stream *stream)
{
    double at = share(stream) * stream->weights[stream->options.customers - 1];
    uint32_t low = 0, high = stream->options.customers - 1;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (stream->weights[middle] <= at)
            low = middle + 1;
        else
            high = middle;
    }
    /* Ranks spread over the names, so that neighbours are not all busy. */
    return (uint32_t)((uint64_t)low * 2654435761u % stream->options.customers);
}

/* Somebody who was there by then; those who left are rarely heard of. */
static uint32_t pick_present(struct stream *stream, double progress)
{
    uint32_t customer = 0;

    if (stream->options.hot > 0 && share(stream) < stream->options.hot)
        return 0;
    for (int tries = 0; tries < 64; tries++) {
        const struct person *person;

        customer = pick(stream);
        person = &stream->people[customer];
        if (person->birth <= (float)progress && (!person->gone || share(stream) < 0.15))
            break;
    }
    return customer;
}

static void choose_type(struct stream *stream, struct person *person, struct stream_event *event)
{
    double at = share(stream);

    if (person->gone && at >= 0.63 && at < 0.88)
        at = 0; /* buys no more */
    if (at < 0.39) {
        event->type = "page_viewed";
    } else if (at < 0.63) {
        event->type = "email_opened";
    } else if (at < 0.88) {
        event->type = at < 0.82 ? "order_completed" : "subscription_renewed";
        event->cents = (int32_t)(person->spend * (0.5 + share(stream)) * 100);
        person->gone = share(stream) < person->leaves;
    } else if (at < 0.93) {
        event->type = "survey_responded";
        event->score = (int16_t)(draw(stream) % (person->gone ? 7 : 11));
    } else if (at < 0.97) {
        event->type = person->complains ? "complaint_resolved" : "complaint_filed";
        person->complains = !person->complains;
    } else {
        event->type = "trial_started";
    }
}

bool stream_next(struct stream *stream, struct stream_event *ret_event)
{
    static const char *const channels[] = {"web", "app", "phone", "store", "email", "partner"};
    static const char *const campaigns[] = {"spring-sale-2025", "winback-q2", "newsletter-17",
                                            "organic", "retargeting-a"};
    const struct stream_options *options = &stream->options;
    double progress;
    uint64_t more;

    if (stream->given == options->events)
        return false;
    progress = ((double)stream->given++ + 0.5) / (double)options->events;
    *ret_event = (struct stream_event){.cents = -1, .score = -1};
    ret_event->time_ms =
        options->end_ms - options->span_ms + (int64_t)(progress * (double)options->span_ms);
    ret_event->customer = pick_present(stream, progress);
    choose_type(stream, &stream->people[ret_event->customer], ret_event);
    ret_event->id = draw(stream);
    more = draw(stream);
    ret_event->number = (uint32_t)(more % 10000000);
    ret_event->channel = channels[more >> 24 & 0xff ? (more >> 24) % 6 : 0];
    ret_event->campaign = campaigns[(more >> 32) % 5];
    ret_event->currency = "EUR"; /* any other wants its rate configured */
    return true;
}

size_t stream_key(const struct stream_event *event, char ret_key[16])
{
    return (size_t)snprintf(ret_key, 16, "c%08u", event->customer);
}

/* --- JSON --- */

/* The members that are the event's own, from a comma on. */
static int own_members(const struct stream_event *event, char *at, size_t room, bool inside)
{
    unsigned session = (unsigned)(event->id >> 20);
    int len = 0;

    if (event->cents >= 0)
        len = snprintf(at, room, "%s\"amount\":%d.%02d,\"currency\":\"%s\",", inside ? "" : ",",
                       event->cents / 100, event->cents % 100, event->currency);
    if (!inside)
        len += snprintf(at + len, room - (size_t)len, "%s\"properties\":{", len > 0 ? "" : ",");
    if (event->cents >= 0)
        len += snprintf(at + len, room - (size_t)len, "\"order_id\":\"SO-%07u\",", event->number);
    else if (event->score >= 0)
        len += snprintf(at + len, room - (size_t)len, "\"score\":%d,\"survey\":\"nps-2025\",",
                        event->score);
    else
        len += snprintf(at + len, room - (size_t)len, "\"page\":\"/catalog/p/%05u\",",
                        event->number % 100000);
    return len + snprintf(at + len, room - (size_t)len,
                          "\"campaign\":\"%s\",\"session\":\"%08x\"}}", event->campaign, session);
}

static size_t write_json(const struct stream_event *event, enum stream_form form,
                         char ret_bytes[STREAM_BYTES_MAX])
{
    static const char *const heads[] = {
        [STREAM_FLAT_JSON] = "{\"id\":\"%016llx\",\"type\":\"%s\",\"customer_id\":\"c%08u\","
                             "\"time\":\"%s\",\"channel\":\"%s\"",
        [STREAM_SEGMENT_JSON] =
            "{\"messageId\":\"%016llx\",\"type\":\"track\",\"event\":\"%s\",\"userId\":\"c%08u\","
            "\"timestamp\":\"%s\",\"properties\":{\"channel\":\"%s\",",
        [STREAM_CLOUD_JSON] =
            "{\"specversion\":\"1.0\",\"source\":\"/shop\",\"id\":\"%016llx\",\"type\":\"%s\","
            "\"subject\":\"c%08u\",\"time\":\"%s\",\"data\":{\"channel\":\"%s\",",
    };
    char time[TEXT_TIME_BYTES];
    size_t len = 0;

    text_time_format(event->time_ms, time);
    /* One of three literals above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    len = (size_t)snprintf(ret_bytes, STREAM_BYTES_MAX, heads[form], (unsigned long long)event->id,
                           event->type, event->customer, time, event->channel);
#pragma GCC diagnostic pop
    return len + (size_t)own_members(event, ret_bytes + len, STREAM_BYTES_MAX - len,
                                     form != STREAM_FLAT_JSON);
}

/* --- MessagePack --- */

struct out {
    char *at;
    size_t len;
};

static int put(void *self, const char *bytes, size_t len)
{
    struct out *out = self;

    memcpy(out->at + out->len, bytes, len);
    out->len += len;
    return 0;
}

static void put_text(msgpack_packer *packer, const char *text)
{
    msgpack_pack_str_with_body(packer, text, strlen(text));
}

static void put_pair(msgpack_packer *packer, const char *name, const char *text)
{
    put_text(packer, name);
    put_text(packer, text);
}

static size_t write_msgpack(const struct stream_event *event, char ret_bytes[STREAM_BYTES_MAX])
{
    struct out out = {.at = ret_bytes};
    msgpack_packer packer = {&out, put};
    bool money = event->cents >= 0, scored = event->score >= 0;
    char text[32];

    msgpack_pack_map(&packer, money ? 8 : 6);
    snprintf(text, sizeof text, "%016llx", (unsigned long long)event->id);
    put_pair(&packer, "id", text);
    put_pair(&packer, "type", event->type);
    snprintf(text, sizeof text, "c%08u", event->customer);
    put_pair(&packer, "customer_id", text);
    put_text(&packer, "time");
    msgpack_pack_int64(&packer, event->time_ms);
    put_pair(&packer, "channel", event->channel);
    if (money) {
        put_text(&packer, "amount");
        msgpack_pack_double(&packer, event->cents / 100.0);
        put_pair(&packer, "currency", event->currency);
    }
    put_text(&packer, "properties");
    msgpack_pack_map(&packer, scored ? 4 : 3);
    if (money) {
        snprintf(text, sizeof text, "SO-%07u", event->number);
        put_pair(&packer, "order_id", text);
    } else if (scored) {
        put_text(&packer, "score");
        msgpack_pack_int64(&packer, event->score);
        put_pair(&packer, "survey", "nps-2025");
    } else {
        snprintf(text, sizeof text, "/catalog/p/%05u", event->number % 100000);
        put_pair(&packer, "page", text);
    }
    put_pair(&packer, "campaign", event->campaign);
    snprintf(text, sizeof text, "%08x", (unsigned)(event->id >> 20));
    put_pair(&packer, "session", text);
    return out.len;
}

size_t stream_write(const struct stream_event *event, enum stream_form form,
                    char ret_bytes[STREAM_BYTES_MAX])
{
    return form == STREAM_FLAT_MSGPACK ? write_msgpack(event, ret_bytes)
                                       : write_json(event, form, ret_bytes);
}

const char *stream_form_name(enum stream_form form)
{
    static const char *const names[STREAM_FORMS] = {
        [STREAM_FLAT_JSON] = "flat JSON",
        [STREAM_FLAT_MSGPACK] = "flat MessagePack",
        [STREAM_SEGMENT_JSON] = "Segment JSON",
        [STREAM_CLOUD_JSON] = "CloudEvents JSON",
    };

    return names[form];
}
