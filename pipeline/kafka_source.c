/* kafka_source: see the header. PROTOCOL.md steps 1, 2, 8, 10.
 *
 * Rebalances. The callback only writes down what changes; poll hands it out and `assign` tells
 * librdkafka. Before calling back librdkafka pauses the whole assignment and voids what is queued,
 * and the group waits for our answer: so records of a call that were taken before the callback are
 * ours to process, and no later ones of those partitions come. To make the wait end at once the
 * callback uses rd_kafka_queue_yield(), not rd_kafka_yield(): with the latter, consume_batch_queue
 * of 2.0.2 takes one more record off the queue and forgets it.
 *
 * Waiting. consume_batch_queue waits its whole timeout to fill the array, which would cost latency;
 * so the first record is waited for alone and the rest is taken without waiting. */
#include "pipeline/kafka_source.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/must.h"
#include "pipeline/kafka_handle.h"

#define REQUEST_MS_DEFAULT 2000
#define CONTROL_MS_MAX     5000 /* one reading of the control topic */
#define CONTROL_POLL_MAX   1024
#define SEEK_MS            1000
#define CLOSE_DRAIN        256
#define OLD_MS             2000
#define FILL_MS            100 /* longest wait for a fuller batch, in steps: */
#define FILL_STEP_MS       10
#define POLL_BYTES_MAX     ((size_t)32 << 20) /* of records in one poll, and one more sample */
#define POLL_SAMPLE        64
#define PROBE_EVERY_MS     1000 /* while something seems wrong */
#define PROBE_MS           300

struct owned {
    int32_t partition;
    bool paused;
    int64_t next; /* offset: the next that poll may return */
};

struct kafka_source {
    struct kafka_handle group;  /* first: the callbacks' opaque */
    struct kafka_handle reader; /* assign-only, of the control topic and for metadata */
    const struct kafka_options *options;
    rd_kafka_queue_t *queue, *reader_queue;
    bool closing;

    enum source_change change;     /* seen by the callback, not handed out yet */
    enum source_change unanswered; /* handed out, waits for assign */
    int32_t change_at[SOURCE_PARTITIONS_MAX];
    size_t change_count;

    struct owned owned[SOURCE_PARTITIONS_MAX]; /* as told by the last assign */
    size_t owned_count, owned_hit;

    rd_kafka_message_t **messages; /* of the last batch; cap of them and of records */
    struct record *records;
    size_t message_count, cap;
    struct source_end ends[SOURCE_PARTITIONS_MAX];
    rd_kafka_consumer_group_metadata_t *membership;
    struct report problem; /* as long as the last probe failed; code empty: none */
    int64_t probe_at_ms;
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int request_ms(const struct kafka_source *source)
{
    return source->options->request_timeout_ms ? source->options->request_timeout_ms
                                               : REQUEST_MS_DEFAULT;
}

static struct owned *owned_find(struct kafka_source *source, int32_t partition)
{
    /* Records come in runs of one partition. */
    if (source->owned_hit < source->owned_count &&
        source->owned[source->owned_hit].partition == partition)
        return &source->owned[source->owned_hit];
    for (size_t i = 0; i < source->owned_count; i++)
        if (source->owned[i].partition == partition) {
            source->owned_hit = i;
            return &source->owned[i];
        }
    return NULL;
}

static rd_kafka_topic_partition_list_t *list_new(size_t count)
{
    return rd_kafka_topic_partition_list_new((int)(count ? count : 1));
}

static void list_add(const struct kafka_source *source, rd_kafka_topic_partition_list_t *list,
                     int32_t partition, int64_t offset)
{
    rd_kafka_topic_partition_list_add(list, source->options->input, partition)->offset = offset;
}

static void answer(rd_kafka_t *rk, rd_kafka_error_t *error)
{
    /* A refused answer shows as the next error of the group; there is nothing to do with it here.
     */
    (void)rk;
    if (error)
        rd_kafka_error_destroy(error);
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct kafka_source *source = opaque;

    if (source->closing || (err != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS &&
                            err != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)) {
        (void)rd_kafka_assign(rk, NULL);
        return;
    }
    if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        source->change = SOURCE_ASSIGNED;
    } else {
        source->change = rd_kafka_assignment_lost(rk) ? SOURCE_LOST : SOURCE_REVOKED;
    }
    MUST(list->cnt <= SOURCE_PARTITIONS_MAX);
    source->change_count = (size_t)list->cnt;
    for (int i = 0; i < list->cnt; i++)
        source->change_at[i] = list->elems[i].partition;
    rd_kafka_queue_yield(source->queue);
}

