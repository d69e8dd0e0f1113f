/* sim_world: the scheduler, what happens at a port call, and the faults that are nobody's port's.
 */
#include <stdarg.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/text.h"
#include "state/proposal.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_memory.h"

#define SIM_EPOCH_MS INT64_C(1735689600000) /* 2025-01-01: the wall at the start of a run */
#define LATE_MAX_MS  (70 * TEXT_MS_PER_DAY) /* no event is older than its record by more */
#define MARKERS_MS   3000 /* the longest a marker is under way (fault slow-markers) */

void sim_violate(struct sim *sim, const char *format, ...)
{
    va_list args;
    if (sim->violation[0] != '\0')
        return;
    va_start(args, format);
    (void)vsnprintf(sim->violation, sizeof sim->violation, format, args);
    va_end(args);
}

void sim_trace(struct sim *sim, const struct sim_task *task, const char *format, ...)
{
    va_list args;
    if (sim->trace == NULL)
        return;
    int owner = sim_memory_owner(0);
    if (task != NULL)
        (void)fprintf(sim->trace, "%8lld #%-5u w%d.%-2d ", (long long)sim->now_ms, sim->calls,
                      task->name, task->id);
    else
        (void)fprintf(sim->trace, "%8lld #%-5u world ", (long long)sim->now_ms, sim->calls);
    va_start(args, format);
    (void)vfprintf(sim->trace, format, args);
    va_end(args);
    (void)fputc('\n', sim->trace);
    (void)sim_memory_owner(owner);
}

static void trouble(struct sim *sim, int64_t ms)
{
    if (sim->now_ms + ms > sim->last_trouble_ms)
        sim->last_trouble_ms = sim->now_ms + ms;
}

/* --- workers come and go --- */

static void start(struct sim *sim, int name)
{
    struct sim_task *task = NULL;
    for (int i = 0; i < SIM_TASKS_MAX && task == NULL; i++)
        if (sim->tasks[i].state == SIM_TASK_FREE)
            task = &sim->tasks[i];
    sim->start_ms[name] = INT64_MAX;
    if (task == NULL) { /* too many zombies: try later */
        sim->start_ms[name] = sim->now_ms + 1000;
        return;
    }
    struct arena scratch = task->scratch;
    *task = (struct sim_task){.sim = sim,
                              .state = SIM_TASK_RUNS,
                              .id = ++sim->incarnations,
                              .name = name,
                              .restart_ms = INT64_MAX,
                              .wake_ms = sim->now_ms,
                              .scratch = scratch};
    if (task->scratch.bytes_max == 0)
        arena_init(&task->scratch, 16u << 20);
    arena_reset(&task->scratch);
    for (int i = 0; i < SIM_PARTITIONS_MAX; i++)
        sim_redis_init(&task->redis[i], task);
    (void)snprintf(task->token, sizeof task->token, "worker-%d/%d", name, task->id);
    task->fiber = sim_fiber_open(sim_worker_main, task);
    if (task - sim->tasks >= sim->tasks_used)
        sim->tasks_used = (int)(task - sim->tasks) + 1;
    sim_trace(sim, task, "starts");
}

/* A worker is gone, by its own will or not: what it held outside of itself is let go. */
static void drop(struct sim *sim, struct sim_task *task)
{
    sim_kafka_silence(&sim->kafka, task->name, task->id);
    sim_redis_abandon(task);
    sim_fiber_abandon(task->fiber);
    (void)sim_memory_free_all(task->id);
    task->fiber = NULL;
    task->state = SIM_TASK_FREE;
    if (!task->zombie && task->restart_ms != INT64_MAX &&
        sim->start_ms[task->name] > task->restart_ms)
        sim->start_ms[task->name] = task->restart_ms;
}

static void crash(struct sim_task *task, int64_t ms)
{
    sim_trace(task->sim, task, "crashes");
    task->state = SIM_TASK_CRASHED;
    task->restart_ms = task->sim->now_ms + ms;
    for (;;)
        sim_fiber_yield();
}

void sim_sleep(struct sim_task *task, int64_t ms)
{
    task->wake_ms = task->sim->now_ms + ms;
    sim_fiber_yield();
}

static void pause_for(struct sim_task *task, int64_t ms)
{
    sim_trace(task->sim, task, "stands still for %lld ms", (long long)ms);
    sim_kafka_silence(&task->sim->kafka, task->name, task->id);
    task->paused = true;
    sim_sleep(task, ms);
    task->paused = false;
    sim_trace(task->sim, task, "goes on");
    if (task->source.cut_until_ms <= task->sim->now_ms)
        sim_kafka_heartbeat(&task->sim->kafka, task->name, task->id);
}

