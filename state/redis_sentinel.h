/* redis_sentinel: where the primary is, asked of Redis Sentinel (redis.io, "Guidelines for Redis
 * clients with support for Redis Sentinel").
 *
 * Stricter than the guideline in one point: the first answer is not enough. A Sentinel that is cut
 * off from the others names the primary of before the failover, and that one may still be up and
 * say it is a primary. So half of the list at least has to answer, and the answer of the newest
 * configuration epoch is taken, none older than one seen before. */
#ifndef LC_STATE_REDIS_SENTINEL_H
#define LC_STATE_REDIS_SENTINEL_H

#include "state/redis_client.h"

#define REDIS_HOST_MAX      256
#define REDIS_SENTINELS_MAX 32

struct redis_sentinel;

struct redis_place {
    char host[REDIS_HOST_MAX]; /* without brackets */
    int port;                  /* 1–65535 */
};

/* "host:port", "[v6]:port". REJECT: neither. */
enum status redis_place_parse(struct span text, struct redis_place *ret_place) LC_CHECKED;
/* On this machine, as far as its name tells. */
bool redis_place_is_local(const struct redis_place *place);

/* Reads options->sentinels; connects to nothing. The options must outlive it. REJECT with words: no
 * list of host:port, or one that is remote without TLS and without allow_plaintext. */
enum status redis_sentinel_open(const struct redis_client_options *options,
                                struct redis_sentinel **ret_sentinel,
                                struct report *report) LC_CHECKED;
/* Asks, waiting for each Sentinel at most the connect timeout a step. Whether the place found is a
 * primary is for the caller to ask there (ROLE). RETRY: fewer than half answer, or what they know
 * is older than what was known before. REJECT: the same, and one of them refuses us (password,
 * name of the master, certificate, TLS not in this build). */
enum status redis_sentinel_find(struct redis_sentinel *sentinel, struct redis_place *ret_primary,
                                struct report *report) LC_CHECKED;
void redis_sentinel_close(struct redis_sentinel *sentinel); /* accepts NULL */

#endif
