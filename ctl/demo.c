/* demo: everything at work on one machine and nothing to set up: librdkafka's in-process mock
 * cluster inside the daemon, a private redis-server on a unix socket, a few thousand simulated
 * customers over two compressed years. Shows alerts as they come, then a summary, then one customer
 * whose churn alert was caused by silence alone. Everything it starts it stops. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/text.h"
#include "ctl/alert_view.h"
#include "ctl/behaviour.h"
#include "ctl/child.h"
#include "ctl/ctl.h"
#include "ctl/kafka_client.h"
#include "ctl/outgoing_of.h"
#include "ctl/servers.h"
#include "insight/census.h"
#include "model/effect.h"

enum { HEADERS = 32, SCRATCH_BYTES = 1 << 20, CHUNK = 100, LINES_A_SECOND = 6, PATH_BYTES = 512 };

struct demo {
    const char *daemon;
    int64_t customers, rate, seed;
    bool keep;
    char folder[PATH_BYTES], config_path[PATH_BYTES], address_path[PATH_BYTES],
        socket_path[PATH_BYTES];
    char brokers[128];
    pid_t redis, service;
    struct servers servers;
    struct kafka_producer *producer;
    struct kafka_reader *reader;
    struct arena scratch;
    struct clock clock;
    int64_t begun_ms, last_line_ms;
    int64_t events, alerts, by_kind[KIND_COUNT], by_silence;
    char silent[EVENT_CUSTOMER_BYTES_MAX +
                1]; /* newest customer with a churn alert caused by silence */
    char silent_time[TEXT_TIME_BYTES];
};

static void path_in(const struct demo *d, const char *name, char ret[PATH_BYTES])
{
    MUST(snprintf(ret, PATH_BYTES, "%s/%s", d->folder, name) < PATH_BYTES);
}

static int write_config(const struct demo *d)
{
    FILE *file = fopen(d->config_path, "w");
    if (!file)
        return ctl_fail(CTL_UNAVAILABLE, "demo: %s: %s", d->config_path, strerror(errno));
    fprintf(file,
            "# Written by `lifecyclectl demo`. Event time moves the clock, because two years pass "
            "in a minute.\n"
            "clock: event\n"
            "redis:\n  address: unix:%s\n"
            "alerts:\n  late_max: 36500d # the simulated years are long ago: tell all the same\n"
            "http:\n  listen: \"\"\n"
            "insight:\n  every: 30d # a month passes in a second\n  look: 200ms\n",
            d->socket_path);
    return fclose(file) == 0
               ? CTL_OK
               : ctl_fail(CTL_UNAVAILABLE, "demo: %s: %s", d->config_path, strerror(errno));
}

/* Waits until `path` exists, as long as the child lives. */
static bool wait_path(pid_t child, const char *path)
{
    int status;
    for (int i = 0; i < 500 && !ctl_interrupted(); i++) {
        if (access(path, F_OK) == 0)
            return true;
        if (child_ended(child, &status))
            return false;
        ctl_nap(20);
    }
    return false;
}

static int start_servers(struct demo *d)
{
    char log[PATH_BYTES];
    path_in(d, "redis.log", log);
    const char *redis[] = {
        "redis-server", "--port", "0", "--unixsocket", d->socket_path, "--dir",
        d->folder,      "--save", "",  "--appendonly", "yes",          "--maxmemory-policy",
        "noeviction",   NULL};
    d->redis = child_start(redis, log);
    if (d->redis <= 0 || !wait_path(d->redis, d->socket_path))
        return ctl_fail(CTL_UNAVAILABLE, "demo: redis-server did not start; see %s", log);
    path_in(d, "lifecycled.log", log);
    const char *service[] = {d->daemon,    "--config",           d->config_path,
                             "--embedded", "--embedded-address", d->address_path,
                             NULL};
    d->service = child_start(service, log);
    if (d->service <= 0 || !wait_path(d->service, d->address_path))
        return ctl_fail(CTL_UNAVAILABLE, "demo: %s did not start; see %s", d->daemon, log);
    FILE *file = fopen(d->address_path, "r");
    bool read = file && fgets(d->brokers, sizeof d->brokers, file);
    if (file)
        fclose(file);
    d->brokers[strcspn(d->brokers, "\n")] = '\0';
    if (!read)
        return ctl_fail(CTL_UNAVAILABLE, "demo: %s: %s", d->address_path, strerror(errno));
    return servers_load(&d->servers, d->config_path, d->brokers, NULL);
}