static void crash_all(struct sim *sim, const struct sim_task *but, int64_t ms)
{
    for (int i = 0; i < sim->tasks_used; i++) {
        struct sim_task *task = &sim->tasks[i];
        if (task->state != SIM_TASK_RUNS || task == but)
            continue;
        sim_trace(sim, task, "crashes");
        task->restart_ms = sim->now_ms + ms;
        drop(sim, task);
    }
}

/* --- faults of the world --- */

/* R as Redis has it now. −1: no meta. */
static int64_t position_in_redis(struct sim *sim, int32_t partition, struct store_meta *ret_meta)
{
    struct redis_memory_conn *conn = redis_memory_connect(sim->redis);
    struct redis redis = redis_memory_port(conn);
    bool present = false;
    enum status status = store_peek(&redis, SIM_APP, partition, ret_meta, &present, NULL);
    redis_memory_disconnect(conn);
    return status == STATUS_OK && present ? ret_meta->at.offset : -1;
}

/* Is a bucket due by then, as the timer index has it? */
static bool due_in_redis(struct sim *sim, int32_t partition, int64_t until_ms)
{
    char key[32], until[24];
    const struct redis_value *value = NULL;
    struct redis_memory_conn *conn = redis_memory_connect(sim->redis);
    struct redis redis = redis_memory_port(conn);
    (void)snprintf(key, sizeof key, "{%s:%d}:t", SIM_APP, partition);
    (void)snprintf(until, sizeof until, "%lld", (long long)until_ms);
    redis.queue(redis.self, 7,
                (struct span[]){SPAN_LITERAL("ZRANGEBYSCORE"), span_of(key), SPAN_LITERAL("-inf"),
                                span_of(until), SPAN_LITERAL("LIMIT"), SPAN_LITERAL("0"),
                                SPAN_LITERAL("1")});
    MUST(redis.send(redis.self, NULL) == STATUS_OK);
    MUST(redis.reply(redis.self, &value, NULL) == STATUS_OK);
    bool due = value->type == REDIS_ARRAY && value->count > 0;
    redis_memory_disconnect(conn);
    return due;
}

static void rolled_back(struct sim *sim, bool break_connections)
{
    for (int i = 0; i < SIM_PARTITIONS_MAX; i++) {
        sim->may_lose[i] = sim->may_lose[i] || sim->low_moved[i];
    }
    if (break_connections)
        sim->redis_epoch++;
}

static void retention(struct sim *sim, const struct sim_fault *fault)
{
    int32_t partition = (int32_t)(fault->choice % (uint32_t)sim->load.partitions);
    struct store_meta meta;
    int64_t at = sim->torn ? -1 : position_in_redis(sim, partition, &meta);
    int64_t end = sim_kafka_stable(&sim->kafka, SIM_INPUT, partition);
    if (sim->rewritten[partition])
        return; /* it might take the one record that shows it: nobody could know */
    if (!sim->kafka.committed[partition].present || end == 0)
        return; /* before the first start history may be cut as one likes: nothing was promised */
    int64_t low = (fault->choice & 0x10000) != 0 ? at : end;
    low = low > 0 ? (int64_t)(fault->choice >> 20) % (low + 1) : 0;
    sim_kafka_retention(&sim->kafka, SIM_INPUT, partition, low);
    sim->low_moved[partition] = sim->low_moved[partition] || low > 0;
    if (low > at)
        sim->may_lose[partition] = true;
    sim_trace(sim, NULL, "retention: partition %d starts at %lld, R is %lld", partition,
              (long long)low, (long long)at);
}

static void rewrite(struct sim *sim, const struct sim_fault *fault)
{
    int32_t partition = (int32_t)(fault->choice % (uint32_t)sim->load.partitions);
    struct sim_log *log = &sim->kafka.log[SIM_INPUT][partition];
    struct store_meta meta = {.last_offset = -1};
    if (position_in_redis(sim, partition, &meta) > 0 &&
        (meta.last_offset < 0 || meta.last_offset < log->low))
        return; /* only gaps were passed, or retention took the rest: no record that could be
                   compared with another log's */
    int64_t end = fault->kind == SIM_FAULT_RECREATE ? 0 : log->end - 1 - fault->choice / 8 % 10;
    sim->may_lose[partition] = sim->rewritten[partition] = true;
    if (sim->publisher[partition] != NULL)
        sim_kafka_finish(&sim->kafka, sim->publisher[partition], false);
    sim->publisher[partition] = NULL;
    sim_kafka_truncate(&sim->kafka, SIM_INPUT, partition, end < 0 ? 0 : end);
    if (fault->kind == SIM_FAULT_RECREATE)
        log->low = 0;
    sim_trace(sim, NULL, "partition %d is cut back to %lld", partition, (long long)log->end);
}

