/* restore: a partition's state from its backup. Kafka holds what came after it, and what was told:
 * the daemon replays from the backup's position and repeats no alert. So a restore is refused when
 * Kafka can no longer replay from there, and while a daemon of the group runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/backup_file.h"
#include "ctl/ctl.h"
#include "ctl/held_partition.h"
#include "ctl/kafka_client.h"
#include "pipeline/position_codec.h"

enum { ARENA_BYTES = 256 << 20, PARTITIONS_MAX = 1024 };

struct restore {
    struct servers *servers;
    const char *path;
    struct backup_head head;
    int64_t held_ms;
};

/* --- the file alone --- */

typedef enum status each_block_fn(void *self, struct store_bucket *buckets, size_t count,
                                  struct arena *arena, struct report *report);

/* Reads the file from its beginning to its end; every block of buckets goes to `each` (NULL: only
 * check). */
static enum status read_file(struct restore *r, each_block_fn *each, void *self,
                             struct report *report)
{
    struct backup_reader *reader = NULL;
    struct store_bucket *buckets = NULL;
    struct arena arena;
    size_t count = 1;
    enum status status = backup_reader_open(r->path, &r->head, &reader, report);

    arena_init(&arena, ARENA_BYTES);
    while (status == STATUS_OK && count > 0) {
        arena_reset(&arena);
        status = backup_reader_next(reader, &arena, &buckets, &count, report);
        if (status == STATUS_OK && count > 0 && each)
            status = each(self, buckets, count, &arena, report);
    }
    arena_fini(&arena);
    backup_reader_close(reader);
    return status;
}

static enum status refuse(struct report *report, const char *code, const char *text, long long is,
                          long long want)
{
    report_set(report, code, text, is, want);
    return STATUS_REJECT;
}

static enum status check_owner(const struct restore *r, struct report *report)
{
    const struct config *config = &r->servers->config;

    if (strcmp(r->head.app, config->app) != 0 ||
        strcmp(r->head.input, servers_input_topic(r->servers)) != 0) {
        report_set(report, "backup-foreign",
                   "the backup is of application '%s' and topic '%s'; the configuration has '%s' "
                   "and '%s'",
                   r->head.app, r->head.input, config->app, servers_input_topic(r->servers));
        return STATUS_REJECT;
    }
    if (r->head.partitions != r->servers->partitions)
        return refuse(report, "partition-count",
                      "the backup is of a topic with %lld partitions; it has %lld now: customers "
                      "would be in other partitions",
                      r->head.partitions, r->servers->partitions);
    return STATUS_OK;
}

/* --- can Kafka replay from there? --- */

static enum status check_group(const struct restore *r, struct report *report)
{
    int members = 0;
    enum status status = kafka_group_members(&r->servers->kafka, &members, report);

    if (status == STATUS_OK && members > 0) {
        report_set(
            report, "group-running",
            "the group %s has %d members: stop every daemon of it first (one that was killed "
            "counts until its session ends, 10 s)",
            r->servers->kafka.group, members);
        status = STATUS_REJECT;
    }
    return status;
}

static enum status check_log(const struct store_meta *meta, const struct kafka_positions *at,
                             struct report *report)
{
    if (meta->at.offset < at->low)
        return refuse(report, "range-lost",
                      "the log no longer holds offsets %lld to %lld, which came after this backup: "
                      "take a newer one",
                      meta->at.offset, at->low - 1);
    if (meta->at.offset > at->high)
        return refuse(report, "topic-truncated",
                      "the backup stands at offset %lld but the log ends at %lld: the topic was "
                      "recreated or truncated",
                      meta->at.offset, at->high);
    return STATUS_OK;
}

static enum status check_delivered(const struct store_meta *meta, const struct kafka_positions *at,
                                   struct report *report)
{
    struct delivered delivered;

    if (at->committed < 0) {
        report_set(report, "offsets-missing",
                   "the group has committed nothing for this partition (its offsets expired, or it "
                   "is another group): what was told already is not known");
        return STATUS_REJECT;
    }
    if (position_metadata_decode(span_of(at->metadata), &delivered) != STATUS_OK) {
        report_set(report, "foreign-offset",
                   "the group's committed offset was not written by lifecycled");
        return STATUS_REJECT;
    }
    delivered.at.offset = at->committed;
    if (position_compare(meta->at, delivered.at) > 0)
        return refuse(report, "backup-ahead",
                      "the backup stands at offset %lld but only %lld was delivered: it is of "
                      "another group or cluster",
                      meta->at.offset, delivered.at.offset);
    return STATUS_OK;
}

