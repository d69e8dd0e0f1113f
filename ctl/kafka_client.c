/* kafka_client: librdkafka for the tool: publish with an idempotent producer, read every partition
 * of a topic. */
#include "ctl/kafka_client.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "ctl/ctl.h"

enum { STALLED_MS = 60000, REQUEST_MS = 10000 };

static rd_kafka_t *client_new(const struct kafka_options *kafka, enum kafka_role role,
                              rd_kafka_type_t type, const char *const (*settings)[2],
                              size_t setting_count,
                              void (*delivered)(rd_kafka_t *, const rd_kafka_message_t *, void *),
                              void *opaque, struct report *report)
{
    char why[256];
    rd_kafka_conf_t *conf = NULL;
    if (kafka_conf_new(kafka, role, &conf, report) != STATUS_OK)
        return NULL;
    for (size_t i = 0; i < setting_count; i++)
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof why) !=
            RD_KAFKA_CONF_OK) {
            report_set(report, "kafka", "%s", why);
            rd_kafka_conf_destroy(conf);
            return NULL;
        }
    if (delivered)
        rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_conf_set_opaque(conf, opaque);
    rd_kafka_t *client = rd_kafka_new(type, conf, why, sizeof why);
    if (!client) {
        report_set(report, "kafka", "%s", why);
        rd_kafka_conf_destroy(conf);
    }
    return client;
}

/* --- producer --- */

struct kafka_producer {
    rd_kafka_t *client;
    bool crc32;
    int64_t acked;
    rd_kafka_resp_err_t refused; /* the first refusal */
    const char *topic;           /* partitions of the last topic asked for */
    int32_t partitions;
};

static void on_delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    struct kafka_producer *p = opaque;
    (void)client;
    if (message->err && !p->refused)
        p->refused = message->err;
    p->acked++;
}

enum status kafka_producer_open(const struct kafka_options *kafka,
                                struct kafka_producer **ret_producer, struct report *report)
{
    static const char *const settings[][2] = {{"enable.idempotence", "true"},
                                              {"linger.ms", "20"},
                                              {"queue.buffering.max.messages", "200000"}};
    struct kafka_producer *p = calloc(1, sizeof *p);
    if (!p) {
        report_set(report, "memory", "no memory for a producer");
        return STATUS_RETRY;
    }
    p->crc32 = kafka->crc32;
    p->client =
        client_new(kafka, KAFKA_PLAIN, RD_KAFKA_PRODUCER, settings, 3, on_delivered, p, report);
    if (!p->client) {
        free(p);
        return STATUS_REJECT;
    }
    *ret_producer = p;
    return STATUS_OK;
}

static enum status partitions_of(rd_kafka_t *client, const char *topic, int32_t *ret_count,
                                 struct report *report)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    rd_kafka_resp_err_t err = handle ? rd_kafka_metadata(client, 0, handle, &metadata, REQUEST_MS)
                                     : rd_kafka_last_error();
    if (!err)
        err = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
    if (!err)
        *ret_count = metadata->topics[0].partition_cnt;
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    if (handle)
        rd_kafka_topic_destroy(handle);
    if (err) {
        report_set(report, "kafka", "topic %s: %s", topic, rd_kafka_err2str(err));
        return STATUS_RETRY;
    }
    return STATUS_OK;
}

static enum status producer_result(const struct kafka_producer *p, struct report *report)
{
    if (!p->refused)
        return STATUS_OK;
    report_set(report, "kafka", "a record was refused: %s", rd_kafka_err2str(p->refused));
    return STATUS_REJECT;
}

enum status kafka_producer_send(struct kafka_producer *p, const char *topic, struct span key,
                                struct span value, struct report *report)
{
    struct clock clock = clock_system();
    int64_t begun = clock_mono_ms(&clock), acked = p->acked;
    if (p->topic != topic) {
        enum status status = partitions_of(p->client, topic, &p->partitions, report);
        if (status != STATUS_OK)
            return status;
        p->topic = topic;
    }
    int32_t partition = p->crc32 ? hash_partition_crc32(key, p->partitions)
                                 : hash_partition_murmur2(key, p->partitions);
    for (;;) {
        rd_kafka_resp_err_t err =
            rd_kafka_producev(p->client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                              RD_KAFKA_V_KEY((void *)(uintptr_t)key.at, key.len),
                              RD_KAFKA_V_VALUE((void *)(uintptr_t)value.at, value.len),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (!err) {
            rd_kafka_poll(p->client, 0);
            return producer_result(p, report);
        }
        if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            report_set(report, "kafka", "topic %s: %s", topic, rd_kafka_err2str(err));
            return STATUS_REJECT;
        }
        rd_kafka_poll(p->client, 100);
        if (p->acked == acked && clock_mono_ms(&clock) - begun > STALLED_MS) {
            report_set(report, "kafka", "no broker took anything for %d s", STALLED_MS / 1000);
            return STATUS_RETRY;
        }
    }
}

