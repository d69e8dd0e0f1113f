/* lifecycled_sim: runs seeds until one fails or the budget is used up; then makes the failure
 * small. See README.md.
 *
 * The runs happen in a child, so that a crash of the code under test (MUST, sanitizer, endless
 * loop) is a result like any other. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"
#include "base/text.h"
#include "tests/sim/sim.h"

#define RUN_SECONDS_MAX                                                                            \
    60 /* of real time for one run: more is an endless loop without port calls */
#define TRACE_LINES   200
#define PLAN_TEXT_MAX 4096
#define SCENARIOS     6

/* What the child tells its parent, also when it dies. */
struct shared {
    uint64_t seed;
    struct sim_plan plan;
    bool violated;
    char violation[SIM_VIOLATION_MAX];
    uint64_t runs, faults, events, alerts, calls, stopped;
};

struct options {
    uint64_t seed, seeds;
    int64_t seconds;
    bool one, trace, scenario, quiet, faultless;
    uint32_t stride;
    const char *plan, *regressions;
};

static struct shared *shared;
static struct sim sim;

/* --- plans as text: kind:nth:ms:choice,… --- */

static void plan_write(const struct sim_plan *plan, char ret_text[PLAN_TEXT_MAX])
{
    size_t len = 0;
    ret_text[0] = '\0';
    for (uint32_t i = 0; i < plan->count && len + 80 < PLAN_TEXT_MAX; i++)
        len += (size_t)snprintf(ret_text + len, PLAN_TEXT_MAX - len, "%s%s:%u:%lld:%u",
                                i > 0 ? "," : "", sim_fault_label(plan->at[i].kind),
                                plan->at[i].nth, (long long)plan->at[i].ms, plan->at[i].choice);
}

static bool plan_read(const char *text, struct sim_plan *ret_plan)
{
    char label[32];
    int used = 0;
    ret_plan->count = 0;
    while (*text != '\0' && *text != '\n') {
        struct sim_fault fault = {.kind = 0};
        long long ms = 0;
        if (ret_plan->count == SIM_PLAN_MAX || sscanf(text, "%31[a-z-]:%u:%lld:%u%n", label,
                                                      &fault.nth, &ms, &fault.choice, &used) != 4)
            return false;
        fault.ms = ms;
        while (fault.kind < SIM_FAULTS && strcmp(sim_fault_label(fault.kind), label) != 0)
            fault.kind++;
        if (fault.kind == SIM_FAULTS)
            return false;
        ret_plan->at[ret_plan->count++] = fault;
        text += used;
        text += *text == ',';
    }
    return true;
}

/* --- runs --- */

/* plan NULL: drawn from the seed. */
static bool run(uint64_t seed, const struct sim_plan *plan, FILE *trace)
{
    sim.seed = seed;
    sim.trace = trace;
    sim_load_draw(&sim.load, seed, &sim.random);
    bool may_lose = sim_random_chance(&sim.random, 150);
    struct sim_random plan_random = {sim_random_next(&sim.random)};
    if (plan == NULL)
        sim_plan_draw(&sim.plan, &plan_random, (uint32_t)sim.load.count * 20 + 200,
                      sim.load.params_switch, may_lose);
    else
        sim.plan = *plan;
    shared->seed = seed;
    shared->plan = sim.plan;
    alarm(RUN_SECONDS_MAX);
    bool good = sim_run(&sim);
    alarm(0);
    shared->runs++;
    shared->calls += sim.calls;
    shared->faults += sim.plan.count;
    shared->events = sim.events;
    shared->alerts = sim.alerts;
    for (int i = 0; i < SIM_PARTITIONS_MAX; i++)
        shared->stopped += sim.stopped[i];
    if (!good) {
        shared->violated = true;
        (void)snprintf(shared->violation, sizeof shared->violation, "%s", sim.violation);
    }
    return good;
}

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void run_seeds(const struct options *options)
{
    double end = options->seconds > 0 ? now_s() + (double)options->seconds : 0;
    const struct sim_plan nothing = {.count = 0};
    for (uint64_t i = 0; options->seeds == 0 || i < options->seeds; i++) {
        if (!run(options->seed + i, options->faultless ? &nothing : NULL, NULL))
            break;
        if (end > 0 && now_s() >= end)
            break;
    }
}

/* Fail the nth call of every port, for every n, with every fault it knows; each `stride`-th of
 * these runs. */
