/* simulate: publish a seeded population with known parameters, to stdout or Kafka. */
#include <string.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/text.h"
#include "ctl/behaviour.h"
#include "ctl/ctl.h"
#include "ctl/kafka_client.h"
#include "ctl/outgoing_of.h"
#include "ctl/servers.h"

struct simulate {
    struct behaviour_options population;
    const char *config_path, *brokers, *topic, *format;
    int64_t seed, customers, events_max, rate;
    double speed;
    bool stdout_only, json;
};

/* Holds the stream back to `rate` events a second, or event time to `speed` times real time. */
static void pace(const struct simulate *s, const struct clock *clock, int64_t begun_ms,
                 int64_t sent, int64_t event_ms)
{
    double due_ms = 0;
    if (s->rate > 0)
        due_ms = (double)sent * 1000 / (double)s->rate;
    if (s->speed > 0) {
        double wait = (double)(event_ms - s->population.start_ms) / s->speed;
        due_ms = wait > due_ms ? wait : due_ms;
    }
    while (!ctl_interrupted()) {
        double left = due_ms - (double)(clock_mono_ms(clock) - begun_ms);
        if (left <= 0)
            return;
        ctl_nap(left > 50 ? 50 : (int64_t)left + 1);
    }
}

static enum status publish(const struct simulate *s, struct kafka_producer *producer,
                           const struct outgoing *event, struct report *report)
{
    char buffer[OUTGOING_MAX];
    size_t len = 0;
    bool msgpack = strcmp(s->format, "msgpack") == 0;
    MUST((msgpack ? outgoing_msgpack(event, buffer, &len) : outgoing_json(event, buffer, &len)) ==
         STATUS_OK);
    if (producer)
        return kafka_producer_send(producer, s->topic, event->customer, (struct span){buffer, len},
                                   report);
    if (fwrite(buffer, 1, len, stdout) != len || (!msgpack && putchar('\n') == EOF)) {
        report_set(report, "stdout", "cannot write to standard output");
        return STATUS_REJECT;
    }
    return STATUS_OK;
}

static int simulate_run(const struct simulate *s, struct kafka_producer *producer)
{
    struct clock clock = clock_system();
    int64_t begun = clock_mono_ms(&clock), sent = 0;
    struct report report = {0};
    struct behaviour_event event;
    struct outgoing outgoing;
    struct behaviour *behaviour = behaviour_open(&s->population);
    if (!behaviour)
        return ctl_fail(CTL_UNAVAILABLE, "simulate: no memory for %lld customers",
                        (long long)s->customers);
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !ctl_interrupted() &&
           (s->events_max == 0 || sent < s->events_max) && behaviour_next(behaviour, &event)) {
        pace(s, &clock, begun, sent, event.time_ms);
        outgoing_of(&event, &outgoing);
        status = publish(s, producer, &outgoing, &report);
        if (status == STATUS_OK)
            sent++;
        ctl_progress("simulate: events", sent, 0);
    }
    behaviour_close(behaviour);
    if (producer && status == STATUS_OK)
        status = kafka_producer_flush(producer, 60000, &report);
    if (status != STATUS_OK)
        return ctl_fail_report(CTL_UNAVAILABLE, &report);
    double seconds = (double)(clock_mono_ms(&clock) - begun) / 1000;
    fprintf(stderr, "simulate: %lld events of %lld customers in %.1f s\n", (long long)sent,
            (long long)s->customers, seconds);
    return CTL_OK;
}

int simulate_command(int argc, char **argv)
{
    struct simulate s = {.format = "json", .seed = 1, .customers = 1000};
    struct behaviour_options *p = &s.population;
    *p = behaviour_default();
    const struct ctl_option options[] = {
        {CTL_TEXT, "config", "FILE", "configuration of the daemon to publish to (default: stdout)",
         &s.config_path},
        {CTL_TEXT, "brokers", "HOSTS", "publish here, with defaults for the rest", &s.brokers},
        {CTL_TEXT, "topic", "NAME", "instead of the configured input topic", &s.topic},
        {CTL_TEXT, "format", "json|msgpack", "payload (default json)", &s.format},
        {CTL_COUNT, "seed", "N", "same seed, same stream (default 1)", &s.seed},
        {CTL_COUNT, "customers", "N", "size of the population (default 1000)", &s.customers},
        {CTL_COUNT, "events", "N", "stop after N events (default: to the end of the days)",
         &s.events_max},
        {CTL_TIME, "start", "DATE", "first day (default 2024-01-01)", &p->start_ms},
        {CTL_COUNT, "days", "N", "days simulated (default 730)", &p->days},
        {CTL_COUNT, "rate", "N", "at most N events a second (default: flat out)", &s.rate},
        {CTL_NUMBER, "speed", "X",
         "event time runs X times as fast as real time (default: flat out)", &s.speed},
        {CTL_NUMBER, "r", "X", "MBG/NBD r (default 1.1)", &p->r},
        {CTL_NUMBER, "alpha", "DAYS", "MBG/NBD alpha in days (default 40)", &p->alpha_days},
        {CTL_NUMBER, "a", "X", "MBG/NBD a (default 0.7)", &p->a},
        {CTL_NUMBER, "b", "X", "MBG/NBD b (default 3.5)", &p->b},
        {CTL_NUMBER, "gg-p", "X", "Gamma-Gamma p (default 6.25)", &p->p},
        {CTL_NUMBER, "gg-q", "X", "Gamma-Gamma q (default 3.74)", &p->q},
        {CTL_NUMBER, "gg-gamma", "X", "Gamma-Gamma gamma in EUR (default 15.44)", &p->gamma},
        {CTL_END, NULL, NULL, NULL, NULL},
    };
    ctl_options(argc, argv, "simulate [--config FILE | --brokers HOSTS] [OPTIONS]", options, 0, 0);
    if (strcmp(s.format, "json") != 0 && strcmp(s.format, "msgpack") != 0)
        return ctl_fail(CTL_USAGE, "simulate: --format is json or msgpack, not '%s'", s.format);
    if (s.customers < 1 || s.customers > 50000000 || p->days < 1 || p->days > 36500)
        return ctl_fail(CTL_USAGE, "simulate: --customers is 1 to 50000000 and --days 1 to 36500");
    if (!(p->r > 0 && p->alpha_days > 0 && p->a > 0 && p->b > 0 && p->p > 0 && p->q > 0 &&
          p->gamma > 0))
        return ctl_fail(CTL_USAGE, "simulate: model parameters must be above 0");
    p->seed = (uint64_t)s.seed;
    p->customers = (uint32_t)s.customers;
    if (!s.config_path && !s.brokers)
        return simulate_run(&s, NULL);
    struct servers servers;
    struct kafka_producer *producer = NULL;
    struct report report = {0};
    int failed = servers_load(&servers, s.config_path, s.brokers, NULL);
    if (failed)
        return failed;
    if (!s.topic)
        s.topic = servers_input_topic(&servers);
    if (kafka_producer_open(&servers.kafka, &producer, &report) != STATUS_OK)
        return ctl_fail_report(CTL_UNAVAILABLE, &report);
    int result = simulate_run(&s, producer);
    kafka_producer_close(producer);
    servers_close(&servers);
    return result;
}
