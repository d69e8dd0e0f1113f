/* redis_client: struct redis over a real server by hiredis (≥ 0.14; TLS where hiredis ≥ 1.0 has
 * it). The server is at a fixed address, or where Sentinel says the primary is: then each connect
 * asks anew, and goes only to a server that says it is a primary itself. */
#ifndef LC_STATE_REDIS_CLIENT_H
#define LC_STATE_REDIS_CLIENT_H

#include "state/redis.h"

struct redis_client;

struct redis_client_options {
    const char *address;   /* "unix:/path" or "host:port" or "[v6]:port"; unused with sentinels */
    const char *sentinels; /* "host:port,..."; NULL: none */
    const char *master;    /* its name there; with sentinels only */
    const char *sentinel_username, *sentinel_password; /* NULL: none */
    const char *username;                              /* NULL: default user */
    const char *password; /* NULL: none; read anew at every connect: secrets may rotate */
    int database;
    int connect_timeout_ms, command_timeout_ms;
    bool tls;
    const char *tls_ca_file;                  /* NULL: the system's */
    const char *tls_cert_file, *tls_key_file; /* of this client; NULL: none */
    const char *tls_server_name;              /* to check; NULL: the host connected to */
    bool allow_plaintext; /* a remote address without TLS is refused unless set */
};

/* Does not connect yet. Copies nothing: options must outlive the client. REJECT with words when the
 * options cannot work (plaintext to a remote host, TLS not in this build). RETRY: no memory. */
enum status redis_client_open(const struct redis_client_options *options,
                              struct redis_client **ret_client, struct report *report) LC_CHECKED;
struct redis redis_client_port(struct redis_client *client);
void redis_client_close(struct redis_client *client); /* accepts NULL */

#endif
