/* sim_oracle: what should have come out. A straight loop folds the committed log and the committed
 * control records of each partition, without batches, caches, replays or servers; its states and
 * effects are compared with what Redis holds and what a read_committed consumer sees. Only decode,
 * fold and the codecs are shared with the worker: they have tests of their own. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/text.h"
#include "model/errands.h"
#include "model/fold.h"
#include "pipeline/outbox.h"
#include "pipeline/storm_alert.h"
#include "state/customer_codec.h"
#include "state/mark.h"
#include "state/params_codec.h"
#include "tests/sim/sim.h"

#define CUSTOMERS_MAX 64
#define TELLINGS_MAX  8192

struct oracle_customer {
    struct span id;
    struct customer state;
    struct ledger ledger;
    uint64_t orders[LEDGER_ORDERS_MAX], events[LEDGER_EVENTS_MAX];
    char previous[PREVIOUS_BYTES_MAX];
};

/* An alert, dead letter, receipt or internal event, expected or seen. */
struct telling {
    int32_t partition; /* of the record it comes of */
    int32_t target;    /* of an internal event; -1 */
    char id[40];
    char what[80]; /* for people */
};

struct tellings {
    struct telling at[TELLINGS_MAX];
    size_t count;
};

/* for people */
static const char *const outcome_labels[] = {[FOLD_APPLIED] = "applied",
                                             [FOLD_DUPLICATE] = "duplicate",
                                             [FOLD_IGNORED] = "ignored",
                                             [FOLD_FORWARDED] = "forwarded",
                                             [FOLD_REJECTED] = "rejected"};
static const char *const control_labels[] = {[CONTROL_BIRTH] = "birth",
                                             [CONTROL_SWITCH] = "switch",
                                             [CONTROL_TICK] = "tick",
                                             [CONTROL_GUARD] = "guard"};

static struct oracle {
    struct sim *sim;
    int32_t partition;
    struct arena arena;
    struct oracle_customer customers[CUSTOMERS_MAX];
    size_t count;
    struct params params;
    uint32_t params_version;
    int64_t watermark_ms;
    int64_t control; /* records applied */
    struct store_guard guard;
    struct effect effect_room[EFFECTS_PER_STEP_MAX];
    struct effects effects;
    struct errands errands;
    int64_t moving; /* events counted in states that left an id and have not come to another */
    struct tellings expected, seen;
} oracle;

static struct telling *expect(const char *id)
{
    MUST(oracle.expected.count < TELLINGS_MAX);
    struct telling *telling = &oracle.expected.at[oracle.expected.count++];
    telling->partition = oracle.partition;
    telling->target = -1;
    (void)snprintf(telling->id, sizeof telling->id, "%s", id);
    telling->what[0] = '\0';
    return telling;
}

/* --- the fold --- */

static void expect_effects(const struct oracle_customer *customer)
{
    char id[33];
    for (uint32_t i = 0; i < oracle.effects.count; i++) {
        const struct effect *effect = &oracle.effects.at[i];
        alert_id(effect, customer->id, id);
        (void)snprintf(expect(id)->what, sizeof oracle.expected.at[0].what,
                       " (%.*s %s.%s, episode %u.%u, at %lld)", (int)customer->id.len,
                       customer->id.at, kind_label(effect->kind), phase_label(effect->phase),
                       effect->episode, effect->revision, (long long)effect->at_ms);
        oracle.sim->alerts++;
    }
    oracle.effects.count = 0;
}

static void drop_empty(struct oracle_customer *customer)
{
    if (customer_is_empty(&customer->state))
        customer_init(&customer->state);
    if (customer_is_empty(&customer->state) || customer_is_mark(&customer->state))
        ledger_clear(&customer->ledger);
}

/* What W told: the brake counts it by the hour, in the order of time. */
struct told {
    int64_t at_ms;
    uint32_t count;
};

static int by_time(const void *left, const void *right)
{
    const struct told *a = left, *b = right;
    return a->at_ms < b->at_ms ? -1 : a->at_ms > b->at_ms;
}

