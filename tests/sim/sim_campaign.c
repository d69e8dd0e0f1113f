/* sim_campaign: see the header. */
#include "tests/sim/sim_campaign.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"
#include "tests/sim/sim_plan.h"

#define RUN_SECONDS_MAX                                                                            \
    60 /* of real time for one run: more is an endless loop without port calls */
#define SCENARIOS 6
#define CHECKED   64 /* runs between two looks at the clock */

/* What a child tells its parent, also when it dies. */
struct job {
    struct sim_failure run; /* the present one */
    bool violated;
    struct sim_totals totals;
};

struct shared {
    _Atomic uint64_t stop_after; /* number of the first run known to have failed */
    struct job jobs[SIM_JOBS_MAX];
};

static struct shared *shared;
static struct job *mine;
static uint32_t my_number;
static const struct sim_campaign *campaign;
static uint64_t number; /* of the run that was dealt out last */
static double end_s;    /* 0: never */
static struct sim sim;

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct job *share(void)
{
    if (shared == NULL) {
        shared =
            mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        MUST(shared != MAP_FAILED);
    }
    memset(shared, 0, sizeof *shared);
    shared->stop_after = UINT64_MAX;
    return shared->jobs;
}

/* --- in a child --- */

static void add_totals(struct sim_totals *totals)
{
    totals->runs++;
    totals->calls += sim.calls;
    totals->faults += sim.happened;
    totals->events = sim.events;
    totals->alerts = sim.alerts;
    for (int i = 0; i < SIM_PARTITIONS_MAX; i++)
        totals->stopped += sim.stopped[i];
}

/* Port calls of a run without faults; long logs are folded in large batches. */
static uint32_t calls_about(size_t events)
{
    return (uint32_t)(events < 150 ? events : 150) * 20 + 200;
}

/* plan NULL: drawn from the seed. */
static bool run(uint64_t seed, const struct sim_plan *plan, FILE *trace)
{
    sim.seed = seed;
    sim.trace = trace;
    sim_load_draw(&sim.load, seed, &sim.random);
    bool may_lose = sim_random_chance(&sim.random, 150);
    struct sim_random plan_random = {sim_random_next(&sim.random)};
    if (plan == NULL)
        sim_plan_draw(&sim.plan, &plan_random, calls_about(sim.load.count), sim.load.params_switch,
                      may_lose);
    else
        sim.plan = *plan;
    sim_load_keep(&sim.load, sim.plan.events);
    mine->run.seed = seed;
    mine->run.plan = sim.plan;
    alarm(RUN_SECONDS_MAX);
    bool good = sim_run(&sim);
    alarm(0);
    add_totals(&mine->totals);
    if (!good) {
        mine->violated = true;
        (void)snprintf(mine->run.violation, sizeof mine->run.violation, "%s", sim.violation);
    }
    return good;
}

static void stop_others_after(uint64_t failed)
{
    uint64_t known = shared->stop_after;
    while (failed < known && !atomic_compare_exchange_weak(&shared->stop_after, &known, failed))
        ;
}

enum turn { TURN_MINE, TURN_OTHERS, TURN_OVER };

/* Whose is the next run? */
static enum turn deal(void)
{
    number++;
    if (number > shared->stop_after ||
        (end_s > 0 && number % CHECKED < campaign->jobs && now_s() >= end_s))
        return TURN_OVER;
    if (number % campaign->jobs != my_number)
        return TURN_OTHERS;
    mine->run.number = number;
    return TURN_MINE;
}

/* false: enough. */
static bool run_dealt(uint64_t seed, const struct sim_plan *plan)
{
    switch (deal()) {
    case TURN_MINE:
        if (run(seed, plan, NULL))
            return true;
        stop_others_after(mine->run.number);
        return false;
    case TURN_OTHERS:
        return true;
    case TURN_OVER:
        break;
    }
    return false;
}

static void run_seeds(void)
{
    const struct sim_plan nothing = {.count = 0};
    for (uint64_t i = 0; campaign->seeds == 0 || i < campaign->seeds; i++)
        if (!run_dealt(campaign->seed + i, campaign->faultless ? &nothing : NULL))
            return;
}

/* One run without faults tells how often each port is called. */
static bool count_calls(uint64_t seed, uint32_t ret_calls[SIM_PORTS])
{
    const struct sim_plan nothing = {.count = 0};
    mine->run.number = number + 1;
    if (!run(seed, &nothing, NULL)) {
        stop_others_after(mine->run.number);
        return false;
    }
    memcpy(ret_calls, sim.port_calls, sizeof sim.port_calls);
    ret_calls[SIM_PORT_ANY] = sim.calls;
    return true;
}

/* Fail the nth call of every port, for every n, with every fault it knows; each `stride`-th of
 * these runs. */