static void prepare_group(rd_kafka_conf_t *conf)
{
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
}

/* --- poll --- */

static void release_batch(struct kafka_source *source)
{
    for (size_t i = 0; i < source->message_count; i++)
        rd_kafka_message_destroy(source->messages[i]);
    source->message_count = 0;
    if (source->membership)
        rd_kafka_consumer_group_metadata_destroy(source->membership);
    source->membership = NULL;
}

static bool make_room(struct kafka_source *source, size_t max)
{
    rd_kafka_message_t **messages;
    struct record *records;

    if (max <= source->cap)
        return true;
    messages = realloc(source->messages, max * sizeof *messages);
    if (messages)
        source->messages = messages;
    records = messages ? realloc(source->records, max * sizeof *records) : NULL;
    if (!records)
        return false;
    source->records = records;
    source->cap = max;
    return true;
}

static void note_end(struct kafka_source *source, struct source_batch *batch, struct owned *owned,
                     int64_t end)
{
    size_t i = 0;

    if (end > owned->next)
        owned->next = end;
    while (i < batch->end_count && batch->ends[i].partition != owned->partition)
        i++;
    MUST(i < SOURCE_PARTITIONS_MAX);
    source->ends[i] = (struct source_end){.partition = owned->partition, .end = end};
    if (i == batch->end_count)
        batch->end_count++;
}

/* Is the cluster there, with a leader for everything we own? */
static rd_kafka_resp_err_t probe(struct kafka_source *source, const char *topic, int timeout_ms)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(source->reader.rk, topic, NULL);
    rd_kafka_resp_err_t err;

    if (!handle)
        return rd_kafka_last_error();
    err = rd_kafka_metadata(source->reader.rk, 0, handle, &metadata, timeout_ms);
    rd_kafka_topic_destroy(handle);
    if (err)
        return err;
    err = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR__BAD_MSG;
    for (int i = 0; !err && i < metadata->topics[0].partition_cnt; i++)
        if (metadata->topics[0].partitions[i].leader < 0)
            err = RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
    rd_kafka_metadata_destroy(metadata);
    return err;
}

/* One end of a partition: RD_KAFKA_OFFSET_BEGINNING or _END, which are the times that a ListOffsets
 * request takes for them. Not rd_kafka_query_watermark_offsets(): of 2.0.2 it ignores its timeout
 * when the leader has died and waited 98 s for it here. */
static rd_kafka_resp_err_t query_end(struct kafka_source *source, const char *topic,
                                     int32_t partition, int64_t end, int64_t *ret_offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *at = rd_kafka_topic_partition_list_add(list, topic, partition);
    rd_kafka_resp_err_t err;

    at->offset = end;
    err = rd_kafka_offsets_for_times(source->reader.rk, list, request_ms(source));
    if (!err)
        err = at->err;
    if (!err && at->offset < 0)
        err = RD_KAFKA_RESP_ERR__BAD_MSG;
    if (!err)
        *ret_offset = at->offset;
    rd_kafka_topic_partition_list_destroy(list);
    return err;
}

static rd_kafka_resp_err_t query_bounds(struct kafka_source *source, const char *topic,
                                        int32_t partition, int64_t *ret_low, int64_t *ret_high)
{
    rd_kafka_resp_err_t err = probe(source, topic, request_ms(source));

    if (!err)
        err = query_end(source, topic, partition, RD_KAFKA_OFFSET_BEGINNING, ret_low);
    if (!err)
        err = query_end(source, topic, partition, RD_KAFKA_OFFSET_END, ret_high);
    return err;
}

/* When it is back it may be another one of the same name, and librdkafka would read on at the old
 * offset: a new consumer claims its partitions, and a claim compares the log with the state. */
static enum status topic_gone(struct kafka_source *source, struct report *report)
{
    report_set(report, "topic-missing",
               "topic %s does not exist (any more); looking at it with a new consumer",
               source->options->input);
    return STATUS_FATAL;
}

/* An error that came in place of a record. */
static enum status take_error(struct kafka_source *source, const rd_kafka_message_t *message,
                              struct report *report)
{
    const char *topic = source->options->input;
    const struct owned *owned = owned_find(source, message->partition);

