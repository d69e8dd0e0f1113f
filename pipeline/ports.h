/* ports: everything a worker stands on, in one struct that its parts share: options, source, sink,
 * Redis connections, clock, cache, log, and the counters of this worker's own thread. Private to
 * the worker. */
#ifndef LC_PIPELINE_PORTS_H
#define LC_PIPELINE_PORTS_H

#include "pipeline/worker.h"

struct ports {
    struct worker_options
        options; /* decode.partitions is replaced by the real count at the first claim */
    struct source source;
    struct sink sink;
    struct worker_redis_factory redis;
    struct clock clock;
    struct cache *cache;
    struct worker_log log;
    struct worker_stats stats;
    struct params wanted;      /* options.params with the newest insight known over them */
    char cfg[STORE_CFG_BYTES]; /* fingerprint of `wanted` */
    char *params_text;         /* canonical text of `wanted` */
    size_t params_text_len;
};

/* Makes `wanted`: the configured parameters, and over them the insight when it is newer than the
 * one known. Whoever follows a pointer into it over several calls keeps a copy. false: no memory,
 * what was wanted stays. */
bool ports_learn(struct ports *ports, const struct insight *insight);
void ports_fini(struct ports *ports); /* of what ports_learn made; accepts zeroed */

/* One line for the log. partition −1: none in particular. */
void ports_log(const struct ports *ports, enum worker_severity severity, int32_t partition,
               const char *code, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* A named place where the tests may end the process. */
static inline void crash_point(const char *name)
{
    if (worker_crash_point != NULL)
        worker_crash_point(name);
}

#endif
