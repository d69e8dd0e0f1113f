/* sim_kafka: see the header. */
#include "tests/sim/sim_kafka.h"

#include <stdlib.h>

#include "base/must.h"

void sim_kafka_init(struct sim_kafka *kafka, int32_t partitions, uint64_t seed)
{
    MUST(partitions > 0 && partitions <= SIM_PARTITIONS_MAX);
    if (kafka->bytes.bytes_max == 0)
        arena_init(&kafka->bytes, 64u << 20);
    kafka->random = (struct sim_random){seed};
    kafka->partitions = partitions;
    kafka->marker_delay_ms = 20;
}

void sim_kafka_reset(struct sim_kafka *kafka)
{
    struct sim_kafka empty = {.bytes = kafka->bytes};
    for (int topic = 0; topic < SIM_TOPICS; topic++)
        for (int i = 0; i < SIM_PARTITIONS_MAX; i++)
            empty.log[topic][i] =
                (struct sim_log){.at = kafka->log[topic][i].at, .cap = kafka->log[topic][i].cap};
    *kafka = empty;
    arena_reset(&kafka->bytes);
}

/* --- logs --- */

static void *keep(struct sim_kafka *kafka, const void *bytes, size_t len)
{
    void *copy = arena_copy(&kafka->bytes, bytes, len);
    MUST(copy != NULL);
    return copy;
}

static struct span keep_span(struct sim_kafka *kafka, struct span span)
{
    if (span.at == NULL)
        return span;
    return (struct span){span.len == 0 ? "" : keep(kafka, span.at, span.len), span.len};
}

static struct sim_entry *push(struct sim_kafka *kafka, enum sim_topic topic, int32_t partition)
{
    MUST(partition >= 0 && partition < SIM_PARTITIONS_MAX);
    struct sim_log *log = &kafka->log[topic][partition];
    if (log->end == log->cap) {
        log->cap = log->cap == 0 ? 256 : 2 * log->cap;
        log->at = realloc(log->at, (size_t)log->cap * sizeof *log->at);
        MUST(log->at != NULL);
    }
    struct sim_entry *entry = &log->at[log->end++];
    *entry = (struct sim_entry){.timestamp_ms = kafka->now_ms};
    return entry;
}

int64_t sim_kafka_append(struct sim_kafka *kafka, enum sim_topic topic, int32_t partition,
                         const struct sim_entry *entry)
{
    struct sim_entry copy = *entry;
    copy.key = keep_span(kafka, entry->key);
    copy.value = keep_span(kafka, entry->value);
    if (entry->header_count > 0) {
        copy.headers = keep(kafka, entry->headers, entry->header_count * sizeof *entry->headers);
        for (size_t i = 0; i < entry->header_count; i++) {
            copy.headers[i].name = keep_span(kafka, entry->headers[i].name);
            copy.headers[i].value = keep_span(kafka, entry->headers[i].value);
        }
    }
    *push(kafka, topic, partition) = copy;
    return kafka->log[topic][partition].end - 1;
}

bool sim_kafka_visible(const struct sim_entry *entry)
{
    if (entry->marker)
        return false;
    return entry->txn == NULL || (entry->txn->part[entry->slot].marked && entry->txn->committed);
}

int64_t sim_kafka_stable(struct sim_kafka *kafka, enum sim_topic topic, int32_t partition)
{
    struct sim_log *log = &kafka->log[topic][partition];
    while (log->stable < log->end) {
        const struct sim_entry *entry = &log->at[log->stable];
        if (!entry->marker && entry->txn != NULL && !entry->txn->part[entry->slot].marked)
            break;
        log->stable++;
    }
    return log->stable;
}

void sim_kafka_retention(struct sim_kafka *kafka, enum sim_topic topic, int32_t partition,
                         int64_t low)
{
    struct sim_log *log = &kafka->log[topic][partition];
    int64_t stable = sim_kafka_stable(kafka, topic, partition);
    low = low > stable ? stable : low;
    if (low > log->low)
        log->low = low;
}

void sim_kafka_truncate(struct sim_kafka *kafka, enum sim_topic topic, int32_t partition,
                        int64_t end)
{
    struct sim_log *log = &kafka->log[topic][partition];
    if (end < log->end)
        log->end = end;
    if (log->stable > log->end)
        log->stable = log->end;
    if (log->low > log->end)
        log->low = log->end;
}