static void run_scenarios(const struct options *options)
{
    double end = options->seconds > 0 ? now_s() + (double)options->seconds : 0;
    uint64_t number = options->seed;
    for (uint64_t seed = 1; seed <= SCENARIOS; seed++) {
        struct sim_plan plan = {.count = 0};
        uint32_t calls[SIM_PORTS];
        if (!run(seed, &plan, NULL))
            return;
        memcpy(calls, sim.port_calls, sizeof calls);
        calls[SIM_PORT_ANY] = sim.calls;
        for (enum sim_fault_kind kind = 0; kind < SIM_FAULTS; kind++) {
            if (sim_fault_loses(kind))
                continue;
            for (uint32_t nth = 1; nth <= calls[sim_fault_port(kind)]; nth++) {
                if (++number % options->stride != 0)
                    continue;
                if (end > 0 && now_s() >= end)
                    return;
                plan.count = 1;
                plan.at[0] = (struct sim_fault){
                    .kind = kind, .nth = nth, .ms = sim_fault_ms_max(kind) / 2, .choice = nth};
                if (!run(seed, &plan, NULL))
                    return;
            }
        }
    }
}

static void run_regressions(const char *path)
{
    char line[PLAN_TEXT_MAX + 64], text[PLAN_TEXT_MAX];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        (void)fprintf(stderr, "lifecycled_sim: %s: %s\n", path, strerror(errno));
        _exit(2);
    }
    while (fgets(line, sizeof line, file) != NULL) {
        struct sim_plan plan;
        uint64_t seed = 0;
        text[0] = '\0';
        if (line[0] == '#' || line[0] == '\n')
            continue;
        if (sscanf(line, "%" SCNu64 " %4095[^\n]", &seed, text) < 1 || !plan_read(text, &plan)) {
            (void)fprintf(stderr, "lifecycled_sim: %s: cannot read: %s", path, line);
            _exit(2);
        }
        if (!run(seed, text[0] != '\0' ? &plan : NULL, NULL))
            break;
    }
    (void)fclose(file);
}

/* --- in a child --- */

enum outcome { GOOD, VIOLATED, DIED, USAGE };

static enum outcome outcome_of(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        MUST(errno == EINTR);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
        return USAGE;
    if (shared->violated)
        return VIOLATED;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return GOOD;
    (void)snprintf(shared->violation, sizeof shared->violation, "the process died: %s",
                   WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM
                       ? "an endless loop without a port call"
                   : WIFSIGNALED(status) ? strsignal(WTERMSIG(status))
                                         : "a sanitizer ended it");
    return DIED;
}

static enum outcome in_child(const struct options *options)
{
    (void)fflush(NULL);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        if (options->regressions != NULL)
            run_regressions(options->regressions);
        if (!shared->violated && options->scenario)
            run_scenarios(options);
        if (!shared->violated && (options->seeds > 0 || options->seconds > 0) && !options->scenario)
            run_seeds(options);
        sim_fini(&sim);
        _exit(shared->violated ? 1 : 0);
    }
    return outcome_of(child);
}

/* One run of a plan; silent, or with a trace. */
static enum outcome try_plan(uint64_t seed, const struct sim_plan *plan, FILE *trace)
{
    shared->violated = false;
    shared->violation[0] = '\0';
    (void)fflush(NULL);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        if (trace == NULL && freopen("/dev/null", "w", stderr) == NULL)
            _exit(2);
        if (trace != NULL)
            (void)setvbuf(trace, NULL, _IOLBF, 0);
        _exit(run(seed, plan, trace) ? 0 : 1);
    }
    return outcome_of(child);
}

/* --- after a failure --- */

/* Leave out faults one after the other as long as it still fails. */
static void reduce(uint64_t seed, struct sim_plan *plan)
{
    for (bool smaller = true; smaller;) {
        smaller = false;
        for (uint32_t i = plan->count; i-- > 0;) {
            struct sim_plan less = *plan;
            memmove(&less.at[i], &less.at[i + 1], (less.count - i - 1) * sizeof less.at[0]);
            less.count--;
            if (try_plan(seed, &less, NULL) == GOOD)
                continue;
            *plan = less;
            smaller = true;
        }
    }
}

static void print_tail(FILE *file, int lines_max)
{
    char line[1024];
    int lines = 0;
    rewind(file);
    while (fgets(line, sizeof line, file) != NULL)
        lines++;
    rewind(file);
    for (int i = 0; fgets(line, sizeof line, file) != NULL; i++)
        if (lines_max < 0 || i >= lines - lines_max)
            (void)fputs(line, stdout);
}

static void show(uint64_t seed, const struct sim_plan *plan, int lines)
{
    FILE *trace = tmpfile();
    MUST(trace != NULL);
    (void)try_plan(seed, plan, trace);
    print_tail(trace, lines);
    (void)fclose(trace);
}