    switch ((int)message->err) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        if (!owned || owned->paused || message->offset < owned->next)
            return STATUS_OK; /* of a place it has left: a partition waits at offset 0 until claimed
                               */
        /* What it is (retention, truncation; with librdkafka 2.8 and a cooperative rebalance
         * sometimes nothing) the claim finds out by the log's bounds. */
        report_set(
            report, "offset-out-of-range",
            "topic %s partition %d no longer holds offset %lld (%s); looking at its bounds again",
            topic, message->partition, (long long)message->offset,
            rd_kafka_message_errstr(message));
        return STATUS_FATAL;
    case RD_KAFKA_RESP_ERR__FATAL:
        return kafka_handle_fatal(&source->group, report);
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return topic_gone(source, report);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        report_set(report, "kafka-refused", "Kafka does not let us read topic %s as group %s: %s",
                   topic, source->options->group, rd_kafka_message_errstr(message));
        return STATUS_OK;
    default:
        report_set(report, "kafka-consumer", "topic %s partition %d: %s", topic, message->partition,
                   rd_kafka_message_errstr(message));
        return STATUS_OK;
    }
}

static enum status take_message(struct kafka_source *source, rd_kafka_message_t *message,
                                struct source_batch *batch, struct report *report)
{
    struct owned *owned;

    if (message->err && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return take_error(source, message, report);
    owned = owned_find(source, message->partition);
    if (!owned || owned->paused || message->offset < owned->next)
        return STATUS_OK; /* outdated by an assign or seek that overtook it */
    if (message->err) {
        note_end(source, batch, owned, message->offset);
        return STATUS_OK;
    }
    owned->next = message->offset + 1;
    batch->records[batch->count++] = (struct record){
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, NULL),
        .key = {message->key, message->key ? message->key_len : 0},
        .value = {message->payload, message->payload ? message->len : 0},
        .impl = message,
    };
    return STATUS_OK;
}

static size_t bytes_of(rd_kafka_message_t *const *messages, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += messages[i]->len + messages[i]->key_len;
    return bytes;
}

/* Do we lag? Then nobody waits for these records in particular, and a fuller batch is worth a short
 * wait: every batch costs a transaction. By the record's own timestamp: a wrong one costs time
 * only. */
static bool is_old(const rd_kafka_message_t *message)
{
    struct timespec now;
    int64_t at_ms;

    if (message->err)
        return false; /* the end of a partition */
    (void)clock_gettime(CLOCK_REALTIME, &now);
    at_ms = rd_kafka_message_timestamp(message, NULL);
    return (int64_t)now.tv_sec * 1000 - at_ms > OLD_MS;
}

/* What was taken does not count against librdkafka's queue any more, and large records would pile
 * up here as well: so their bytes are bounded, by the mean of those already taken. */
static size_t consume(struct kafka_source *source, int timeout_ms, size_t max)
{
    ssize_t more = rd_kafka_consume_batch_queue(source->queue, timeout_ms, source->messages, 1);
    size_t count = more > 0 ? 1 : 0, bytes = bytes_of(source->messages, count);
    int64_t until = count > 0 && is_old(source->messages[0]) ? now_ms() + FILL_MS : 0;

    while (count > 0 && count < max && bytes < POLL_BYTES_MAX &&
           source->change == SOURCE_NO_CHANGE) {
        size_t want =
            count < POLL_SAMPLE ? POLL_SAMPLE : (POLL_BYTES_MAX - bytes) / (bytes / count + 1) + 1;
        int64_t left_ms = until > 0 ? until - now_ms() : 0;

        want = want < max - count ? want : max - count;
        more = rd_kafka_consume_batch_queue(source->queue, left_ms > 0 ? FILL_STEP_MS : 0,
                                            source->messages + count, want);
        more = more > 0 ? more : 0;
        bytes += bytes_of(source->messages + count, (size_t)more);
        count += (size_t)more;
        if ((size_t)more < want && (left_ms <= 0 || source->messages[count - 1]->err))
            break;
    }
    return count;
}

/* librdkafka tells when a connection breaks, not when it is back, and it tells of connections that
 * only idled. So what it says is a suspicion that a probe confirms, and the problem stays until a
 * probe succeeds. */
static void tell_problem(struct kafka_source *source, struct report *report)
{
    bool news = source->group.problem.code[0] != '\0';
    int64_t now = now_ms();

    if (!news && !source->problem.code[0])
        return;
    if (news && !source->problem.code[0])
        source->probe_at_ms = now;
    kafka_handle_problem(&source->group, &source->problem);
    if (now >= source->probe_at_ms) {
        source->probe_at_ms = now + PROBE_EVERY_MS;
        if (!probe(source, source->options->input, PROBE_MS)) {
            source->problem.code[0] = '\0';
            return;
        }
    }
    report_set(report, source->problem.code, "%s", source->problem.text);
}

