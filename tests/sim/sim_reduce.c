/* sim_reduce: see the header. */
#include "tests/sim/sim_reduce.h"

#include <inttypes.h>

#include "base/must.h"
#include "tests/sim/sim_plan.h"

#define TRACE_LINES 200

static bool fails(uint64_t seed, const struct sim_plan *plan)
{
    struct sim_failure failure;
    return sim_campaign_try(seed, plan, NULL, &failure) != SIM_GOOD;
}

static void reduce_faults(uint64_t seed, struct sim_plan *plan)
{
    for (bool smaller = true; smaller;) {
        smaller = false;
        for (uint32_t i = plan->count; i-- > 0;) {
            struct sim_plan less = *plan;
            memmove(&less.at[i], &less.at[i + 1], (less.count - i - 1) * sizeof less.at[0]);
            less.count--;
            if (!fails(seed, &less))
                continue;
            *plan = less;
            smaller = true;
        }
    }
}

/* By ever smaller steps from the end. */
static void reduce_events(uint64_t seed, struct sim_plan *plan)
{
    uint32_t events = SIM_ITEMS_MAX;
    for (uint32_t step = SIM_ITEMS_MAX / 2; step > 0; step /= 2) {
        struct sim_plan less = *plan;
        if (step >= events)
            continue;
        less.events = events - step;
        if (!fails(seed, &less))
            continue;
        *plan = less;
        events = less.events;
    }
}

/* A worker that looks whether all is as it was, and a poll that brings nothing. */
static bool is_idle(const char *line)
{
    return strstr(line, ":m token R C buckets open ") != NULL ||
           strstr(line, ": 0 records, 0 ends") != NULL;
}

void sim_reduce_print(FILE *trace, int lines_max)
{
    char line[1024];
    int lines = 0, at = 0;
    rewind(trace);
    while (fgets(line, sizeof line, trace) != NULL)
        lines += lines_max < 0 || !is_idle(line);
    rewind(trace);
    if (lines_max >= 0 && lines > lines_max)
        (void)printf("      … (%d lines before; --trace prints all)\n", lines - lines_max);
    while (fgets(line, sizeof line, trace) != NULL) {
        if (lines_max >= 0 && is_idle(line))
            continue;
        if (lines_max < 0 || at++ >= lines - lines_max)
            (void)fputs(line, stdout);
    }
}

/* What the small one violates, which may be another thing. */
static void show(uint64_t seed, const struct sim_plan *plan, struct sim_failure *ret_failure)
{
    FILE *trace = tmpfile();
    MUST(trace != NULL);
    (void)sim_campaign_try(seed, plan, trace, ret_failure);
    (void)printf("sim: simulated ms, port call, worker.incarnation or world, what\n");
    sim_reduce_print(trace, TRACE_LINES);
    (void)fclose(trace);
}

void sim_reduce(const struct sim_failure *failure, const char *self)
{
    struct sim_plan plan = failure->plan;
    struct sim_failure small;
    char text[SIM_PLAN_TEXT_MAX];
    (void)fflush(stdout);
    reduce_faults(failure->seed, &plan);
    reduce_events(failure->seed, &plan);
    show(failure->seed, &plan, &small);
    sim_plan_write(&plan, text);
    (void)printf("sim: %s\nsim: with %u of its %u faults", small.violation, plan.count,
                 failure->plan.count);
    if (plan.events > 0)
        (void)printf(" and the first %u events", plan.events);
    (void)printf("%s\n", plan.count > 0 ? ":" : "");
    for (uint32_t i = 0; i < plan.count; i++)
        (void)printf("sim:   %s at call %u of %s, %lld ms\n", sim_fault_label(plan.at[i].kind),
                     plan.at[i].nth, sim_port_label(sim_fault_port(plan.at[i].kind)),
                     (long long)plan.at[i].ms);
    (void)printf("sim: again: %s --seed %" PRIu64 " --plan '%s' --trace\n", self, failure->seed,
                 text);
}