static void on_alert(struct demo *d, const struct record *record)
{
    struct header headers[HEADERS];
    struct alert_view view;
    size_t count = kafka_reader_headers(d->reader, headers, HEADERS);
    arena_reset(&d->scratch);
    if (count > HEADERS || alert_view_of(record, headers, count, &d->scratch, &view) != STATUS_OK)
        return;
    d->alerts++;
    d->by_silence += view.by_timer;
    for (int kind = 0; kind < KIND_COUNT; kind++)
        d->by_kind[kind] += span_is(view.kind, kind_label((enum kind)kind));
    if (span_is(view.kind, "churn_risk") && span_is(view.phase, "raised") && view.by_timer &&
        view.customer.len < sizeof d->silent) {
        memcpy(d->silent, view.customer.at, view.customer.len);
        d->silent[view.customer.len] = '\0';
        snprintf(d->silent_time, sizeof d->silent_time, "%.*s", (int)view.time.len, view.time.at);
    }
    int64_t now = clock_mono_ms(&d->clock);
    if (now - d->last_line_ms >= 1000 / LINES_A_SECOND) { /* a person reads a few lines a second */
        alert_view_print(&view);
        fflush(stdout);
        d->last_line_ms = now;
    }
}

/* Takes alerts until none is there at once. */
static int drain_alerts(struct demo *d, int timeout_ms)
{
    struct record record;
    struct report report = {0};
    for (;;) {
        bool end = false;
        enum status status = kafka_reader_next(d->reader, timeout_ms, &record, &end, &report);
        if (status == STATUS_OK && !end)
            on_alert(d, &record);
        else if (status == STATUS_OK || status == STATUS_RETRY)
            return CTL_OK;
        else
            return ctl_fail_report(CTL_UNAVAILABLE, &report);
    }
}

static int publish_population(struct demo *d)
{
    struct behaviour_options population = behaviour_default();
    population.seed = (uint64_t)d->seed;
    population.customers = (uint32_t)d->customers;
    struct behaviour *behaviour = behaviour_open(&population);
    struct report report = {0};
    struct behaviour_event event;
    struct outgoing outgoing;
    char value[OUTGOING_MAX];
    size_t len = 0;
    int result = behaviour ? CTL_OK : ctl_fail(CTL_UNAVAILABLE, "demo: no memory");
    while (result == CTL_OK && !ctl_interrupted() && behaviour_next(behaviour, &event)) {
        outgoing_of(&event, &outgoing);
        MUST(outgoing_json(&outgoing, value, &len) == STATUS_OK);
        if (kafka_producer_send(d->producer, servers_input_topic(&d->servers), outgoing.customer,
                                (struct span){value, len}, &report) != STATUS_OK)
            result = ctl_fail_report(CTL_UNAVAILABLE, &report);
        if (++d->events % CHUNK == 0 && result == CTL_OK) {
            result = drain_alerts(d, 0);
            while (d->events * 1000 / d->rate > clock_mono_ms(&d->clock) - d->begun_ms &&
                   result == CTL_OK && !ctl_interrupted())
                result = drain_alerts(d, 5);
        }
    }
    behaviour_close(behaviour);
    if (result == CTL_OK && kafka_producer_flush(d->producer, 30000, &report) != STATUS_OK)
        result = ctl_fail_report(CTL_UNAVAILABLE, &report);
    return ctl_interrupted() ? CTL_FAILED : result;
}

/* The end of one partition ends a drain: only several without an alert say that there is none left.
 */
static int drain_rest(struct demo *d)
{
    int result = CTL_OK;
    for (int quiet = 0; quiet < 12 && result == CTL_OK;) {
        int64_t before = d->alerts;
        result = drain_alerts(d, 100);
        quiet = d->alerts > before ? 0 : quiet + 1;
    }
    return result;
}

/* Until what is applied reaches the end of every partition's log. */
static int wait_applied(struct demo *d)
{
    struct kafka_positions positions[64];
    struct report report = {0};
    size_t count = 0;
    for (int i = 0; i < 600 && !ctl_interrupted(); i++) {
        int status = 0;
        if (child_ended(d->service, &status))
            return ctl_fail(CTL_UNAVAILABLE,
                            "demo: the daemon ended with status %d; see %s/lifecycled.log", status,
                            d->folder);
        bool behind =
            kafka_positions_read(&d->servers.kafka, positions, 64, &count, &report) != STATUS_OK ||
            servers_redis(&d->servers, &report) != STATUS_OK;
        for (size_t p = 0; !behind && p < count; p++) {
            struct store_meta meta;
            bool present = false;
            behind = store_peek(&d->servers.redis, d->servers.config.app, (int32_t)p, &meta,
                                &present, &report) != STATUS_OK ||
                     !present || meta.at.offset < positions[p].high;
        }
        if (!behind)
            return drain_rest(d);
        int result = drain_alerts(d, 100);
        if (result != CTL_OK)
            return result;
    }
    return ctl_fail(CTL_FAILED,
                    "demo: events were not applied within a minute; see %s/lifecycled.log",
                    d->folder);
}

