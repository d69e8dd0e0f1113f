/* backup: each partition at one position, while the daemon runs.
 *
 * The state changes with every batch, so for the time of the walk the partition is taken from its
 * daemon: the daemon's next step is refused as a zombie's would be, and its claim waits until the
 * hold is gone. Every bucket read checks that nobody wrote meanwhile (store_read.c); if somebody
 * did (an older daemon does not know holds), the walk fails and the command says so. */
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/json.h"
#include "ctl/backup_file.h"
#include "ctl/ctl.h"
#include "ctl/held_partition.h"

enum { ARENA_BYTES = 64 << 20, BUCKETS_AT_ONCE = 256, TRIES = 3 };

struct backup {
    struct servers *servers;
    const char *folder;
    bool json;
    char path[PATH_MAX];
    int64_t bytes, held_ms;
    struct backup_head head;
};

static enum status backup_walk(struct held_partition *held, struct backup_writer *writer,
                               struct report *report)
{
    enum status status = STATUS_OK;
    struct store_bucket *buckets = NULL;
    struct arena arena;

    arena_init(&arena, ARENA_BYTES);
    for (uint32_t first = 0; status == STATUS_OK && first < held->meta.buckets;) {
        uint32_t left = held->meta.buckets - first;
        size_t count = left < BUCKETS_AT_ONCE ? left : BUCKETS_AT_ONCE;

        arena_reset(&arena);
        status =
            store_load_buckets(held->store, &held->meta, first, count, &arena, &buckets, report);
        for (size_t i = 0; status == STATUS_OK && i < count; i++)
            status = backup_writer_put(writer, &buckets[i], report);
        first += (uint32_t)count;
        if (status == STATUS_OK)
            status = held_partition_renew(held, report);
        ctl_progress("buckets", first, held->meta.buckets);
    }
    arena_fini(&arena);
    return status;
}

static enum status backup_write(struct backup *b, struct held_partition *held,
                                struct report *report)
{
    struct backup_writer *writer = NULL;
    int written = snprintf(b->path, sizeof b->path, "%s/%s-p%d-R%lld-C%lld.lcbackup", b->folder,
                           b->head.app, (int)b->head.partition, (long long)held->meta.at.offset,
                           (long long)held->meta.at.control);
    enum status status;

    if (written < 0 || (size_t)written >= sizeof b->path) {
        report_set(report, "backup-write", "%s: the path is too long", b->folder);
        return STATUS_REJECT;
    }
    b->head.meta = held->meta;
    status = backup_writer_open(b->path, &b->head, &writer, report);
    if (status == STATUS_OK)
        status = backup_walk(held, writer, report);
    b->held_ms = held_partition_close(held);
    if (status == STATUS_OK)
        status = backup_writer_finish(writer, &b->bytes, report);
    backup_writer_close(writer);
    return status;
}

/* The daemon warns before the log passes this position. */
static enum status backup_note(struct backup *b, struct report *report)
{
    const struct store_backup note = {.at = b->head.meta.at, .made_ms = b->head.made_ms};
    struct store *store =
        store_open_readonly(b->servers->redis, b->servers->config.app, b->head.partition);
    enum status status = STATUS_RETRY;

    if (store)
        status = store_backup_note(store, &note, report);
    else
        report_set(report, "memory", "no memory");
    store_close(store);
    return status;
}

static void backup_print(const struct backup *b)
{
    char line[PATH_MAX + 512];
    struct json_writer w;

    if (!b->json) {
        printf("partition %d: %lld customers at offset %lld, control %lld: %s (%lld bytes, held "
               "for %lld ms)\n",
               (int)b->head.partition, (long long)b->head.meta.customers,
               (long long)b->head.meta.at.offset, (long long)b->head.meta.at.control, b->path,
               (long long)b->bytes, (long long)b->held_ms);
        return;
    }
    json_writer_init(&w, line, sizeof line);
    json_put_object(&w);
    json_put_key(&w, "partition");
    json_put_i64(&w, b->head.partition);
    json_put_key(&w, "R");
    json_put_i64(&w, b->head.meta.at.offset);
    json_put_key(&w, "C");
    json_put_i64(&w, b->head.meta.at.control);
    json_put_key(&w, "customers");
    json_put_i64(&w, b->head.meta.customers);
    json_put_key(&w, "file");
    json_put_text(&w, b->path);
    json_put_key(&w, "bytes");
    json_put_i64(&w, b->bytes);
    json_put_key(&w, "held_ms");
    json_put_i64(&w, b->held_ms);
    json_put_object_end(&w);
    printf("%.*s\n", (int)w.len, line);
}

