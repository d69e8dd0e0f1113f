/* redis: the port to a Redis server: queue commands, send them in one go, take the replies in
 * order. state/redis_client.c is the only user of hiredis; state/redis_memory.c is a small
 * in-process server for the simulation, offline folds and tests.
 *
 * One struct redis is one connection: WATCH, MULTI and EXEC belong to it. Depth is bounded by the
 * caller (one step at a time). */
#ifndef LC_STATE_REDIS_H
#define LC_STATE_REDIS_H

#include <stdint.h>

#include "base/report.h"
#include "base/span.h"
#include "base/status.h"

enum redis_type { REDIS_NIL, REDIS_STATUS, REDIS_ERROR, REDIS_INT, REDIS_BULK, REDIS_ARRAY };

struct redis_value {
    enum redis_type type;
    int64_t integer;                 /* INT */
    struct span text;                /* STATUS, ERROR, BULK */
    const struct redis_value *items; /* ARRAY */
    size_t count;
};

struct redis {
    void *self;
    /* Queue one command; bytes are copied. Errors show at send or reply. */
    void (*queue)(void *self, size_t argc, const struct span *argv);
    /* Send what is queued, connecting first when there is no connection (authenticating,
     * selecting). RETRY: not connected (report says why; also when the server refuses us or we
     * its certificate: both may be put right while we wait); what was queued is dropped. */
    enum status (*send)(void *self, struct report *report) LC_CHECKED;
    /* Next reply in order, blocking up to the command timeout. Valid until `forget`. RETRY: the
     * connection broke: the outcome of everything unanswered is unknown, the connection is closed.
     * An error reply is OK with type REDIS_ERROR. */
    enum status (*reply)(void *self, const struct redis_value **ret_value,
                         struct report *report) LC_CHECKED;
    /* All replies taken so far become void. */
    void (*forget)(void *self);
    /* Number of the connection, from 1, counted up at each (re)connect: a WATCH older than this is
     * gone. 0: not connected now; only then may the next send connect. */
    uint64_t (*connection)(void *self);
    void (*close)(void *self); /* drop the connection now; the handle stays usable */
};

#endif
