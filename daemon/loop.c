/* loop: see the header. The admin's thread looks at the runners itself; what it shares with this
 * thread is read-only. */
#include "daemon/loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"
#include "daemon/health.h"
#include "daemon/log.h"
#include "daemon/metrics.h"
#include "daemon/notify.h"

#define TICK_MS 200

struct loop {
    const struct loop_options *options;
    struct runner **runners;
    struct runner_view *views;       /* of this thread */
    struct runner_view *admin_views; /* of the admin's */
    struct metrics_input figures;    /* start time */
    struct admin *admin;
    struct learner *learner;
    struct notify notify;
    int signals;
    int64_t began_ms, stop_at_ms; /* mono; stop_at_ms 0: not stopping */
    int exit_status;
    bool told_ready;
    char reason[300]; /* last logged */
};

static int64_t now_ms(const struct loop *loop)
{
    return clock_mono_ms(&loop->options->clock);
}

static void look(const struct loop *loop, struct runner_view *views, struct health *ret_health)
{
    for (int i = 0; i < loop->options->workers; i++)
        runner_view(loop->runners[i], &views[i]);
    health_of(views, (size_t)loop->options->workers, now_ms(loop), now_ms(loop) - loop->began_ms,
              ret_health);
}

/* --- the learner, in its thread --- */

static enum status learner_connect(void *self, struct redis *ret_redis, struct report *report)
{
    const struct learner_options *options = &((struct loop *)self)->options->learner;

    return options->connect(options->self, ret_redis, report);
}

static void learner_disconnect(void *self)
{
    const struct learner_options *options = &((struct loop *)self)->options->learner;

    options->disconnect(options->self);
}

static int32_t learner_partitions(void *self)
{
    const struct learner_options *options = &((struct loop *)self)->options->learner;

    return options->partitions(options->self);
}

static bool learner_owns(void *self)
{
    const struct loop *loop = self;

    for (int i = 0; i < loop->options->workers; i++)
        if (runner_live(loop->runners[i], 0))
            return true;
    return false;
}

static void learner_known(void *self, struct insight *ret_insight)
{
    const struct loop *loop = self;

    insight_init(ret_insight);
    for (int i = 0; i < loop->options->workers; i++) {
        struct insight one;

        runner_insight(loop->runners[i], &one);
        if (insight_newer(&one, ret_insight))
            *ret_insight = one;
    }
}

static bool start_learner(struct loop *loop)
{
    struct learner_options options = loop->options->learner;

    options.self = loop;
    options.connect = learner_connect;
    options.disconnect = learner_disconnect;
    options.partitions = learner_partitions;
    options.owns = learner_owns;
    options.known = learner_known;
    loop->learner = learner_start(&options);
    return loop->learner != NULL;
}

/* --- pages, in the admin's thread --- */

static void page_metrics(void *self, FILE *out)
{
    struct loop *loop = self;
    struct metrics_input input = loop->figures;
    struct learner_view learned;
    struct health health;

    look(loop, loop->admin_views, &health);
    input.views = loop->admin_views;
    input.health = &health;
    input.now_ms = now_ms(loop);
    learner_view(loop->learner, &learned);
    input.learned = &learned;
    input.wall_ms = clock_wall_ms(&loop->options->clock);
    metrics_process(&input);
    metrics_write(out, &input);
}

static bool page_live(void *self, FILE *out)
{
    struct loop *loop = self;
    struct health health;

    look(loop, loop->admin_views, &health);
    fprintf(out, "%s\n", health.live ? "ok" : "stalled: a worker shows no progress");
    return health.live;
}

static bool page_ready(void *self, FILE *out)
{
    struct loop *loop = self;
    struct report report = {0};
    struct health health;

    look(loop, loop->admin_views, &health);
    if (health.ready && loop->options->redis(loop->options->self, &report) != STATUS_OK) {
        fprintf(out, "%s: %s\n", report.code, report.text);
        return false;
    }
    fprintf(out, "%s\n", health.reason);
    if (health.note[0])
        fprintf(out, "%s\n", health.note);
    if (health.held[0])
        fprintf(out, "%s\n", health.held);
    return health.ready;
}

static enum status page_customer(void *self, struct span id, char *buffer, size_t cap,
                                 size_t *ret_len, struct report *report)
{
    struct loop *loop = self;

    return loop->options->customer(loop->options->self, id, buffer, cap, ret_len, report);
}

static enum status open_admin(struct loop *loop, struct report *report)
{
    struct admin_pages pages = {.self = loop,
                                .metrics = page_metrics,
                                .live = page_live,
                                .ready = page_ready,
                                .customer = page_customer};
    struct admin_options options = {.listen = loop->options->listen};
    enum status status;

    if (!options.listen[0])
        return STATUS_OK;
    status = loop->options->token(loop->options->self, &options.token, report);
    if (status != STATUS_OK)
        return status;
    return admin_open(&options, pages, &loop->admin, report);
}

/* A process that was killed a moment ago may hold the address for another one. */
static enum status wait_admin(struct loop *loop, struct report *report)
{
    const struct timespec nap = {.tv_nsec = 200000000};
    enum status status = open_admin(loop, report);

    for (int i = 0; i < 25 && status == STATUS_RETRY; i++) {
        (void)nanosleep(&nap, NULL);
        status = open_admin(loop, report);
    }
    return status;
}

/* --- signals --- */

void loop_block_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGPIPE);
    MUST(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
}

