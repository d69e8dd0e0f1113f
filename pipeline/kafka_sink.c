/* kafka_sink: see the header. PROTOCOL.md steps 1, 5, 7.
 *
 * What is certain and what is not. Before EndTxn is sent nothing can have been committed: so commit
 * first flushes, and a delivery that failed is abortable (RETRY). Once EndTxn may be on its way
 * every error is an unknown outcome (librdkafka may even report an error for a commit that
 * happened, its issue 4558): FATAL, the caller takes a new producer and reads K.
 *
 * A lost coordinator connection can hold an EndTxn that the broker executes later, upon the *next*
 * transaction. A new producer id fences it. So the first disconnect of the coordinator ends a
 * producer: at commit and abort at once, else at the next begin. (One a life also means that
 * librdkafka's suppression of repeated errors cannot hide one.) */
#include "pipeline/kafka_sink.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/must.h"
#include "pipeline/kafka_handle.h"

#define INIT_MS 5000 /* one try; the caller repeats */
#define CALL_MS 5000 /* one try of a call that may be repeated */
/* Commit or abort, above the broker's transaction timeout. Once: a call that timed out may still
 * stand in librdkafka's queue, and 2.0.2 aborts the process when it meets the second one (a wall
 * clock set back lets calls time out at once). */
#define END_MS               15000
#define FLUSH_MS             10000
#define QUEUE_MS             10000 /* a full local queue drains or FULL */
#define TOPICS               4
#define EMBEDDED_OFFSETS_MAX SOURCE_PARTITIONS_MAX

struct kafka_sink {
    struct kafka_handle handle; /* first: the callbacks' opaque */
    const struct kafka_options *options;
    struct source plain;
    rd_kafka_topic_t *topics[TOPICS]; /* by enum sink_topic */
    bool open;                        /* a transaction is */
    uint64_t failed;                  /* deliveries that failed in this transaction */
    rd_kafka_resp_err_t failed_err;   /* of the last of them */
    struct sink_offset
        offsets[EMBEDDED_OFFSETS_MAX]; /* embedded: to be committed plainly; metadata in text[] */
    char (*text)[1024];
    size_t offset_count;
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct kafka_sink *sink = opaque;

    (void)rk;
    if (!message->err)
        return;
    sink->failed++;
    sink->failed_err = message->err;
}

static void prepare(rd_kafka_conf_t *conf)
{
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
}

/* --- what an error means --- */

