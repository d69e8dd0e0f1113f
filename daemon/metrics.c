/* metrics: see the header. One function a family, in the order of metrics.def; the table gives
 * names, types and help. */
#include "daemon/metrics.h"

#include <inttypes.h>
#include <malloc.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/decode.h"

enum metric {
#define METRIC(name, type, help) METRIC_##name,
#include "daemon/metrics.def"
#undef METRIC
    METRIC_COUNT
};

static const struct {
    const char *name, *type, *help;
} table[METRIC_COUNT] = {
#define METRIC(name, type, help) {"lifecycled_" #name, #type, help},
#include "daemon/metrics.def"
#undef METRIC
};

/* Upper bounds of worker_stats.latency_bucket, seconds; the last one is +Inf. */
static const char *const latency_bounds[] = {
    "0.001", "0.002", "0.005", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1", "2", "5", "+Inf"};
_Static_assert(sizeof latency_bounds / sizeof latency_bounds[0] ==
                   sizeof((struct worker_stats *)NULL)->latency_bucket / sizeof(uint64_t),
               "one bound a bucket");

static const char *begin(FILE *out, enum metric metric)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", table[metric].name, table[metric].help,
            table[metric].name, table[metric].type);
    return table[metric].name;
}

static void put_process(FILE *out, const struct metrics_input *in)
{
    const char *name = begin(out, METRIC_build_info);

    fprintf(out, "%s{version=\"%s\",librdkafka=\"%s\"} 1\n", name, LC_VERSION, in->kafka_library);
    fprintf(out, "%s %.3f\n", begin(out, METRIC_start_time_seconds), in->start_time_s);
    fprintf(out, "%s %.3f\n", begin(out, METRIC_cpu_seconds_total), in->cpu_s);
    fprintf(out, "%s %" PRIu64 "\n", begin(out, METRIC_resident_memory_bytes), in->resident_bytes);
    fprintf(out, "%s %" PRIu64 "\n", begin(out, METRIC_heap_bytes), in->heap_bytes);
    fprintf(out, "%s %d\n", begin(out, METRIC_ready), in->health->ready);
    fprintf(out, "%s %d\n", begin(out, METRIC_live), in->health->live);
}

static void put_workers(FILE *out, const struct metrics_input *in)
{
    const char *name = begin(out, METRIC_worker_state);

    for (size_t i = 0; i < in->view_count; i++)
        for (int state = RUNNER_STARTING; state <= RUNNER_ENDED; state++)
            fprintf(out, "%s{worker=\"%zu\",state=\"%s\"} %d\n", name, i,
                    runner_state_label((enum runner_state)state),
                    in->views[i].state == (enum runner_state)state);
    name = begin(out, METRIC_worker_progress_age_seconds);
    for (size_t i = 0; i < in->view_count; i++)
        fprintf(out, "%s{worker=\"%zu\"} %.3f\n", name, i,
                (double)(in->now_ms - in->views[i].alive_ms) / 1000);
    name = begin(out, METRIC_worker_restarts_total);
    for (size_t i = 0; i < in->view_count; i++)
        fprintf(out, "%s{worker=\"%zu\"} %" PRIu64 "\n", name, i, in->views[i].restarts);
#define X(field, help)                                                                             \
    fputs("# HELP lifecycled_" #field "_total " help "\n# TYPE lifecycled_" #field                 \
          "_total counter\n",                                                                      \
          out);                                                                                    \
    for (size_t i = 0; i < in->view_count; i++)                                                    \
        fprintf(out, "lifecycled_" #field "_total{worker=\"%zu\"} %" PRIu64 "\n", i,               \
                in->views[i].stats.field);
    WORKER_COUNTER_TABLE(X)
#undef X
}

/* By reason and kind, summed over workers: whose it was says nothing. */
static void put_classes(FILE *out, const struct metrics_input *in)
{
    const char *name = begin(out, METRIC_dead_letters_by_reason_total);

    for (int error = DECODE_NONE + 1; error < DECODE_ERROR_COUNT; error++) {
        uint64_t sum = 0;

        for (size_t i = 0; i < in->view_count; i++)
            sum += in->views[i].stats.dead_by_error[error];
        fprintf(out, "%s{reason=\"%s\"} %" PRIu64 "\n", name,
                decode_error_code((enum decode_error)error), sum);
    }
    name = begin(out, METRIC_alerts_by_kind_total);
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        uint64_t sum = 0;

        for (size_t i = 0; i < in->view_count; i++)
            sum += in->views[i].stats.alerts_by_kind[kind];
        fprintf(out, "%s{kind=\"%s\"} %" PRIu64 "\n", name, kind_label((enum kind)kind), sum);
    }
}

