/* sim_load: publishers. Customers who buy, complain, pause and come back over months; records that
 * repeat, come late, out of order or are no events at all; publishers with transactions, some of
 * which they abort. */
#include <stdarg.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/text.h"
#include "tests/sim/sim.h"

#define EPOCH_MS INT64_C(1735689600000)

struct writer {
    struct sim_load *load;
    struct sim_random *random;
    struct sim_random *aliases; /* of its own, so that the other draws stay; NULL: none */
    int64_t wall_ms;            /* when the item will be appended, nearly */
    uint32_t customers, number, orders;
};

struct decode_options sim_load_decode(const struct sim_load *load)
{
    return (struct decode_options){.bytes_max = 4096,
                                   .future_max_ms = TEXT_MS_PER_DAY,
                                   .partitions = load->partitions,
                                   .currency = CURRENCY_EUR};
}

static struct span text_of(struct writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static struct span text_of(struct writer *writer, const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    MUST(len >= 0 && (size_t)len < sizeof text);
    void *copy = arena_copy(&writer->load->bytes, text, (size_t)len + 1);
    MUST(copy != NULL);
    return (struct span){copy, (size_t)len};
}

/* One row an event: how often, its name, its properties with the number of the order or ticket. */
static const struct {
    uint32_t weight;
    const char *name;
    const char *properties;
} kinds[] = {
    {8, "Lead Created", "\"channel\":\"web\""},
    {3, "Demo Attended", ""},
    {3, "Trial Started", ""},
    {30, "Order Completed", "\"order_id\":\"o%u\",\"amount_minor\":%u"},
    {6, "Order Completed", "\"amount_minor\":1%u%u"},
    {8, "Order Refunded", "\"order_id\":\"o%u\",\"refund_id\":\"r%u\""},
    {3, "Order Cancelled", "\"order_id\":\"o%u\""},
    {12, "Product Viewed", "\"category\":\"k%u\""},
    {4, "Subscription Started", "\"subscription_id\":\"s%u\",\"plan\":\"gold\""},
    {2, "Subscription Cancelled", "\"subscription_id\":\"s%u\",\"reason\":\"price\""},
    {5, "Survey Responded", "\"metric\":\"csat\",\"score\":2"},
    {3, "Survey Responded", "\"metric\":\"nps\",\"score\":9"},
    {6, "Complaint Filed", "\"ticket_id\":\"t%u\""},
    {4, "Complaint Resolved", "\"ticket_id\":\"t%u\""},
    {2, "Payment Failed", ""},
    {2, "Unsubscribed", ""},
    {2, "Consent Changed", "\"purpose\":\"marketing\",\"granted\":false"},
    {2, "Delete", ""},
    {2, "Something Unheard Of", ""},
    {1, "Order Completed", "\"amount_minor\":\"many\""}, /* a dead letter */
    {1, "Order Completed", "\"amount_minor\":5,\"currency\":\"QQQ\""},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static size_t draw_kind(struct sim_random *random)
{
    uint32_t sum = 0;
    size_t kind = 0;
    for (size_t i = 0; i < KINDS; i++)
        sum += kinds[i].weight;
    uint32_t at = sim_random_below(random, sum);
    while (at >= kinds[kind].weight)
        at -= kinds[kind++].weight;
    return kind;
}

static int64_t lateness(struct writer *writer)
{
    uint32_t dice = sim_random_below(writer->random, 100);
    if (dice < 70)
        return 0;
    if (dice < 85)
        return sim_random_between(writer->random, 0, 2 * TEXT_MS_PER_HOUR);
    if (dice < 95)
        return sim_random_between(writer->random, 0, 6 * TEXT_MS_PER_DAY);
    if (dice < 98)
        return sim_random_between(writer->random, 0, 60 * TEXT_MS_PER_DAY);
    return -sim_random_between(writer->random, 0,
                               30 * TEXT_MS_PER_HOUR); /* ahead, perhaps too far */
}

/* Printf with up to two numbers the format may or may not use. */
static struct span properties_of(struct writer *writer, size_t kind)
{
    uint32_t first = sim_random_below(writer->random, writer->orders + 3);
    uint32_t second = sim_random_below(writer->random, 9000) + 1;
    char text[200];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int len = snprintf(text, sizeof text, kinds[kind].properties, first, second);
#pragma GCC diagnostic pop
    MUST(len >= 0 && (size_t)len < sizeof text);
    return text_of(writer, "%s", text);
}

/* One id becomes another; either may be unknown, erased, or another already. */
static void write_alias(struct writer *writer, struct sim_item *item, const char *time)
{
    uint32_t into = sim_random_below(writer->aliases, writer->customers);
    uint32_t previous = sim_random_below(writer->aliases, writer->customers + 1);
    item->entry.key = text_of(writer, "c%u", into);
    item->entry.value = text_of(writer,
                                "{\"messageId\":\"a%u\",\"type\":\"alias\",\"userId\":\"c%u\","
                                "\"previousId\":\"c%u\",\"timestamp\":\"%s\"}",
                                writer->number, into, previous, time);
    item->partition = hash_partition_murmur2(item->entry.key, writer->load->partitions);
}

static void write_event(struct writer *writer, struct sim_item *item)
{
    uint32_t customer = sim_random_below(writer->random, writer->customers);
    size_t kind = draw_kind(writer->random);
    char time[TEXT_TIME_BYTES];
    (void)text_time_format(writer->wall_ms - lateness(writer), time);
    if (kind == 3)
        writer->orders++;
    struct span properties = properties_of(writer, kind);
    item->entry.key = text_of(writer, "c%u", customer);
    item->entry.value = text_of(
        writer,
        "{\"messageId\":\"m%u\",\"type\":\"track\",\"event\":\"%s\",\"userId\":\"c%u\","
        "\"timestamp\":\"%s\",\"properties\":{%.*s}}",
        writer->number++, kinds[kind].name, customer, time, (int)properties.len, properties.at);
    item->partition = hash_partition_murmur2(item->entry.key, writer->load->partitions);
    if (writer->aliases != NULL && sim_random_chance(writer->aliases, 120))
        write_alias(writer, item, time);
}

/* The same record again: a publisher's retry. */
static void write_again(struct writer *writer, struct sim_item *item, const struct sim_item *other)
{
    (void)writer;
    item->entry.key = other->entry.key;
    item->entry.value = other->entry.value;
    item->partition = other->partition;
}

static void write_garbage(struct writer *writer, struct sim_item *item)
{
    uint32_t customer = sim_random_below(writer->random, writer->customers);
    item->entry.key = text_of(writer, "c%u", customer);
    item->partition = hash_partition_murmur2(item->entry.key, writer->load->partitions);
    switch (sim_random_below(writer->random, 4)) {
    case 0:
        item->entry.value = text_of(writer, "{\"messageId\":");
        break;
    case 1:
        item->entry.value = SPAN_ABSENT; /* a tombstone */
        break;
    case 2: /* a customer who lives in another partition */
        item->entry.value = text_of(
            writer, "{\"messageId\":\"g%u\",\"event\":\"Product Viewed\",\"userId\":\"c%u\"}",
            writer->number++, customer);
        item->partition = (item->partition + 1) % writer->load->partitions;
        break;
    default:
        item->entry.value = text_of(
            writer, "{\"messageId\":\"g%u\",\"event\":\"Product Viewed\",\"userId\":\"other\"}",
            writer->number++);
        break;
    }
}

/* On the event clock months pass; a wall clock is followed at an hour a tick, so there days pass,
 * and the parameters are in hours, too. */
static int64_t draw_warp(const struct sim_load *load, struct sim_random *random)
{
    uint32_t dice = sim_random_below(random, 100);
    int64_t unit = load->clock_event ? TEXT_MS_PER_DAY : TEXT_MS_PER_HOUR;
    if (dice < 55)
        return 0;
    if (dice < 75)
        return sim_random_between(random, 0, unit / 24);
    if (dice < 88)
        return sim_random_between(random, 0, 2 * unit);
    if (dice < 97)
        return sim_random_between(random, 0, (load->clock_event ? 20 : 4) * unit);
    return sim_random_between(random, 2 * unit, (load->clock_event ? 120 : 30) * unit);
}

static int64_t draw_gap(struct sim_random *random)
{
    uint32_t dice = sim_random_below(random, 100);
    if (dice < 40)
        return 0;
    if (dice < 90)
        return sim_random_between(random, 0, 200);
    if (dice < 98)
        return sim_random_between(random, 0, 2000);
    return sim_random_between(random, 0, 15000);
}

static void draw_params(struct sim_load *load, struct sim_random *random)
{
    static const int64_t late_max_days[] = {7, 7, 1, 3650};
    struct params *params = &load->params[0];
    params_default(params);
    params->clock = load->clock_event ? FOLD_CLOCK_EVENT : FOLD_CLOCK_WALL;
    params->late_max_ms = late_max_days[sim_random_below(random, 4)] * TEXT_MS_PER_DAY;
    int64_t unit = load->clock_event ? TEXT_MS_PER_DAY : TEXT_MS_PER_HOUR;
    if (!load->clock_event || sim_random_chance(random, 500)) { /* shorter, so that more happens */
        params->forget_ms = 20 * unit;
        params->prospect_stalled_ms = 2 * unit;
        params->prospect_stalled_cooldown_ms = unit;
        params->onboarding_ms = 3 * unit;
        params->churn_risk_cooldown_ms = unit;
        params->complaint_open_ms = unit;
        params->population_gap_ms = 4 * unit;
        params->gap_min_ms = unit;
        params->gap_max_ms = 20 * unit;
        params->decline_min_ms = 2 * unit;
        params->churn_min_ms = 8 * unit;
        params->win_back_first_ms = unit;
        params->win_back_second_ms = 6 * unit;
        params->mbg_alpha = load->clock_event ? 10 : 0.5;
        params->churn_horizon_ms = 10 * unit;
    }
    load->params[1] = *params;
    load->params[1].churn_risk_high = 0.6;
    load->params[1].complaint_open_ms = 2 * unit;
    load->params[1].prospect_stalled_ms = 5 * unit;
    load->params_switch =
        sim_random_chance(random, 250) ? (uint32_t)sim_random_log(random, 1500) : 0;
}

static void draw_shape(struct sim_load *load, struct sim_random *random)
{
    load->partitions = 1 + (int32_t)sim_random_below(random, SIM_PARTITIONS_MAX);
    load->partitions = sim_random_chance(random, 400) ? 1 : load->partitions;
    load->workers = 1 + (int)sim_random_below(random, 3);
    load->clock_event = sim_random_chance(random, 500);
    load->batch_max = (size_t)sim_random_log(random, 64);
    load->fetch_max = (size_t)sim_random_log(random, 32);
    load->cache_bytes = sim_random_chance(random, 200) ? 8192 : 65536;
    load->tick_buckets_max = (size_t)sim_random_log(random, 16);
    load->switch_per_mille = sim_random_chance(random, 500) ? 30 : 300;
    load->slow_per_mille = sim_random_chance(random, 700) ? 5 : 100;
}

/* Not drawn either (see batch_bytes below): one in four has the one guard, one in four the other.
 * An hour a tick is made up for, and a storm is over in a second. */
static void choose_guards(struct sim_load *load, uint64_t seed)
{
    uint64_t mixed = (seed + 1) * UINT64_C(0xbf58476d1ce4e5b9);
    load->guard = (struct guard_options){
        .silence = mixed >> 62 == 0 || mixed >> 61 == 3,
        .storm = mixed >> 62 == 2 || mixed >> 61 == 3,
        .silence_min_ms = (1 + (int64_t)(mixed >> 50 & 7)) * TEXT_MS_PER_HOUR,
        .silence_gaps = 1 + (int64_t)(mixed >> 46 & 3),
        .pace = TEXT_MS_PER_HOUR / SIM_TICK_MS,
        .elapsed_max_ms = 60 * SIM_TICK_MS,
        .storm_min = 1 + (int64_t)(mixed >> 42 & 3),
        .storm_factor = 1 + (int64_t)(mixed >> 40 & 3),
        .storm_slow_ms = 50 + (int64_t)(mixed >> 30 & 511),
    };
}

int64_t sim_load_until(const struct sim_load *load, const struct store_guard *guard,
                       int64_t wall_ms)
{
    int64_t until_ms = guard->heard_ms + guard_silence_ms(&load->guard, guard);
    return load->guard.silence && until_ms < wall_ms ? until_ms : wall_ms;
}

/* Many customers, so that several buckets are split at a time; or a long log that is all there when
 * the workers start. Told by the seed alone: whatever else a seed draws stays what it was. */
enum crowd { CROWD_NONE, CROWD_MANY, CROWD_LAG };

static enum crowd crowd_of(uint64_t seed)
{
    uint32_t dice = (uint32_t)(seed * UINT64_C(0x9e3779b97f4a7c15) >> 40) & 0xff;
    return dice < 16 ? CROWD_MANY : dice < 18 ? CROWD_LAG : CROWD_NONE;
}

static uint32_t crowd_customers(enum crowd crowd, struct sim_random *random)
{
    uint32_t few = 1 + sim_random_below(random, 10);
    return crowd == CROWD_NONE ? few : SIM_CUSTOMERS_MAX - few;
}

static size_t crowd_events(enum crowd crowd, struct sim_random *random)
{
    size_t few = 4 + (size_t)sim_random_log(random, 70);
    return crowd == CROWD_NONE ? few : crowd == CROWD_MANY ? 60 + 2 * few : 600 + 10 * few;
}

static void draw_items(struct sim_load *load, struct sim_random *random, struct sim_random *aliases,
                       enum crowd crowd, size_t events)
{
    struct writer writer = {.load = load,
                            .random = random,
                            .aliases = aliases,
                            .wall_ms = EPOCH_MS,
                            .customers = crowd_customers(crowd, random)};
    bool transactional = sim_random_chance(random, 300);
    size_t tail = load->clock_event ? 0 : 3; /* days without events at the end: only timers */
    load->items = arena_zalloc(&load->bytes, (events + tail) * sizeof *load->items);
    MUST(load->items != NULL);
    for (size_t i = 0; i < events + tail; i++) {
        struct sim_item *item = &load->items[i];
        item->after_ms = i >= events ? 1500 : crowd == CROWD_LAG ? 0 : draw_gap(random);
        item->warp_ms = i < events ? draw_warp(load, random)
                                   : sim_random_between(random, 0, 12 * TEXT_MS_PER_HOUR);
        item->partition = -1;
        writer.wall_ms += item->after_ms + item->warp_ms;
        if (i >= events)
            continue;
        uint32_t dice = sim_random_below(random, 100);
        if (dice < 8 && i > 0)
            write_again(&writer, item, &load->items[sim_random_below(random, (uint32_t)i)]);
        else if (dice < 12)
            write_garbage(&writer, item);
        else
            write_event(&writer, item);
        if (transactional && sim_random_chance(random, 600))
            item->txn =
                (int8_t)(1 + sim_random_below(random, sim_random_chance(random, 300) ? 3 : 2));
    }
    load->count = events + tail;
}

/* Not drawn either. A run in four has a population that is surveyed now and then. */
static void draw_insights(struct sim_load *load, uint64_t seed)
{
    uint64_t hash = seed * UINT64_C(0xd6e8feb86659fd93);
    load->insights = hash >> 61 == 7 || hash >> 61 == 1;
    /* Years may pass in one event, a bucket swept at a time: a crowd assessed each week would take
     * all of the time there is. */
    for (int i = 0; load->insights && i < 2; i++)
        load->params[i].reassess_ms = 90 * TEXT_MS_PER_DAY;
    for (size_t i = 0; load->insights && i < load->count; i++) {
        hash = hash * UINT64_C(0x9e3779b97f4a7c15) + i;
        load->items[i].learn = hash >> 60 < 2;
    }
}

void sim_load_draw(struct sim_load *load, uint64_t seed, struct sim_random *random)
{
    if (load->bytes.bytes_max == 0)
        arena_init(&load->bytes, 16u << 20);
    struct arena bytes = load->bytes;
    *load = (struct sim_load){.bytes = bytes};
    arena_reset(&load->bytes);
    *random = (struct sim_random){seed * UINT64_C(0x2545f4914f6cdd1d) + 1};
    draw_shape(load, random);
    enum crowd crowd = crowd_of(seed);
    /* Not drawn: the runs of regressions.txt stay what they were. One in eight has to split its
     * batches; two buckets whose customers fall due in one millisecond must fit. */
    bool small = (seed * UINT64_C(0x9e3779b97f4a7c15)) >> 61 == 0;
    load->batch_bytes = !small ? 32u << 20 : crowd == CROWD_NONE ? 208u << 10 : 512u << 10;
    choose_guards(load, seed);
    draw_params(load, random);
    size_t events = crowd_events(crowd, random);
    /* Nor these: two runs in five join ids. */
    struct sim_random aliases = {seed * UINT64_C(0x9e3779b97f4a7c15) + 3};
    bool joins = sim_random_chance(&aliases, 400);
    draw_items(load, random, joins ? &aliases : NULL, crowd, events);
    draw_insights(load, seed);
}

void sim_load_keep(struct sim_load *load, uint32_t events)
{
    uint32_t kept = 0;
    for (size_t i = 0; events > 0 && i < load->count; i++) {
        struct sim_item *item = &load->items[i];
        if (item->partition >= 0 && ++kept > events)
            item->partition = -1;
    }
}
