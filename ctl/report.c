/* report: the lifecycle report of all customers as they stand now. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/alert_view.h"
#include "ctl/ctl.h"
#include "ctl/kafka_client.h"
#include "ctl/report_page.h"
#include "ctl/servers.h"
#include "model/effect.h"

enum { HEADERS = 32, SCRATCH_BYTES = 1 << 20, POLL_MS = 250, SILENT_MS = 20000 };

/* --- moves between stages, from the alerts --- */

static enum stage stage_named(struct span name)
{
    int stage = STAGE_NONE;
    while (stage < STAGE_COUNT && !span_is(name, stage_label((enum stage)stage)))
        stage++;
    return (enum stage)stage;
}

static void count_move(struct report_moves *moves, const struct alert_view *view)
{
    enum stage from = stage_named(view->from), to = stage_named(view->to);
    if (!span_is(view->kind, kind_label(KIND_STAGE_CHANGED)) || from == STAGE_COUNT ||
        to == STAGE_COUNT)
        return;
    moves->count[from][to]++;
    moves->total++;
}

static void take_alert(struct kafka_reader *reader, const struct record *record,
                       struct arena *scratch, struct report_moves *moves)
{
    struct header headers[HEADERS];
    struct alert_view view;
    size_t count = kafka_reader_headers(reader, headers, HEADERS);
    arena_reset(scratch);
    if (record->timestamp_ms >= moves->since_ms && count <= HEADERS &&
        alert_view_of(record, headers, count, scratch, &view) == STATUS_OK)
        count_move(moves, &view);
}

/* To the end of every partition, unless nothing comes any more. */
static enum status read_all(struct kafka_reader *reader, struct report_moves *moves,
                            struct report *report)
{
    const struct clock clock = clock_system();
    int64_t newest_ms = clock_mono_ms(&clock);
    enum status status = STATUS_OK;
    struct arena scratch;
    bool end = false;
    arena_init(&scratch, SCRATCH_BYTES);
    while (!end && !ctl_interrupted() && (status == STATUS_OK || status == STATUS_RETRY)) {
        struct record record;
        status = kafka_reader_next(reader, POLL_MS, &record, &end, report);
        if (status == STATUS_OK) {
            newest_ms = clock_mono_ms(&clock);
            if (!end)
                take_alert(reader, &record, &scratch, moves);
        } else if (clock_mono_ms(&clock) - newest_ms > SILENT_MS) {
            report_set(report, "kafka", "the alerts could not be read to their end");
            break;
        }
    }
    arena_fini(&scratch);
    if (!end && report->code[0] == '\0')
        report_set(report, "interrupted", "stopped before the end of the alerts");
    return end ? STATUS_OK : STATUS_RETRY;
}

static enum status read_moves(struct servers *servers, struct report_moves *moves,
                              struct report *report)
{
    struct kafka_reader *reader = NULL;
    enum status status =
        kafka_reader_open(&servers->kafka, servers_alerts_topic(servers), true, &reader, report);
    if (status == STATUS_OK)
        status = read_all(reader, moves, report);
    moves->read = status == STATUS_OK;
    kafka_reader_close(reader);
    return status;
}

/* --- the walk --- */

static enum status each(void *self, int32_t partition, struct span id,
                        const struct customer *customer)
{
    (void)partition;
    (void)id;
    census_add(self, customer);
    return ctl_interrupted() ? STATUS_REJECT : STATUS_OK;
}

static enum status take_census(struct servers *servers, int64_t asked_ms, struct census *census,
                               struct report *report)
{
    struct walk_sight sight;
    enum status status = servers_partitions(servers, report);
    if (status == STATUS_OK)
        status = servers_redis(servers, report);
    if (status == STATUS_OK)
        status =
            walk_sight(&servers->redis, servers->config.app, servers->partitions, &sight, report);
    if (status != STATUS_OK)
        return status;
    census_init(census, servers_now(servers, asked_ms, sight.watermark_ms),
                &servers->config.params);
    return servers_walk(servers, each, census, report);
}

static int write_page(const struct report_page *page, const char *path, bool json)
{
    FILE *out = path ? fopen(path, "w") : stdout;
    if (!out)
        return ctl_fail(CTL_FAILED, "report: %s: %s", path, strerror(errno));
    if (json)
        report_page_json(page, out);
    else
        report_page_html(page, out);
    bool well = !ferror(out) && (path ? fclose(out) : fflush(out)) == 0;
    return well ? CTL_OK : ctl_fail(CTL_FAILED, "report: cannot write %s", path ? path : "");
}

int report_command(int argc, char **argv)
{
    static struct census census;
    struct report_moves moves = {.since_ms = INT64_MIN};
    const char *config_path = NULL, *brokers = NULL, *redis = NULL, *path = NULL;
    int64_t at_ms = INT64_MIN;
    bool json = false, with_moves = false;
    const struct ctl_option options[] = {
        {CTL_TEXT, "config", "FILE", "configuration of the daemon", &config_path},
        {CTL_TEXT, "brokers", "HOSTS", "instead of the configured ones", &brokers},
        {CTL_TEXT, "redis", "ADDRESS", "unix:/path or host:port, instead of the configured one",
         &redis},
        {CTL_TEXT, "out", "FILE", "instead of standard output", &path},
        {CTL_TIME, "at", "TIME", "figures of the models as of then (default: now)", &at_ms},
        {CTL_FLAG, "moves", NULL, "read all alerts, too, for the moves between stages",
         &with_moves},
        {CTL_TIME, "since", "TIME", "moves told since then only (default: all)", &moves.since_ms},
        {CTL_FLAG, "json", NULL, "the figures as one JSON object instead of a page", &json},
        {CTL_END, NULL, NULL, NULL, NULL},
    };
    ctl_options(argc, argv, "report [OPTIONS] > report.html", options, 0, 0);
    struct servers servers;
    struct report report = {0};
    int result = servers_load(&servers, config_path, brokers, redis);
    if (result)
        return result;
    struct report_page page = {.app = servers.config.app,
                               .census = &census,
                               .params = &servers.config.params,
                               .moves = &moves};
    if (take_census(&servers, at_ms, &census, &report) != STATUS_OK ||
        (with_moves && read_moves(&servers, &moves, &report) != STATUS_OK))
        result = ctl_fail_report(CTL_UNAVAILABLE, &report);
    else
        result = write_page(&page, path, json);
    servers_close(&servers);
    return result;
}