static void put_latency(FILE *out, const struct metrics_input *in)
{
    const char *name = begin(out, METRIC_event_to_commit_seconds);
    uint64_t count = 0;
    double sum = 0;

    for (size_t bucket = 0; bucket < sizeof latency_bounds / sizeof latency_bounds[0]; bucket++) {
        for (size_t i = 0; i < in->view_count; i++)
            count += in->views[i].stats.latency_bucket[bucket];
        fprintf(out, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", name, latency_bounds[bucket], count);
    }
    for (size_t i = 0; i < in->view_count; i++)
        sum += in->views[i].stats.latency_sum_s;
    fprintf(out, "%s_sum %.6f\n%s_count %" PRIu64 "\n", name, sum, name, count);
}

static void put_memory(FILE *out, const struct metrics_input *in)
{
    const struct {
        enum metric metric;
        size_t offset;
        bool wide; /* uint64_t, else size_t */
    } rows[] = {
        {METRIC_cache_hits_total, offsetof(struct worker_stats, cache.hits), true},
        {METRIC_cache_misses_total, offsetof(struct worker_stats, cache.misses), true},
        {METRIC_cache_evictions_total, offsetof(struct worker_stats, cache.evictions), true},
        {METRIC_cache_entries, offsetof(struct worker_stats, cache.entries), false},
        {METRIC_cache_bytes, offsetof(struct worker_stats, cache.bytes), false},
        {METRIC_worker_memory_bytes, offsetof(struct worker_stats, live_bytes), false},
    };

    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        const char *name = begin(out, rows[row].metric);

        for (size_t i = 0; i < in->view_count; i++) {
            const char *at = (const char *)&in->views[i].stats + rows[row].offset;

            fprintf(out, "%s{worker=\"%zu\"} %" PRIu64 "\n", name, i,
                    rows[row].wide ? *(const uint64_t *)(const void *)at
                                   : (uint64_t) * (const size_t *)(const void *)at);
        }
    }
}

static double figure_of(enum metric metric, const struct partition_status *p)
{
    switch ((int)metric) {
    case METRIC_partition_lag_events:
        return (double)health_lag(p);
    case METRIC_partition_delivered_offset:
        return (double)p->delivered.offset;
    case METRIC_partition_applied_offset:
        return (double)p->at.offset;
    case METRIC_partition_log_end_offset:
        return (double)p->log_end;
    case METRIC_partition_watermark_timestamp_seconds:
        return p->watermark_ms == INT64_MIN ? 0 : (double)p->watermark_ms / 1000;
    case METRIC_partition_log_start_offset:
        return (double)p->backup.log_low;
    case METRIC_partition_backup_offset:
        return p->backup.use == BACKUP_UNKNOWN ? -1 : (double)p->backup.offset;
    case METRIC_partition_backup_timestamp_seconds:
        return p->backup.use == BACKUP_UNKNOWN ? 0 : (double)p->backup.made_ms / 1000;
    default:
        return (double)p->customers;
    }
}

static void put_partitions(FILE *out, const struct metrics_input *in)
{
    const char *name = begin(out, METRIC_partition_phase);

    for (size_t i = 0; i < in->view_count; i++)
        for (size_t j = 0; j < in->views[i].partition_count; j++)
            for (int phase = PARTITION_CLAIMING; phase <= PARTITION_STOPPED; phase++)
                fprintf(out, "%s{worker=\"%zu\",partition=\"%d\",phase=\"%s\"} %d\n", name, i,
                        in->views[i].partitions[j].partition,
                        health_phase_label((enum partition_phase)phase),
                        in->views[i].partitions[j].phase == (enum partition_phase)phase);
    name = begin(out, METRIC_partition_held);
    for (size_t i = 0; i < in->view_count; i++)
        for (size_t j = 0; j < in->views[i].partition_count; j++)
            for (uint32_t held = STORE_HELD_SILENCE; held <= STORE_HELD_STORM; held <<= 1)
                fprintf(out, "%s{worker=\"%zu\",partition=\"%d\",guard=\"%s\"} %d\n", name, i,
                        in->views[i].partitions[j].partition, health_held_label(held),
                        (in->views[i].partitions[j].held & held) != 0);
    for (int metric = METRIC_partition_lag_events;
         metric <= METRIC_partition_backup_timestamp_seconds; metric++) {
        name = begin(out, (enum metric)metric);
        for (size_t i = 0; i < in->view_count; i++)
            for (size_t j = 0; j < in->views[i].partition_count; j++)
                fprintf(out, "%s{worker=\"%zu\",partition=\"%d\"} %.15g\n", name, i,
                        in->views[i].partitions[j].partition,
                        figure_of((enum metric)metric, &in->views[i].partitions[j]));
    }
}