static enum status count_customer(void *self, int32_t partition, struct span id,
                                  const struct customer *customer)
{
    (void)partition;
    (void)id;
    census_add(self, customer);
    return STATUS_OK;
}

static const char *made_on(const struct insight *insight)
{
    static char text[TEXT_TIME_BYTES];
    text_time_format(insight->made_ms, text);
    return text;
}

static double euro(int64_t minor, int64_t count)
{
    return (double)minor / 100 / (double)count;
}

static void print_stages(const struct census *census)
{
    printf("\n%-10s %10s %18s %12s\n", "stage", "customers", "mean 12-m value", "mean risk");
    for (int s = STAGE_LEAD; s < STAGE_COUNT; s++) {
        const struct census_group *g = &census->stage[s];
        if (g->customers > 0)
            printf("%-10s %10lld %14.2f EUR %10.0f %%\n", stage_label((enum stage)s),
                   (long long)g->customers, euro(g->value_minor, g->customers),
                   (double)g->risk_ppm / 1e4 / (double)g->customers);
    }
}

static void print_tiers(const struct census *census, const struct params *params)
{
    printf("\n%-10s %10s %18s %18s %12s\n", "tier", "buyers", "mean 12-m value", "revenue, 90 days",
           "mean risk");
    for (int t = TIER_A; t <= TIER_D; t++) {
        const struct census_group *g = &census->tier[t];
        if (g->customers > 0)
            printf("%-10s %10lld %14.2f EUR %14.2f EUR %10.0f %%\n", tier_label((enum tier)t),
                   (long long)g->customers, euro(g->value_minor, g->customers),
                   euro(g->recent_minor, g->customers),
                   (double)g->risk_ppm / 1e4 / (double)g->customers);
    }
    printf("\nThe top 20 %% of the buyers hold %.0f %% of the value (Gini %.2f) and brought %.0f "
           "%% of the revenue.\n"
           "Tiers, and models fitted on these customers alone, by version %u of the insight, as of "
           "%.10s.\n",
           100 * spread_top_share(&census->value, 0.2), spread_gini(&census->value),
           100 * spread_top_share(&census->revenue, 0.2), (unsigned)params->insight.version,
           made_on(&params->insight));
}

static int print_summary(struct demo *d, double seconds)
{
    static struct census census;
    struct report report = {0};
    struct walk_sight sight;
    if (servers_partitions(&d->servers, &report) != STATUS_OK ||
        servers_learn(&d->servers, &report) != STATUS_OK ||
        walk_sight(&d->servers.redis, d->servers.config.app, d->servers.partitions, &sight,
                   &report) != STATUS_OK)
        return ctl_fail_report(CTL_UNAVAILABLE, &report);
    census_init(&census, sight.watermark_ms, &d->servers.config.params);
    if (servers_walk(&d->servers, count_customer, &census, &report) != STATUS_OK)
        return ctl_fail_report(CTL_UNAVAILABLE, &report);
    int64_t known = census.all.customers;
    print_stages(&census);
    print_tiers(&census, &d->servers.config.params);
    printf("\n%-20s %10s\n", "alerts", "number");
    for (int kind = 0; kind < KIND_COUNT; kind++)
        if (d->by_kind[kind] > 0)
            printf("%-20s %10lld\n", kind_label((enum kind)kind), (long long)d->by_kind[kind]);
    printf("\n%lld events of %lld customers over two years, folded in %.1f s (%.0f events/s, "
           "paced); %lld customers remain,"
           " %lld silent prospects were forgotten; %lld alerts, %lld of them caused by silence "
           "alone\n",
           (long long)d->events, (long long)d->customers, seconds, (double)d->events / seconds,
           (long long)known, (long long)(d->customers - known), (long long)d->alerts,
           (long long)d->by_silence);
    return CTL_OK;
}

