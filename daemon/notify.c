/* notify: see the header. */
#include "daemon/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

void notify_init(struct notify *notify)
{
    uint64_t usec = 0;

    *notify = (struct notify){0};
    if (sd_watchdog_enabled(0, &usec) > 0)
        notify->watchdog_ms = (int64_t)(usec / 2000);
}

void notify_ready(struct notify *notify)
{
    if (notify->ready)
        return;
    notify->ready = true;
    (void)sd_notify(0, "READY=1");
}

void notify_status(struct notify *notify, int64_t now_ms, const char *text)
{
    if (strncmp(text, notify->status, sizeof notify->status - 1) == 0)
        return;
    if (notify->status[0] && now_ms - notify->status_ms < 1000)
        return;
    (void)snprintf(notify->status, sizeof notify->status, "%s", text);
    notify->status_ms = now_ms;
    (void)sd_notifyf(0, "STATUS=%s", notify->status);
}

void notify_watchdog(struct notify *notify, int64_t now_ms, bool alive)
{
    if (notify->watchdog_ms == 0 || !alive ||
        (notify->fed_ms != 0 && now_ms - notify->fed_ms < notify->watchdog_ms))
        return;
    notify->fed_ms = now_ms;
    (void)sd_notify(0, "WATCHDOG=1");
}

void notify_reloading(int64_t now_ms)
{
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, now_ms * 1000);
}

void notify_reloaded(void)
{
    (void)sd_notify(0, "READY=1");
}

void notify_stopping(const char *why)
{
    (void)sd_notifyf(0, "STOPPING=1\nSTATUS=%s", why);
}