/* --- transactions --- */

struct sim_txn *sim_kafka_open_txn(struct sim_kafka *kafka)
{
    struct sim_txn *txn = arena_zalloc(&kafka->bytes, sizeof *txn);
    MUST(txn != NULL);
    txn->started_ms = kafka->now_ms;
    txn->next = kafka->txns;
    kafka->txns = txn;
    return txn;
}

int64_t sim_kafka_append_txn(struct sim_kafka *kafka, struct sim_txn *txn, enum sim_topic topic,
                             int32_t partition, const struct sim_entry *entry)
{
    uint8_t slot = 0;
    while (slot < txn->parts &&
           (txn->part[slot].topic != topic || txn->part[slot].partition != partition))
        slot++;
    if (slot == txn->parts) {
        MUST(slot < SIM_TXN_PARTS_MAX);
        txn->part[txn->parts++] = (struct sim_txn_part){.topic = topic, .partition = partition};
    }
    int64_t offset = sim_kafka_append(kafka, topic, partition, entry);
    kafka->log[topic][partition].at[offset].txn = txn;
    kafka->log[topic][partition].at[offset].slot = slot;
    return offset;
}

/* The coordinator has decided; every partition learns of it in its own time. */
void sim_kafka_finish(struct sim_kafka *kafka, struct sim_txn *txn, bool commit)
{
    MUST(txn->state == SIM_TXN_OPEN);
    txn->committed = commit;
    txn->state = commit ? SIM_TXN_COMMITTING : SIM_TXN_ABORTING;
    for (uint8_t i = 0; i < txn->parts; i++)
        txn->part[i].mark_ms =
            kafka->now_ms + sim_random_between(&kafka->random, 0, kafka->marker_delay_ms);
    txn->offsets_mark_ms =
        kafka->now_ms + sim_random_between(&kafka->random, 0, kafka->marker_delay_ms);
    sim_kafka_advance(kafka, kafka->now_ms);
}

static void mark(struct sim_kafka *kafka, struct sim_txn *txn)
{
    bool all = true;
    for (uint8_t i = 0; i < txn->parts; i++) {
        struct sim_txn_part *part = &txn->part[i];
        if (!part->marked && part->mark_ms <= kafka->now_ms) {
            part->marked = true;
            struct sim_entry *marker = push(kafka, part->topic, part->partition);
            marker->marker = true;
        }
        all = all && part->marked;
    }
    if (txn->has_offsets && !txn->offsets_marked && txn->offsets_mark_ms <= kafka->now_ms) {
        txn->offsets_marked = true;
        for (int i = 0; i < SIM_PARTITIONS_MAX && txn->committed; i++)
            if (txn->offset[i].present) {
                if (kafka->committed[i].present &&
                    txn->offset[i].offset < kafka->committed[i].offset)
                    kafka->went_back[i] = true;
                kafka->committed[i] = txn->offset[i];
            }
    }
    if (all && (!txn->has_offsets || txn->offsets_marked))
        txn->state = SIM_TXN_DONE;
}

static void advance_txns(struct sim_kafka *kafka)
{
    for (int name = 0; name < SIM_NAMES_MAX; name++) {
        struct sim_producer *producer = &kafka->producer[name];
        struct sim_txn *txn = producer->txn;
        if (txn == NULL || txn->state != SIM_TXN_OPEN ||
            kafka->now_ms < txn->started_ms + SIM_TXN_TIMEOUT_MS)
            continue;
        producer->epoch++; /* the coordinator fences the producer whose transaction it aborts */
        sim_kafka_finish(kafka, txn, false);
    }
    for (struct sim_txn **at = &kafka->txns; *at != NULL;) {
        struct sim_txn *txn = *at;
        if (txn->state == SIM_TXN_COMMITTING || txn->state == SIM_TXN_ABORTING)
            mark(kafka, txn);
        if (txn->state == SIM_TXN_DONE)
            *at = txn->next;
        else
            at = &txn->next;
    }
}