static void fire_customer(struct oracle_customer *customer, int64_t found_ms, struct told *told,
                          size_t *count)
{
    const uint64_t hash = store_customer_hash(customer->id);
    while (!customer_is_empty(&customer->state) &&
           worker_due_ms(hash, customer->state.due_ms) <= oracle.watermark_ms) {
        const int64_t due_ms = customer->state.due_ms;
        fold_timers(&customer->state, due_ms, found_ms, &oracle.params, &oracle.effects);
        MUST(*count < TELLINGS_MAX);
        told[(*count)++] = (struct told){worker_due_ms(hash, due_ms), oracle.effects.count};
        expect_effects(customer);
        drop_empty(customer);
    }
}

/* Timers of everybody up to W. The order of customers does not matter to a multiset of alerts. */
static void fire(int64_t until_ms, int64_t found_ms)
{
    static struct told told[TELLINGS_MAX];
    size_t count = 0;
    if (until_ms <= oracle.watermark_ms)
        return; /* timers armed at W by a switch wait for the next step of W */
    oracle.watermark_ms = until_ms;
    for (size_t i = 0; i < oracle.count; i++)
        fire_customer(&oracle.customers[i], found_ms, told, &count);
    qsort(told, count, sizeof told[0], by_time);
    for (size_t i = 0; i < count && oracle.params.clock == FOLD_CLOCK_WALL; i++)
        guard_log_alerts(&oracle.guard, told[i].at_ms, told[i].count);
}

/* Time held is no lateness. */
static int64_t found(int64_t found_ms)
{
    if (oracle.params.clock == FOLD_CLOCK_WALL && oracle.guard.held != 0 &&
        oracle.guard.held_ms < found_ms)
        return oracle.guard.held_ms;
    return found_ms;
}

static struct oracle_customer *find(struct span id)
{
    for (size_t i = 0; i < oracle.count; i++)
        if (span_equal(oracle.customers[i].id, id))
            return &oracle.customers[i];
    MUST(oracle.count < CUSTOMERS_MAX);
    struct oracle_customer *customer = &oracle.customers[oracle.count++];
    void *copy = arena_copy(&oracle.arena, id.at, id.len);
    MUST(copy != NULL);
    customer->id = (struct span){copy, id.len};
    customer_init(&customer->state);
    customer->ledger =
        (struct ledger){.orders = customer->orders,
                        .order_cap = LEDGER_ORDERS_MAX,
                        .events = customer->events,
                        .event_cap = LEDGER_EVENTS_MAX,
                        .previous = {.bytes = customer->previous, .cap = PREVIOUS_BYTES_MAX}};
    return customer;
}

static struct span header_of(const struct header *headers, size_t count, const char *name)
{
    for (size_t i = count; i > 0; i--) /* ours stand behind the publisher's */
        if (span_is(headers[i - 1].name, name))
            return headers[i - 1].value;
    return SPAN_ABSENT;
}

/* The name of an internal event: its own id, or that of the record that was sent on. */
static void name_errand(const struct header *headers, size_t count, char ret_id[40])
{
    struct span id = header_of(headers, count, "ce_id");
    struct span partition = header_of(headers, count, "lc-partition"),
                offset = header_of(headers, count, "lc-offset");
    if (header_of(headers, count, "lc-hops").at != NULL)
        (void)snprintf(ret_id, 40, "on/%.*s/%.*s", (int)partition.len, partition.at,
                       (int)offset.len, offset.at);
    else
        (void)snprintf(ret_id, 40, "%.*s", (int)id.len, id.at);
}

static void expect_errands(const struct sim_entry *entry, const struct record *record,
                           const struct event *event)
{
    struct decode_options options = sim_load_decode(&oracle.sim->load);
    struct outbox outbox = {.first = NULL};
    struct outbox_errands todo = {
        .cause = {.source = "sim", .customer = event->customer, .event = event, .record = record},
        .errands = &oracle.errands,
        .headers = entry->headers,
        .header_count = entry->header_count,
        .decode = &options};
    char id[40];
    MUST(outbox_errands(&outbox, &oracle.arena, &todo) == STATUS_OK);
    for (const struct outbox_message *sent = outbox.first; sent != NULL; sent = sent->next) {
        name_errand(sent->message.headers, sent->message.header_count, id);
        struct telling *telling = expect(id);
        (void)snprintf(telling->what, sizeof telling->what, " (because of %.*s at offset %lld)",
                       (int)event->customer.len, event->customer.at, (long long)record->offset);
        if (sent->message.topic == SINK_INPUT)
            telling->target = sent->message.partition;
    }
}