/* After days without members; markers pend for seconds, so none does any more. */
static void expire_offsets(struct sim *sim, const struct sim_fault *fault)
{
    int32_t partition = (int32_t)(fault->choice % (uint32_t)sim->load.partitions);
    for (const struct sim_txn *txn = sim->kafka.txns; txn != NULL; txn = txn->next)
        if (txn->has_offsets)
            return;
    sim->may_lose[partition] = true;
    sim_kafka_expire_offsets(&sim->kafka, partition);
}

/* An operator's mistake: what else there is of the partition stays. */
static void delete_meta(struct sim *sim, int32_t partition)
{
    char key[32];
    const struct redis_value *value = NULL;
    struct redis_memory_conn *conn = redis_memory_connect(sim->redis);
    struct redis redis = redis_memory_port(conn);
    (void)snprintf(key, sizeof key, "{%s:%d}:m", SIM_APP, partition);
    redis.queue(redis.self, 2, (struct span[]){SPAN_LITERAL("DEL"), span_of(key)});
    MUST(redis.send(redis.self, NULL) == STATUS_OK);
    MUST(redis.reply(redis.self, &value, NULL) == STATUS_OK);
    redis_memory_disconnect(conn);
    rolled_back(sim, false);
}

void sim_redis_died(struct sim *sim)
{
    sim_trace(sim, NULL, "Redis dies of this transaction and forgets it, for now");
    sim->redis_epoch++;
    sim->redis_again_ms = sim->now_ms + sim->redis_torn_ms;
    trouble(sim, sim->redis_torn_ms);
}

static void restart_again(struct sim *sim)
{
    sim->redis_again_ms = 0;
    if (!redis_memory_restart(sim->redis))
        return;
    sim_trace(sim, NULL, "Redis restarts again: half of the torn transaction is there");
    sim->torn = true;
    rolled_back(sim, true);
    trouble(sim, 0);
}

static void fault_of_redis(struct sim *sim, const struct sim_fault *fault)
{
    int64_t until = sim->now_ms + fault->ms;
    switch (fault->kind) {
    case SIM_FAULT_REDIS_DOWN:
        sim->redis_down_ms = until;
        sim->redis_epoch++;
        break;
    case SIM_FAULT_REDIS_OOM:
        sim->redis_refuse_ms = until;
        redis_memory_refuse_writes(sim->redis,
                                   "OOM command not allowed when used memory > 'maxmemory'.");
        break;
    case SIM_FAULT_REDIS_READONLY:
        sim->redis_refuse_ms = until;
        redis_memory_refuse_writes(sim->redis,
                                   "READONLY You can't write against a read only replica.");
        break;
    case SIM_FAULT_REDIS_LOADING:
        sim->redis_loading_ms = until;
        sim->redis_epoch++;
        break;
    case SIM_FAULT_REDIS_SAVE:
        redis_memory_image_free(sim->image);
        sim->image = redis_memory_save(sim->redis);
        break;
    case SIM_FAULT_REDIS_TORN:
        sim->redis_torn_ms = 1 + fault->ms;
        redis_memory_tear(sim->redis, fault->choice | 1);
        break;
    case SIM_FAULT_REDIS_META_GONE:
        delete_meta(sim, (int32_t)(fault->choice % (uint32_t)sim->load.partitions));
        break;
    case SIM_FAULT_REDIS_ROLLBACK:
    case SIM_FAULT_REDIS_FAILOVER:
        redis_memory_load(sim->redis, sim->image);
        rolled_back(sim, fault->kind == SIM_FAULT_REDIS_ROLLBACK);
        break;
    default: /* WIPE: FLUSHALL leaves connections alone, a lost disk does not */
        redis_memory_load(sim->redis, NULL);
        rolled_back(sim, fault->choice % 2 == 0);
        break;
    }
}