static void run_scenarios(void)
{
    uint64_t at = campaign->seed;
    uint32_t calls[SIM_PORTS];
    for (uint64_t seed = 1; seed <= SCENARIOS; seed++) {
        if (!count_calls(seed, calls))
            return;
        for (enum sim_fault_kind kind = 0; kind < SIM_FAULTS; kind++)
            for (uint32_t nth = 1; nth <= calls[sim_fault_port(kind)]; nth++) {
                struct sim_plan plan = {.count = 1};
                plan.at[0] = (struct sim_fault){
                    .kind = kind, .nth = nth, .ms = sim_fault_ms_max(kind) / 2, .choice = nth};
                if (++at % campaign->stride == 0 && !run_dealt(seed, &plan))
                    return;
            }
    }
}

static void run_regressions(void)
{
    char line[SIM_PLAN_TEXT_MAX + 64], text[SIM_PLAN_TEXT_MAX];
    FILE *file = fopen(campaign->regressions, "re");
    if (file == NULL) {
        (void)fprintf(stderr, "lifecycled_sim: %s: %s\n", campaign->regressions, strerror(errno));
        _exit(2);
    }
    while (fgets(line, sizeof line, file) != NULL) {
        struct sim_plan plan;
        uint64_t seed = 0;
        text[0] = '\0';
        if (line[0] == '#' || line[0] == '\n')
            continue;
        if (sscanf(line, "%" SCNu64 " %4095[^\n]", &seed, text) < 1 ||
            !sim_plan_read(text, &plan)) {
            (void)fprintf(stderr, "lifecycled_sim: %s: cannot read: %s", campaign->regressions,
                          line);
            _exit(2);
        }
        if (!run_dealt(seed, text[0] != '\0' ? &plan : NULL))
            break;
    }
    (void)fclose(file);
}

static void work(void)
{
    number = 0;
    end_s = campaign->seconds > 0 ? now_s() + (double)campaign->seconds : 0;
    if (campaign->regressions != NULL)
        run_regressions();
    if (!mine->violated && campaign->scenario)
        run_scenarios();
    if (!mine->violated && !campaign->scenario)
        run_seeds();
    sim_fini(&sim);
}

/* --- the parent --- */

static enum sim_outcome outcome_of(struct job *job, int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
        return SIM_USAGE;
    if (job->violated)
        return SIM_VIOLATED;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return SIM_GOOD;
    (void)snprintf(job->run.violation, sizeof job->run.violation, "the process died: %s",
                   WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM
                       ? "an endless loop without a port call"
                   : WIFSIGNALED(status) ? strsignal(WTERMSIG(status))
                                         : "a sanitizer ended it");
    return SIM_DIED;
}

static void gather(const struct sim_totals *part, struct sim_totals *totals)
{
#define X(name, label) totals->name += part->name;
    SIM_TOTAL_TABLE(X)
#undef X
}

static pid_t wait_for(pid_t child, int *ret_status)
{
    pid_t ended;
    while ((ended = waitpid(child, ret_status, 0)) < 0)
        MUST(errno == EINTR);
    return ended;
}

static void start_jobs(pid_t ret_children[SIM_JOBS_MAX])
{
    (void)fflush(NULL);
    for (my_number = 0; my_number < campaign->jobs; my_number++) {
        mine = &shared->jobs[my_number];
        ret_children[my_number] = fork();
        MUST(ret_children[my_number] >= 0);
        if (ret_children[my_number] == 0) {
            work();
            _exit(mine->violated ? 1 : 0);
        }
    }
}

enum sim_outcome sim_campaign(const struct sim_campaign *what, struct sim_totals *ret_totals,
                              struct sim_failure *ret_failure)
{
    pid_t children[SIM_JOBS_MAX];
    enum sim_outcome worst = SIM_GOOD;
    uint64_t first = UINT64_MAX;
    struct job *jobs = share();
    MUST(what->jobs >= 1 && what->jobs <= SIM_JOBS_MAX);
    campaign = what;
    start_jobs(children);
    *ret_totals = (struct sim_totals){0};
    for (uint32_t left = what->jobs; left > 0; left--) {
        int status = 0;
        uint32_t i = 0;
        pid_t ended = wait_for(-1, &status);
        while (children[i] != ended)
            i++;
        enum sim_outcome outcome = outcome_of(&jobs[i], status);
        gather(&jobs[i].totals, ret_totals);
        if (outcome == SIM_GOOD)
            continue;
        stop_others_after(jobs[i].run.number); /* also when it died */
        if (worst == SIM_USAGE || (outcome != SIM_USAGE && jobs[i].run.number > first))
            continue;
        first = jobs[i].run.number;
        worst = outcome;
        *ret_failure = jobs[i].run;
    }
    return worst;
}

enum sim_outcome sim_campaign_try(uint64_t seed, const struct sim_plan *plan, FILE *trace,
                                  struct sim_failure *ret_failure)
{
    int status = 0;
    mine = share();
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
    (void)wait_for(child, &status);
    enum sim_outcome outcome = outcome_of(mine, status);
    *ret_failure = mine->run;
    return outcome;
}
