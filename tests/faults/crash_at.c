/* crash_at: linked into lifecycled_crashing, a daemon for the fault battery that kills itself (as
 * kill -9 does) at the nth passage of a named point of the commit protocol: LC_CRASH_AT=NAME:N. The
 * product has no such door: only this executable is linked with this file. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/worker.h"

static char point[64];
static long left;

static void pass(const char *name)
{
    if (strcmp(name, point) == 0 && __atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST) == 0)
        (void)kill(getpid(), SIGKILL);
}

__attribute__((constructor)) static void arm(void)
{
    const char *text = getenv("LC_CRASH_AT");
    const char *colon = text ? strchr(text, ':') : NULL;

    if (!colon || (size_t)(colon - text) >= sizeof point)
        return;
    memcpy(point, text, (size_t)(colon - text));
    left = strtol(colon + 1, NULL, 10);
    worker_crash_point = pass;
}
