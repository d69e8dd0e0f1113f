/* sim_redis: faults around the port of state/redis_memory. Commands of a pipeline are run one by
 * one as their replies are taken, so that other workers come in between, as on a real server; a
 * pipeline nobody takes the replies of is run up to a random place. */
#include <stdlib.h>

#include "base/must.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_memory.h"

#define ARGC_MAX   4096
#define KEYS_SHOWN 4

void sim_redis_init(struct sim_redis *redis, struct sim_task *task)
{
    *redis = (struct sim_redis){.task = task, .broken_after = -1};
}

/* --- pipelines in memory: argc, then length and bytes of each argument --- */

static void put(struct sim_redis *redis, const void *bytes, size_t len)
{
    if (redis->len + len > redis->cap) {
        redis->cap = 2 * (redis->len + len) + 1024;
        redis->queued = realloc(redis->queued, redis->cap);
        MUST(redis->queued != NULL);
    }
    if (len > 0)
        memcpy(redis->queued + redis->len, bytes, len);
    redis->len += len;
}

static void redis_queue(void *self, size_t argc, const struct span *argv)
{
    struct sim_redis *redis = self;
    int owner = sim_memory_owner(0);
    MUST(argc <= ARGC_MAX);
    put(redis, &argc, sizeof argc);
    for (size_t i = 0; i < argc; i++) {
        put(redis, &argv[i].len, sizeof argv[i].len);
        put(redis, argv[i].at, argv[i].len);
    }
    (void)sim_memory_owner(owner);
}

/* The command in a line, bytes that are no text as dots. */
static void show(struct sim *sim, const struct sim_task *task, const struct span *argv, size_t argc)
{
    char line[240];
    size_t len = 0;
    if (sim->trace == NULL)
        return;
    bool keys = span_is(argv[0], "EXISTS") || span_is(argv[0], "UNLINK"); /* of a whole piece */
    for (size_t i = 0; i < argc && !(keys && i > KEYS_SHOWN); i++) {
        for (size_t j = 0; j < argv[i].len && j < 60 && len < sizeof line - 2; j++) {
            char byte = argv[i].at[j];
            line[len++] = (char)(byte >= ' ' && byte <= '~' ? byte : '.');
        }
        if (len < sizeof line - 2)
            line[len++] = ' ';
    }
    line[len] = '\0';
    sim_trace(sim, task, "redis: %s%s", line, keys && argc > KEYS_SHOWN ? "…" : "");
}

/* Run the command at `at` of the pipeline; where the next one is. */
static size_t run(struct sim *sim, const struct sim_task *task, struct redis_memory_conn *conn,
                  const char *commands, size_t at, const struct redis_value **ret_value)
{
    static struct span argv[ARGC_MAX];
    struct redis redis = redis_memory_port(conn);
    size_t argc = 0;
    memcpy(&argc, commands + at, sizeof argc);
    at += sizeof argc;
    for (size_t i = 0; i < argc; i++) {
        memcpy(&argv[i].len, commands + at, sizeof argv[i].len);
        argv[i].at = commands + at + sizeof argv[i].len;
        at += sizeof argv[i].len + argv[i].len;
    }
    show(sim, task, argv, argc);
    redis.queue(redis.self, argc, argv);
    MUST(redis.send(redis.self, NULL) == STATUS_OK);
    MUST(redis.reply(redis.self, ret_value, NULL) == STATUS_OK);
    if (redis_memory_died(sim->redis))
        sim_redis_died(sim);
    return at;
}

void sim_redis_run_late(struct sim *sim, struct sim_late *late)
{
    const struct redis_value *value = NULL;
    const uint64_t epoch = sim->redis_epoch;
    for (size_t at = 0; at < late->len && sim->redis_epoch == epoch;)
        at = run(sim, NULL, late->conn, late->commands, at, &value);
    redis_memory_disconnect(late->conn);
    free(late->commands);
}

