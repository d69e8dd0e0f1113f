/* tail: alerts as they are committed. */
#include <stdlib.h>

#include "base/json.h"
#include "ctl/alert_view.h"
#include "ctl/ctl.h"
#include "ctl/kafka_client.h"
#include "ctl/servers.h"

enum { HEADERS = 32, SCRATCH_BYTES = 1 << 20 };

struct tail {
    bool json, follow;
    int64_t count_max, shown;
    struct arena scratch;
};

static void print_json(const struct record *record, const struct header *headers, size_t count)
{
    /* The payload is JSON already; the headers go around it. */
    static char buffer[65536];
    struct json_writer w;
    json_writer_init(&w, buffer, sizeof buffer);
    json_put_object(&w);
    for (size_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)headers[i].name.len, headers[i].name.at);
        json_put_key(&w, name);
        json_put_string(&w, headers[i].value);
    }
    json_put_key(&w, "partition");
    json_put_i64(&w, record->partition);
    json_put_key(&w, "offset");
    json_put_i64(&w, record->offset);
    json_put_key(&w, "data");
    if (record->value.len > 0 && record->value.at[0] == '{')
        json_put_raw(&w, record->value);
    else
        json_put_null(&w);
    json_put_object_end(&w);
    if (!w.full)
        printf("%.*s\n", (int)w.len, buffer);
}

static void tail_show(struct tail *tail, struct kafka_reader *reader, const struct record *record)
{
    struct header headers[HEADERS];
    struct alert_view view;
    size_t count = kafka_reader_headers(reader, headers, HEADERS);
    arena_reset(&tail->scratch);
    if (count > HEADERS ||
        alert_view_of(record, headers, count, &tail->scratch, &view) != STATUS_OK)
        return; /* somebody else's record on the topic */
    if (tail->json)
        print_json(record, headers, count);
    else
        alert_view_print(&view);
    fflush(stdout);
    tail->shown++;
}

static int tail_run(struct tail *tail, struct kafka_reader *reader)
{
    struct report report = {0};
    struct record record;
    while (!ctl_interrupted() && !ferror(stdout) &&
           (tail->count_max == 0 || tail->shown < tail->count_max)) {
        bool end = false;
        enum status status = kafka_reader_next(reader, 250, &record, &end, &report);
        if (status == STATUS_OK && !end)
            tail_show(tail, reader, &record);
        else if (status == STATUS_OK && !tail->follow)
            break;
        else if (status != STATUS_OK && status != STATUS_RETRY)
            return ctl_fail_report(CTL_UNAVAILABLE, &report);
    }
    return CTL_OK;
}

int tail_command(int argc, char **argv)
{
    struct tail tail = {0};
    const char *config_path = NULL, *brokers = NULL, *topic = NULL;
    bool all = false, no_follow = false;
    const struct ctl_option options[] = {
        {CTL_TEXT, "config", "FILE", "configuration of the daemon", &config_path},
        {CTL_TEXT, "brokers", "HOSTS", "instead of the configured ones", &brokers},
        {CTL_TEXT, "topic", "NAME", "instead of the configured alerts topic", &topic},
        {CTL_FLAG, "from-beginning", NULL, "everything the topic holds (default: from now on)",
         &all},
        {CTL_FLAG, "no-follow", NULL, "stop at the end of the topic", &no_follow},
        {CTL_COUNT, "count", "N", "stop after N alerts", &tail.count_max},
        {CTL_FLAG, "json", NULL, "JSON lines: headers and data", &tail.json},
        {CTL_END, NULL, NULL, NULL, NULL},
    };
    ctl_options(argc, argv, "tail [OPTIONS]", options, 0, 0);
    struct servers servers;
    struct kafka_reader *reader = NULL;
    struct report report = {0};
    int failed = servers_load(&servers, config_path, brokers, NULL);
    if (failed)
        return failed;
    tail.follow = !no_follow;
    arena_init(&tail.scratch, SCRATCH_BYTES);
    int result = kafka_reader_open(&servers.kafka, topic ? topic : servers_alerts_topic(&servers),
                                   all, &reader, &report) == STATUS_OK
                     ? tail_run(&tail, reader)
                     : ctl_fail_report(CTL_UNAVAILABLE, &report);
    kafka_reader_close(reader);
    arena_fini(&tail.scratch);
    servers_close(&servers);
    return result;
}
