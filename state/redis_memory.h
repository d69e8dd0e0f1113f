/* redis_memory: an in-process Redis with the commands the store uses (PING HELLO AUTH ROLE CONFIG
 * INFO TYPE EXISTS DEL HSET HDEL HGET HMGET HGETALL HLEN ZADD[LT|GT] ZREM ZRANGEBYSCORE ZRANGE
 * ZCARD ZSCORE WATCH UNWATCH MULTI EXEC DISCARD SCAN UNLINK), Redis 7's replies and WATCH
 * semantics. Many connections to one data set. For the simulation (which can save and restore the
 * whole data set: a rollback), for offline folds, for fast tests. */
#ifndef LC_STATE_REDIS_MEMORY_H
#define LC_STATE_REDIS_MEMORY_H

#include "state/redis.h"

struct redis_memory;      /* the server */
struct redis_memory_conn; /* one connection */

struct redis_memory *redis_memory_open(void);
void redis_memory_close(struct redis_memory *server); /* its connections first */
struct redis_memory_conn *redis_memory_connect(struct redis_memory *server);
struct redis redis_memory_port(struct redis_memory_conn *conn);
void redis_memory_disconnect(struct redis_memory_conn *conn);

/* A copy of the data set (not of connections); loading one touches every key, so each standing
 * WATCH breaks as after a restart. The image is the caller's, to be freed by
 * redis_memory_image_free. */
struct redis_memory_image;
struct redis_memory_image *redis_memory_save(const struct redis_memory *server);
void redis_memory_load(struct redis_memory *server,
                       const struct redis_memory_image *image); /* NULL: wipe */
void redis_memory_image_free(struct redis_memory_image *image);
/* Every write command is answered with this error line until NULL is set ("OOM command not allowed
 * ...", "READONLY ..."). */
void redis_memory_refuse_writes(struct redis_memory *server, const char *error);

/* The append-only file will end inside the next transaction of two commands or more: it is not run,
 * and the server dies. `draw` says how many of its commands are in the file; 0: it will
 * not, after all. */
void redis_memory_tear(struct redis_memory *server, uint32_t draw);
/* Has it died just now? Told once; its connections are to be closed. */
bool redis_memory_died(struct redis_memory *server);
/* The second restart after that: what was in the file of the torn transaction, and everything
 * since. false: none was torn, or the data set was loaded since. */
bool redis_memory_restart(struct redis_memory *server);

#endif