static void fault_of_world(struct sim *sim, struct sim_task *task, const struct sim_fault *fault)
{
    switch (fault->kind) {
    case SIM_FAULT_REBALANCE:
        sim_kafka_rebalance(&sim->kafka);
        break;
    case SIM_FAULT_SLOW_MARKERS:
        sim->slow_markers_ms = sim->now_ms + fault->ms;
        sim->kafka.marker_delay_ms = MARKERS_MS;
        break;
    case SIM_FAULT_CLOCK:
        task->clock_offset_ms = (fault->choice & 1) != 0 ? fault->ms : -fault->ms;
        task->clock_until_ms = sim->now_ms + 1 + fault->choice % 5000;
        trouble(sim, 6000 + fault->ms / TEXT_MS_PER_HOUR * SIM_W_HOUR_MS);
        break;
    case SIM_FAULT_CUT_GROUP:
        task->source.cut_until_ms = sim->now_ms + fault->ms;
        sim_kafka_silence(&sim->kafka, task->name, task->id);
        break;
    case SIM_FAULT_OVERLAP:
        task->zombie = true;
        sim->start_ms[task->name] = sim->now_ms + fault->choice % 2000;
        task->source.cut_until_ms = sim->now_ms + fault->ms;
        sim->overlap_ms = sim->now_ms + fault->ms;
        sim_kafka_silence(&sim->kafka, task->name, task->id);
        break;
    case SIM_FAULT_STOP:
        task->stop_wanted = true;
        task->restart_ms = sim->now_ms + fault->ms;
        break;
    case SIM_FAULT_RETENTION:
        retention(sim, fault);
        break;
    case SIM_FAULT_EXPIRE_OFFSETS:
    case SIM_FAULT_TRUNCATE:
    case SIM_FAULT_RECREATE:
        /* Only a group without members loses offsets; a topic is rewritten while nobody reads. */
        crash_all(sim, task, 1000);
        if (fault->kind == SIM_FAULT_EXPIRE_OFFSETS) {
            expire_offsets(sim, fault);
        } else {
            rewrite(sim, fault);
        }
        crash(task, 1000);
        break;
    default:
        fault_of_redis(sim, fault);
        break;
    }
}

/* --- a port call --- */

static void happen(struct sim_task *task, const struct sim_fault *fault)
{
    struct sim *sim = task->sim;
    sim_trace(sim, task, "FAULT %s, %lld ms", sim_fault_label(fault->kind), (long long)fault->ms);
    if (fault->kind != SIM_FAULT_CLOCK)
        trouble(sim, fault->ms);
    switch (fault->kind) {
    case SIM_FAULT_CRASH_BEFORE:
        crash(task, fault->ms);
        break;
    case SIM_FAULT_ZOMBIE_BEFORE:
        task->zombie = true;
        sim->start_ms[task->name] = sim->now_ms + fault->choice % 2000;
        pause_for(task, fault->ms);
        break;
    case SIM_FAULT_PAUSE_BEFORE:
        pause_for(task, fault->ms);
        break;
    case SIM_FAULT_CRASH_AFTER:
    case SIM_FAULT_PAUSE_AFTER:
    case SIM_FAULT_ZOMBIE_AFTER:
        task->after = fault;
        break;
    default:
        fault_of_world(sim, task, fault);
        break;
    }
}

static void latency(struct sim_task *task)
{
    struct sim *sim = task->sim;
    if (sim_random_chance(&sim->random, sim->load.slow_per_mille))
        sim_sleep(task, sim_random_between(&sim->random, 1, 60));
    else if (sim_random_chance(&sim->random, sim->load.switch_per_mille))
        sim_sleep(task, sim_random_between(&sim->random, 0, 3));
}

const struct sim_fault *sim_call_begin(struct sim_task *task, enum sim_port port)
{
    struct sim *sim = task->sim;
    const struct sim_fault *mine = NULL;
    (void)sim_memory_owner(0);
    uint32_t any = ++sim->calls, own = ++sim->port_calls[port];
    if (any > SIM_CALLS_MAX) {
        sim_violate(sim, "no end: %u port calls", any);
        crash(task, INT32_MAX);
    }
    for (uint32_t i = 0; i < sim->plan.count && !sim->stopping; i++) {
        const struct sim_fault *fault = &sim->plan.at[i];
        if (fault->nth != any && fault->nth != own)
            continue;
        enum sim_port where = sim_fault_port(fault->kind);
        if (where == SIM_PORT_ANY && fault->nth == any) {
            sim->happened++;
            happen(task, fault);
        } else if (where == port && fault->nth == own) {
            sim->happened++;
            sim_trace(sim, task, "FAULT %s", sim_fault_label(fault->kind));
            trouble(sim, fault->ms);
            mine = fault;
        }
    }
    latency(task);
    return mine;
}

void sim_call_end(struct sim_task *task)
{
    const struct sim_fault *after = task->after;
    if (after != NULL) {
        task->after = NULL;
        if (after->kind == SIM_FAULT_CRASH_AFTER)
            crash(task, after->ms);
        if (after->kind == SIM_FAULT_ZOMBIE_AFTER) {
            task->zombie = true;
            task->sim->start_ms[task->name] = task->sim->now_ms + after->choice % 2000;
        }
        pause_for(task, after->ms);
    } else {
        latency(task);
    }
    (void)sim_memory_owner(task->id);
}

