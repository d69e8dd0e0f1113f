/* lifecycled_sim: runs seeds until one fails or the budget is used up; then makes the failure
 * small. See README.md. */
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/must.h"
#include "base/text.h"
#include "tests/sim/sim_plan.h"
#include "tests/sim/sim_reduce.h"

struct options {
    struct sim_campaign campaign;
    bool one, trace, quiet;
    const char *plan;
};

static int one(const struct options *options)
{
    struct sim_plan plan = {.count = 0};
    struct sim_failure failure;
    if (options->plan != NULL && !sim_plan_read(options->plan, &plan)) {
        (void)fprintf(stderr, "lifecycled_sim: cannot read the plan\n");
        return 2;
    }
    const struct sim_plan *drawn =
        options->plan != NULL || options->campaign.faultless ? &plan : NULL;
    FILE *trace = options->trace ? tmpfile() : NULL;
    enum sim_outcome outcome = sim_campaign_try(options->campaign.seed, drawn, trace, &failure);
    if (trace != NULL) {
        sim_reduce_print(trace, -1);
        (void)fclose(trace);
    }
    (void)printf("sim: seed %" PRIu64 ": %s\n", options->campaign.seed,
                 outcome == SIM_GOOD ? "good" : failure.violation);
    return outcome == SIM_GOOD ? 0 : 1;
}

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Of the children: says what a run costs also on a machine that does other things. */
static double cpu_s(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_CHILDREN, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int many(const struct options *options, const char *self)
{
    struct sim_totals totals;
    struct sim_failure failure;
    double start = now_s();
    enum sim_outcome outcome = sim_campaign(&options->campaign, &totals, &failure);
    double seconds = now_s() - start;
    if (outcome == SIM_USAGE)
        return 2;
    if (outcome != SIM_GOOD) {
        (void)printf("sim: seed %" PRIu64 " after %" PRIu64 " runs: %s\n", failure.seed,
                     failure.number, failure.violation);
        if (!options->quiet)
            sim_reduce(&failure, self);
        return 1;
    }
    (void)printf("sim: ");
#define X(name, label) (void)printf("%" PRIu64 " " label ", ", totals.name);
    SIM_TOTAL_TABLE(X)
#undef X
    (void)printf("0 violations; %.1f s, %.0f runs/s, %.0f a second of a core\n", seconds,
                 (double)totals.runs / seconds, (double)totals.runs / cpu_s());
    return 0;
}

/* --- arguments --- */

static const char usage[] =
    "usage: lifecycled_sim [OPTIONS]   the real worker against simulated Kafka, Redis and time\n"
    "  --seeds N        so many runs (default 2000)\n"
    "  --seed S         from this seed (default 1); with --trace or --plan: this run only\n"
    "  --seconds T      stop after so many seconds\n"
    "  --jobs J         in so many processes (default 1)\n"
    "  --trace          print everything that happens in the run\n"
    "  --plan PLAN      these faults instead of drawn ones: kind:nth:ms:choice,...\n"
    "  --faultless      no faults at all\n"
    "  --scenario       scheduled mode: fail the nth call of every port, for every n, in every "
    "way\n"
    "  --stride K       of the scheduled mode each Kth run only\n"
    "  --regressions F  first the runs listed in the file\n"
    "  --quiet          on failure only seed and reason\n";

static uint64_t number_of(const char *text)
{
    int64_t value = 0;
    if (text_i64_parse(span_of(text), &value) != STATUS_OK || value < 0) {
        (void)fprintf(stderr, "lifecycled_sim: %s is no number\n", text);
        exit(2);
    }
    return (uint64_t)value;
}

static struct options parse(int argc, char **argv)
{
    static const struct option longs[] = {
        {"seeds", 1, NULL, 'n'},     {"seed", 1, NULL, 's'},        {"seconds", 1, NULL, 't'},
        {"trace", 0, NULL, 'v'},     {"plan", 1, NULL, 'p'},        {"scenario", 0, NULL, 'c'},
        {"stride", 1, NULL, 'k'},    {"regressions", 1, NULL, 'r'}, {"quiet", 0, NULL, 'q'},
        {"faultless", 0, NULL, 'f'}, {"jobs", 1, NULL, 'j'},        {"help", 0, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    struct options options = {.campaign = {.seed = 1, .stride = 1, .jobs = 1}};
    struct sim_campaign *campaign = &options.campaign;
    bool seeds_given = false;
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        switch (c) {
        case 'n':
            campaign->seeds = number_of(optarg);
            seeds_given = true;
            break;
        case 's':
            campaign->seed = number_of(optarg);
            break;
        case 't':
            campaign->seconds = (int64_t)number_of(optarg);
            break;
        case 'v':
            options.trace = options.one = true;
            break;
        case 'p':
            options.plan = optarg;
            options.one = true;
            break;
        case 'c':
            campaign->scenario = true;
            break;
        case 'k':
            campaign->stride = (uint32_t)number_of(optarg);
            break;
        case 'r':
            campaign->regressions = optarg;
            break;
        case 'j':
            campaign->jobs = (uint32_t)number_of(optarg);
            break;
        case 'q':
            options.quiet = true;
            break;
        case 'f':
            campaign->faultless = true;
            break;
        default:
            (void)fputs(usage, c == 'h' ? stdout : stderr);
            exit(c == 'h' ? 0 : 2);
        }
    }
    if (!seeds_given && campaign->seconds == 0 && !campaign->scenario)
        campaign->seeds = 2000;
    campaign->stride = campaign->stride > 0 ? campaign->stride : 1;
    if (campaign->jobs < 1 || campaign->jobs > SIM_JOBS_MAX) {
        (void)fprintf(stderr, "lifecycled_sim: --jobs is 1 to %d\n", SIM_JOBS_MAX);
        exit(2);
    }
    return options;
}

int main(int argc, char **argv)
{
    struct options options = parse(argc, argv);
    /* Workers come and go by the million: tables they ask for and hardly touch are mapped, not
     * cleared, and what the heap has grown to it keeps. */
    (void)mallopt(M_MMAP_THRESHOLD, 128 << 10);
    (void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
    return options.one ? one(&options) : many(&options, argv[0]);
}
