/* sim_worker: what a daemon's worker thread does, in a fiber. */
#include "base/must.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_memory.h"

/* In the place of the model's (the linker wraps it), whose formula costs half of a run: alerts tell
 * it, and tiers are made of it. */
void __wrap_value_at(const struct customer *customer, int64_t at_ms, const struct params *params,
                     struct value *ret_value);
void __wrap_value_at(const struct customer *customer, int64_t at_ms, const struct params *params,
                     struct value *ret_value)
{
    (void)at_ms;
    (void)params;
    *ret_value = (struct value){.clv_minor = customer->spend_minor};
}

static int64_t wall_ms(void *self)
{
    return sim_wall_ms(self);
}

static int64_t mono_ms(void *self)
{
    const struct sim_task *task = self;
    return task->sim->now_ms;
}

static void log_line(void *self, enum worker_severity severity, int32_t partition, const char *code,
                     const char *text)
{
    struct sim_task *task = self;
    static const char marks[] = "-*!#";
    sim_trace(task->sim, task, "%c [%d] %s: %s", marks[severity], partition, code, text);
    if (severity == WORKER_ERROR && partition >= 0 && partition < SIM_PARTITIONS_MAX &&
        strcmp(code, "replay-diverged") != 0)
        task->sim->reported[partition] = true;
}

static struct sim_task *present; /* the task whose fiber runs: crash points carry no argument */

void sim_worker_resumes(struct sim_task *task)
{
    present = task;
}

static void crash_point(const char *name)
{
    struct sim_task *task = present;
    sim_trace(task->sim, task, "at %s", name);
    (void)sim_call_begin(task, SIM_PORT_POINT);
    sim_call_end(task);
}

static void fill_options(struct sim_task *task)
{
    const struct sim *sim = task->sim;
    const struct sim_load *load = &sim->load;
    bool later = load->params_switch != 0 && sim->calls >= load->params_switch;
    task->options = (struct worker_options){
        .app = SIM_APP,
        .input_topic = "events",
        .token = task->token,
        .params = load->params[later],
        .decode = sim_load_decode(load),
        .alert = {.source = "sim",
                  .reporting = load->params[later].reporting,
                  .horizon_ms = load->params[later].churn_horizon_ms,
                  .params_version = 1},
        .batch_max = load->batch_max,
        .tick_buckets_max = load->tick_buckets_max,
        .tick_interval_ms = SIM_TICK_MS,
        .guard = load->guard,
        .lazy_commit_ms = SIM_LAZY_MS,
        .batch_arena_max = load->batch_bytes,
        .poll_ms = 100,
        .look_ms = load->insights ? SIM_LAZY_MS : 0,
    };
}

void sim_worker_main(void *self)
{
    struct sim_task *task = self;
    struct report report = {.code = ""};
    struct clock clock = {.wall_ms = wall_ms, .mono_ms = mono_ms, .self = task};
    fill_options(task);
    struct source source = sim_source_port(task);
    struct sink sink = sim_sink_port(task);
    (void)sim_memory_owner(task->id);
    worker_crash_point = crash_point;
    task->cache = cache_open(task->sim->load.cache_bytes);
    MUST(task->cache != NULL);
    task->worker = worker_open(&task->options, source, sink, sim_redis_factory(task), clock,
                               task->cache, (struct worker_log){.self = task, .line = log_line});
    MUST(task->worker != NULL);
    do {
        report.code[0] = '\0';
        task->last = worker_step(task->worker, &report);
        if (task->last != STATUS_OK && task->last != STATUS_RETRY && task->last != STATUS_GONE)
            sim_trace(task->sim, task, "step: %s %s: %s", status_name(task->last), report.code,
                      report.text);
        if (task->last == STATUS_GONE) { /* waits for the operator, watched meanwhile */
            (void)sim_call_begin(task, SIM_PORT_POINT);
            sim_sleep(task, 200);
            sim_call_end(task);
        }
    } while (!task->stop_wanted && task->last != STATUS_FENCED && task->last != STATUS_FATAL);
    if (task->stop_wanted) {
        worker_stop(task->worker, 5000);
        task->last = STATUS_OK;
    }
    struct worker *worker = task->worker;
    task->worker = NULL;
    worker_close(worker);
    cache_close(task->cache);
    task->cache = NULL;
    source.close(source.self, 1000);
    sink.close(sink.self, 1000);
    (void)sim_memory_owner(0);
}

void sim_worker_survey(struct sim *sim)
{
    struct partition_status statuses[SIM_PARTITIONS_MAX];
    memset(sim->stopped, 0, sizeof sim->stopped);
    memset(sim->live, 0, sizeof sim->live);
    for (int i = 0; i < sim->tasks_used; i++) {
        struct sim_task *task = &sim->tasks[i];
        if (task->state != SIM_TASK_RUNS || task->worker == NULL)
            continue;
        size_t count = worker_partitions(task->worker, statuses, SIM_PARTITIONS_MAX);
        for (size_t j = 0; j < count && j < SIM_PARTITIONS_MAX; j++) {
            if (statuses[j].phase == PARTITION_LIVE)
                sim->live[statuses[j].partition] = true;
            if (statuses[j].phase != PARTITION_STOPPED)
                continue;
            sim->stopped[statuses[j].partition] = true;
            if (statuses[j].problem.code[0] == '\0')
                sim_violate(sim, "partition %d is stopped without a report", statuses[j].partition);
        }
    }
}
