/* sim_sink: the transactional producer's side of the simulated Kafka, as pipeline/kafka_sink.c
 * shows it to a worker. */
#include "base/hash.h"
#include "base/must.h"
#include "tests/sim/sim.h"

static enum status say(struct sim_task *task, struct report *report, enum status status,
                       const char *what)
{
    if (status != STATUS_OK)
        report_set(report, what, "the simulation says so");
    sim_trace(task->sim, task, "%s: %s", what, status_name(status));
    return status;
}

/* The broker's answer to a request of an open producer. */
static enum status answer_of(struct sim_task *task, enum sim_answer answer)
{
    struct sim_sink *sink = &task->sink;
    switch (answer) {
    case SIM_DONE:
        return STATUS_OK;
    case SIM_WAIT:
        sink->abortable = true;
        return STATUS_RETRY;
    case SIM_UNKNOWN_MEMBER:
    case SIM_ILLEGAL_GENERATION:
        sink->abortable = true;
        return STATUS_STALE;
    /* A fenced producer is fatal, no more: the broker also fences one whose transaction it timed
     * out. That another instance has our name is said by the group. */
    default:
        sink->fatal = true;
        return STATUS_FATAL;
    }
}

static enum status sink_open(void *self, struct report *report)
{
    struct sim_task *task = self;
    struct sim_sink *sink = &task->sink;
    const struct sim_fault *fault = sim_call_begin(task, SIM_PORT_OPEN);
    enum status status = STATUS_RETRY;
    if (fault == NULL &&
        sim_kafka_producer_init(&task->sim->kafka, task->name, &sink->epoch) == SIM_DONE) {
        *sink = (struct sim_sink){.opened = true, .epoch = sink->epoch};
        status = STATUS_OK;
    } else {
        sim_sleep(task, 100);
    }
    (void)say(task, report, status, "open");
    sim_call_end(task);
    return status;
}

static enum status sink_begin(void *self, struct report *report)
{
    struct sim_task *task = self;
    struct sim_sink *sink = &task->sink;
    const struct sim_fault *fault = sim_call_begin(task, SIM_PORT_BEGIN);
    enum status status = STATUS_OK;
    if (fault != NULL || sink->fatal)
        status = STATUS_FATAL;
    else if (!sink->opened || sink->in_txn)
        sim_violate(task->sim, "begin of a transaction %s",
                    sink->in_txn ? "within another" : "without a producer");
    else
        sink->in_txn = true;
    sink->sent = false;
    sink->fatal = sink->fatal || status == STATUS_FATAL;
    (void)say(task, report, status, "begin");
    sim_call_end(task);
    return status;
}

static int32_t partition_of(const struct sim_task *task, const struct sink_message *message)
{
    if (message->partition >= 0)
        return message->partition;
    MUST(message->topic != SINK_CONTROL);
    if (message->key.at == NULL)
        return 0;
    return hash_partition_murmur2(message->key, message->topic == SINK_ALERTS
                                                    ? SIM_ALERT_PARTS
                                                    : task->sim->kafka.partitions);
}

static enum status sink_send(void *self, const struct sink_message *message, struct report *report)
{
    struct sim_task *task = self;
    struct sim_sink *sink = &task->sink;
    const struct sim_fault *fault = sim_call_begin(task, SIM_PORT_SEND);
    enum status status = STATUS_OK;
    if (!sink->in_txn)
        sim_violate(task->sim, "send outside of a transaction");
    if (fault != NULL) {
        status = STATUS_FULL;
    } else if (sink->fatal) {
        status = STATUS_FATAL;
    } else if (!sink->abortable) { /* after an abortable error what is sent is thrown away */
        struct sim_entry entry = {.timestamp_ms = message->timestamp_ms != 0
                                                      ? message->timestamp_ms
                                                      : task->sim->wall_ms + task->sim->now_ms,
                                  .key = message->key,
                                  .value = message->value,
                                  .header_count = message->header_count};
        struct header headers[RECORD_HEADERS_MAX];
        MUST(message->header_count <= RECORD_HEADERS_MAX);
        for (size_t i = 0; i < message->header_count; i++)
            headers[i] = message->headers[i];
        entry.headers = headers;
        static const enum sim_topic topics[] = {
            [SINK_ALERTS] = SIM_ALERTS,
            [SINK_DEAD_LETTERS] = SIM_DEAD_LETTERS,
            [SINK_CONTROL] = SIM_CONTROL,
            [SINK_INPUT] = SIM_INPUT,
        };
        sink->sent = true;
        /* The answer comes later: what is wrong shows at `offsets` or `commit`. */
        (void)answer_of(task, sim_kafka_produce(&task->sim->kafka, task->name, sink->epoch,
                                                topics[message->topic], partition_of(task, message),
                                                &entry));
    }
    (void)say(task, report, status, "send");
    sim_call_end(task);
    return status;
}