static enum status source_poll(void *self, int timeout_ms, size_t max,
                               struct source_batch *ret_batch, struct report *report)
{
    struct kafka_source *source = self;
    struct source_batch batch = {.ends = source->ends, .partitions = source->change_at};
    enum status status = STATUS_OK;

    release_batch(source);
    if (!make_room(source, max)) {
        report_set(report, "memory", "no memory for a batch of %zu records", max);
        return STATUS_FATAL;
    }
    batch.records = source->records;
    source->message_count = consume(source, timeout_ms, max);
    for (size_t i = 0; i < source->message_count && status == STATUS_OK; i++)
        status = take_message(source, source->messages[i], &batch, report);
    if (status == STATUS_OK)
        status = kafka_handle_fatal(&source->group, report);
    if (status == STATUS_OK && source->group.topic_gone)
        status = topic_gone(source, report);
    if (status != STATUS_OK)
        return status;
    tell_problem(source, report);
    if (source->change != SOURCE_NO_CHANGE) {
        batch.change = source->change;
        batch.partition_count = source->change_count;
        source->unanswered = source->change;
        source->change = SOURCE_NO_CHANGE;
        if (batch.change == SOURCE_LOST)
            batch.count = 0; /* somebody else may own them already */
    }
    *ret_batch = batch;
    return STATUS_OK;
}