enum status kafka_producer_flush(struct kafka_producer *p, int timeout_ms, struct report *report)
{
    if (rd_kafka_flush(p->client, timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        report_set(report, "kafka", "%d records were not acknowledged within %d s",
                   rd_kafka_outq_len(p->client), timeout_ms / 1000);
        return STATUS_RETRY;
    }
    return producer_result(p, report);
}

void kafka_producer_close(struct kafka_producer *p)
{
    if (!p)
        return;
    rd_kafka_purge(p->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy(p->client);
    free(p);
}

/* --- reader --- */

struct kafka_reader {
    rd_kafka_t *client;
    rd_kafka_message_t *message; /* of the last record */
    int32_t partitions;
    int32_t ended;
    bool *at_end;
};

static enum status reader_assign(struct kafka_reader *r, const char *topic, bool from_beginning,
                                 struct report *report)
{
    enum status status = partitions_of(r->client, topic, &r->partitions, report);
    if (status != STATUS_OK)
        return status;
    r->at_end = calloc((size_t)r->partitions, sizeof *r->at_end);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(r->partitions);
    for (int32_t i = 0; i < r->partitions; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset =
            from_beginning ? RD_KAFKA_OFFSET_BEGINNING : RD_KAFKA_OFFSET_END;
    rd_kafka_resp_err_t err =
        r->at_end ? rd_kafka_assign(r->client, list) : RD_KAFKA_RESP_ERR__FAIL;
    rd_kafka_topic_partition_list_destroy(list);
    if (err) {
        report_set(report, "kafka", "topic %s: %s", topic, rd_kafka_err2str(err));
        return STATUS_REJECT;
    }
    return STATUS_OK;
}

enum status kafka_reader_open(const struct kafka_options *kafka, const char *topic,
                              bool from_beginning, struct kafka_reader **ret_reader,
                              struct report *report)
{
    struct kafka_reader *r = calloc(1, sizeof *r);
    if (!r) {
        report_set(report, "memory", "no memory for a reader");
        return STATUS_RETRY;
    }
    r->client = client_new(kafka, KAFKA_READER, RD_KAFKA_CONSUMER, NULL, 0, NULL, r, report);
    enum status status = STATUS_REJECT;
    if (r->client) {
        rd_kafka_poll_set_consumer(r->client);
        status = reader_assign(r, topic, from_beginning, report);
    }
    if (status != STATUS_OK) {
        kafka_reader_close(r);
        return status;
    }
    *ret_reader = r;
    return STATUS_OK;
}

static void reader_end(struct kafka_reader *r, int32_t partition, bool at_end)
{
    if (partition < 0 || partition >= r->partitions || r->at_end[partition] == at_end)
        return;
    r->at_end[partition] = at_end;
    r->ended += at_end ? 1 : -1;
}

enum status kafka_reader_next(struct kafka_reader *r, int timeout_ms, struct record *ret_record,
                              bool *ret_end, struct report *report)
{
    *ret_end = false;
    if (r->message)
        rd_kafka_message_destroy(r->message);
    r->message = rd_kafka_consumer_poll(r->client, timeout_ms);
    if (!r->message)
        return STATUS_RETRY;
    const rd_kafka_message_t *m = r->message;
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        reader_end(r, m->partition, true);
        *ret_end = r->ended == r->partitions;
        return *ret_end ? STATUS_OK : STATUS_RETRY;
    }
    if (m->err) {
        report_set(report, "kafka", "%s", rd_kafka_message_errstr(m));
        return rd_kafka_fatal_error(r->client, NULL, 0) ? STATUS_FATAL : STATUS_RETRY;
    }
    reader_end(r, m->partition, false);
    rd_kafka_timestamp_type_t type;
    *ret_record = (struct record){.partition = m->partition,
                                  .offset = m->offset,
                                  .timestamp_ms = rd_kafka_message_timestamp(m, &type),
                                  .key = {m->key, m->key_len},
                                  .value = {m->payload, m->len},
                                  .impl = r->message};
    return STATUS_OK;
}

size_t kafka_reader_headers(struct kafka_reader *r, struct header *ret_headers, size_t max)
{
    rd_kafka_headers_t *headers;
    if (!r->message || rd_kafka_message_headers(r->message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    for (size_t i = 0;; i++) {
        const char *name;
        const void *value;
        size_t len;
        if (rd_kafka_header_get_all(headers, i, &name, &value, &len) != RD_KAFKA_RESP_ERR_NO_ERROR)
            return i;
        if (i == max)
            return max + 1;
        ret_headers[i] = (struct header){span_of(name), {value, len}};
    }
}

void kafka_reader_close(struct kafka_reader *r)
{
    if (!r)
        return;
    if (r->message)
        rd_kafka_message_destroy(r->message);
    if (r->client) {
        rd_kafka_consumer_close(r->client);
        rd_kafka_destroy(r->client);
    }
    free(r->at_end);
    free(r);
}

/* --- positions --- */

enum { POSITION_TRIES = 20, POSITION_PAUSE_MS = 250 };

/* A group's coordinator or a partition's leader that is just being found, loading or on the move: a
 * moment later it answers. */
static bool passes(rd_kafka_resp_err_t err)
{
    return err == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
           err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
           err == RD_KAFKA_RESP_ERR_NOT_COORDINATOR ||
           err == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE ||
           err == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS ||
           err == RD_KAFKA_RESP_ERR__WAIT_COORD;
}

static rd_kafka_resp_err_t committed_read(rd_kafka_t *client, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;

    for (int i = 0; i < POSITION_TRIES; i++) {
        err = rd_kafka_committed(client, list, REQUEST_MS);
        if (!err)
            err = list->elems[0].err;
        if (!passes(err))
            break;
        ctl_nap(POSITION_PAUSE_MS);
    }
    return err;
}

static rd_kafka_resp_err_t bounds_read(rd_kafka_t *client, const char *topic, int32_t partition,
                                       struct kafka_positions *ret)
{
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;

    for (int i = 0; i < POSITION_TRIES; i++) {
        err = rd_kafka_query_watermark_offsets(client, topic, partition, &ret->low, &ret->high,
                                               REQUEST_MS);
        if (!passes(err))
            break;
        ctl_nap(POSITION_PAUSE_MS);
    }
    return err;
}

static enum status position_read(rd_kafka_t *client, const char *topic, int32_t partition,
                                 struct kafka_positions *ret, struct report *report)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_add(list, topic, partition);
    rd_kafka_resp_err_t err = committed_read(client, list);
    *ret = (struct kafka_positions){.committed = p->offset >= 0 ? p->offset : -1};
    if (!err && p->metadata && p->metadata_size < sizeof ret->metadata)
        memcpy(ret->metadata, p->metadata, p->metadata_size);
    if (!err)
        err = bounds_read(client, topic, partition, ret);
    rd_kafka_topic_partition_list_destroy(list);
    if (err) {
        report_set(report, "kafka", "positions of %s [%d]: %s", topic, partition,
                   rd_kafka_err2str(err));
        return STATUS_RETRY;
    }
    return STATUS_OK;
}

enum status kafka_positions_read(const struct kafka_options *kafka,
                                 struct kafka_positions *ret_positions, size_t cap,
                                 size_t *ret_count, struct report *report)
{
    /* Named as the group, so that committed() asks for its offsets; never subscribed, so it never
     * joins it. */
    const char *const settings[][2] = {{"group.id", kafka->group}};
    rd_kafka_t *client =
        client_new(kafka, KAFKA_READER, RD_KAFKA_CONSUMER, settings, 1, NULL, NULL, report);
    if (!client)
        return STATUS_REJECT;
    int32_t count = 0;
    enum status status = partitions_of(client, kafka->input, &count, report);
    if (status == STATUS_OK && (size_t)count > cap) {
        report_set(report, "kafka", "topic %s has %d partitions, more than %zu", kafka->input,
                   count, cap);
        status = STATUS_FULL;
    }
    for (int32_t i = 0; status == STATUS_OK && ret_positions && i < count; i++)
        status = position_read(client, kafka->input, i, &ret_positions[i], report);
    *ret_count = (size_t)count;
    rd_kafka_destroy(client);
    return status;
}

enum status kafka_group_members(const struct kafka_options *kafka, int *ret_members,
                                struct report *report)
{
    const struct rd_kafka_group_list *groups = NULL;
    rd_kafka_t *client =
        client_new(kafka, KAFKA_READER, RD_KAFKA_CONSUMER, NULL, 0, NULL, NULL, report);
    rd_kafka_resp_err_t err;

    if (!client)
        return STATUS_REJECT;
    err = rd_kafka_list_groups(client, kafka->group, &groups, REQUEST_MS);
    *ret_members = 0;
    for (int i = 0; !err && i < groups->group_cnt; i++)
        *ret_members += groups->groups[i].member_cnt;
    if (groups)
        rd_kafka_group_list_destroy(groups);
    rd_kafka_destroy(client);
    if (err) {
        report_set(report, "kafka", "members of group %s: %s", kafka->group, rd_kafka_err2str(err));
        return STATUS_RETRY;
    }
    return STATUS_OK;
}