static bool is_fenced(rd_kafka_resp_err_t err)
{
    return err == RD_KAFKA_RESP_ERR__FENCED || err == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           err == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

static bool is_stale(rd_kafka_resp_err_t err)
{
    return err == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
           err == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
           err == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS ||
           err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID; /* the source finds out by whom */
}

/* Consumes error. Of a call before EndTxn. A fenced *producer* is FATAL, not FENCED: the broker
 * fences one as well whose transaction timed out while the process was paused. Two processes of one
 * name are told apart by the group (source: FENCED). */
static enum status judge(rd_kafka_error_t *error, const char *what, struct report *report)
{
    rd_kafka_resp_err_t err;
    enum status status;

    if (!error)
        return STATUS_OK;
    err = rd_kafka_error_code(error);
    /* _STATE: it is not where we left it, and an abort there would end the process. */
    if (is_fenced(err) || rd_kafka_error_is_fatal(error) ||
        (err == RD_KAFKA_RESP_ERR__STATE && !rd_kafka_error_txn_requires_abort(error))) {
        status = STATUS_FATAL;
        report_set(report, is_fenced(err) ? "producer-fenced" : "producer-fatal",
                   "%s: %s (%s); taking a new producer and reading the position again", what,
                   rd_kafka_error_string(error), rd_kafka_error_name(error));
    } else if (is_stale(err)) {
        status = STATUS_STALE;
        report_set(report, "generation-stale", "%s: %s; the group has changed, looking at it again",
                   what, rd_kafka_error_string(error));
    } else {
        status = STATUS_RETRY;
        report_set(report, "transaction-failed", "%s: %s (%s); aborting and trying again", what,
                   rd_kafka_error_string(error), rd_kafka_error_name(error));
    }
    rd_kafka_error_destroy(error);
    return status;
}

static enum status coordinator_lost(struct kafka_sink *sink, const char *when,
                                    struct report *report)
{
    (void)rd_kafka_poll(sink->handle.rk, 0);
    if (sink->handle.coordinator_lost == 0)
        return STATUS_OK;
    report_set(report, "coordinator-lost",
               "the connection to the transaction coordinator broke %s; taking a new producer and "
               "reading the position again",
               when);
    return STATUS_FATAL;
}

/* --- open --- */

static enum status make_topics(struct kafka_sink *sink, struct report *report)
{
    const char *names[TOPICS] = {
        [SINK_ALERTS] = sink->options->alerts,
        [SINK_DEAD_LETTERS] = sink->options->dead_letters,
        [SINK_CONTROL] = sink->options->control,
        [SINK_INPUT] = sink->options->input,
    };

    for (size_t i = 0; i < TOPICS; i++) {
        sink->topics[i] = rd_kafka_topic_new(sink->handle.rk, names[i], NULL);
        if (!sink->topics[i]) {
            report_set(report, "kafka-client", "topic %s: %s", names[i],
                       rd_kafka_err2str(rd_kafka_last_error()));
            return STATUS_REJECT;
        }
    }
    return STATUS_OK;
}

/* The topics' leaders get known before the first batch needs them. */
static enum status learn_topics(struct kafka_sink *sink, struct report *report)
{
    for (size_t i = 0; i < TOPICS; i++) {
        const struct rd_kafka_metadata *metadata = NULL;
        rd_kafka_resp_err_t err =
            rd_kafka_metadata(sink->handle.rk, 0, sink->topics[i], &metadata, CALL_MS);

        if (!err && metadata->topic_cnt == 1)
            err = metadata->topics[0].err;
        if (metadata)
            rd_kafka_metadata_destroy(metadata);
        if (!err)
            continue;
        report_set(report,
                   err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ? "topic-missing" : "kafka-away",
                   "Kafka at %s: topic %s: %s; trying again", sink->options->brokers,
                   rd_kafka_topic_name(sink->topics[i]), rd_kafka_err2str(err));
        kafka_handle_refusal(&sink->handle, report);
        return STATUS_RETRY;
    }
    return STATUS_OK;
}

static enum status flush(struct kafka_sink *sink, struct report *report)
{
    rd_kafka_resp_err_t err = rd_kafka_flush(sink->handle.rk, FLUSH_MS);

    if (!err && sink->failed == 0)
        return STATUS_OK;
    if (!err)
        err = sink->failed_err;
    if (kafka_handle_fatal(&sink->handle, report) != STATUS_OK)
        return STATUS_FATAL;
    report_set(report, "delivery-failed",
               "%llu records were not delivered: %s; aborting and trying again",
               (unsigned long long)sink->failed, rd_kafka_err2str(err));
    return STATUS_RETRY;
}

/* A first transaction on a cold producer takes about a second (connections, coordinator, partition
 * registration): pay for it here, with a record that is aborted, which nobody who reads committed
 * ever sees. */
static enum status warm_up(struct kafka_sink *sink, struct report *report)
{
    enum status status =
        judge(rd_kafka_begin_transaction(sink->handle.rk), "first transaction", report);

    if (status != STATUS_OK)
        return status;
    (void)rd_kafka_produce(sink->topics[SINK_CONTROL], 0, RD_KAFKA_MSG_F_COPY, NULL, 0, "warm-up",
                           7, NULL);
    status = flush(sink, report);
    sink->failed = 0;
    if (status != STATUS_OK)
        return status == STATUS_RETRY ? STATUS_FATAL : status;
    status =
        judge(rd_kafka_abort_transaction(sink->handle.rk, CALL_MS), "first transaction", report);
    return status == STATUS_OK ? STATUS_OK : STATUS_FATAL;
}

static enum status init_transactions(struct kafka_sink *sink, struct report *report)
{
    rd_kafka_error_t *error = rd_kafka_init_transactions(sink->handle.rk, INIT_MS);
    enum status status = STATUS_RETRY;

    if (!error)
        return STATUS_OK;
    if (rd_kafka_error_is_fatal(error) || rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__STATE)
        status = STATUS_FATAL;
    if (rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
        rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED)
        report_set(report, "kafka-refused",
                   "Kafka does not let us use the transactional id \"%s\": %s",
                   sink->options->instance, rd_kafka_error_string(error));
    else {
        report_set(report, "kafka-away", "Kafka at %s: transactions of \"%s\": %s; trying again",
                   sink->options->brokers, sink->options->instance, rd_kafka_error_string(error));
        kafka_handle_refusal(&sink->handle, report);
    }
    rd_kafka_error_destroy(error);
    return status;
}

static void drop(struct kafka_sink *sink, int timeout_ms)
{
    for (size_t i = 0; i < TOPICS; i++) {
        if (sink->topics[i])
            rd_kafka_topic_destroy(sink->topics[i]);
        sink->topics[i] = NULL;
    }
    if (sink->handle.rk)
        (void)rd_kafka_purge(sink->handle.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    kafka_handle_close(&sink->handle, timeout_ms);
    sink->open = false;
    sink->failed = 0;
    sink->offset_count = 0;
}

/* RETRY leaves nothing half open behind: every try begins with a new client. */
static enum status sink_open(void *self, struct report *report)
{
    struct kafka_sink *sink = self;
    enum status status;

    drop(sink, 1000);
    status = kafka_handle_open(&sink->handle, sink->options, KAFKA_PRODUCER, prepare, report);
    if (status != STATUS_OK)
        return status;
    status = make_topics(sink, report);
    if (status == STATUS_OK)
        status = learn_topics(sink, report);
    if (status == STATUS_OK && !sink->options->embedded) {
        status = init_transactions(sink, report);
        if (status == STATUS_OK)
            status = warm_up(sink, report);
    }
    if (status != STATUS_OK) {
        drop(sink, 1000);
        return status == STATUS_FATAL ? STATUS_RETRY : status;
    }
    (void)rd_kafka_poll(sink->handle.rk, 0);
    sink->handle.coordinator_lost = 0; /* while nothing was at stake */
    return STATUS_OK;
}

/* --- a transaction --- */

static enum status closed(struct report *report)
{
    report_set(report, "producer-closed", "the producer is closed; opening it again");
    return STATUS_FATAL;
}

static enum status sink_begin(void *self, struct report *report)
{
    struct kafka_sink *sink = self;
    enum status status = STATUS_OK;

    if (!sink->handle.rk)
        return closed(report);
    MUST(!sink->open);
    if (!sink->options->embedded) {
        status = coordinator_lost(sink, "between transactions", report);
        if (status == STATUS_OK)
            status = judge(rd_kafka_begin_transaction(sink->handle.rk), "begin", report);
    }
    sink->failed = 0;
    sink->offset_count = 0;
    sink->open = status == STATUS_OK;
    return status;
}

static rd_kafka_headers_t *copy_headers(const struct sink_message *message)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(message->header_count);

    MUST(headers != NULL);
    for (size_t i = 0; i < message->header_count; i++) {
        const struct header *header = &message->headers[i];
        rd_kafka_resp_err_t err =
            rd_kafka_header_add(headers, header->name.at, (ssize_t)header->name.len,
                                header->value.at, (ssize_t)header->value.len);

        MUST(err == RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    return headers;
}

static rd_kafka_resp_err_t produce(struct kafka_sink *sink, const struct sink_message *message)
{
    rd_kafka_headers_t *headers = copy_headers(message);
    /* librdkafka does not write through these. */
    void *key = (void *)(uintptr_t)message->key.at, *value = (void *)(uintptr_t)message->value.at;
    rd_kafka_vu_t args[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = sink->topics[message->topic]},
        {.vtype = RD_KAFKA_VTYPE_PARTITION,
         .u.i32 = message->partition < 0 ? RD_KAFKA_PARTITION_UA : message->partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {key, message->key.len}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {value, message->value.len}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = message->timestamp_ms},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    rd_kafka_error_t *error =
        rd_kafka_produceva(sink->handle.rk, args, sizeof args / sizeof args[0]);
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;

    if (error) { /* then the headers are still ours */
        err = rd_kafka_error_code(error);
        rd_kafka_error_destroy(error);
        rd_kafka_headers_destroy(headers);
    }
    return err;
}

static enum status sink_send(void *self, const struct sink_message *message, struct report *report)
{
    struct kafka_sink *sink = self;
    int64_t until = now_ms() + QUEUE_MS;
    rd_kafka_resp_err_t err;

    if (!sink->handle.rk)
        return closed(report);
    MUST(sink->open);
    while ((err = produce(sink, message)) == RD_KAFKA_RESP_ERR__QUEUE_FULL && now_ms() < until)
        (void)rd_kafka_poll(sink->handle.rk, 10);
    switch ((int)err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return STATUS_OK;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        report_set(report, "kafka-slow",
                   "Kafka at %s takes no records: the local queue stayed full for %d s",
                   sink->options->brokers, QUEUE_MS / 1000);
        return STATUS_FULL;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        report_set(report, "record-too-large",
                   "a record of %zu bytes for topic %s is larger than message.max.bytes",
                   message->value.len, rd_kafka_topic_name(sink->topics[message->topic]));
        return STATUS_REJECT;
    default: /* the transaction is in an error state */
        if (kafka_handle_fatal(&sink->handle, report) != STATUS_OK)
            return STATUS_FATAL;
        report_set(report, "transaction-failed", "produce: %s; aborting and trying again",
                   rd_kafka_err2str(err));
        return STATUS_RETRY;
    }
}

/* Embedded: remembered until the flush. */
static void remember(struct kafka_sink *sink, const struct sink_offset *offsets, size_t count)
{
    MUST(sink->offset_count + count <= EMBEDDED_OFFSETS_MAX);
    for (size_t i = 0; i < count; i++) {
        size_t slot = sink->offset_count++;

        MUST(offsets[i].metadata.len <= sizeof sink->text[slot]);
        sink->offsets[slot] = offsets[i];
        if (offsets[i].metadata.len > 0)
            memcpy(sink->text[slot], offsets[i].metadata.at, offsets[i].metadata.len);
        sink->offsets[slot].metadata.at = sink->text[slot];
    }
}

static enum status sink_offsets(void *self, const struct sink_offset *offsets, size_t count,
                                struct source_membership membership, struct report *report)
{
    struct kafka_sink *sink = self;
    rd_kafka_topic_partition_list_t *list;
    enum status status;

    if (!sink->handle.rk)
        return closed(report);
    MUST(sink->open);
    if (sink->options->embedded) {
        remember(sink, offsets, count);
        return STATUS_OK;
    }
    if (!membership.impl) {
        report_set(report, "generation-stale", "not a member of group \"%s\" now",
                   sink->options->group);
        return STATUS_STALE;
    }
    list = rd_kafka_topic_partition_list_new((int)(count ? count : 1));
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *at =
            rd_kafka_topic_partition_list_add(list, sink->options->input, offsets[i].partition);

        MUST(offsets[i].metadata.len <= 1024);
        at->offset = offsets[i].offset;
        if (offsets[i].metadata.len > 0) {
            at->metadata = malloc(offsets[i].metadata.len); /* freed with the list */
            MUST(at->metadata != NULL);
            memcpy(at->metadata, offsets[i].metadata.at, offsets[i].metadata.len);
            at->metadata_size = offsets[i].metadata.len;
        }
    }
    status =
        judge(rd_kafka_send_offsets_to_transaction(sink->handle.rk, list, membership.impl, CALL_MS),
              "offsets", report);
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

static enum status commit_plainly(struct kafka_sink *sink, struct report *report)
{
    for (size_t i = 0; i < sink->offset_count; i++) {
        enum status status =
            sink->plain.commit_plain(sink->plain.self, sink->offsets[i].partition,
                                     sink->offsets[i].offset, sink->offsets[i].metadata, report);

        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status sink_commit(void *self, struct report *report)
{
    struct kafka_sink *sink = self;
    rd_kafka_error_t *error;
    enum status status;

    if (!sink->handle.rk)
        return closed(report);
    MUST(sink->open);
    status = flush(sink, report);
    if (status != STATUS_OK)
        return status;
    if (sink->options->embedded) {
        status = commit_plainly(sink, report);
        sink->open = status != STATUS_OK;
        return status;
    }
    error = rd_kafka_commit_transaction(sink->handle.rk, END_MS);
    if (error) {
        report_set(report,
                   is_fenced(rd_kafka_error_code(error)) ? "producer-fenced" : "commit-unknown",
                   "commit: %s (%s); whether it happened is unknown: taking a new producer and "
                   "reading the position again",
                   rd_kafka_error_string(error), rd_kafka_error_name(error));
        rd_kafka_error_destroy(error);
        return STATUS_FATAL;
    }
    sink->open = false;
    return coordinator_lost(sink, "during a commit", report);
}

static enum status sink_abort(void *self, struct report *report)
{
    struct kafka_sink *sink = self;
    rd_kafka_error_t *error;

    if (!sink->handle.rk)
        return closed(report);
    sink->offset_count = 0;
    if (sink->options->embedded || !sink->open) {
        sink->open = false;
        return STATUS_OK;
    }
    error = rd_kafka_abort_transaction(sink->handle.rk, END_MS);
    if (error) {
        report_set(report,
                   is_fenced(rd_kafka_error_code(error)) ? "producer-fenced" : "producer-fatal",
                   "abort: %s (%s); taking a new producer", rd_kafka_error_string(error),
                   rd_kafka_error_name(error));
        rd_kafka_error_destroy(error);
        return STATUS_FATAL;
    }
    sink->open = false;
    sink->failed = 0;
    return coordinator_lost(sink, "during an abort", report);
}

/* --- life --- */

static void sink_reopen(void *self)
{
    drop(self, 1000);
}

static void sink_close(void *self, int timeout_ms)
{
    drop(self, timeout_ms > 500 ? timeout_ms : 500);
}

void kafka_sink_free(struct kafka_sink *sink)
{
    if (!sink)
        return;
    drop(sink, 1000);
    free(sink->text);
    sink->text = NULL;
    if (!sink->handle.abandoned)
        free(sink);
}

enum status kafka_sink_open(const struct kafka_options *options, struct source plain,
                            struct kafka_sink **ret_sink, struct report *report)
{
    struct kafka_sink *sink = calloc(1, sizeof *sink);

    if (sink && options->embedded)
        sink->text = calloc(EMBEDDED_OFFSETS_MAX, sizeof *sink->text);
    if (!sink || (options->embedded && !sink->text)) {
        free(sink);
        report_set(report, "memory", "no memory for a producer");
        return STATUS_RETRY;
    }
    sink->options = options;
    sink->plain = plain;
    *ret_sink = sink;
    return STATUS_OK;
}

struct sink kafka_sink_port(struct kafka_sink *sink)
{
    return (struct sink){
        .self = sink,
        .open = sink_open,
        .begin = sink_begin,
        .send = sink_send,
        .offsets = sink_offsets,
        .commit = sink_commit,
        .abort = sink_abort,
        .reopen = sink_reopen,
        .close = sink_close,
        .exactly_once = !sink->options->embedded,
    };
}
