/* terminal: what a person at a terminal sees of a running command: errors, progress, the end by
 * Ctrl-C. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/ctl.h"

int ctl_fail(int status, const char *format, ...)
{
    va_list arguments;
    fputs("lifecyclectl: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return status;
}

int ctl_fail_report(int status, const struct report *report)
{
    return ctl_fail(status, "%s [%s]", report->text, report->code);
}

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    if (interrupted)
        _exit(130); /* the second Ctrl-C means it */
    interrupted = 1;
}

bool ctl_interrupted(void)
{
    static bool installed;
    if (!installed) {
        struct sigaction action = {.sa_handler = on_signal};
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        installed = true;
    }
    return interrupted != 0;
}

void ctl_nap(int64_t ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

void ctl_progress(const char *what, int64_t done, int64_t total)
{
    static int64_t shown_ms;
    static int terminal = -1;
    if (terminal < 0)
        terminal = isatty(STDERR_FILENO);
    if (!terminal)
        return;
    struct clock clock = clock_system();
    int64_t now = clock_mono_ms(&clock);
    bool last = total > 0 && done >= total;
    if (!last && now - shown_ms < 100)
        return;
    shown_ms = now;
    if (total > 0) {
        int filled = (int)(done * 30 / total);
        fprintf(stderr, "\r%s [%.*s%.*s] %lld of %lld ", what, filled,
                "##############################", 30 - filled, "..............................",
                (long long)done, (long long)total);
    } else {
        fprintf(stderr, "\r%s %lld ", what, (long long)done);
    }
    if (last)
        fputc('\n', stderr);
    fflush(stderr);
}