int64_t sim_wall_ms(const struct sim_task *task)
{
    const struct sim *sim = task->sim;
    return sim->wall_ms + sim->now_ms +
           (sim->now_ms < task->clock_until_ms ? task->clock_offset_ms : 0);
}

struct sim_late *sim_late_new(struct sim *sim, int64_t at_ms)
{
    for (int i = 0; i < SIM_LATE_MAX; i++)
        if (!sim->late[i].used) {
            sim->late[i] = (struct sim_late){.used = true, .at_ms = at_ms};
            sim->late_used = i < sim->late_used ? sim->late_used : i + 1;
            return &sim->late[i];
        }
    return NULL;
}

/* --- the population --- */

/* The learned layer comes and goes, with other weights each time. */
static void learn_weights(struct insight *next)
{
    const double part = 0.1 * (double)(next->version % 5);
    next->learned = next->version % 3 != 0;
    const double feature[FEATURE_COUNT] = {
        [FEATURE_SCALE] = part - 0.3,   [FEATURE_LEVEL] = 0.5 - 4 * part,
        [FEATURE_FREQUENCY] = 2 * part, [FEATURE_SILENCE] = 0.4 - 3 * part,
        [FEATURE_SPEND] = part,         [FEATURE_ENGAGEMENT] = 3 * part};
    for (int i = 0; i < FEATURE_COUNT; i++)
        next->feature_weight[i] = next->learned ? feature[i] : 0;
    for (int i = 0; i < WARNING_COUNT; i++)
        next->warning_weight[i] = next->learned ? -part * (i + 1) : 0;
}

/* What the daemon's learner would make, and its offer; now and then two of them make the same
 * version at once. */
static void learn(struct sim *sim)
{
    const struct params *params = &sim->load.params[0];
    struct insight next = sim->offered;
    bool twice = next.version > 0 && next.version % 4 == 0 && next.made_ms % 2 == 0;
    next.version += !twice;
    next.made_ms = 2 * (int64_t)next.version + twice;
    next.buyers = 40;
    for (int i = 0; i < INSIGHT_CUTS; i++)
        next.value_cut_minor[i] = (int64_t)i * i * (int64_t)(1 + next.version % 3);
    next.fitted_mbg = true;
    next.mbg_r = 0.5 + 0.1 * (double)(next.version % 3);
    next.mbg_alpha = params->mbg_alpha * (1 + 0.2 * (double)(next.version % 2));
    next.mbg_a = params->mbg_a;
    next.mbg_b = params->mbg_b;
    next.gap_ms = params->population_gap_ms / (1 + next.version % 2);
    learn_weights(&next);
    MUST(insight_check(&next) == NULL);
    sim->offered = next;
    struct redis_memory_conn *conn = redis_memory_connect(sim->redis);
    struct redis redis = redis_memory_port(conn);
    struct report report = {.code = ""};
    enum status status = proposal_offer(&redis, SIM_APP, &next, SPAN_ABSENT, &report);
    sim_trace(sim, NULL, "version %u of the insight is offered: %s", (unsigned)next.version,
              status_name(status));
    redis_memory_disconnect(conn);
}

/* --- the scheduler --- */

static void append_item(struct sim *sim)
{
    struct sim_item *item = &sim->load.items[sim->next_item];
    sim->wall_ms += item->warp_ms;
    trouble(sim, 0);
    if (item->learn)
        learn(sim);
    if (item->partition >= 0) {
        struct sim_txn **txn = &sim->publisher[item->partition];
        item->entry.timestamp_ms = sim->wall_ms + sim->now_ms;
        if (item->txn == 0 && *txn == NULL) {
            (void)sim_kafka_append(&sim->kafka, SIM_INPUT, item->partition, &item->entry);
        } else {
            if (*txn == NULL)
                *txn = sim_kafka_open_txn(&sim->kafka);
            (void)sim_kafka_append_txn(&sim->kafka, *txn, SIM_INPUT, item->partition, &item->entry);
            if (item->txn >= 2) {
                sim_kafka_finish(&sim->kafka, *txn, item->txn == 2);
                *txn = NULL;
            }
        }
    }
    sim->next_item++;
    if (sim->next_item < sim->load.count) {
        sim->next_item_ms = sim->now_ms + sim->load.items[sim->next_item].after_ms;
        return;
    }
    sim->next_item_ms = INT64_MAX;
    for (int i = 0; i < SIM_PARTITIONS_MAX; i++)
        if (sim->publisher[i] != NULL) {
            sim_kafka_finish(&sim->kafka, sim->publisher[i], true);
            sim->publisher[i] = NULL;
        }
}