static int64_t events_of(const struct customer *state)
{
    int64_t events = 0;
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        events += state->count[type];
    return events;
}

/* What a customer counts once the timers before the event have fired. */
static int64_t events_before(const struct oracle_customer *customer, const struct event *event)
{
    static struct effect room[EFFECTS_PER_STEP_MAX];
    struct effects ignored = {.at = room, .cap = EFFECTS_PER_STEP_MAX};
    struct customer copy = customer->state;
    if (event->errand == EVENT_NO_ERRAND)
        return 0;
    fold_timers(&copy, event->time_ms, event->record_ms, &oracle.params, &ignored);
    return events_of(&copy);
}

/* States are neither lost nor doubled on their way from one id to another. */
static void weigh(const struct customer *state, const struct event *event,
                  enum fold_outcome outcome, int64_t before)
{
    const bool gone = customer_is_empty(state) || customer_is_mark(state); /* forgotten at once */
    if (event->errand == EVENT_REQUEST && outcome == FOLD_APPLIED)
        oracle.moving += before - events_of(state);
    else if (event->errand == EVENT_STATE && outcome == FOLD_APPLIED && !gone)
        oracle.moving -= events_of(state) - before;
    else if (event->errand == EVENT_STATE && outcome != FOLD_FORWARDED && outcome != FOLD_DUPLICATE)
        oracle.moving -= events_of(event->moved);
    if (event->errand != EVENT_NO_ERRAND)
        sim_trace(oracle.sim, NULL, "fold: errand %d, %lld events under way between two ids",
                  event->errand, (long long)oracle.moving);
}

static void expect_dead_letter(int64_t offset)
{
    char id[40];
    (void)snprintf(id, sizeof id, "dead/%d/%lld", oracle.partition, (long long)offset);
    (void)expect(id);
}

static void apply_event(const struct sim_entry *entry, int64_t offset)
{
    struct record record = {.partition = oracle.partition,
                            .offset = offset,
                            .timestamp_ms = entry->timestamp_ms,
                            .key = entry->key,
                            .value = entry->value};
    struct decode_options options = sim_load_decode(&oracle.sim->load);
    struct event event;
    struct span detail = SPAN_ABSENT;
    const char *why = NULL;
    oracle.sim->events++;
    if (decode_record(&record, entry->headers, entry->header_count, &options, &oracle.arena, &event,
                      &detail) != DECODE_NONE) {
        expect_dead_letter(offset);
        return;
    }
    struct oracle_customer *customer = find(event.customer);
    if (customer_is_empty(&customer->state))
        customer->state.params_version = oracle.params_version;
    event.record_ms = found(event.record_ms);
    const int64_t before = events_before(customer, &event);
    enum fold_outcome outcome =
        fold_event(&customer->state, &customer->ledger, &event, oracle.watermark_ms, &oracle.params,
                   &oracle.effects, &why);
    expect_effects(customer);
    if (outcome == FOLD_APPLIED || outcome == FOLD_FORWARDED)
        expect_errands(entry, &record, &event);
    weigh(&customer->state, &event, outcome, before);
    drop_empty(customer);
    sim_trace(oracle.sim, NULL, "fold: partition %d offset %lld %.*s %s: %s, W %lld",
              oracle.partition, (long long)offset, (int)event.customer.len, event.customer.at,
              event_type_title(event.type), outcome_labels[outcome],
              (long long)oracle.watermark_ms);
    if (outcome == FOLD_REJECTED)
        expect_dead_letter(offset);
    if (oracle.params.clock == FOLD_CLOCK_EVENT)
        fire(event.time_ms, event.record_ms);
}