static enum status sink_offsets(void *self, const struct sink_offset *offsets, size_t count,
                                struct source_membership membership, struct report *report)
{
    struct sim_task *task = self;
    struct sim_sink *sink = &task->sink;
    const struct sim_fault *fault = sim_call_begin(task, SIM_PORT_OFFSETS);
    enum status status = STATUS_OK;
    const struct sim_task *member = membership.impl;
    if (!sink->in_txn)
        sim_violate(task->sim, "offsets outside of a transaction");
    if (sink->fatal)
        status = STATUS_FATAL;
    else if (fault != NULL || sink->abortable)
        status = STATUS_RETRY;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        sink->sent = true;
        status = answer_of(task, sim_kafka_txn_offset(&task->sim->kafka, task->name, sink->epoch,
                                                      member != NULL ? member->id : 0,
                                                      membership.generation, offsets[i].partition,
                                                      offsets[i].offset, offsets[i].metadata));
        sim_trace(task->sim, task, "offsets: partition %d %lld %.*s", offsets[i].partition,
                  (long long)offsets[i].offset, (int)offsets[i].metadata.len,
                  offsets[i].metadata.at);
    }
    sink->abortable = sink->abortable || status == STATUS_RETRY;
    (void)say(task, report, status, "offsets");
    sim_call_end(task);
    return status;
}

static enum status commit_now(struct sim_task *task)
{
    struct sim_sink *sink = &task->sink;
    const struct sim_producer *producer = &task->sim->kafka.producer[task->name];
    if (producer->epoch == sink->epoch &&
        (producer->txn == NULL || producer->txn->state != SIM_TXN_OPEN))
        return STATUS_OK; /* nothing was sent: nothing to end */
    return answer_of(task, sim_kafka_end_txn(&task->sim->kafka, task->name, sink->epoch, true));
}

static enum status sink_commit(void *self, struct report *report)
{
    struct sim_task *task = self;
    struct sim *sim = task->sim;
    struct sim_sink *sink = &task->sink;
    const struct sim_fault *fault = sim_call_begin(task, SIM_PORT_COMMIT);
    enum status status = STATUS_FATAL;
    if (!sink->in_txn)
        sim_violate(sim, "commit outside of a transaction");
    if (sink->fatal) {
        status = STATUS_FATAL;
    } else if (sink->abortable) {
        status = STATUS_RETRY;
    } else if (fault == NULL) {
        status = commit_now(task);
    } else if (fault->kind == SIM_FAULT_COMMIT_RETRY) {
        status = STATUS_RETRY;
    } else if (fault->kind == SIM_FAULT_COMMIT_LOST) {
        (void)commit_now(task);
    } else if (fault->kind == SIM_FAULT_COMMIT_DELAYED) {
        struct sim_late *late = sim_late_new(sim, sim->now_ms + fault->ms);
        if (late != NULL) {
            late->epoch = sink->epoch;
            late->name = task->name;
        }
    }
    /* An outcome nobody knows is fatal by the port's word; the producer itself could go on, and
     * must not. */
    bool unknown = status == STATUS_FATAL && fault != NULL && !sink->fatal;
    sink->in_txn = status != STATUS_OK;
    sink->abortable = status == STATUS_RETRY || status == STATUS_STALE;
    sink->fatal = status == STATUS_FATAL && !unknown;
    (void)say(task, report, status, "commit");
    sim_call_end(task);
    return status;
}

static enum status sink_abort(void *self, struct report *report)
{
    struct sim_task *task = self;
    struct sim_sink *sink = &task->sink;
    const struct sim_fault *fault = sim_call_begin(task, SIM_PORT_ABORT);
    enum status status = STATUS_OK;
    if (fault != NULL || sink->fatal) {
        status = STATUS_FATAL;
        sink->fatal = true;
    } else if (sink->sent) {
        status =
            answer_of(task, sim_kafka_end_txn(&task->sim->kafka, task->name, sink->epoch, false));
    }
    sink->in_txn = false;
    sink->abortable = false;
    (void)say(task, report, status, "abort");
    sim_call_end(task);
    return status;
}

static void sink_reopen(void *self)
{
    struct sim_task *task = self;
    task->sink = (struct sim_sink){.opened = false};
    sim_trace(task->sim, task, "reopen");
}

static void sink_close(void *self, int timeout_ms)
{
    struct sim_task *task = self;
    (void)timeout_ms;
    task->sink = (struct sim_sink){.opened = false};
}

struct sink sim_sink_port(struct sim_task *task)
{
    task->sink = (struct sim_sink){.opened = false};
    return (struct sink){
        .self = task,
        .open = sink_open,
        .begin = sink_begin,
        .send = sink_send,
        .offsets = sink_offsets,
        .commit = sink_commit,
        .abort = sink_abort,
        .reopen = sink_reopen,
        .close = sink_close,
        .exactly_once = true,
    };
}
