/* A redis-server of the test's own, on a unix socket in a directory of its own, ended with the
 * test. */
#ifndef LC_TESTS_STATE_REDIS_SERVER_H
#define LC_TESTS_STATE_REDIS_SERVER_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state/redis_client.h"

struct redis_server {
    pid_t pid;
    char dir[64], address[128], acl[96];
    const char *extra[16]; /* further arguments, ended by NULL */
    struct redis_client_options options;
};

static inline bool redis_server_installed(void)
{
    return access("/usr/bin/redis-server", X_OK) == 0;
}

static inline void redis_server_run(struct redis_server *server)
{
    char socket[96];
    const char *argv[32] = {"redis-server", "--port", "0",     "--unixsocket", socket, "--save", "",
                            "--appendonly", "no",     "--dir", server->dir};
    size_t argc = 11;

    snprintf(socket, sizeof socket, "%s/redis.sock", server->dir);
    if (server->acl[0]) {
        argv[argc++] = "--aclfile";
        argv[argc++] = server->acl;
    }
    for (size_t i = 0; i < sizeof server->extra / sizeof *server->extra && server->extra[i]; i++)
        argv[argc++] = server->extra[i];
    server->pid = fork();
    if (server->pid != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!freopen("/dev/null", "w", stdout))
        _exit(1);
    execv("/usr/bin/redis-server", (char *const *)(uintptr_t)argv);
    _exit(1);
}

/* The socket's file is there a moment before it is listened on: only a connection tells. */
static inline bool redis_server_wait(const struct redis_server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "%s/redis.sock", server->dir);
    for (int i = 0; i < 500; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        bool there = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;

        close(fd);
        if (there)
            return true;
        usleep(10000);
    }
    return false;
}

/* A directory and an address; then extra arguments may be given and the server run. */
static inline bool redis_server_prepare(struct redis_server *server)
{
    memset(server, 0, sizeof *server);
    snprintf(server->dir, sizeof server->dir, "/tmp/lc-redis-XXXXXX");
    if (!mkdtemp(server->dir))
        return false;
    snprintf(server->address, sizeof server->address, "unix:%s/redis.sock", server->dir);
    server->options = (struct redis_client_options){
        .address = server->address, .connect_timeout_ms = 1000, .command_timeout_ms = 5000};
    return true;
}

/* Runs it and waits until it listens. `acl`: text of an ACL file, or NULL. */
static inline bool redis_server_start(struct redis_server *server, const char *acl)
{
    if (!redis_server_prepare(server))
        return false;
    if (acl) {
        FILE *file;

        snprintf(server->acl, sizeof server->acl, "%s/users.acl", server->dir);
        file = fopen(server->acl, "w");
        if (!file || fputs(acl, file) < 0 || fclose(file) != 0)
            return false;
    }
    redis_server_run(server);
    return redis_server_wait(server);
}

static inline void redis_server_stop(struct redis_server *server)
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