static void print_epilogue(const struct demo *d)
{
    if (d->silent[0] != '\0') {
        char config_path[PATH_BYTES], brokers[128], customer[sizeof d->silent];
        char *argv[] = {(char[]){"explain"},
                        (char[]){"--config"},
                        config_path,
                        (char[]){"--brokers"},
                        brokers,
                        customer,
                        NULL};
        snprintf(config_path, sizeof config_path, "%s", d->config_path);
        snprintf(brokers, sizeof brokers, "%s", d->servers.kafka.brokers);
        snprintf(customer, sizeof customer, "%s", d->silent);
        printf("\n%s raised churn_risk at %.16s without sending anything: a timer did. "
               "lifecyclectl explain %s\n\n",
               d->silent, d->silent_time, d->silent);
        fflush(stdout);
        explain_command(6, argv);
    }
    printf("\nYour own servers: write kafka.brokers and redis.address into a file (lifecycled "
           "--print-config shows all settings),\n"
           "check it with `lifecycled --check FILE`, then run `lifecycled --config FILE`. On a "
           "real cluster every alert is\n"
           "committed exactly once; this demo's mock cluster has no transactions, so here it is at "
           "least once.\n");
}

static int demo_run(struct demo *d)
{
    struct report report = {0};
    int result = write_config(d);
    if (result == CTL_OK)
        result = start_servers(d);
    if (result != CTL_OK)
        return result;
    printf("lifecycled with an embedded mock cluster at %s and a private Redis; %lld customers, "
           "two years, seed %lld\n\n",
           d->servers.kafka.brokers, (long long)d->customers, (long long)d->seed);
    if (kafka_producer_open(&d->servers.kafka, &d->producer, &report) != STATUS_OK ||
        kafka_reader_open(&d->servers.kafka, servers_alerts_topic(&d->servers), true, &d->reader,
                          &report) != STATUS_OK)
        return ctl_fail_report(CTL_UNAVAILABLE, &report);
    d->begun_ms = clock_mono_ms(&d->clock);
    result = publish_population(d);
    if (result == CTL_OK)
        result = wait_applied(d);
    double seconds = (double)(clock_mono_ms(&d->clock) - d->begun_ms) / 1000;
    if (result == CTL_OK)
        result = print_summary(d, seconds);
    if (result == CTL_OK)
        print_epilogue(d);
    return result;
}

static void demo_end(struct demo *d, int result)
{
    kafka_reader_close(d->reader);
    kafka_producer_close(d->producer);
    if (d->keep && result == CTL_OK) {
        printf("\nStill running (--keep): lifecyclectl COMMAND --config %s --brokers %s; Ctrl-C "
               "ends it.\n",
               d->config_path, d->servers.kafka.brokers);
        fflush(stdout);
        while (!ctl_interrupted())
            ctl_nap(200);
    }
    child_stop(d->service, 15);
    child_stop(d->redis, 10);
    servers_close(&d->servers);
    if (result == CTL_OK) { /* a failed demo leaves its logs to be read */
        const char *argv[] = {"rm", "-rf", d->folder, NULL};
        pid_t pid = child_start(argv, "/dev/null");
        int status;
        while (pid > 0 && !child_ended(pid, &status))
            ctl_nap(10);
    }
    arena_fini(&d->scratch);
}

int demo_command(int argc, char **argv)
{
    struct demo d = {.daemon = "lifecycled",
                     .customers = 3000,
                     .rate = 2500,
                     .seed = 1,
                     .clock = clock_system()};
    const struct ctl_option options[] = {
        {CTL_TEXT, "daemon", "PATH", "the lifecycled to run (default: in PATH)", &d.daemon},
        {CTL_COUNT, "customers", "N", "size of the population (default 3000)", &d.customers},
        {CTL_COUNT, "rate", "N", "events a second (default 2500)", &d.rate},
        {CTL_COUNT, "seed", "N", "same seed, same customers (default 1)", &d.seed},
        {CTL_FLAG, "keep", NULL, "leave everything running at the end", &d.keep},
        {CTL_END, NULL, NULL, NULL, NULL},
    };
    ctl_options(argc, argv, "demo [OPTIONS]", options, 0, 0);
    if (d.customers < 1 || d.customers > 1000000 || d.rate < 1)
        return ctl_fail(CTL_USAGE, "demo: --customers is 1 to 1000000, --rate at least 1");
    const char *temporary = getenv("TMPDIR");
    MUST(snprintf(d.folder, sizeof d.folder, "%s/lifecycled-demo-XXXXXX",
                  temporary ? temporary : "/tmp") < PATH_BYTES);
    if (!mkdtemp(d.folder))
        return ctl_fail(CTL_UNAVAILABLE, "demo: %s: %s", d.folder, strerror(errno));
    path_in(&d, "lifecycled.yaml", d.config_path);
    path_in(&d, "embedded-address", d.address_path);
    path_in(&d, "redis.sock", d.socket_path);
    arena_init(&d.scratch, SCRATCH_BYTES);
    ctl_interrupted();
    int result = demo_run(&d);
    demo_end(&d, result);
    return result;
}