static void run_late(struct sim *sim, struct sim_late *late)
{
    late->used = false;
    if (late->epoch > 0) {
        enum sim_answer answer = sim_kafka_end_txn(&sim->kafka, late->name, late->epoch, true);
        sim_trace(sim, NULL, "a late EndTxn of w%d arrives: %s", late->name,
                  answer == SIM_DONE ? "done" : "refused");
    } else {
        sim_trace(sim, NULL, "a late Redis pipeline arrives");
        sim_redis_run_late(sim, late);
    }
}

/* Whatever is due at the present time and is not a worker. */
static void world_step(struct sim *sim)
{
    sim_kafka_advance(&sim->kafka, sim->now_ms);
    while (sim->next_item_ms <= sim->now_ms)
        append_item(sim);
    for (int i = 0; i < sim->late_used; i++)
        if (sim->late[i].used && sim->late[i].at_ms <= sim->now_ms)
            run_late(sim, &sim->late[i]);
    for (int name = 0; name < SIM_NAMES_MAX; name++)
        if (sim->start_ms[name] <= sim->now_ms && !sim->stopping)
            start(sim, name);
    if (sim->redis_refuse_ms != 0 && sim->redis_refuse_ms <= sim->now_ms) {
        sim->redis_refuse_ms = 0;
        redis_memory_refuse_writes(sim->redis, NULL);
    }
    if (sim->redis_again_ms != 0 && sim->redis_again_ms <= sim->now_ms)
        restart_again(sim);
    if (sim->slow_markers_ms != 0 && sim->slow_markers_ms <= sim->now_ms) {
        sim->slow_markers_ms = 0;
        sim->kafka.marker_delay_ms = 20;
    }
}

static bool name_lives(const struct sim *sim, const struct sim_task *but)
{
    for (int i = 0; i < sim->tasks_used; i++)
        if (&sim->tasks[i] != but && sim->tasks[i].state == SIM_TASK_RUNS &&
            sim->tasks[i].name == but->name)
            return true;
    return false;
}

static void ended(struct sim *sim, struct sim_task *task)
{
    size_t left = sim_memory_blocks(task->id);
    sim_trace(sim, task, "ends: %s", status_name(task->last));
#if defined(LC_PLANT_FOREIGN_OFFSETS) || defined(LC_PLANT_TXN_KEPT_LOST)
    left = 0; /* partitions kept past their loss leak: that is not what has to be seen */
#endif
    if (left > 0)
        sim_violate(sim, "a worker that was closed left %zu blocks of memory", left);
    if (task->last ==
        STATUS_FENCED) /* the unit does not restart it; the operator does if nobody is left */
        task->restart_ms = name_lives(sim, task) ? INT64_MAX : sim->now_ms + 1000;
    else if (task->last != STATUS_OK)
        task->restart_ms = sim->now_ms + 100;
    trouble(sim, task->restart_ms == INT64_MAX ? 0 : task->restart_ms - sim->now_ms);
    drop(sim, task);
}

/* Run one of the workers that may run now; false when there is none. */
static bool run_one(struct sim *sim)
{
    struct sim_task *ready[SIM_TASKS_MAX];
    uint32_t count = 0;
    for (int i = 0; i < sim->tasks_used; i++)
        if (sim->tasks[i].state == SIM_TASK_RUNS && sim->tasks[i].wake_ms <= sim->now_ms)
            ready[count++] = &sim->tasks[i];
    if (count == 0)
        return false;
    struct sim_task *task = ready[count == 1 ? 0 : sim_random_below(&sim->random, count)];
    sim_worker_resumes(task);
    sim_fiber_resume(task->fiber);
    (void)sim_memory_owner(0);
    if (task->state == SIM_TASK_CRASHED)
        drop(sim, task);
    else if (sim_fiber_done(task->fiber))
        ended(sim, task);
    return true;
}

static int64_t next_ms(const struct sim *sim)
{
    int64_t next = sim->next_item_ms;
    for (int i = 0; i < sim->tasks_used; i++)
        if (sim->tasks[i].state == SIM_TASK_RUNS && sim->tasks[i].wake_ms < next)
            next = sim->tasks[i].wake_ms;
    for (int i = 0; i < sim->late_used; i++)
        if (sim->late[i].used && sim->late[i].at_ms < next)
            next = sim->late[i].at_ms;
    for (int name = 0; name < SIM_NAMES_MAX && !sim->stopping; name++)
        if (sim->start_ms[name] < next)
            next = sim->start_ms[name];
    return next;
}

/* --- is it drained? --- */