static void put_lessons(FILE *out, const struct learner_view *learned)
{
    const struct learn_lesson *buying = &learned->lessons[LEARN_BUYING];
    const char *name = begin(out, METRIC_insight_fit);

    for (int i = 0; learned->judged && i < LEARN_SUBJECTS; i++)
        for (int outcome = LEARN_TAKEN; outcome <= LEARN_WORSE; outcome++)
            fprintf(out, "%s{model=\"%s\",outcome=\"%s\"} %d\n", name,
                    fit_name(learned->lessons[i].fit.model),
                    learn_outcome_name((enum learn_outcome)outcome),
                    learned->lessons[i].outcome == (enum learn_outcome)outcome);
    name = begin(out, METRIC_insight_log_loss);
    if (learned->judged && buying->loss > 0)
        fprintf(out, "%s{parameters=\"fitted\"} %.15g\n%s{parameters=\"before\"} %.15g\n", name,
                buying->loss, name, buying->loss_in_force);
}

static void put_learned(FILE *out, const struct learner_view *learned)
{
    const struct belief_test *test = &learned->belief.test;
    const char *name;

    fprintf(out, "%s %d\n", begin(out, METRIC_insight_learned_in_force), learned->insight.learned);
    name = begin(out, METRIC_insight_learned_notes);
    if (learned->judged)
        fprintf(out, "%s %zu\n", name, learned->notes);
    name = begin(out, METRIC_insight_learned_lessons);
    if (learned->judged)
        fprintf(out, "%s %.0f\n", name, learned->belief.lessons);
    name = begin(out, METRIC_insight_learned_log_loss);
    if (learned->judged && test->weight > 0)
        fprintf(out, "%s{of=\"learned\"} %.15g\n%s{of=\"plain\"} %.15g\n", name,
                test->learned / test->weight, name, test->plain / test->weight);
}

static void put_insight(FILE *out, const struct metrics_input *in)
{
    const struct learner_view *learned = in->learned;
    const struct insight *insight = &learned->insight;
    const bool known = insight->version > 0;
    const char *name;

    fprintf(out, "%s %u\n", begin(out, METRIC_insight_version), (unsigned)insight->version);
    name = begin(out, METRIC_insight_age_seconds);
    if (known)
        fprintf(out, "%s %.3f\n", name, (double)(in->wall_ms - insight->made_ms) / 1000);
    fprintf(out, "%s %" PRId64 "\n", begin(out, METRIC_insight_buyers), insight->buyers);
    name = begin(out, METRIC_insight_gini);
    if (known)
        fprintf(out, "%s{of=\"value\"} %.15g\n%s{of=\"revenue\"} %.15g\n", name,
                insight->value_gini, name, insight->revenue_gini);
    name = begin(out, METRIC_insight_top20_share);
    if (known)
        fprintf(out, "%s{of=\"value\"} %.15g\n%s{of=\"revenue\"} %.15g\n", name,
                insight->value_top20, name, insight->revenue_top20);
    fprintf(out, "%s %" PRIu64 "\n", begin(out, METRIC_insight_surveys_total), learned->surveys);
    fprintf(out, "%s %" PRIu64 "\n", begin(out, METRIC_insight_survey_failures_total),
            learned->failures);
    fprintf(out, "%s %.3f\n", begin(out, METRIC_insight_survey_seconds), learned->survey_s);
    put_lessons(out, learned);
    put_learned(out, learned);
}

void metrics_write(FILE *out, const struct metrics_input *input)
{
    put_process(out, input);
    put_workers(out, input);
    put_classes(out, input);
    put_latency(out, input);
    put_memory(out, input);
    put_partitions(out, input);
    put_insight(out, input);
}

void metrics_process(struct metrics_input *input)
{
    unsigned long pages = 0, resident = 0;
    struct rusage usage;
    struct timespec now;
    struct mallinfo2 heap = mallinfo2();
    FILE *statm = fopen("/proc/self/statm", "re");

    if (statm) {
        if (fscanf(statm, "%lu %lu", &pages, &resident) == 2)
            input->resident_bytes = (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
        (void)fclose(statm);
    }
    input->heap_bytes = heap.uordblks + heap.hblkhd;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        input->cpu_s = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    if (input->start_time_s == 0 && clock_gettime(CLOCK_REALTIME, &now) == 0)
        input->start_time_s = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
