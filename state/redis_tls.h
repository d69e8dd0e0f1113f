/* redis_tls: TLS for redis_client: verified certificate, checked host name. Where hiredis has no
 * TLS (before 1.0) opening says so. */
#ifndef LC_STATE_REDIS_TLS_H
#define LC_STATE_REDIS_TLS_H

#include "state/redis_client.h"

struct redis_tls;
struct redisContext;

/* Reads the certificates. `host`: the name to check when options give none. REJECT: no TLS in this
 * build, or a file that cannot be used. */
enum status redis_tls_open(const struct redis_client_options *options, const char *host,
                           struct redis_tls **ret_tls, struct report *report) LC_CHECKED;
/* The handshake on a fresh connection. REJECT: the server's certificate is not accepted. RETRY: the
 * connection broke. */
enum status redis_tls_start(struct redis_tls *tls, struct redisContext *context,
                            struct report *report) LC_CHECKED;
void redis_tls_close(struct redis_tls *tls); /* accepts NULL */

#endif