static bool undisturbed(const struct sim *sim)
{
    if (sim->next_item < sim->load.count || sim->now_ms <= sim->last_trouble_ms ||
        sim->redis_again_ms != 0)
        return false;
    for (int i = 0; i < sim->late_used; i++)
        if (sim->late[i].used)
            return false;
    for (int i = 0; i < sim->tasks_used; i++)
        if (sim->tasks[i].state == SIM_TASK_RUNS &&
            (sim->tasks[i].paused || sim->tasks[i].stop_wanted))
            return false;
    for (int name = 0; name < SIM_NAMES_MAX; name++)
        if (sim->start_ms[name] != INT64_MAX)
            return false;
    return true;
}

/* Is time held although it need not be? */
static bool held(const struct sim *sim, const struct store_meta *meta)
{
    const int64_t wall_ms = sim->wall_ms + sim->now_ms;
    const struct store_guard *guard = &meta->guard;
    if (sim->load.clock_event)
        return false;
    return (guard->held & STORE_HELD_STORM) != 0 ||
           ((guard->held & STORE_HELD_SILENCE) != 0 &&
            sim_load_until(&sim->load, guard, wall_ms) == wall_ms);
}

/* W follows the wall's time hour by hour: so long it may still be on its way to a timer. An entry
 * of the index that is only early is never looked at when W is not behind it. */
static int64_t under_way_ms(struct sim *sim, int32_t partition, const struct store_meta *meta)
{
    const int64_t until_ms = sim_load_until(&sim->load, &meta->guard, sim->quiet_wall_ms);
    int64_t from_ms = SIM_EPOCH_MS - LATE_MAX_MS;
    from_ms = meta->watermark_ms > from_ms ? meta->watermark_ms : from_ms;
    if (sim->load.clock_event || until_ms <= from_ms || !due_in_redis(sim, partition, until_ms))
        return 0;
    return (until_ms - from_ms) / TEXT_MS_PER_HOUR * SIM_W_HOUR_MS;
}

/* Position of everything, as one number; false when a partition has not come to its end. */
static bool at_end(struct sim *sim, uint64_t *ret_mark, int32_t *ret_partition, int64_t *ret_at,
                   int64_t *ret_quiet_ms)
{
    uint64_t mark = 0;
    bool all = true;
    sim_worker_survey(sim);
    for (int32_t i = 0; i < sim->load.partitions; i++) {
        struct store_meta meta = {.watermark_ms = 0};
        int64_t end = sim_kafka_stable(&sim->kafka, SIM_INPUT, i);
        int64_t at = position_in_redis(sim, i, &meta);
        const struct sim_txn_offset *committed = &sim->kafka.committed[i];
        bool done = sim->stopped[i] || (sim->live[i] && at == end && committed->present &&
                                        committed->offset == end && !held(sim, &meta));
        int64_t quiet_ms = done ? SIM_QUIET_MS + under_way_ms(sim, i, &meta) : 0;
        *ret_quiet_ms = quiet_ms > *ret_quiet_ms ? quiet_ms : *ret_quiet_ms;
        if (!done && all) {
            all = false;
            *ret_partition = i;
            *ret_at = at;
        }
        mark = mark * 31 + (uint64_t)at * 7 + (uint64_t)meta.at.control * 11 +
               (uint64_t)meta.watermark_ms + (uint64_t)committed->offset +
               (uint64_t)sim->kafka.log[SIM_CONTROL][i].end * 3 +
               (uint64_t)sim->kafka.log[SIM_ALERTS][i].end * 5;
    }
    *ret_mark = mark;
    return all;
}

static bool drained(struct sim *sim)
{
    uint64_t mark = 0;
    int32_t partition = -1;
    int64_t at = -1, quiet_ms = SIM_QUIET_MS;
    if (!undisturbed(sim)) {
        sim->quiet_since_ms = sim->now_ms;
        sim->quiet_wall_ms = sim->wall_ms + sim->now_ms;
        return false;
    }
    bool all = at_end(sim, &mark, &partition, &at, &quiet_ms);
    if (!all && sim->now_ms > sim->last_trouble_ms + SIM_DRAIN_MS)
        sim_violate(sim,
                    "no progress: partition %d has R %lld and K %lld, its end is %lld, %d s after "
                    "the last fault",
                    partition, (long long)at,
                    (long long)(sim->kafka.committed[partition].present
                                    ? sim->kafka.committed[partition].offset
                                    : -1),
                    (long long)sim_kafka_stable(&sim->kafka, SIM_INPUT, partition),
                    SIM_DRAIN_MS / 1000);
    if (all && mark != sim->quiet_mark && sim->now_ms > sim->last_trouble_ms + SIM_DRAIN_MS)
        sim_violate(sim, "no rest: something still moves %d s after the last fault",
                    SIM_DRAIN_MS / 1000);
    /* A fault that is over at once falls between two looks. */
    if (sim->quiet_since_ms < sim->last_trouble_ms)
        sim->quiet_since_ms = sim->last_trouble_ms;
    if (!all || mark != sim->quiet_mark) {
        sim->quiet_mark = mark;
        sim->quiet_since_ms = sim->now_ms;
    }
    return sim->now_ms >= sim->quiet_since_ms + quiet_ms;
}