static enum status backup_partition(struct backup *b, int32_t partition, struct report *report)
{
    struct clock clock = clock_system();
    struct held_partition held;
    struct store_meta meta;
    bool present = false;
    enum status status =
        store_peek(&b->servers->redis, b->servers->config.app, partition, &meta, &present, report);

    if (status == STATUS_OK && !present) {
        fprintf(stderr, "lifecyclectl backup: partition %d has no state\n", (int)partition);
        return STATUS_OK;
    }
    b->head.partition = partition;
    b->head.made_ms = clock_wall_ms(&clock);
    if (status == STATUS_OK)
        status = STATUS_STALE;
    for (int i = 0; i < TRIES && status == STATUS_STALE; i++) {
        status = held_partition_open(b->servers, partition, &held, report);
        if (status == STATUS_OK)
            status = backup_write(b, &held, report);
    }
    if (status == STATUS_OK)
        status = backup_note(b, report);
    if (status == STATUS_OK)
        backup_print(b);
    return status;
}

static enum status backup_run(struct backup *b, int64_t only, struct report *report)
{
    const struct config *config = &b->servers->config;
    enum status status = servers_partitions(b->servers, report);

    if (status == STATUS_OK)
        status = servers_redis(b->servers, report);
    if (status == STATUS_OK && only >= b->servers->partitions) {
        report_set(report, "usage", "there are %d partitions, from 0", (int)b->servers->partitions);
        status = STATUS_REJECT;
    }
    if (mkdir(b->folder, 0700) != 0 && errno != EEXIST && status == STATUS_OK) {
        report_set(report, "backup-write", "%s: %s", b->folder, strerror(errno));
        status = STATUS_REJECT;
    }
    b->head.partitions = b->servers->partitions;
    (void)snprintf(b->head.app, sizeof b->head.app, "%s", config->app);
    (void)snprintf(b->head.input, sizeof b->head.input, "%s", servers_input_topic(b->servers));
    for (int32_t p = 0; status == STATUS_OK && p < b->servers->partitions; p++)
        if (only < 0 || p == only)
            status = backup_partition(b, p, report);
    return status;
}

int backup_command(int argc, char **argv)
{
    const char *config_path = NULL, *brokers = NULL, *redis = NULL;
    int64_t only = -1;
    bool json = false;
    const struct ctl_option options[] = {
        {CTL_TEXT, "config", "FILE", "configuration of the daemon", &config_path},
        {CTL_TEXT, "brokers", "HOSTS", "instead of the configured ones", &brokers},
        {CTL_TEXT, "redis", "ADDRESS", "instead of the configured one", &redis},
        {CTL_COUNT, "partition", "N", "only this one (default: each in turn)", &only},
        {CTL_FLAG, "json", NULL, "JSON lines", &json},
        {CTL_END, NULL, NULL, NULL, NULL},
    };
    struct report report = {0};
    struct servers servers;

    ctl_options(argc, argv,
                "backup FOLDER [OPTIONS]\n\n"
                "One file a partition, each at one position, while the daemon runs: a partition\n"
                "waits while it is read (one to two seconds a million customers).",
                options, 1, 1);
    int failed = servers_load(&servers, config_path, brokers, redis);
    if (failed)
        return failed;
    struct backup backup = {.servers = &servers, .folder = argv[0], .json = json};
    int result = CTL_OK;
    if (backup_run(&backup, only, &report) != STATUS_OK)
        result = ctl_fail_report(CTL_UNAVAILABLE, &report);
    if (fflush(stdout) != 0)
        result = ctl_fail(CTL_FAILED, "backup: cannot write to standard output");
    servers_close(&servers);
    return result;
}