static void switch_params(const struct control_record *control)
{
    const struct insight before = oracle.params.insight;
    struct report report = {.code = ""};
    if (params_decode(control->params, &oracle.params, &report) != STATUS_OK)
        sim_violate(oracle.sim,
                    "control record %lld of partition %d has parameters that cannot be read: %s",
                    (long long)control->number, oracle.partition, report.text);
    if (oracle.params_version > 0 && insight_newer(&before, &oracle.params.insight))
        sim_violate(oracle.sim,
                    "control record %lld of partition %d gives up version %u of the "
                    "insight for %u",
                    (long long)control->number, oracle.partition, (unsigned)before.version,
                    (unsigned)oracle.params.insight.version);
    oracle.params_version = control->params_version;
    if (control->watermark_ms > oracle.watermark_ms)
        oracle.watermark_ms = control->watermark_ms;
    for (size_t i = 0; i < oracle.count; i++)
        if (!customer_is_empty(&oracle.customers[i].state))
            fold_rearm(
                &oracle.customers[i].state,
                worker_rearm_ms(store_customer_hash(oracle.customers[i].id), oracle.watermark_ms),
                oracle.params_version, &oracle.params);
}

/* A storm is told once, when it begins, and for a reason. */
static void apply_guard(const struct control_record *control)
{
    const struct guard_options *options = &oracle.sim->load.guard;
    struct store_guard *guard = &oracle.guard;
    char id[33];
    if (guard->held != 0 && control->held != 0 && control->watermark_ms != guard->held_ms)
        sim_violate(oracle.sim,
                    "partition %d: time was held at %lld, control record %lld says %lld",
                    oracle.partition, (long long)guard->held_ms, (long long)control->number,
                    (long long)control->watermark_ms);
    if (control->held & ~guard->held & STORE_HELD_STORM) {
        if (!guard_storm_begins(options, guard) && !oracle.sim->rewritten[oracle.partition])
            sim_violate(oracle.sim, "partition %d: %lld alerts in an hour are a storm",
                        oracle.partition, (long long)guard->alerts);
        storm_alert_id(oracle.partition, control->number, id);
        (void)snprintf(expect(id)->what, sizeof oracle.expected.at[0].what, " (storm)");
    }
    guard_log_held(guard, control->held, control->watermark_ms);
}

static void apply_control(const struct control_record *control)
{
    struct sim *sim = oracle.sim;
    oracle.control++;
    sim_trace(sim, NULL,
              "fold: partition %d control %lld %s W %lld held %u, %lld alerts in hour %lld",
              oracle.partition, (long long)control->number, control_labels[control->kind],
              (long long)control->watermark_ms, control->held, (long long)oracle.guard.alerts,
              (long long)oracle.guard.hour);
    if (control->number != oracle.control)
        sim_violate(sim, "control record %lld of partition %d stands in the place of %lld",
                    (long long)control->number, oracle.partition, (long long)oracle.control);
    if ((control->kind == CONTROL_BIRTH) != (control->number == 1))
        sim_violate(sim, "control record %lld of partition %d is of kind %d",
                    (long long)control->number, oracle.partition, control->kind);
    if (guard_storm_begins(&sim->load.guard, &oracle.guard) && control->kind != CONTROL_GUARD &&
        !sim->rewritten[oracle.partition])
        sim_violate(sim, "partition %d: a storm of %lld alerts in an hour was not told",
                    oracle.partition, (long long)oracle.guard.alerts);
    if (control->kind == CONTROL_TICK)
        fire(control->watermark_ms, found(control->made_ms));
    else if (control->kind == CONTROL_GUARD)
        apply_guard(control);
    else
        switch_params(control);
}

/* Next committed control record at or after *offset; false at the end. */
static bool next_control(int64_t *offset, struct control_record *ret_control)
{
    const struct sim_log *log = &oracle.sim->kafka.log[SIM_CONTROL][oracle.partition];
    const char *why = NULL;
    while (*offset < log->end && !sim_kafka_visible(&log->at[*offset]))
        ++*offset;
    if (*offset == log->end)
        return false;
    if (control_decode(log->at[*offset].value, ret_control, &why) != STATUS_OK) {
        sim_violate(oracle.sim, "a control record cannot be read: %s", why);
        return false;
    }
    return true;
}

