/* admin: HTTP for machines and operators: GET /metrics, /livez, /readyz, /customers/{id}. One
 * thread of its own, bounded: connections, memory and time a connection. Pages come through struct
 * admin_pages, so that this file knows HTTP and nothing else.
 *
 * /customers is personal data: off loopback it needs `Authorization: Bearer TOKEN`, compared in
 * constant time, and is refused when no token is configured. */
#ifndef LC_DAEMON_ADMIN_H
#define LC_DAEMON_ADMIN_H

#include <stdbool.h>
#include <stdio.h>

#include "base/report.h"
#include "base/span.h"
#include "base/status.h"

#define ADMIN_CONNECTIONS_MAX 32
#define ADMIN_MEMORY_MAX      16384 /* bytes a connection: request line and headers */
#define ADMIN_TIMEOUT_S       10
#define ADMIN_CUSTOMER_MAX    65536 /* bytes of a customer's page */

/* Called from the admin's thread. */
struct admin_pages {
    void *self;
    void (*metrics)(void *self, FILE *out);
    bool (*live)(void *self, FILE *out);  /* writes a line; false: 503 */
    bool (*ready)(void *self, FILE *out); /* the same */
    /* JSON of one customer into buffer. OK; GONE: no such customer (404); RETRY with words: not now
     * (503). */
    enum status (*customer)(void *self, struct span id, char *buffer, size_t cap, size_t *ret_len,
                            struct report *report);
};

struct admin_options {
    const char *listen; /* host:port or unix:/path */
    const char *token;  /* NULL: none. Borrowed */
};

struct admin;

/* REJECT with words: address unusable. RETRY: taken, maybe by one that is about to end. */
enum status admin_open(const struct admin_options *options, struct admin_pages pages,
                       struct admin **ret_admin, struct report *report) LC_CHECKED;
int admin_port(const struct admin *admin); /* where it listens; 0 for a unix socket */
void admin_close(struct admin *admin);     /* accepts NULL */
/* Equal, in time that depends on the length of `given` only. */
bool admin_token_equal(struct span given, struct span token);

#endif
