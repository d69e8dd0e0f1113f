/* notify: what systemd is told: READY, STATUS, WATCHDOG, STOPPING, RELOADING (sd_notify(3)). Silent
 * when not started by systemd. */
#ifndef LC_DAEMON_NOTIFY_H
#define LC_DAEMON_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

struct notify {
    bool ready;          /* told */
    char status[256];    /* last told */
    int64_t status_ms;   /* mono, when */
    int64_t watchdog_ms; /* half of WatchdogSec; 0: no watchdog */
    int64_t fed_ms;      /* mono, when */
};

void notify_init(struct notify *notify);
void notify_ready(struct notify *notify); /* the first time only */
/* Told when the text changed, at most once a second. */
void notify_status(struct notify *notify, int64_t now_ms, const char *text);
/* To be called often; feeds when half the time has gone by and `alive`. */
void notify_watchdog(struct notify *notify, int64_t now_ms, bool alive);
void notify_reloading(int64_t now_ms);
void notify_reloaded(void);
void notify_stopping(const char *why);

#endif
