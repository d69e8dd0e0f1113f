/* child: a process of ours, started with its output in a file and stopped by pid. */
#ifndef LC_CTL_CHILD_H
#define LC_CTL_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/* Starts argv[0] (found in PATH), stdout and stderr appended to `log`. −1: could not be started. It
 * ends when we end. */
pid_t child_start(const char *const *argv, const char *log);
/* Has it ended? *ret_status is its exit status, or 128 + signal. */
bool child_ended(pid_t pid, int *ret_status);
/* SIGTERM, and SIGKILL after `seconds`. Accepts pid ≤ 0. */
void child_stop(pid_t pid, int seconds);

#endif