static int open_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void begin_stop(struct loop *loop, const char *why, int exit_status)
{
    if (loop->stop_at_ms)
        return;
    log_line(LOG_LEVEL_NOTICE, "stopping", -1, "%s: finishing what is begun, leaving within %d s",
             why, loop->options->stop_ms / 1000);
    notify_stopping(why);
    loop->stop_at_ms = now_ms(loop) + loop->options->stop_ms;
    loop->exit_status = exit_status;
    learner_quit(loop->learner);
    for (int i = 0; i < loop->options->workers; i++)
        runner_stop(loop->runners[i], loop->options->stop_ms / 2);
}

static void reload(struct loop *loop)
{
    struct report report = {0};

    log_line(LOG_LEVEL_NOTICE, "reloading", -1, "SIGHUP: reading the secrets again");
    notify_reloading(now_ms(loop));
    for (int i = 0; i < loop->options->workers; i++)
        runner_reload(loop->runners[i]);
    admin_close(loop->admin); /* its token may be another now */
    loop->admin = NULL;
    if (open_admin(loop, &report) != STATUS_OK)
        log_report(LOG_LEVEL_ERROR, &report);
    notify_reloaded();
}

static void take_signals(struct loop *loop)
{
    struct signalfd_siginfo signal;

    while (read(loop->signals, &signal, sizeof signal) == (ssize_t)sizeof signal) {
        if (signal.ssi_signo == SIGHUP)
            reload(loop);
        else
            begin_stop(loop, signal.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT", 0);
    }
}

/* --- what is told --- */

static void tell(struct loop *loop, const struct health *health)
{
    int64_t now = now_ms(loop);

    if (!loop->stop_at_ms)
        notify_status(&loop->notify, now, health->status);
    /* Waiting for Kafka or Redis is a working state: systemd must not restart us for it. */
    if (health->settled && (health->ready || strncmp(health->reason, "joining", 7) != 0))
        notify_ready(&loop->notify);
    notify_watchdog(&loop->notify, now, health->live);
    if (health->ready && health->partitions > 0 && !loop->told_ready) {
        log_line(LOG_LEVEL_NOTICE, "ready", -1, "%s", health->status);
        loop->told_ready = true;
    } else if (!health->ready && loop->told_ready && !loop->stop_at_ms) {
        log_line(LOG_LEVEL_NOTICE, "not-ready", -1, "%s", health->reason);
        loop->told_ready = false;
    }
}

static bool all_ended(const struct loop *loop)
{
    for (int i = 0; i < loop->options->workers; i++)
        if (!runner_ended(loop->runners[i]))
            return false;
    return true;
}

static const char *why_of(int exit_status)
{
    switch (exit_status) {
    case EXIT_FENCED:
        return "a newer process of the same name took over";
    case EXIT_OPERATOR:
        return "every partition waits for the operator's decision";
    default:
        return "the settings cannot work";
    }
}

static void turn(struct loop *loop)
{
    struct pollfd signals = {.fd = loop->signals, .events = POLLIN};
    struct health health;

    if (poll(&signals, 1, TICK_MS) > 0)
        take_signals(loop);
    look(loop, loop->views, &health);
    tell(loop, &health);
    if (health.exit_status >= 0)
        begin_stop(loop, why_of(health.exit_status), health.exit_status);
}

/* --- life --- */

static bool start_runners(struct loop *loop)
{
    for (int i = 0; i < loop->options->workers; i++) {
        loop->runners[i] = runner_start(i, loop->options->ports, loop->options->clock);
        if (!loop->runners[i])
            return false;
    }
    return true;
}

static void close_loop(struct loop *loop)
{
    admin_close(loop->admin);
    learner_stop(loop->learner);
    if (!all_ended(loop)) {
        /* A call into a library that does not return: nothing is lost by leaving (the protocol is
         * made for kill -9), but joining would wait for it. */
        log_line(LOG_LEVEL_WARNING, "stop-timeout", -1,
                 "a worker did not end in time; leaving without it");
        _exit(loop->exit_status);
    }
    for (int i = 0; i < loop->options->workers; i++)
        runner_free(loop->runners[i]);
    free(loop->runners);
    free(loop->views);
    free(loop->admin_views);
    (void)close(loop->signals);
}

int loop_run(const struct loop_options *options)
{
    size_t workers = (size_t)options->workers;
    struct loop loop = {
        .options = options,
        .runners = calloc(workers, sizeof *loop.runners),
        .views = calloc(workers, sizeof *loop.views),
        .admin_views = calloc(workers, sizeof *loop.admin_views),
        .signals = open_signals(),
        .figures = {.view_count = workers, .kafka_library = options->kafka_library},
    };
    struct report report = {0};

    MUST(loop.runners != NULL);
    MUST(loop.views != NULL);
    MUST(loop.admin_views != NULL);
    MUST(loop.signals >= 0);
    metrics_process(&loop.figures);
    notify_init(&loop.notify);
    loop.began_ms = now_ms(&loop);
    MUST(start_runners(&loop));
    MUST(start_learner(&loop));
    if (wait_admin(&loop, &report) != STATUS_OK) {
        log_report(LOG_LEVEL_ERROR, &report);
        begin_stop(&loop, report.text, EXIT_CONFIG);
    } else if (loop.admin) {
        log_line(LOG_LEVEL_INFO, "http", -1, "listening on %s", options->listen);
    }
    while (!all_ended(&loop) && (!loop.stop_at_ms || now_ms(&loop) < loop.stop_at_ms))
        turn(&loop);
    if (!loop.stop_at_ms) { /* they ended by themselves between two turns */
        struct health health;

        look(&loop, loop.views, &health);
        loop.exit_status = health.exit_status > 0 ? health.exit_status : 0;
    }
    log_line(LOG_LEVEL_NOTICE, "stopped", -1, "status %d", loop.exit_status);
    close_loop(&loop);
    return loop.exit_status;
}
