/* wiring: from the configuration to the parts of each worker: Kafka clients, Redis connections,
 * cache, options; and the page of a customer. Part of main: with main.c the only place that names
 * adapters. */
#ifndef LC_DAEMON_WIRING_H
#define LC_DAEMON_WIRING_H

#include "config/config.h"
#include "daemon/learner.h"
#include "daemon/runner.h"

struct wiring;

/* config is borrowed. brokers: NULL, or the embedded cluster's address instead of the configured
 * one. REJECT with words: settings that cannot work together with this build, a secret that cannot
 * be read. */
enum status wiring_open(const struct config *config, const char *embedded_brokers,
                        struct wiring **ret_wiring, struct report *report) LC_CHECKED;
void wiring_close(struct wiring *wiring); /* after the runners; accepts NULL */

struct runner_ports wiring_ports(struct wiring *wiring);
/* Settings and the connection of the learner's thread; owns and known are not set. */
struct learner_options wiring_learner(struct wiring *wiring);
/* The admin's token, read anew; NULL: none. Valid until the next call. REJECT: configured but
 * unreadable. */
enum status wiring_token(struct wiring *wiring, const char **ret_token,
                         struct report *report) LC_CHECKED;
/* The two below use one connection of their own: the admin's thread only. self is the wiring.
 * Is Redis there and fit? A worker without records does not ask it. */
enum status wiring_redis(void *self, struct report *report) LC_CHECKED;
/* For struct admin_pages. */
enum status wiring_customer(void *self, struct span id, char *buffer, size_t cap, size_t *ret_len,
                            struct report *report) LC_CHECKED;

#endif
