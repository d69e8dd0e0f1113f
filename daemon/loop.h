/* loop: the main thread: signals, the workers' threads, systemd, HTTP, until there is a reason to
 * end.
 *
 * SIGTERM, SIGINT: drain and leave, bounded by `stop_ms`. SIGHUP: read the secrets again. The
 * signals must be blocked in every thread before loop_run(); main does it first of all. */
#ifndef LC_DAEMON_LOOP_H
#define LC_DAEMON_LOOP_H

#include "daemon/admin.h"
#include "daemon/learner.h"
#include "daemon/runner.h"

struct loop_options {
    struct runner_ports ports;
    int workers;
    struct clock clock;
    const char *listen;        /* of the admin; "": none */
    const char *kafka_library; /* version, for build_info */
    int stop_ms;
    /* With connections and settings; who owns what and what is known is the loop's to tell. */
    struct learner_options learner;
    void *self; /* of the functions below */
    /* Token of the admin, read anew; see wiring_token. */
    enum status (*token)(void *self, const char **ret_token, struct report *report);
    /* Is Redis fit? Called in the admin's thread, as customer is. */
    enum status (*redis)(void *self, struct report *report);
    enum status (*customer)(void *self, struct span id, char *buffer, size_t cap, size_t *ret_len,
                            struct report *report);
};

/* The exit status: 0 after a stop that was asked for, else one of daemon/health.h. */
int loop_run(const struct loop_options *options);
void loop_block_signals(void);

#endif