static void fold_partition(void)
{
    const struct sim_log *log = &oracle.sim->kafka.log[SIM_INPUT][oracle.partition];
    struct control_record control;
    int64_t control_offset = 0;
    bool more = next_control(&control_offset, &control);
    oracle.count = 0;
    oracle.control = 0;
    oracle.guard = (struct store_guard){0};
    oracle.watermark_ms = INT64_MIN;
    oracle.params = oracle.sim->load.params[0];
    oracle.params_version = 0;
    for (int64_t offset = 0; offset <= log->end; offset++) {
        for (; more && control.label <= offset; more = next_control(&control_offset, &control)) {
            if (control.label < offset && control.label < log->end && offset > 0 &&
                control.number > 1)
                sim_violate(oracle.sim,
                            "control record %lld of partition %d is labelled %lld, before %lld",
                            (long long)control.number, oracle.partition, (long long)control.label,
                            (long long)offset);
            apply_control(&control);
            control_offset++;
        }
        if (offset < log->end && sim_kafka_visible(&log->at[offset])) {
            apply_event(&log->at[offset], offset);
            guard_log_record(&oracle.guard, log->at[offset].timestamp_ms);
        }
    }
    if (more && !oracle.sim->rewritten[oracle.partition])
        sim_violate(oracle.sim,
                    "control record %lld of partition %d is labelled %lld, past the end",
                    (long long)control.number, oracle.partition, (long long)control.label);
}

/* --- Redis against it --- */

static struct span normal_record(struct customer state)
{
    struct span record = SPAN_ABSENT;
    state.due_ms = 0; /* early is allowed, and is checked apart */
    state.params_version = 0;
    MUST(customer_encode(&state, &oracle.arena, &record) == STATUS_OK);
    return record;
}

static void compare_customer(const struct oracle_customer *expected, const struct store_blob *blob,
                             int64_t bucket_due_ms)
{
    struct sim *sim = oracle.sim;
    struct customer state;
    const char *why = NULL;
    struct span ledger = SPAN_ABSENT;
    int id_len = (int)expected->id.len;
    if (customer_decode(blob->record, &state, &why) != STATUS_OK) {
        sim_violate(sim, "the record of %.*s in Redis cannot be read: %s", id_len, expected->id.at,
                    why);
        return;
    }
    if (!span_equal(normal_record(state), normal_record(expected->state)))
        sim_violate(sim,
                    "state of %.*s in partition %d is not the fold's (now %lld, fold %lld; events "
                    "%u, fold %u; stage %s, fold %s; episodes %u, fold %u)",
                    id_len, expected->id.at, oracle.partition, (long long)state.now_ms,
                    (long long)expected->state.now_ms, state.orders, expected->state.orders,
                    stage_label(state.stage), stage_label(expected->state.stage),
                    state.episode_count, expected->state.episode_count);
    /* A record of before a switch is armed anew when it is read: until then its bucket is due at W.
     */
    int64_t due_ms = fold_due(&expected->state, &oracle.params); /* a switch may have put it off */
    due_ms = due_ms > expected->state.due_ms ? due_ms : expected->state.due_ms;
    if (state.due_ms > due_ms && state.params_version == oracle.params_version)
        sim_violate(sim, "%.*s in partition %d is due at %lld, Redis says %lld", id_len,
                    expected->id.at, oracle.partition, (long long)due_ms, (long long)state.due_ms);
    if (bucket_due_ms > worker_due_ms(store_customer_hash(expected->id), due_ms))
        sim_violate(sim, "%.*s in partition %d is due at %lld, the timer index says %lld", id_len,
                    expected->id.at, oracle.partition, (long long)due_ms, (long long)bucket_due_ms);
    MUST(ledger_encode(&expected->ledger, &oracle.arena, &ledger) == STATUS_OK);
    bool none = expected->ledger.order_count == 0 && expected->ledger.event_count == 0 &&
                expected->ledger.previous.count == 0;
    if (!span_equal(blob->ledger, ledger) && !(none && blob->ledger.len == 0))
        sim_violate(sim,
                    "ledger of %.*s in partition %d is not the fold's (%zu bytes, fold %zu with %u "
                    "orders and %u events)",
                    id_len, expected->id.at, oracle.partition, blob->ledger.len, ledger.len,
                    expected->ledger.order_count, expected->ledger.event_count);
}

/* By its id; an erased one only by the name of its mark. */
static struct oracle_customer *expected_customer(struct span name)
{
    for (size_t i = 0; i < oracle.count; i++) {
        struct oracle_customer *customer = &oracle.customers[i];
        char mark[MARK_NAME_BYTES];
        struct span known = customer->id;
        if (customer_is_empty(&customer->state))
            continue;
        if (customer_is_mark(&customer->state)) {
            mark_name(&(struct mark_key){.bytes = {0}}, customer->id, mark);
            known = (struct span){mark, sizeof mark};
        }
        if (span_equal(known, name))
            return customer;
    }
    return NULL;
}

