/* status: where each partition stands: delivered (K), applied (R), watermark (W), lag, customers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "ctl/ctl.h"
#include "ctl/kafka_client.h"
#include "ctl/servers.h"
#include "pipeline/position_codec.h"

enum { PARTITIONS_MAX = 1024 };

struct status_row {
    int32_t partition;
    struct kafka_positions kafka;
    struct delivered delivered;
    bool has_delivered, has_meta;
    struct store_meta meta;
};

static enum status row_read(struct servers *servers, struct status_row *row, struct report *report)
{
    row->has_delivered =
        position_metadata_decode(span_of(row->kafka.metadata), &row->delivered) == STATUS_OK;
    return store_peek(&servers->redis, servers->config.app, row->partition, &row->meta,
                      &row->has_meta, report);
}

static void row_print(const struct status_row *row)
{
    char watermark[TEXT_TIME_BYTES] = "-";
    if (row->has_meta && row->meta.watermark_ms != INT64_MIN)
        text_time_format(row->meta.watermark_ms, watermark);
    int64_t applied = row->has_meta ? row->meta.at.offset : 0;
    int64_t lag = row->kafka.high - (applied > row->kafka.low ? applied : row->kafka.low);
    printf("%9d %12lld %12lld %12lld %12lld %10lld  %-24s %10lld  %s\n", row->partition,
           (long long)row->kafka.low, (long long)row->kafka.committed, (long long)applied,
           (long long)row->kafka.high, (long long)(lag < 0 ? 0 : lag), watermark,
           row->has_meta ? (long long)row->meta.customers : 0, row->has_meta ? row->meta.cfg : "-");
}

static void put_i64(struct json_writer *w, const char *key, int64_t value, bool known)
{
    json_put_key(w, key);
    if (known)
        json_put_i64(w, value);
    else
        json_put_null(w);
}

static void row_json(const struct status_row *row)
{
    char line[2048];
    struct json_writer w;
    json_writer_init(&w, line, sizeof line);
    json_put_object(&w);
    put_i64(&w, "partition", row->partition, true);
    put_i64(&w, "log_start", row->kafka.low, true);
    put_i64(&w, "log_end", row->kafka.high, true);
    put_i64(&w, "K", row->kafka.committed, row->kafka.committed >= 0);
    put_i64(&w, "K_control", row->delivered.at.control, row->has_delivered);
    put_i64(&w, "R", row->meta.at.offset, row->has_meta);
    put_i64(&w, "C", row->meta.at.control, row->has_meta);
    put_i64(&w, "customers", row->meta.customers, row->has_meta);
    put_i64(&w, "buckets", row->meta.buckets, row->has_meta);
    json_put_key(&w, "W");
    if (row->has_meta && row->meta.watermark_ms != INT64_MIN)
        json_put_time(&w, row->meta.watermark_ms);
    else
        json_put_null(&w);
    json_put_key(&w, "parameters");
    json_put_text(&w, row->has_meta ? row->meta.cfg : "");
    json_put_object_end(&w);
    printf("%.*s\n", (int)w.len, line);
}

static enum status status_read(struct servers *servers, struct status_row **ret_rows,
                               size_t *ret_count, struct report *report)
{
    struct kafka_positions *positions = calloc(PARTITIONS_MAX, sizeof *positions);
    struct status_row *rows = calloc(PARTITIONS_MAX, sizeof *rows);
    enum status status = STATUS_FULL;
    if (!positions || !rows) {
        report_set(report, "memory", "no memory");
        goto out;
    }
    status = servers_redis(servers, report);
    if (status == STATUS_OK)
        status =
            kafka_positions_read(&servers->kafka, positions, PARTITIONS_MAX, ret_count, report);
    for (size_t i = 0; status == STATUS_OK && i < *ret_count; i++) {
        rows[i].partition = (int32_t)i;
        rows[i].kafka = positions[i];
        status = row_read(servers, &rows[i], report);
    }
    *ret_rows = rows;
out:
    free(positions);
    if (status != STATUS_OK)
        free(rows);
    return status;
}

int status_command(int argc, char **argv)
{
    const char *config_path = NULL, *brokers = NULL, *redis = NULL;
    bool json = false;
    const struct ctl_option options[] = {
        {CTL_TEXT, "config", "FILE", "configuration of the daemon", &config_path},
        {CTL_TEXT, "brokers", "HOSTS", "instead of the configured ones", &brokers},
        {CTL_TEXT, "redis", "ADDRESS", "instead of the configured one", &redis},
        {CTL_FLAG, "json", NULL, "JSON lines", &json},
        {CTL_END, NULL, NULL, NULL, NULL},
    };
    ctl_options(argc, argv, "status [OPTIONS]", options, 0, 0);
    struct servers servers;
    struct report report = {0};
    struct status_row *rows = NULL;
    size_t count = 0;
    int failed = servers_load(&servers, config_path, brokers, redis);
    if (failed)
        return failed;
    int result = CTL_OK;
    if (status_read(&servers, &rows, &count, &report) != STATUS_OK) {
        result = ctl_fail_report(CTL_UNAVAILABLE, &report);
    } else {
        if (!json)
            printf("%9s %12s %12s %12s %12s %10s  %-24s %10s  %s\n", "partition", "log start",
                   "delivered K", "applied R", "log end", "lag", "watermark W", "customers",
                   "parameters");
        for (size_t i = 0; i < count; i++) {
            if (json)
                row_json(&rows[i]);
            else
                row_print(&rows[i]);
        }
        free(rows);
    }
    servers_close(&servers);
    return result;
}