static enum status check_positions(const struct restore *r, struct kafka_positions *positions,
                                   struct report *report)
{
    const struct store_meta *meta = &r->head.meta;
    struct kafka_options control = r->servers->kafka;
    const struct kafka_positions *here = &positions[r->head.partition];
    size_t count = 0;
    enum status status =
        kafka_positions_read(&r->servers->kafka, positions, PARTITIONS_MAX, &count, report);

    if (status == STATUS_OK)
        status = check_log(meta, here, report);
    if (status == STATUS_OK)
        status = check_delivered(meta, here, report);
    if (status != STATUS_OK)
        return status;
    control.input = control.control;
    status = kafka_positions_read(&control, positions, PARTITIONS_MAX, &count, report);
    if (status == STATUS_OK && (int64_t)count != r->head.partitions)
        return refuse(report, "partition-count",
                      "the control topic has %lld partitions, the input %lld", (long long)count,
                      r->head.partitions);
    if (status == STATUS_OK && meta->control_offset >= 0 && meta->control_offset < here->low)
        return refuse(report, "control-lost",
                      "the control topic begins at %lld, after record %lld which the backup needs",
                      here->low, meta->control_offset);
    return status;
}

static enum status check_kafka(const struct restore *r, struct report *report)
{
    struct kafka_positions *positions = calloc(PARTITIONS_MAX, sizeof *positions);
    enum status status = check_group(r, report);

    if (!positions) {
        report_set(report, "memory", "no memory");
        status = STATUS_RETRY;
    }
    if (status == STATUS_OK)
        status = check_positions(r, positions, report);
    free(positions);
    return status;
}

/* --- writing --- */

static enum status write_block(void *self, struct store_bucket *buckets, size_t count,
                               struct arena *arena, struct report *report)
{
    struct held_partition *held = self;
    enum status status = store_restore_piece(held->store, buckets, count, arena, report);

    if (status == STATUS_OK)
        status = held_partition_renew(held, report);
    return status;
}

static enum status restore_write(struct restore *r, struct report *report)
{
    const struct store_backup note = {.at = r->head.meta.at, .made_ms = r->head.made_ms};
    struct held_partition held;
    enum status status = held_partition_open(r->servers, r->head.partition, &held, report);

    if (status != STATUS_OK)
        return status;
    status = store_restore_begin(held.store, &r->head.meta, report);
    if (status == STATUS_OK)
        status = read_file(r, write_block, &held, report);
    if (status == STATUS_OK)
        status = store_restore_end(held.store, &r->head.meta, report);
    if (status == STATUS_OK)
        status = store_backup_note(held.store, &note, report);
    r->held_ms = held_partition_close(&held);
    return status;
}

static enum status restore_run(struct restore *r, bool force, struct report *report)
{
    enum status status = read_file(r, NULL, NULL, report);

    if (status == STATUS_OK)
        status = servers_partitions(r->servers, report);
    if (status == STATUS_OK)
        status = check_owner(r, report);
    if (status == STATUS_OK && !force)
        status = check_kafka(r, report);
    if (status == STATUS_OK)
        status = servers_redis(r->servers, report);
    if (status == STATUS_OK)
        status = store_server_check(&r->servers->redis, report);
    return status == STATUS_OK ? restore_write(r, report) : status;
}

int restore_command(int argc, char **argv)
{
    const char *config_path = NULL, *brokers = NULL, *redis = NULL;
    bool force = false;
    const struct ctl_option options[] = {
        {CTL_TEXT, "config", "FILE", "configuration of the daemon", &config_path},
        {CTL_TEXT, "brokers", "HOSTS", "instead of the configured ones", &brokers},
        {CTL_TEXT, "redis", "ADDRESS", "instead of the configured one", &redis},
        {CTL_FLAG, "force", NULL, "although Kafka cannot replay from there (the daemon will stop)",
         &force},
        {CTL_END, NULL, NULL, NULL, NULL},
    };
    struct report report = {0};
    struct servers servers;

    ctl_options(argc, argv,
                "restore FILE [OPTIONS]\n\n"
                "Replaces the state of the partition that FILE is a backup of. The daemons of the\n"
                "group are stopped; when they start they replay what came after, and tell nothing\n"
                "twice.",
                options, 1, 1);
    int failed = servers_load(&servers, config_path, brokers, redis);
    if (failed)
        return failed;
    struct restore restore = {.servers = &servers, .path = argv[0]};
    int result = CTL_OK;
    enum status status = restore_run(&restore, force, &report);
    if (status == STATUS_OK)
        printf("partition %d: %lld customers at offset %lld restored in %lld ms; the daemon "
               "replays from there\n",
               (int)restore.head.partition, (long long)restore.head.meta.customers,
               (long long)restore.head.meta.at.offset, (long long)restore.held_ms);
    else
        result = ctl_fail_report(status == STATUS_REJECT ? CTL_DATA : CTL_UNAVAILABLE, &report);
    servers_close(&servers);
    return result;
}