static int64_t index_entry(struct redis *redis, uint32_t bucket)
{
    char key[32], number[16];
    const struct redis_value *value = NULL;
    int64_t due_ms = INT64_MAX;
    (void)snprintf(key, sizeof key, "{%s:%d}:t", SIM_APP, oracle.partition);
    (void)snprintf(number, sizeof number, "%u", bucket);
    redis->queue(redis->self, 3,
                 (struct span[]){SPAN_LITERAL("ZSCORE"), span_of(key), span_of(number)});
    MUST(redis->send(redis->self, NULL) == STATUS_OK);
    MUST(redis->reply(redis->self, &value, NULL) == STATUS_OK);
    if (value->type == REDIS_BULK)
        due_ms = (int64_t)strtod(value->text.at, NULL);
    redis->forget(redis->self);
    return due_ms;
}

static size_t compare_bucket(struct store *store, struct redis *redis,
                             const struct store_meta *meta, uint32_t number)
{
    struct store_bucket bucket = {.number = number};
    MUST(store_load_bucket(store, meta, number, &oracle.arena, &bucket, NULL) == STATUS_OK);
    int64_t due_ms = index_entry(redis, number);
    for (size_t i = 0; i < bucket.count; i++) {
        const struct oracle_customer *customer = expected_customer(bucket.blobs[i].customer);
        if (customer != NULL)
            compare_customer(customer, &bucket.blobs[i], due_ms);
        else
            sim_violate(oracle.sim, "Redis holds %.*s in partition %d, the fold does not",
                        (int)bucket.blobs[i].customer.len, bucket.blobs[i].customer.at,
                        oracle.partition);
    }
    return bucket.count;
}

static int64_t guarded_until(int64_t wall_ms)
{
    return sim_load_until(&oracle.sim->load, &oracle.guard, wall_ms);
}

static void compare_guard(const struct store_meta *meta)
{
    struct sim *sim = oracle.sim;
    const struct store_guard *redis = &meta->guard, *fold = &oracle.guard;
    if (memcmp(redis, fold, sizeof *fold) != 0)
        sim_violate(sim,
                    "guard of partition %d in Redis is held %u at %lld, heard %lld, gap %lld, hour "
                    "%lld: %lld of %lld; the fold's %u at %lld, %lld, %lld, %lld: %lld of %lld",
                    oracle.partition, redis->held, (long long)redis->held_ms,
                    (long long)redis->heard_ms, (long long)redis->gap_ms, (long long)redis->hour,
                    (long long)redis->alerts, (long long)redis->mean_milli, fold->held,
                    (long long)fold->held_ms, (long long)fold->heard_ms, (long long)fold->gap_ms,
                    (long long)fold->hour, (long long)fold->alerts, (long long)fold->mean_milli);
    if (fold->held & STORE_HELD_STORM && !sim->load.clock_event)
        sim_violate(sim, "partition %d: the storm is not over", oracle.partition);
    const int64_t wall_ms = sim->wall_ms + sim->now_ms;
    if (fold->held & STORE_HELD_SILENCE && guarded_until(wall_ms) == wall_ms &&
        !sim->load.clock_event)
        sim_violate(sim, "partition %d: time is held although records come", oracle.partition);
}

