/* The worker under failing allocations. Its Redis and Kafka live in the same process; what they
 * allocate stands for another machine's memory and is exempt. */
#include "base/must.h"
#include "state/redis_memory.h"
#include "tests/torture/torture.h"

/* --- a Redis whose own memory never fails --- */

#define CONNECTIONS 8

static struct far {
    struct redis redis; /* self NULL: free */
    struct redis_memory_conn *conn;
} far[CONNECTIONS];

static void far_queue(void *self, size_t argc, const struct span *argv)
{
    struct far *f = self;
    torture_exempt(1);
    f->redis.queue(f->redis.self, argc, argv);
    torture_exempt(-1);
}

static enum status far_send(void *self, struct report *report)
{
    struct far *f = self;
    torture_exempt(1);
    enum status status = f->redis.send(f->redis.self, report);
    torture_exempt(-1);
    return status;
}

static enum status far_reply(void *self, const struct redis_value **ret_value,
                             struct report *report)
{
    struct far *f = self;
    torture_exempt(1);
    enum status status = f->redis.reply(f->redis.self, ret_value, report);
    torture_exempt(-1);
    return status;
}

static void far_forget(void *self)
{
    struct far *f = self;
    f->redis.forget(f->redis.self);
}

static uint64_t far_connection(void *self)
{
    struct far *f = self;
    return f->redis.connection(f->redis.self);
}

static void far_close(void *self)
{
    struct far *f = self;
    f->redis.close(f->redis.self);
}

static struct redis far_connect(struct redis_memory *server)
{
    size_t i = 0;
    while (i < CONNECTIONS && far[i].conn != NULL)
        i++;
    MUST(i < CONNECTIONS);
    torture_exempt(1);
    far[i].conn = redis_memory_connect(server);
    far[i].redis = redis_memory_port(far[i].conn);
    torture_exempt(-1);
    return (struct redis){&far[i],    far_queue,      far_send, far_reply,
                          far_forget, far_connection, far_close};
}

static void far_disconnect(void *self)
{
    struct far *f = self;
    redis_memory_disconnect(f->conn);
    *f = (struct far){0};
}

#define redis_memory_port(redis)     (redis)
#define redis_memory_connect(server) far_connect(server)
#define redis_memory_disconnect(at)  far_disconnect(at)
#include "tests/unit/pipeline_world.h"

enum { EVENTS = 90, CUSTOMERS = 40 };

static struct world world; /* large: not on a stack */

/* Forty customers: more than a bucket, so that one is split; most of them fall silent. */
static void load(void)
{
    char customer[16];
    for (int i = 0; i < EVENTS; i++) {
        (void)snprintf(customer, sizeof customer, "c%d", i * 7 % CUSTOMERS);
        world_event(&world, customer, i % 3 ? "Order Completed" : "Signed Up",
                    WORLD_T0 + i * WORLD_DAY);
    }
}

static size_t undisturbed(void)
{
    static size_t alerts;
    if (alerts > 0)
        return alerts;
    world_start(&world, FOLD_CLOCK_EVENT);
    load();
    (void)world_run(&world, 100);
    alerts = world.alerts;
    MUST(world_status(&world).customers == CUSTOMERS);
    world_end(&world);
    return alerts;
}

void torture_worker_open(long from, long width)
{
    world_start(&world, FOLD_CLOCK_EVENT);
    worker_close(world.worker);
    torture_arm(from, width);
    world.worker = world_worker(&world);
    (void)torture_disarm();
    if (world.worker != NULL)
        worker_close(world.worker);
    world.worker = world_worker(&world);
    MUST(world.worker != NULL);
    world_end(&world);
}

/* As the daemon's runner does: a worker that is of no use any more is closed, and another opened.
 */
static void run(int steps)
{
    struct report report;
    for (int i = 0; i < steps; i++) {
        enum status status = world.worker ? worker_step(world.worker, &report) : STATUS_FATAL;
        if (status != STATUS_FATAL)
            continue;
        if (world.worker != NULL)
            worker_close(world.worker);
        world_forget_staged(&world);
        world.change = SOURCE_ASSIGNED;
        world.fetching = false;
        world.worker = world_worker(&world);
    }
}

/* After the failures everything is as if they had not been. */
void torture_worker_day(long from, long width)
{
    const size_t alerts = undisturbed();
    world_start(&world, FOLD_CLOCK_EVENT);
    load();
    torture_arm(from, width);
    run(40);
    torture_exempt(1);
    redis_memory_load(world.redis, NULL);
    torture_exempt(-1);
    run(40);
    (void)torture_disarm();
    world.now_ms += 60000; /* whatever it waits for is over */
    run(200);
    struct partition_status status = world_status(&world);
    MUST(status.phase == PARTITION_LIVE);
    MUST(status.customers == CUSTOMERS);
    MUST(status.at.offset == EVENTS);
    MUST(world.k == EVENTS);
    MUST(world.alerts == alerts);
    world_no_alert_twice(&world);
    world_end(&world);
}
