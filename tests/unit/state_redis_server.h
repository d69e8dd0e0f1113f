/* A redis-server of the test's own, on a unix socket in a directory of its own, ended with the
 * test. */
#ifndef LC_TESTS_STATE_REDIS_SERVER_H
#define LC_TESTS_STATE_REDIS_SERVER_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state/redis_client.h"

struct redis_server {
    pid_t pid;
    char dir[64], address[128], acl[96];
    struct redis_client_options options;
};

static bool redis_server_installed(void)
{
    return access("/usr/bin/redis-server", X_OK) == 0;
}

static void redis_server_run(struct redis_server *server)
{
    char socket[96];

    snprintf(socket, sizeof socket, "%s/redis.sock", server->dir);
    server->pid = fork();
    if (server->pid != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!freopen("/dev/null", "w", stdout))
        _exit(1);
    execl("/usr/bin/redis-server", "redis-server", "--port", "0", "--unixsocket", socket, "--save",
          "", "--appendonly", "no", "--dir", server->dir,
          server->acl[0] ? "--aclfile" : "--loglevel", server->acl[0] ? server->acl : "warning",
          (char *)NULL);
    _exit(1);
}

/* Waits until it answers. `acl`: text of an ACL file, or NULL. */
static bool redis_server_start(struct redis_server *server, const char *acl)
{
    memset(server, 0, sizeof *server);
    snprintf(server->dir, sizeof server->dir, "/tmp/lc-redis-XXXXXX");
    if (!mkdtemp(server->dir))
        return false;
    snprintf(server->address, sizeof server->address, "unix:%s/redis.sock", server->dir);
    if (acl) {
        FILE *file;

        snprintf(server->acl, sizeof server->acl, "%s/users.acl", server->dir);
        file = fopen(server->acl, "w");
        if (!file || fputs(acl, file) < 0 || fclose(file) != 0)
            return false;
    }
    server->options = (struct redis_client_options){
        .address = server->address, .connect_timeout_ms = 1000, .command_timeout_ms = 5000};
    redis_server_run(server);
    for (int i = 0; i < 500; i++) {
        if (access(server->address + 5, F_OK) == 0)
            return true;
        usleep(10000);
    }
    return false;
}

static void redis_server_stop(struct redis_server *server)
{
    char path[96];

    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
    }
    snprintf(path, sizeof path, "%s/redis.sock", server->dir);
    unlink(path);
    if (server->acl[0])
        unlink(server->acl);
    rmdir(server->dir);
    server->pid = 0;
}

#endif
