/* roster: which process answers to an instance name now, in one hash in Redis, `{app:roster}`:
 *
 *   NAME   the process that signed last
 *
 * A process signs before it joins the consumer group. One that finds itself fenced there looks who
 * signed last: another process is a rival that took over; itself means that the group met an old
 * request of its own, and that it may join anew. Losing the hash harms nobody: nobody is a rival
 * then. */
#ifndef LC_STATE_ROSTER_H
#define LC_STATE_ROSTER_H

#include "state/redis.h"

/* `name` answers to `process` from now on. RETRY: Redis is away or refuses. */
enum status roster_sign(struct redis *redis, const char *app, const char *name, const char *process,
                        struct report *report) LC_CHECKED;
/* *ret_rival: somebody else than `process` signed last. RETRY as above. */
enum status roster_look(struct redis *redis, const char *app, const char *name, const char *process,
                        bool *ret_rival, struct report *report) LC_CHECKED;

#endif