static size_t source_headers(void *self, const struct record *record, struct header *ret_headers,
                             size_t max)
{
    rd_kafka_headers_t *headers = NULL;
    size_t count = 0;

    (void)self;
    if (rd_kafka_message_headers(record->impl, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    for (;; count++) {
        const char *name = NULL;
        const void *value = NULL;
        size_t len = 0;

        if (rd_kafka_header_get_all(headers, count, &name, &value, &len) !=
            RD_KAFKA_RESP_ERR_NO_ERROR)
            return count;
        if (count == max)
            return max + 1;
        ret_headers[count].name = span_of(name);
        ret_headers[count].value = (struct span){value, value ? len : 0};
    }
}

/* --- assign --- */

static const struct source_start *start_of(const struct source_start *starts, size_t count,
                                           int32_t partition)
{
    for (size_t i = 0; i < count; i++)
        if (starts[i].partition == partition)
            return &starts[i];
    return NULL;
}

static bool same_partitions(struct kafka_source *source, const struct source_start *starts,
                            size_t count)
{
    if (count != source->owned_count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!owned_find(source, starts[i].partition))
            return false;
    return true;
}

/* A paused partition may not know yet where it will start (−1); it is sought when it is resumed. */
static int64_t begin_at(const struct source_start *start)
{
    MUST(start->offset >= 0 || start->paused);
    return start->offset >= 0 ? start->offset : 0;
}

/* Everything from where it is said to start; restarts every fetcher. */
static rd_kafka_resp_err_t assign_all(struct kafka_source *source,
                                      const struct source_start *starts, size_t count)
{
    rd_kafka_topic_partition_list_t *list = list_new(count);
    rd_kafka_resp_err_t err;

    for (size_t i = 0; i < count; i++)
        list_add(source, list, starts[i].partition, begin_at(&starts[i]));
    /* An empty list is the answer to an empty assignment; to a revocation the answer is none, and
     * librdkafka would wait for it for ever. */
    err = rd_kafka_assign(source->group.rk,
                          count == 0 && source->unanswered != SOURCE_ASSIGNED ? NULL : list);
    rd_kafka_topic_partition_list_destroy(list);
    return err;
}

/* Answer to a cooperative rebalance: only the differences. */
static rd_kafka_resp_err_t assign_difference(struct kafka_source *source,
                                             const struct source_start *starts, size_t count)
{
    rd_kafka_topic_partition_list_t *gone = list_new(source->owned_count), *come = list_new(count);
    rd_kafka_error_t *error = NULL;
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;

    for (size_t i = 0; i < source->owned_count; i++)
        if (!start_of(starts, count, source->owned[i].partition))
            list_add(source, gone, source->owned[i].partition, RD_KAFKA_OFFSET_INVALID);
    for (size_t i = 0; i < count; i++)
        if (!owned_find(source, starts[i].partition))
            list_add(source, come, starts[i].partition, begin_at(&starts[i]));
    if (gone->cnt > 0 || source->unanswered == SOURCE_REVOKED || source->unanswered == SOURCE_LOST)
        error = rd_kafka_incremental_unassign(source->group.rk, gone);
    if (!error && (come->cnt > 0 || source->unanswered == SOURCE_ASSIGNED))
        error = rd_kafka_incremental_assign(source->group.rk, come);
    if (error)
        err = rd_kafka_error_code(error);
    answer(source->group.rk, error);
    rd_kafka_topic_partition_list_destroy(gone);
    rd_kafka_topic_partition_list_destroy(come);
    return err;
}

/* Pause and resume first, then seek where the place differs: a resumed partition is always sought,
 * because what was queued when it was paused is void. */
static rd_kafka_resp_err_t adjust(struct kafka_source *source, const struct source_start *starts,
                                  size_t count, bool fresh)
{
    rd_kafka_topic_partition_list_t *pause = list_new(count), *resume = list_new(count),
                                    *seek = list_new(count);
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;

    for (size_t i = 0; i < count; i++) {
        const struct owned *owned = fresh ? NULL : owned_find(source, starts[i].partition);
        bool was_paused = owned && owned->paused;

        if (starts[i].paused && !was_paused)
            list_add(source, pause, starts[i].partition, starts[i].offset);
        if (!starts[i].paused && was_paused)
            list_add(source, resume, starts[i].partition, starts[i].offset);
        if (owned && !starts[i].paused && (was_paused || owned->next != starts[i].offset))
            list_add(source, seek, starts[i].partition, starts[i].offset);
    }
    if (pause->cnt > 0)
        err = rd_kafka_pause_partitions(source->group.rk, pause);
    if (!err && resume->cnt > 0)
        err = rd_kafka_resume_partitions(source->group.rk, resume);
    if (!err && seek->cnt > 0) {
        rd_kafka_error_t *error = rd_kafka_seek_partitions(source->group.rk, seek, SEEK_MS);

        err = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
        answer(source->group.rk, error);
        for (int i = 0; !err && i < seek->cnt; i++)
            err = seek->elems[i].err;
    }
    rd_kafka_topic_partition_list_destroy(pause);
    rd_kafka_topic_partition_list_destroy(resume);
    rd_kafka_topic_partition_list_destroy(seek);
    return err;
}

static enum status source_assign(void *self, const struct source_start *starts, size_t count,
                                 struct report *report)
{
    struct kafka_source *source = self;
    bool cooperative = strcmp(rd_kafka_rebalance_protocol(source->group.rk), "COOPERATIVE") == 0;
    bool whole = source->unanswered != SOURCE_NO_CHANGE || !same_partitions(source, starts, count);
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;

    MUST(count <= SOURCE_PARTITIONS_MAX);
    if (whole && cooperative)
        err = assign_difference(source, starts, count);
    else if (whole)
        err = assign_all(source, starts, count);
    if (!err)
        err = adjust(source, starts, count, whole && !cooperative);
    if (err && !whole) {
        /* A seek was refused (leader on the move): begin every fetcher anew, each at its own place.
         */
        err = cooperative ? err : assign_all(source, starts, count);
        if (!err)
            err = adjust(source, starts, count, true);
    }
    if (err) {
        if (kafka_handle_fatal(&source->group, report) == STATUS_FENCED)
            return STATUS_FENCED;
        report_set(report, "kafka-assign",
                   "librdkafka refuses the assignment of %zu partitions: %s; making a new consumer",
                   count, rd_kafka_err2str(err));
        return STATUS_FATAL;
    }
    source->unanswered = SOURCE_NO_CHANGE;
    source->owned_count = count;
    for (size_t i = 0; i < count; i++)
        source->owned[i] = (struct owned){
            .partition = starts[i].partition, .next = starts[i].offset, .paused = starts[i].paused};
    return STATUS_OK;
}

/* --- questions to the cluster --- */

static enum status retry(struct kafka_source *source, rd_kafka_resp_err_t err, const char *what,
                         struct report *report)
{
    enum status status = kafka_handle_fatal(&source->group, report);

    if (status != STATUS_OK)
        return status;
    if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) {
        report_set(report, "topic-missing", "%s: topic does not exist; waiting for it", what);
    } else {
        report_set(report, "kafka-away", "Kafka at %s: %s: %s; trying again",
                   source->options->brokers, what, rd_kafka_err2str(err));
        kafka_handle_refusal(&source->reader, report);
        kafka_handle_refusal(&source->group, report);
    }
    return STATUS_RETRY;
}

static enum status source_committed(void *self, int32_t partition, struct arena *arena,
                                    int64_t *ret_offset, struct span *ret_metadata,
                                    struct report *report)
{
    struct kafka_source *source = self;
    rd_kafka_topic_partition_list_t *list = list_new(1);
    const rd_kafka_topic_partition_t *at;
    rd_kafka_resp_err_t err;
    enum status status = STATUS_OK;
    struct span metadata = SPAN_ABSENT;

    list_add(source, list, partition, RD_KAFKA_OFFSET_INVALID);
    err = rd_kafka_committed(source->group.rk, list, request_ms(source));
    at = &list->elems[0];
    if (!err)
        err = at->err;
    if (err) {
        status = retry(source, err, "committed position", report);
    } else if (at->metadata_size > 0) {
        metadata.at = arena_copy(arena, at->metadata, at->metadata_size);
        metadata.len = at->metadata_size;
        if (!metadata.at) {
            report_set(report, "memory", "no memory for the metadata of a position");
            status = STATUS_RETRY;
        }
    }
    if (status == STATUS_OK) {
        *ret_offset = at->offset >= 0 ? at->offset : -1;
        *ret_metadata = metadata;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

static enum status source_bounds(void *self, int32_t partition, int64_t *ret_low, int64_t *ret_high,
                                 struct report *report)
{
    struct kafka_source *source = self;
    int64_t low = 0, high = 0;
    rd_kafka_resp_err_t err = query_bounds(source, source->options->input, partition, &low, &high);

    if (err)
        return retry(source, err, "bounds of the log", report);
    *ret_low = low;
    *ret_high = high;
    return STATUS_OK;
}

/* Number of partitions of a topic; 0 when it does not exist. */
static rd_kafka_resp_err_t topic_size(struct kafka_source *source, const char *topic,
                                      int32_t *ret_count)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(source->reader.rk, topic, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t err;

    if (!handle)
        return rd_kafka_last_error();
    err = rd_kafka_metadata(source->reader.rk, 0, handle, &metadata, request_ms(source));
    rd_kafka_topic_destroy(handle);
    if (err)
        return err;
    if (metadata->topic_cnt != 1)
        err = RD_KAFKA_RESP_ERR__BAD_MSG;
    else
        err = metadata->topics[0].err;
    *ret_count = err ? 0 : metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        err = RD_KAFKA_RESP_ERR_NO_ERROR;
    return err;
}

static enum status source_partitions(void *self, int32_t *ret_input, int32_t *ret_control,
                                     struct report *report)
{
    struct kafka_source *source = self;
    const struct kafka_options *options = source->options;
    const struct {
        const char *topic, *settings;
    } topics[] = {
        {options->input, ""},
        {options->control, " --config cleanup.policy=delete --config retention.ms=-1"},
        {options->alerts, ""},
        {options->dead_letters, ""},
    };
    int32_t counts[4] = {0};

    for (size_t i = 0; i < 4; i++) {
        rd_kafka_resp_err_t err = topic_size(source, topics[i].topic, &counts[i]);

        if (err)
            return retry(source, err, topics[i].topic, report);
        if (counts[i] > 0)
            continue;
        report_set(report, "topic-missing",
                   "topic %s does not exist; create it: kafka-topics.sh --bootstrap-server %s "
                   "--create --topic %s "
                   "--partitions %d%s",
                   topics[i].topic, options->brokers, topics[i].topic, i == 0 ? 4 : counts[0],
                   topics[i].settings);
        return STATUS_REJECT;
    }
    *ret_input = counts[0];
    *ret_control = counts[1];
    return STATUS_OK;
}

/* --- the control topic --- */

static bool copy_record(struct arena *arena, const rd_kafka_message_t *message,
                        struct record *ret_record)
{
    *ret_record = (struct record){.partition = message->partition,
                                  .offset = message->offset,
                                  .timestamp_ms = rd_kafka_message_timestamp(message, NULL)};
    if (message->key) {
        ret_record->key.at = arena_copy(arena, message->key, message->key_len);
        ret_record->key.len = message->key_len;
    }
    if (message->payload) {
        ret_record->value.at = arena_copy(arena, message->payload, message->len);
        ret_record->value.len = message->len;
    }
    return (!message->key || ret_record->key.at) && (!message->payload || ret_record->value.at);
}

struct reading {
    struct record *records;
    size_t count, max;
    int64_t end;
    bool done;
};

static rd_kafka_resp_err_t read_some(struct kafka_source *source, struct arena *arena,
                                     struct reading *reading, int timeout_ms)
{
    rd_kafka_message_t *messages[CONTROL_POLL_MAX];
    size_t want = reading->max - reading->count < CONTROL_POLL_MAX ? reading->max - reading->count
                                                                   : CONTROL_POLL_MAX;
    ssize_t got = rd_kafka_consume_batch_queue(source->reader_queue, timeout_ms, messages, 1);
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;

    if (got == 1 && want > 1) {
        ssize_t more =
            rd_kafka_consume_batch_queue(source->reader_queue, 0, messages + 1, want - 1);

        got += more > 0 ? more : 0;
    }
    for (ssize_t i = 0; i < got; i++) {
        const rd_kafka_message_t *message = messages[i];

        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            reading->end = message->offset > reading->end ? message->offset : reading->end;
            reading->done = true;
        } else if (message->err) {
            err = message->err;
        } else if (!err && message->offset >= reading->end) {
            if (!copy_record(arena, message, &reading->records[reading->count]))
                err = RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
            reading->count++;
            reading->end = message->offset + 1;
        }
        rd_kafka_message_destroy(messages[i]);
    }
    if (reading->count == reading->max)
        reading->done = true;
    return err;
}

static enum status read_control(struct kafka_source *source, int32_t partition, struct arena *arena,
                                struct reading *reading, struct report *report)
{
    rd_kafka_topic_partition_list_t *list = list_new(1);
    int64_t until = now_ms() + CONTROL_MS_MAX;
    rd_kafka_resp_err_t err;

    rd_kafka_topic_partition_list_add(list, source->options->control, partition)->offset =
        reading->end;
    err = rd_kafka_assign(source->reader.rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    while (!err && !reading->done && now_ms() < until)
        err = read_some(source, arena, reading, 200);
    (void)rd_kafka_assign(source->reader.rk, NULL);
    if (!err && !reading->done)
        err = RD_KAFKA_RESP_ERR__TIMED_OUT;
    return err ? retry(source, err, "control topic", report) : STATUS_OK;
}

static enum status source_control(void *self, int32_t partition, int64_t from, size_t max,
                                  struct arena *arena, struct record **ret_records,
                                  size_t *ret_count, int64_t *ret_end, int64_t *ret_low,
                                  struct report *report)
{
    struct kafka_source *source = self;
    struct reading reading = {.max = max};
    int64_t low = 0, high = 0;
    enum status status = STATUS_OK;
    rd_kafka_resp_err_t err =
        query_bounds(source, source->options->control, partition, &low, &high);

    MUST(max > 0);
    if (err)
        return retry(source, err, "bounds of the control topic", report);
    reading.end = from > low ? from : low;
    if (reading.end < high) {
        reading.records = arena_alloc(arena, max * sizeof *reading.records);
        if (!reading.records)
            return retry(source, RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "control topic", report);
        status = read_control(source, partition, arena, &reading, report);
    } else {
        reading.end = high;
    }
    if (status != STATUS_OK)
        return status;
    *ret_records = reading.records;
    *ret_count = reading.count;
    *ret_end = reading.end;
    *ret_low = low;
    return STATUS_OK;
}

/* --- membership, plain commit --- */

/* The generation has no getter; it stands after the seven bytes of magic in the serialised form
 * (2.0.2 to 2.8 alike). */
static int64_t generation_of(const rd_kafka_consumer_group_metadata_t *membership)
{
    static const char magic[] = "CGMDv2:";
    void *bytes = NULL;
    size_t len = 0;
    int32_t generation = -1;
    rd_kafka_error_t *error = rd_kafka_consumer_group_metadata_write(membership, &bytes, &len);

    if (error) {
        rd_kafka_error_destroy(error);
        return -1;
    }
    if (len >= sizeof magic - 1 + sizeof generation && memcmp(bytes, magic, sizeof magic - 1) == 0)
        memcpy(&generation, (const char *)bytes + sizeof magic - 1, sizeof generation);
    rd_kafka_mem_free(NULL, bytes);
    return generation;
}

static struct source_membership source_membership(void *self)
{
    struct kafka_source *source = self;

    if (source->membership)
        rd_kafka_consumer_group_metadata_destroy(source->membership);
    source->membership = rd_kafka_consumer_group_metadata(source->group.rk);
    if (!source->membership)
        return (struct source_membership){.impl = NULL, .generation = -1};
    return (struct source_membership){.impl = source->membership,
                                      .generation = generation_of(source->membership)};
}

static enum status source_commit_plain(void *self, int32_t partition, int64_t offset,
                                       struct span metadata, struct report *report)
{
    struct kafka_source *source = self;
    rd_kafka_topic_partition_list_t *list = list_new(1);
    rd_kafka_topic_partition_t *at;
    rd_kafka_resp_err_t err;

    list_add(source, list, partition, offset);
    at = &list->elems[0];
    if (metadata.len > 0) {
        /* The list owns and frees it with free(). */
        at->metadata = malloc(metadata.len);
        MUST(at->metadata != NULL);
        memcpy(at->metadata, metadata.at, metadata.len);
        at->metadata_size = metadata.len;
    }
    err = rd_kafka_commit(source->group.rk, list, 0);
    if (!err)
        err = list->elems[0].err;
    rd_kafka_topic_partition_list_destroy(list);
    return err ? retry(source, err, "commit of a position", report) : STATUS_OK;
}

/* --- life --- */

/* Serve the queue while the client leaves the group. Records may still lie in it, or come; they are
 * taken and dropped, since rd_kafka_queue_poll_callback() of 2.0.2 aborts the process at one. */
static void serve_close(struct kafka_source *source, int64_t until)
{
    rd_kafka_message_t *messages[CLOSE_DRAIN];

    while (!rd_kafka_consumer_closed(source->group.rk) && now_ms() < until) {
        ssize_t got = rd_kafka_consume_batch_queue(source->queue, 20, messages, CLOSE_DRAIN);

        while (got > 0)
            rd_kafka_message_destroy(messages[--got]);
    }
}

static void source_close(void *self, int timeout_ms)
{
    struct kafka_source *source = self;
    int64_t until = now_ms() + timeout_ms;
    rd_kafka_error_t *error;

    if (!source->group.rk)
        return;
    release_batch(source);
    source->closing = true;
    source->owned_count = 0;
    /* A rebalance we never answered would keep the close waiting for it. */
    (void)rd_kafka_assign(source->group.rk, NULL);
    error = rd_kafka_consumer_close_queue(source->group.rk, source->queue);
    if (error)
        rd_kafka_error_destroy(error); /* fenced: it is closed already */
    else
        serve_close(source, until);
    rd_kafka_queue_destroy(source->queue);
    rd_kafka_queue_destroy(source->reader_queue);
    source->queue = source->reader_queue = NULL;
    kafka_handle_close(&source->group, timeout_ms > 500 ? timeout_ms : 500);
    kafka_handle_close(&source->reader, timeout_ms > 500 ? timeout_ms : 500);
}

void kafka_source_free(struct kafka_source *source)
{
    if (!source)
        return;
    source_close(source, 1000);
    free(source->messages);
    free(source->records);
    source->messages = NULL;
    source->records = NULL;
    if (!source->group.abandoned && !source->reader.abandoned)
        free(source);
}

static enum status subscribe(struct kafka_source *source, struct report *report)
{
    rd_kafka_topic_partition_list_t *topics = list_new(1);
    rd_kafka_resp_err_t err;

    rd_kafka_topic_partition_list_add(topics, source->options->input, RD_KAFKA_PARTITION_UA);
    err = rd_kafka_subscribe(source->group.rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (!err)
        return STATUS_OK;
    report_set(report, "kafka-client", "cannot subscribe to %s: %s", source->options->input,
               rd_kafka_err2str(err));
    return STATUS_REJECT;
}

enum status kafka_source_open(const struct kafka_options *options, struct kafka_source **ret_source,
                              struct report *report)
{
    struct kafka_source *source = calloc(1, sizeof *source);
    enum status status;

    if (!source) {
        report_set(report, "memory", "no memory for a consumer");
        return STATUS_RETRY;
    }
    source->options = options;
    status = kafka_handle_open(&source->group, options, KAFKA_GROUP, prepare_group, report);
    if (status == STATUS_OK)
        status = kafka_handle_open(&source->reader, options, KAFKA_READER, NULL, report);
    if (status != STATUS_OK) {
        kafka_handle_close(&source->group, 1000);
        free(source);
        return status;
    }
    (void)rd_kafka_poll_set_consumer(source->group.rk);
    (void)rd_kafka_poll_set_consumer(source->reader.rk);
    source->queue = rd_kafka_queue_get_consumer(source->group.rk);
    source->reader_queue = rd_kafka_queue_get_consumer(source->reader.rk);
    MUST(source->queue != NULL);
    MUST(source->reader_queue != NULL);
    status = subscribe(source, report);
    if (status != STATUS_OK) {
        kafka_source_free(source);
        return status;
    }
    *ret_source = source;
    return STATUS_OK;
}

struct source kafka_source_port(struct kafka_source *source)
{
    return (struct source){
        .self = source,
        .poll = source_poll,
        .headers = source_headers,
        .assign = source_assign,
        .committed = source_committed,
        .bounds = source_bounds,
        .partitions = source_partitions,
        .control = source_control,
        .membership = source_membership,
        .commit_plain = source_commit_plain,
        .close = source_close,
    };
}