/* The connection is gone; how much of what was sent the server still runs is chance. */
static void disconnect(struct sim_redis *redis, uint32_t per_mille)
{
    const struct redis_value *value = NULL;
    struct sim *sim = redis->task->sim;
    if (redis->conn != NULL) {
        while (redis->run_at < redis->len && redis->count > 0 &&
               redis->server_epoch == sim->redis_epoch &&
               sim_random_chance(&sim->random, per_mille))
            redis->run_at = run(redis->task->sim, redis->task, redis->conn, redis->queued,
                                redis->run_at, &value);
        redis_memory_disconnect(redis->conn);
    }
    redis->conn = NULL;
    redis->len = redis->run_at = 0;
    redis->count = 0;
    redis->broken_after = -1;
}

static bool connected(const struct sim_redis *redis)
{
    return redis->conn != NULL && redis->server_epoch == redis->task->sim->redis_epoch;
}

/* A connection of another server life is noticed when it is used. */
static void notice(struct sim_redis *redis)
{
    if (redis->conn != NULL && !connected(redis))
        disconnect(redis, 0);
}

static bool connect_now(struct sim_redis *redis)
{
    struct sim *sim = redis->task->sim;
    if (sim->redis_down_ms > sim->now_ms)
        return false;
    if (redis->conn == NULL) {
        redis->conn = redis_memory_connect(sim->redis);
        redis->server_epoch = sim->redis_epoch;
        redis->number++;
    }
    return true;
}

/* Where the command behind the one at `at` begins. */
static size_t skip(const struct sim_redis *redis, size_t at)
{
    size_t argc = 0, len = 0;
    memcpy(&argc, redis->queued + at, sizeof argc);
    at += sizeof argc;
    for (size_t i = 0; i < argc; i++) {
        memcpy(&len, redis->queued + at, sizeof len);
        at += sizeof len + len;
    }
    return at;
}

static uint32_t count_commands(const struct sim_redis *redis)
{
    uint32_t count = 0;
    for (size_t at = redis->run_at; at < redis->len; count++)
        at = skip(redis, at);
    return count;
}

/* What was sent arrives after its sender has given up: it waits at the world's door with its
 * connection. */
static void send_late(struct sim_redis *redis, int64_t ms)
{
    struct sim *sim = redis->task->sim;
    struct sim_late *late = sim_late_new(sim, sim->now_ms + ms);
    if (late == NULL) {
        disconnect(redis, 0);
        return;
    }
    late->conn = redis->conn;
    late->commands = malloc(redis->len + 1);
    MUST(late->commands != NULL);
    memcpy(late->commands, redis->queued, redis->len);
    late->len = redis->len;
    redis->conn = NULL;
    disconnect(redis, 0);
}

static void act_out(struct sim_redis *redis, const struct sim_fault *fault)
{
    const struct redis_value *value = NULL;
    switch (fault->kind) {
    case SIM_FAULT_REDIS_CUT_AFTER:
        while (redis->run_at < redis->len && connected(redis))
            redis->run_at = run(redis->task->sim, redis->task, redis->conn, redis->queued,
                                redis->run_at, &value);
        redis->broken_after = 0;
        break;
    case SIM_FAULT_REDIS_LATE:
        send_late(redis, fault->ms);
        break;
    default:
        MUST(fault->kind == SIM_FAULT_REDIS_CUT_BEFORE);
        break;
    }
}

/* In an overlap the old owner's connections break now and then. */
static bool zombie_cut(struct sim_task *task)
{
    struct sim *sim = task->sim;
    return task->zombie && sim->overlap_ms > sim->now_ms && sim_random_chance(&sim->random, 100);
}

static enum status redis_send(void *self, struct report *report)
{
    struct sim_redis *redis = self;
    struct sim_task *task = redis->task;
    bool was_connected = redis->conn != NULL; /* as the client knows it */
    const struct sim_fault *fault = sim_call_begin(task, SIM_PORT_REDIS_SEND);
    enum status status = STATUS_OK;
    MUST(redis->count == 0);
    notice(redis);
    if ((was_connected && redis->conn == NULL) || !connect_now(redis) ||
        (fault != NULL && fault->kind == SIM_FAULT_REDIS_CUT_BEFORE) || zombie_cut(task)) {
        disconnect(redis, 0);
        report_set(report, "redis-away", "the simulation says so");
        status = STATUS_RETRY;
        sim_sleep(task, 20);
    } else {
        redis->count = count_commands(redis);
        if (fault != NULL)
            act_out(redis, fault);
    }
    sim_call_end(task);
    return status;
}