enum sim_answer sim_kafka_producer_init(struct sim_kafka *kafka, int name, int64_t *ret_epoch)
{
    struct sim_producer *producer = &kafka->producer[name];
    if (producer->txn != NULL && producer->txn->state == SIM_TXN_OPEN) {
        producer->epoch++;
        sim_kafka_finish(kafka, producer->txn, false);
    }
    if (producer->txn != NULL && producer->txn->state != SIM_TXN_DONE)
        return SIM_WAIT;
    *ret_epoch = ++producer->epoch;
    return SIM_DONE;
}

/* The producer's open transaction, begun now when there is none. */
static enum sim_answer open_txn(struct sim_kafka *kafka, int name, int64_t epoch,
                                struct sim_txn **ret_txn)
{
    struct sim_producer *producer = &kafka->producer[name];
    if (epoch != producer->epoch)
        return SIM_FENCED;
    if (producer->txn == NULL || producer->txn->state == SIM_TXN_DONE)
        producer->txn = sim_kafka_open_txn(kafka);
    if (producer->txn->state != SIM_TXN_OPEN)
        return SIM_WAIT;
    *ret_txn = producer->txn;
    return SIM_DONE;
}

enum sim_answer sim_kafka_produce(struct sim_kafka *kafka, int name, int64_t epoch,
                                  enum sim_topic topic, int32_t partition,
                                  const struct sim_entry *entry)
{
    struct sim_txn *txn = NULL;
    enum sim_answer answer = open_txn(kafka, name, epoch, &txn);
    if (answer == SIM_DONE)
        (void)sim_kafka_append_txn(kafka, txn, topic, partition, entry);
    return answer;
}

static enum sim_answer check_member(const struct sim_kafka *kafka, int64_t member,
                                    int64_t generation)
{
    if (member == 0) /* a group id only: nothing to hold it against [M] */
        return SIM_DONE;
    for (int name = 0; name < SIM_NAMES_MAX; name++)
        if (kafka->member[name].id == member)
            return generation == kafka->generation ? SIM_DONE : SIM_ILLEGAL_GENERATION;
    return SIM_UNKNOWN_MEMBER;
}

enum sim_answer sim_kafka_txn_offset(struct sim_kafka *kafka, int name, int64_t epoch,
                                     int64_t member, int64_t generation, int32_t partition,
                                     int64_t offset, struct span metadata)
{
    struct sim_txn *txn = NULL;
    enum sim_answer answer = open_txn(kafka, name, epoch, &txn);
    if (answer == SIM_DONE)
        answer = check_member(kafka, member, generation);
    if (answer != SIM_DONE)
        return answer;
    txn->has_offsets = true;
    txn->offset[partition] = (struct sim_txn_offset){true, offset, keep_span(kafka, metadata)};
    return SIM_DONE;
}

enum sim_answer sim_kafka_end_txn(struct sim_kafka *kafka, int name, int64_t epoch, bool commit)
{
    struct sim_producer *producer = &kafka->producer[name];
    if (epoch != producer->epoch)
        return SIM_FENCED;
    if (producer->txn == NULL)
        return SIM_INVALID_STATE;
    if (producer->txn->state != SIM_TXN_OPEN) /* a repeated request gets the same answer */
        return producer->txn->committed == commit ? SIM_DONE : SIM_INVALID_STATE;
    sim_kafka_finish(kafka, producer->txn, commit);
    return SIM_DONE;
}

enum sim_answer sim_kafka_committed(const struct sim_kafka *kafka, int32_t partition,
                                    int64_t *ret_offset, struct span *ret_metadata)
{
    for (const struct sim_txn *txn = kafka->txns; txn != NULL; txn = txn->next)
        if (txn->has_offsets && !txn->offsets_marked && txn->offset[partition].present)
            return SIM_WAIT;
    const struct sim_txn_offset *offset = &kafka->committed[partition];
    *ret_offset = offset->present ? offset->offset : -1;
    *ret_metadata = offset->present ? offset->metadata : SPAN_ABSENT;
    return SIM_DONE;
}

void sim_kafka_expire_offsets(struct sim_kafka *kafka, int32_t partition)
{
    kafka->committed[partition] = (struct sim_txn_offset){.present = false};
}

/* --- group --- */

static bool group_any(const struct sim_kafka *kafka)
{
    for (int name = 0; name < SIM_NAMES_MAX; name++)
        if (kafka->member[name].id != 0)
            return true;
    return false;
}