static void compare_meta(const struct store_meta *meta, size_t customers, size_t marks)
{
    struct sim *sim = oracle.sim;
    const struct sim_txn_offset *committed = &sim->kafka.committed[oracle.partition];
    struct delivered delivered = {.at = {.offset = committed->offset}};
    if (position_metadata_decode(committed->metadata, &delivered) != STATUS_OK)
        sim_violate(sim, "metadata of K of partition %d cannot be read", oracle.partition);
    if (meta->at.control != oracle.control || delivered.at.control != oracle.control)
        sim_violate(sim, "partition %d: %lld control records, C in Redis %lld, with K %lld",
                    oracle.partition, (long long)oracle.control, (long long)meta->at.control,
                    (long long)delivered.at.control);
    if (meta->watermark_ms < oracle.watermark_ms)
        sim_violate(sim, "partition %d: W in Redis %lld, the fold's %lld", oracle.partition,
                    (long long)meta->watermark_ms, (long long)oracle.watermark_ms);
    if (meta->customers != (int64_t)customers)
        sim_violate(sim, "partition %d: meta counts %lld customers, the fold %zu", oracle.partition,
                    (long long)meta->customers, customers);
    if (meta->marks != (int64_t)marks)
        sim_violate(sim, "partition %d: meta counts %lld marks, the fold %zu", oracle.partition,
                    (long long)meta->marks, marks);
    compare_guard(meta);
    int64_t until_ms = guarded_until(sim->quiet_wall_ms);
    if (sim->load.clock_event) /* what a switch armed at W waits for the next step of W */
        until_ms = meta->watermark_ms == INT64_MIN ? INT64_MIN : meta->watermark_ms - 1;
    for (size_t i = 0; i < oracle.count; i++) {
        const struct oracle_customer *customer = &oracle.customers[i];
        if (!customer_is_empty(&customer->state) &&
            worker_due_ms(store_customer_hash(customer->id), customer->state.due_ms) <= until_ms)
            sim_violate(
                sim, "a timer of %.*s in partition %d was due at %lld, it is %lld: it never fired",
                (int)customer->id.len, customer->id.at, oracle.partition,
                (long long)customer->state.due_ms, (long long)until_ms);
    }
}

static void compare_state(void)
{
    struct sim *sim = oracle.sim;
    struct redis_memory_conn *conn = redis_memory_connect(sim->redis);
    struct redis redis = redis_memory_port(conn);
    struct store_meta meta;
    bool present = false;
    size_t found = 0, customers = 0, marks = 0;
    for (size_t i = 0; i < oracle.count; i++) {
        customers += !customer_is_empty(&oracle.customers[i].state);
        marks += customer_is_mark(&oracle.customers[i].state);
    }
    MUST(store_peek(&redis, SIM_APP, oracle.partition, &meta, &present, NULL) == STATUS_OK);
    if (!present) {
        sim_violate(sim, "partition %d has no meta in Redis", oracle.partition);
    } else {
        struct store *store = store_open_readonly(redis, SIM_APP, oracle.partition);
        for (uint32_t number = 0; number < meta.buckets; number++)
            found += compare_bucket(store, &redis, &meta, number);
        store_close(store);
        if (found != customers)
            sim_violate(sim, "partition %d: %zu customers in Redis, the fold has %zu",
                        oracle.partition, found, customers);
        compare_meta(&meta, customers, marks);
    }
    redis_memory_disconnect(conn);
}

/* --- what consumers saw against it --- */

static int by_partition_and_id(const void *left, const void *right)
{
    const struct telling *a = left, *b = right;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return strcmp(a->id, b->id);
}

static void see(enum sim_topic topic, const struct sim_entry *entry)
{
    MUST(oracle.seen.count < TELLINGS_MAX);
    struct telling *telling = &oracle.seen.at[oracle.seen.count++];
    telling->target = -1;
    if (topic == SIM_INPUT) {
        struct span partition = header_of(entry->headers, entry->header_count, "lc-partition");
        int64_t number = -1;
        if (text_i64_parse(partition, &number) != STATUS_OK)
            sim_violate(oracle.sim, "an internal event does not say where it comes from");
        telling->partition = (int32_t)number;
        telling->what[0] = '\0';
        name_errand(entry->headers, entry->header_count, telling->id);
    } else if (topic == SIM_ALERTS) {
        struct span id = header_of(entry->headers, entry->header_count, "ce_id");
        struct span type = header_of(entry->headers, entry->header_count, "ce_type"),
                    time = header_of(entry->headers, entry->header_count, "ce_time");
        telling->partition = span_is(type, "lifecycled.alert.storm.raised.v1")
                                 ? entry->key.at[entry->key.len - 1] - '0' /* "partition-N" */
                                 : hash_partition_murmur2(entry->key, oracle.sim->load.partitions);
        (void)snprintf(telling->what, sizeof telling->what, " (%.*s %.*s at %.*s)",
                       (int)entry->key.len, entry->key.at, (int)type.len, type.at, (int)time.len,
                       time.at);
        (void)snprintf(telling->id, sizeof telling->id, "%.*s", (int)id.len, id.at);
    } else {
        struct span partition = header_of(entry->headers, entry->header_count, "lc-partition"),
                    offset = header_of(entry->headers, entry->header_count, "lc-offset");
        int64_t number = -1;
        if (text_i64_parse(partition, &number) != STATUS_OK)
            sim_violate(oracle.sim, "a dead letter does not say where it comes from");
        telling->partition = (int32_t)number;
        telling->what[0] = '\0';
        (void)snprintf(telling->id, sizeof telling->id, "dead/%.*s/%.*s", (int)partition.len,
                       partition.at, (int)offset.len, offset.at);
    }
}

