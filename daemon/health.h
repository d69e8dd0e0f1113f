/* health: is the process alive, is it ready, and why not: from the views of its workers. Pure. Told
 * as /livez, /readyz, STATUS= and the exit status. */
#ifndef LC_DAEMON_HEALTH_H
#define LC_DAEMON_HEALTH_H

#include "daemon/runner.h"

/* Longer without any sign of progress is a hang: a call into librdkafka may take 15 s. */
#define HEALTH_STALL_MS 45000
/* Longer than this is not ready, though it may be only a slow call. */
#define HEALTH_SLOW_MS 5000

/* For so long a process without partitions is joining the group; then it is a standby, and ready:
 * there can be more workers than partitions. Above the time for which a killed namesake keeps its
 * partitions. */
#define HEALTH_JOINING_MS 20000

/* Exit statuses of the daemon (docs/OPERATIONS.md). */
enum {
    EXIT_OPERATOR = 76, /* every partition waits for the operator's decision */
    EXIT_FENCED = 77,   /* a newer process of the same name took over */
    EXIT_CONFIG = 78    /* bad configuration (EX_CONFIG of sysexits.h) */
};

struct health {
    bool live;       /* no worker hangs */
    bool ready;      /* every worker runs and every partition owned is live */
    bool settled;    /* it is known whether it is ready: start-up is over */
    int exit_status; /* ≥ 0: the process should end with it; −1: go on */
    int64_t lag;     /* events, all partitions */
    size_t partitions;
    bool backup_passed; /* Kafka no longer holds what came after some partition's newest backup */
    char reason[300];   /* "ok", or why not ready: code, then words */
    char note[200];     /* empty, or what is no reason but wants somebody's attention */
    char held[120];     /* empty, or what holds time, on how many partitions */
    char status[400];   /* for people: "4 partitions live, lag 0, 12 alerts" */
};

/* up_ms: since the process started. */
void health_of(const struct runner_view *views, size_t count, int64_t now_ms, int64_t up_ms,
               struct health *ret_health);
/* Records of a partition not applied yet; 0 while its end is not known. */
int64_t health_lag(const struct partition_status *partition);
const char *health_held_label(uint32_t held); /* of one of STORE_HELD_* */
const char *health_phase_label(enum partition_phase phase);

#endif
