/* metrics: the views of the workers as Prometheus text (exposition format 0.0.4). metrics.def is
 * the table. */
#ifndef LC_DAEMON_METRICS_H
#define LC_DAEMON_METRICS_H

#include <stdio.h>

#include "daemon/health.h"
#include "daemon/learner.h"

struct metrics_input {
    const struct runner_view *views;
    size_t view_count;
    const struct health *health;
    const char *kafka_library; /* version */
    double start_time_s, cpu_s;
    uint64_t resident_bytes, heap_bytes;
    int64_t now_ms; /* mono, as of the views */
    const struct learner_view *learned;
    int64_t wall_ms;
};

void metrics_write(FILE *out, const struct metrics_input *input);
/* Fills start_time_s (once), cpu_s, resident_bytes and heap_bytes of this process. */
void metrics_process(struct metrics_input *input);

#endif
