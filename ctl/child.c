/* child: fork, exec, wait. */
#include "ctl/child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/ctl.h"

pid_t child_start(const char *const *argv, const char *log)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setpgid(0, 0); /* Ctrl-C is for us; the children are stopped in order */
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (out < 0 || in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(127);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

bool child_ended(pid_t pid, int *ret_status)
{
    int status;
    if (waitpid(pid, &status, WNOHANG) != pid)
        return false;
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
}

void child_stop(pid_t pid, int seconds)
{
    int status;
    if (pid <= 0 || kill(pid, SIGTERM) != 0)
        return;
    for (int i = 0; i < seconds * 50; i++) {
        if (child_ended(pid, &status))
            return;
        ctl_nap(20);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
}
