/* sim_campaign: many runs, in processes of their own, so that a crash of the code under test (MUST,
 * sanitizer, endless loop) is a result like any other. Runs are dealt out to the processes by
 * number; after a failure the others go on up to its number, so that the failure told is the first
 * one, whatever the number of processes. */
#ifndef LC_SIM_CAMPAIGN_H
#define LC_SIM_CAMPAIGN_H

#include "tests/sim/sim.h"

#define SIM_JOBS_MAX 64

struct sim_campaign {
    uint64_t seed, seeds; /* seeds 0: no bound */
    int64_t seconds;      /* 0: no bound */
    uint32_t jobs;        /* 1 … SIM_JOBS_MAX */
    uint32_t stride;      /* of the scheduled mode each so many-th run */
    bool scenario, faultless;
    const char *regressions; /* NULL: none */
};

enum sim_outcome { SIM_GOOD, SIM_VIOLATED, SIM_DIED, SIM_USAGE };

/* Counts over all runs. */
#define SIM_TOTAL_TABLE(X)                                                                         \
    X(runs, "runs")                                                                                \
    X(faults, "faults")                                                                            \
    X(calls, "port calls")                                                                         \
    X(events, "events")                                                                            \
    X(alerts, "alerts")                                                                            \
    X(stopped, "partitions stopped for a loss")

struct sim_totals {
#define X(name, label) uint64_t name;
    SIM_TOTAL_TABLE(X)
#undef X
};

/* A run that failed. */
struct sim_failure {
    uint64_t seed, number; /* number: of the run, from 1 */
    struct sim_plan plan;
    char violation[SIM_VIOLATION_MAX];
};

/* Regressions, then the scheduled mode or seeds. Prints nothing. USAGE: said on stderr. */
enum sim_outcome sim_campaign(const struct sim_campaign *campaign, struct sim_totals *ret_totals,
                              struct sim_failure *ret_failure);
/* One run of a plan (NULL: drawn from the seed) in a process; silent, or with a trace. */
enum sim_outcome sim_campaign_try(uint64_t seed, const struct sim_plan *plan, FILE *trace,
                                  struct sim_failure *ret_failure);

#endif