static void loop(struct sim *sim)
{
    int64_t look_ms = 0, stop_by_ms = INT64_MAX;
    while (sim->violation[0] == '\0') {
        world_step(sim);
        if (sim->now_ms >= look_ms && !sim->stopping) {
            look_ms = sim->now_ms + 250;
            if (drained(sim)) {
                sim->stopping = true;
                redis_memory_tear(sim->redis, 0);
                stop_by_ms = sim->now_ms + 60000;
                for (int i = 0; i < sim->tasks_used; i++)
                    sim->tasks[i].stop_wanted = true;
                sim_trace(sim, NULL, "drained: every worker is asked to stop");
            }
        }
        if (run_one(sim))
            continue;
        int64_t next = next_ms(sim);
        if (sim->stopping && next == INT64_MAX)
            return;
        if (sim->now_ms > stop_by_ms)
            sim_violate(sim, "a worker does not stop");
        if (next == INT64_MAX || (!sim->stopping && next > look_ms))
            next = look_ms;
        sim->now_ms = next > sim->now_ms ? next : sim->now_ms + 1;
    }
}

static void clear(struct sim *sim)
{
    for (int i = 0; i < sim->tasks_used; i++)
        if (sim->tasks[i].state != SIM_TASK_FREE)
            drop(sim, &sim->tasks[i]);
    for (int i = 0; i < sim->late_used; i++)
        if (sim->late[i].used && sim->late[i].conn != NULL) {
            redis_memory_disconnect(sim->late[i].conn);
            free(sim->late[i].commands);
        }
    memset(sim->late, 0, sizeof sim->late);
    sim->late_used = 0;
    redis_memory_image_free(sim->image);
    sim->image = NULL;
    redis_memory_close(sim->redis);
    sim->redis = NULL;
}

bool sim_run(struct sim *sim)
{
    (void)sim_memory_owner(0);
    sim->redis = redis_memory_open();
    sim_kafka_reset(&sim->kafka);
    sim_kafka_init(&sim->kafka, sim->load.partitions, sim->seed);
    sim->now_ms = 0;
    sim->wall_ms = SIM_EPOCH_MS;
    sim->next_item = 0;
    sim->next_item_ms = sim->load.count > 0 ? sim->load.items[0].after_ms : INT64_MAX;
    sim->redis_torn_ms = sim->redis_again_ms = sim->overlap_ms = 0;
    sim->torn = false;
    sim->redis_down_ms = sim->redis_refuse_ms = sim->redis_loading_ms = sim->slow_markers_ms = 0;
    sim->incarnations = sim->tasks_used = 0;
    sim->calls = sim->happened = 0;
    insight_init(&sim->offered);
    memset(sim->port_calls, 0, sizeof sim->port_calls);
    memset(sim->publisher, 0, sizeof sim->publisher);
    memset(sim->may_lose, 0, sizeof sim->may_lose);
    memset(sim->low_moved, 0, sizeof sim->low_moved);
    memset(sim->rewritten, 0, sizeof sim->rewritten);
    memset(sim->stopped, 0, sizeof sim->stopped);
    memset(sim->reported, 0, sizeof sim->reported);
    sim->last_trouble_ms = sim->quiet_since_ms = 0;
    sim->quiet_mark = 0;
    sim->stopping = false;
    sim->violation[0] = '\0';
    for (int name = 0; name < SIM_NAMES_MAX; name++)
        sim->start_ms[name] = name < sim->load.workers ? name * 10 : INT64_MAX;
    loop(sim);
    /* Markers of decided transactions may still be on their way to the partitions. */
    sim_kafka_advance(&sim->kafka, sim->now_ms + MARKERS_MS);
    if (sim->violation[0] == '\0')
        sim_oracle_judge(sim);
    clear(sim);
    return sim->violation[0] == '\0';
}

void sim_fini(struct sim *sim)
{
    for (int i = 0; i < SIM_TASKS_MAX; i++)
        arena_fini(&sim->tasks[i].scratch);
    for (int topic = 0; topic < SIM_TOPICS; topic++)
        for (int i = 0; i < SIM_PARTITIONS_MAX; i++)
            free(sim->kafka.log[topic][i].at);
    arena_fini(&sim->kafka.bytes);
    arena_fini(&sim->load.bytes);
}