/* A server that loads its data answers nothing else. */
static const struct redis_value *loading(struct sim_redis *redis)
{
    redis->error = (struct redis_value){
        .type = REDIS_ERROR,
        .text = SPAN_LITERAL("LOADING Redis is loading the dataset in memory"),
    };
    return &redis->error;
}

static enum status redis_reply(void *self, const struct redis_value **ret_value,
                               struct report *report)
{
    struct sim_redis *redis = self;
    struct sim_task *task = redis->task;
    const struct sim_fault *fault = sim_call_begin(task, SIM_PORT_REDIS_REPLY);
    enum status status = STATUS_OK;
    notice(redis);
    if (redis->conn == NULL || redis->broken_after == 0 || fault != NULL) {
        disconnect(redis, 700);
        report_set(report, "redis-cut", "the simulation says so");
        status = STATUS_RETRY;
    } else {
        MUST(redis->count > 0); /* a reply that nobody asked for would block for ever */
        if (task->sim->redis_loading_ms > task->sim->now_ms) {
            *ret_value = loading(redis);
            redis->run_at = skip(redis, redis->run_at);
        } else {
            redis->run_at = run(redis->task->sim, redis->task, redis->conn, redis->queued,
                                redis->run_at, ret_value);
        }
        if (--redis->count == 0)
            redis->len = redis->run_at = 0;
        if (!connected(redis)) { /* the server died of it: nobody got the answer */
            disconnect(redis, 0);
            report_set(report, "redis-cut", "the simulation says so");
            status = STATUS_RETRY;
        }
    }
    sim_call_end(task);
    return status;
}

static void redis_forget(void *self)
{
    struct sim_redis *redis = self;
    int owner = sim_memory_owner(0);
    if (redis->conn != NULL) {
        struct redis inner = redis_memory_port(redis->conn);
        inner.forget(inner.self);
    }
    (void)sim_memory_owner(owner);
}

static uint64_t redis_connection(void *self)
{
    const struct sim_redis *redis = self;
    return redis->conn != NULL ? redis->number : 0;
}

static void redis_close(void *self)
{
    struct sim_redis *redis = self;
    int owner = sim_memory_owner(0);
    disconnect(redis, 700);
    (void)sim_memory_owner(owner);
}

static enum status factory_connect(void *self, int32_t partition, struct redis *ret_redis,
                                   struct report *report)
{
    struct sim_task *task = self;
    struct sim_redis *redis = &task->redis[partition];
    const struct sim_fault *fault = sim_call_begin(task, SIM_PORT_CONNECT);
#if !defined(LC_PLANT_FOREIGN_OFFSETS) && !defined(LC_PLANT_TXN_KEPT_LOST)
    if (redis->used)
        sim_violate(task->sim, "a second connection for partition %d of one worker", partition);
#endif
    if (fault != NULL) {
        report_set(report, "redis-away", "the simulation says so");
        sim_sleep(task, 50);
    } else {
        redis->used = true;
        *ret_redis = (struct redis){
            .self = redis,
            .queue = redis_queue,
            .send = redis_send,
            .reply = redis_reply,
            .forget = redis_forget,
            .connection = redis_connection,
            .close = redis_close,
        };
    }
    sim_call_end(task);
    return fault != NULL ? STATUS_RETRY : STATUS_OK;
}

static void release(struct sim_redis *redis)
{
    disconnect(redis, 700);
    free(redis->queued);
    redis->queued = NULL;
    redis->cap = redis->len = redis->run_at = 0;
    redis->used = false;
}

static void factory_release(void *self, int32_t partition, struct redis redis)
{
    struct sim_task *task = self;
    int owner = sim_memory_owner(0);
    MUST(redis.self == &task->redis[partition]);
    release(&task->redis[partition]);
    (void)sim_memory_owner(owner);
}

struct worker_redis_factory sim_redis_factory(struct sim_task *task)
{
    return (struct worker_redis_factory){
        .self = task, .connect = factory_connect, .release = factory_release};
}

void sim_redis_abandon(struct sim_task *task)
{
    for (int i = 0; i < SIM_PARTITIONS_MAX; i++)
        release(&task->redis[i]);
}
