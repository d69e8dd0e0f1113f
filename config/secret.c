#include "config/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool secret_locate(const char *place, const char *fallback, char ret_path[SECRET_PATH_MAX])
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    int len;

    if (place[0] == '/' || (place[0] != '\0' && !folder)) {
        len = snprintf(ret_path, SECRET_PATH_MAX, "%s", place);
        return len > 0 && len < SECRET_PATH_MAX;
    }
    if (!folder || folder[0] != '/')
        return false;
    len = snprintf(ret_path, SECRET_PATH_MAX, "%s/%s", folder, place[0] ? place : fallback);
    if (len <= 0 || len >= SECRET_PATH_MAX)
        return false;
    return place[0] != '\0' || access(ret_path, F_OK) == 0;
}

void secret_wipe(struct secret *secret)
{
    explicit_bzero(secret, sizeof(*secret));
}

/* All of the file, one byte more than allowed at most. */
static ssize_t read_all(int file, char *bytes, size_t cap)
{
    size_t len = 0;

    while (len < cap) {
        ssize_t got = read(file, bytes + len, cap - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    return (ssize_t)len;
}

static const char *content_fault(ssize_t len, struct secret *secret)
{
    if (len < 0)
        return strerror(errno);
    if (len > SECRET_BYTES_MAX)
        return "longer than a secret can be";
    secret->len = (size_t)len;
    if (secret->len > 0 && secret->text[secret->len - 1] == '\n')
        secret->len--;
    if (secret->len > 0 && secret->text[secret->len - 1] == '\r')
        secret->len--;
    secret->text[secret->len] = '\0';
    if (secret->len == 0)
        return "empty";
    if (memchr(secret->text, '\0', secret->len))
        return "holds a zero byte";
    return NULL;
}

enum status secret_read(const char *path, struct secret *ret_secret, struct report *report)
{
    const char *fault = NULL;
    struct stat stat;
    int file;

    secret_wipe(ret_secret);
    file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file < 0 || fstat(file, &stat) != 0)
        fault = strerror(errno);
    else if (!S_ISREG(stat.st_mode))
        fault = "not a file";
    else if (stat.st_mode & S_IROTH)
        fault = "readable by everybody; chmod o-r it";
    else
        fault =
            content_fault(read_all(file, ret_secret->text, sizeof(ret_secret->text)), ret_secret);
    if (file >= 0)
        close(file);
    if (!fault)
        return STATUS_OK;
    secret_wipe(ret_secret);
    report_set(report, "secret", "the secret in %s can't be used: %s", path, fault);
    return STATUS_REJECT;
}