static void explain(const struct options *options, const char *self)
{
    uint64_t seed = shared->seed;
    struct sim_plan plan = shared->plan;
    char text[PLAN_TEXT_MAX];
    (void)printf("sim: seed %" PRIu64 " after %" PRIu64 " runs: %s\n", seed, shared->runs,
                 shared->violation);
    if (options->quiet)
        return;
    (void)fflush(stdout);
    uint32_t before = plan.count;
    reduce(seed, &plan);
    show(seed, &plan, TRACE_LINES);
    plan_write(&plan, text);
    (void)printf("sim: %s\nsim: with %u of its %u faults:\n", shared->violation, plan.count,
                 before);
    for (uint32_t i = 0; i < plan.count; i++)
        (void)printf("sim:   %s at call %u of %s, %lld ms\n", sim_fault_label(plan.at[i].kind),
                     plan.at[i].nth, sim_port_label(sim_fault_port(plan.at[i].kind)),
                     (long long)plan.at[i].ms);
    (void)printf("sim: again: %s --seed %" PRIu64 " --plan '%s' --trace\n", self, seed, text);
}

static int one(const struct options *options)
{
    struct sim_plan plan = {.count = 0};
    if (options->plan != NULL && !plan_read(options->plan, &plan)) {
        (void)fprintf(stderr, "lifecycled_sim: cannot read the plan\n");
        return 2;
    }
    FILE *trace = options->trace ? tmpfile() : NULL;
    enum outcome outcome = try_plan(options->seed, options->plan != NULL ? &plan : NULL, trace);
    if (trace != NULL) {
        print_tail(trace, -1);
        (void)fclose(trace);
    }
    (void)printf("sim: seed %" PRIu64 ": %s\n", options->seed,
                 outcome == GOOD ? "good" : shared->violation);
    return outcome == GOOD ? 0 : 1;
}

/* --- arguments --- */

static const char usage[] =
    "usage: lifecycled_sim [OPTIONS]   the real worker against simulated Kafka, Redis and time\n"
    "  --seeds N        so many runs (default 2000)\n"
    "  --seed S         from this seed (default 1); with --trace or --plan: this run only\n"
    "  --seconds T      stop after so many seconds\n"
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
        {"faultless", 0, NULL, 'f'}, {"help", 0, NULL, 'h'},        {NULL, 0, NULL, 0}};
    struct options options = {.seed = 1, .stride = 1};
    bool seeds_given = false;
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        switch (c) {
        case 'n':
            options.seeds = number_of(optarg);
            seeds_given = true;
            break;
        case 's':
            options.seed = number_of(optarg);
            break;
        case 't':
            options.seconds = (int64_t)number_of(optarg);
            break;
        case 'v':
            options.trace = options.one = true;
            break;
        case 'p':
            options.plan = optarg;
            options.one = true;
            break;
        case 'c':
            options.scenario = true;
            break;
        case 'k':
            options.stride = (uint32_t)number_of(optarg);
            break;
        case 'r':
            options.regressions = optarg;
            break;
        case 'q':
            options.quiet = true;
            break;
        case 'f':
            options.faultless = true;
            break;
        default:
            (void)fputs(usage, c == 'h' ? stdout : stderr);
            exit(c == 'h' ? 0 : 2);
        }
    }
    if (!seeds_given && options.seconds == 0 && !options.scenario)
        options.seeds = 2000;
    options.stride = options.stride > 0 ? options.stride : 1;
    return options;
}

int main(int argc, char **argv)
{
    struct options options = parse(argc, argv);
    /* Workers come and go by the million: tables they ask for and hardly touch are mapped, not
     * cleared, and what the heap has grown to it keeps. */
    (void)mallopt(M_MMAP_THRESHOLD, 128 << 10);
    (void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(shared != MAP_FAILED);
    if (options.one)
        return one(&options);
    double start = now_s();
    enum outcome outcome = in_child(&options);
    double seconds = now_s() - start;
    if (outcome == USAGE)
        return 2;
    if (outcome != GOOD) {
        explain(&options, argv[0]);
        return 1;
    }
    (void)printf("sim: %" PRIu64 " runs, %" PRIu64 " faults, %" PRIu64 " port calls, %" PRIu64
                 " events, %" PRIu64 " alerts, %" PRIu64
                 " partitions stopped for a loss, 0 violations; %.1f s, %.0f runs/s\n",
                 shared->runs, shared->faults, shared->calls, shared->events, shared->alerts,
                 shared->stopped, seconds, (double)shared->runs / seconds);
    return 0;
}