/* Written by a worker, not by a publisher. */
static bool is_internal(const struct sim_entry *entry)
{
    return header_of(entry->headers, entry->header_count, "lc-offset").at != NULL;
}

static void see_all(void)
{
    oracle.seen.count = 0;
    for (enum sim_topic topic = SIM_INPUT; topic <= SIM_DEAD_LETTERS; topic++)
        for (int i = 0; i < SIM_PARTITIONS_MAX; i++) {
            const struct sim_log *log = &oracle.sim->kafka.log[topic][i];
            for (int64_t offset = 0; offset < log->end; offset++)
                if (sim_kafka_visible(&log->at[offset]) &&
                    (topic != SIM_INPUT || is_internal(&log->at[offset])))
                    see(topic, &log->at[offset]);
        }
}

static void compare_tellings(void)
{
    struct sim *sim = oracle.sim;
    struct tellings *expected = &oracle.expected, *seen = &oracle.seen;
    size_t i = 0, j = 0;
    qsort(expected->at, expected->count, sizeof expected->at[0], by_partition_and_id);
    qsort(seen->at, seen->count, sizeof seen->at[0], by_partition_and_id);
    while (i < expected->count || j < seen->count) {
        int order = i == expected->count ? 1
                    : j == seen->count   ? -1
                                         : by_partition_and_id(&expected->at[i], &seen->at[j]);
        const bool cut = order < 0 && expected->at[i].target >= 0 &&
                         sim->rewritten[expected->at[i].target]; /* it was there */
        if (order < 0 && !sim->stopped[expected->at[i].partition] && !cut)
            sim_violate(sim, "%s of partition %d was never told%s", expected->at[i].id,
                        expected->at[i].partition, expected->at[i].what);
        if (order > 0 &&
            !(sim->stopped[seen->at[j].partition] && sim->rewritten[seen->at[j].partition]))
            sim_violate(sim, "%s of partition %d was told twice or for nothing%s", seen->at[j].id,
                        seen->at[j].partition, seen->at[j].what);
        i += order <= 0;
        j += order >= 0;
    }
}

void sim_oracle_judge(struct sim *sim)
{
    oracle.sim = sim;
    oracle.expected.count = 0;
    oracle.effects = (struct effects){
        .at = oracle.effect_room, .cap = EFFECTS_PER_STEP_MAX, .errands = &oracle.errands};
    oracle.moving = 0;
    bool whole = true;
    if (oracle.arena.bytes_max == 0)
        arena_init(&oracle.arena, 64u << 20);
    for (int32_t i = 0; i < sim->load.partitions; i++) {
        oracle.partition = i;
        arena_reset(&oracle.arena);
        if (sim->stopped[i] && !sim->may_lose[i])
            sim_violate(sim, "partition %d is stopped although nothing was lost", i);
        /* A rewritten topic whose evidence was lost later is the operator's, who was told. */
        sim->stopped[i] = sim->stopped[i] || (sim->rewritten[i] && sim->reported[i]);
        if (sim->kafka.went_back[i] && !sim->rewritten[i])
            sim_violate(sim, "K of partition %d went back", i);
        fold_partition();
        whole = whole && !sim->stopped[i] && !sim->rewritten[i];
        if (!sim->stopped[i])
            compare_state();
    }
    if (whole && oracle.moving != 0)
        sim_violate(sim, "states with %lld events were lost or doubled between two ids",
                    (long long)oracle.moving);
    see_all();
    compare_tellings();
}
