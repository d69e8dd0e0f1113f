/* metrics: the exposition format, and that docs/OPERATIONS.md names every metric. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/metrics.h"

static struct runner_view views[2];
static struct learner_view learned;

static char *render(void)
{
    struct health health;
    struct metrics_input input = {.views = views,
                                  .view_count = 2,
                                  .health = &health,
                                  .kafka_library = "2.0.2",
                                  .now_ms = 5000,
                                  .learned = &learned,
                                  .wall_ms = 90000};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    health_of(views, 2, 5000, 60000, &health);
    metrics_write(out, &input);
    assert_int_equal(fclose(out), 0);
    return text;
}

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        memset(&views[i], 0, sizeof views[i]);
        views[i].state = RUNNER_RUNNING;
        views[i].alive_ms = 4500;
    }
    views[0].stats.events = 7;
    views[0].stats.alerts_by_kind[KIND_CHURN_RISK] = 2;
    views[1].stats.alerts_by_kind[KIND_CHURN_RISK] = 3;
    views[0].stats.dead_by_error[DECODE_UTF8] = 4;
    views[0].stats.latency_bucket[0] = 1;
    views[1].stats.latency_bucket[1] = 2;
    views[1].stats.latency_bucket[12] = 4;
    views[0].stats.latency_sum_s = 1.5;
    views[0].stats.cache.entries = 11;
    views[1].partition_count = 1;
    views[1].partitions[0] = (struct partition_status){.partition = 3,
                                                       .phase = PARTITION_LIVE,
                                                       .delivered = {.offset = 10},
                                                       .at = {.offset = 12},
                                                       .log_end = 20,
                                                       .watermark_ms = INT64_C(1700000000500),
                                                       .customers = 6};
    return 0;
}

static void figures(void **state)
{
    static const struct {
        const char *name, *line;
    } rows[] = {
        {"a counter of a worker", "\nlifecycled_events_total{worker=\"0\"} 7\n"},
        {"its type", "\n# TYPE lifecycled_events_total counter\n"},
        {"kinds are summed over workers",
         "\nlifecycled_alerts_by_kind_total{kind=\"churn_risk\"} 5\n"},
        {"reasons of dead letters",
         "\nlifecycled_dead_letters_by_reason_total{reason=\"utf8\"} 4\n"},
        {"buckets are cumulative", "\nlifecycled_event_to_commit_seconds_bucket{le=\"0.002\"} 3\n"},
        {"the last bucket is everything",
         "\nlifecycled_event_to_commit_seconds_bucket{le=\"+Inf\"} 7\n"},
        {"and the count", "\nlifecycled_event_to_commit_seconds_count 7\n"},
        {"the sum", "\nlifecycled_event_to_commit_seconds_sum 1.500000\n"},
        {"a gauge of the cache", "\nlifecycled_cache_entries{worker=\"0\"} 11\n"},
        {"no backup", "\nlifecycled_partition_backup_offset{worker=\"1\",partition=\"3\"} -1\n"},
        {"lag", "\nlifecycled_partition_lag_events{worker=\"1\",partition=\"3\"} 8\n"},
        {"seconds, not milliseconds", "\nlifecycled_partition_watermark_timestamp_seconds{worker="
                                      "\"1\",partition=\"3\"} 1700000000.5\n"},
        {"the phase it is in",
         "\nlifecycled_partition_phase{worker=\"1\",partition=\"3\",phase=\"live\"} 1\n"},
        {"and the ones it is not in",
         "\nlifecycled_partition_phase{worker=\"1\",partition=\"3\",phase=\"stopped\"} 0\n"},
        {"age of the last progress",
         "\nlifecycled_worker_progress_age_seconds{worker=\"0\"} 0.500\n"},
        {"versions", "librdkafka=\"2.0.2\"} 1\n"},
        {"ready", "\nlifecycled_ready 1\n"},
    };
    char *text = render();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_message("  %s\n", rows[i].name);
        assert_non_null(strstr(text, rows[i].line));
    }
    free(text);
}

/* Every line is a comment or NAME{LABELS} VALUE of the family announced last; each family is
 * announced once. */
static void the_format_holds(void **state)
{
    char *text = render(), family[128] = "", *rest = text, *line;
    size_t samples = 0;

    (void)state;
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            char announced[160];

            snprintf(family, sizeof family, "%.*s", (int)strcspn(line + 7, " "), line + 7);
            snprintf(announced, sizeof announced, "# HELP %s ", family);
            assert_null(rest ? strstr(rest, announced) : NULL);
            assert_int_equal(strncmp(family, "lifecycled_", 11), 0);
        } else if (line[0] && line[0] != '#') {
            assert_int_equal(strncmp(line, family, strlen(family)), 0);
            assert_non_null(strrchr(line, ' '));
            samples++;
        }
    }
    assert_true(samples > 50);
    free(text);
}

static void the_runbook_names_every_metric(void **state)
{
    FILE *file = fopen(LC_SOURCE_DIR "/docs/OPERATIONS.md", "r");
    static char docs[1 << 17];
    char *text = render();
    size_t len;

    (void)state;
    assert_non_null(file);
    len = fread(docs, 1, sizeof docs - 1, file);
    docs[len] = '\0';
    (void)fclose(file);
    for (const char *at = text; (at = strstr(at, "# TYPE ")) != NULL; at += 7) {
        char name[128];

        snprintf(name, sizeof name, "`%.*s`", (int)strcspn(at + 7, " "), at + 7);
        if (!strstr(docs, name))
            fail_msg("docs/OPERATIONS.md does not name %s", name);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures),
        cmocka_unit_test(the_format_holds),
        cmocka_unit_test(the_runbook_names_every_metric),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