void sim_kafka_rebalance(struct sim_kafka *kafka)
{
    if (kafka->group_state == SIM_GROUP_PREPARING)
        return;
    if (!group_any(kafka)) {
        kafka->group_state = SIM_GROUP_EMPTY;
        return;
    }
    kafka->group_state = SIM_GROUP_PREPARING;
    kafka->rebalance_end_ms = kafka->now_ms + SIM_REBALANCE_MS;
    for (int name = 0; name < SIM_NAMES_MAX; name++)
        kafka->member[name].joined = false;
}

/* The range assignor over the names in order. */
static void assign(struct sim_kafka *kafka)
{
    int members = 0, at = 0;
    int32_t next = 0;
    for (int name = 0; name < SIM_NAMES_MAX; name++)
        members += kafka->member[name].id != 0;
    for (int name = 0; name < SIM_NAMES_MAX; name++) {
        struct sim_member *member = &kafka->member[name];
        member->partitions = 0;
        if (member->id == 0)
            continue;
        int32_t count = kafka->partitions / members + (at < kafka->partitions % members);
        for (int32_t i = 0; i < count; i++)
            member->partitions |= 1u << next++;
        at++;
    }
    kafka->generation++;
    kafka->group_state = SIM_GROUP_STABLE;
}

static void advance_group(struct sim_kafka *kafka)
{
    for (int name = 0; name < SIM_NAMES_MAX; name++) {
        struct sim_member *member = &kafka->member[name];
        if (member->id != 0 && member->session_end_ms <= kafka->now_ms) {
            *member = (struct sim_member){.id = 0};
            if (kafka->group_state == SIM_GROUP_STABLE)
                sim_kafka_rebalance(kafka);
        }
    }
    if (kafka->group_state != SIM_GROUP_PREPARING)
        return;
    bool all = true;
    for (int name = 0; name < SIM_NAMES_MAX; name++) {
        struct sim_member *member = &kafka->member[name];
        if (member->id != 0 && !member->joined && kafka->rebalance_end_ms <= kafka->now_ms)
            *member = (struct sim_member){.id = 0};
        all = all && (member->id == 0 || member->joined);
    }
    if (!group_any(kafka))
        kafka->group_state = SIM_GROUP_EMPTY;
    else if (all)
        assign(kafka);
}

/* A static member that comes back under its name takes the old one's place without a rebalance and
 * fences it (KIP-345). */
enum sim_answer sim_kafka_join(struct sim_kafka *kafka, int name, int64_t id)
{
    struct sim_member *member = &kafka->member[name];
    if (member->id > id)
        return SIM_FENCED;
    bool same_place = member->id != 0 && kafka->group_state == SIM_GROUP_STABLE;
    uint32_t partitions = member->partitions;
    *member = (struct sim_member){.id = id,
                                  .joined = true,
                                  .session_end_ms = INT64_MAX,
                                  .partitions = same_place ? partitions : 0};
    if (!same_place) {
        sim_kafka_rebalance(kafka);
        member->joined = true;
    }
    sim_kafka_advance(kafka, kafka->now_ms);
    return SIM_DONE;
}

enum sim_answer sim_kafka_member(const struct sim_kafka *kafka, int name, int64_t id,
                                 int64_t *ret_generation, uint32_t *ret_partitions)
{
    const struct sim_member *member = &kafka->member[name];
    if (member->id != id)
        return member->id > id ? SIM_FENCED : SIM_UNKNOWN_MEMBER;
    if (kafka->group_state != SIM_GROUP_STABLE)
        return SIM_WAIT;
    *ret_generation = kafka->generation;
    *ret_partitions = member->partitions;
    return SIM_DONE;
}

void sim_kafka_silence(struct sim_kafka *kafka, int name, int64_t id)
{
    struct sim_member *member = &kafka->member[name];
    if (member->id == id && member->session_end_ms == INT64_MAX)
        member->session_end_ms = kafka->now_ms + SIM_SESSION_MS;
}

void sim_kafka_heartbeat(struct sim_kafka *kafka, int name, int64_t id)
{
    if (kafka->member[name].id == id)
        kafka->member[name].session_end_ms = INT64_MAX;
}

void sim_kafka_advance(struct sim_kafka *kafka, int64_t now_ms)
{
    MUST(now_ms >= kafka->now_ms);
    kafka->now_ms = now_ms;
    advance_txns(kafka);
    advance_group(kafka);
}
