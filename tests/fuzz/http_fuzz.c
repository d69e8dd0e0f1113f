/* The bytes of an HTTP connection: answered as HTTP or not at all; a customer's page only for who
 * knows the token. The server is the daemon's, on a socket of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/must.h"
#include "daemon/admin.h"
#include "tests/fuzz/fuzz.h"

#define TOKEN "sesame"
#define PAGE  "{\"page\":\"of a customer\"}"

static struct admin *admin;
static char folder[64], path[96];

static void page_metrics(void *self, FILE *out)
{
    (void)self;
    fputs("lifecycled_up 1\n", out);
}

static bool page_check(void *self, FILE *out)
{
    (void)self;
    fputs("ok\n", out);
    return true;
}

static enum status page_customer(void *self, struct span id, char *buffer, size_t cap,
                                 size_t *ret_len, struct report *report)
{
    (void)self;
    (void)report;
    MUST(id.len > 0 && id.len <= 128);
    if (id.at[0] != 'c')
        return STATUS_GONE;
    *ret_len = (size_t)snprintf(buffer, cap, "%s", PAGE);
    return STATUS_OK;
}

static void stop(void)
{
    admin_close(admin);
    (void)rmdir(folder);
}

static void start(void)
{
    char listen[128];
    struct admin_options options = {.listen = listen, .token = TOKEN};
    struct admin_pages pages = {.metrics = page_metrics,
                                .live = page_check,
                                .ready = page_check,
                                .customer = page_customer};
    struct report report;

    (void)snprintf(folder, sizeof folder, "/tmp/lc-http-XXXXXX");
    MUST(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    (void)snprintf(listen, sizeof listen, "unix:%s", path);
    MUST(admin_open(&options, pages, &admin, &report) == STATUS_OK);
    MUST(atexit(stop) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char end[] = "\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    const struct timeval patience = {.tv_usec = 5000};
    static char answer[1 << 18];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t sent = 0, size = 0;
    ssize_t got;
    int fd;

    if (!admin)
        start();
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    MUST(fd >= 0);
    MUST(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    while (sent < len && (got = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL)) > 0)
        sent += (size_t)got;
    /* libmicrohttpd waits ADMIN_TIMEOUT_S for the rest of a request, half-closed or not. */
    (void)send(fd, end, sizeof end - 1, MSG_NOSIGNAL);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    while (size < sizeof answer && (got = recv(fd, answer + size, sizeof answer - size, 0)) > 0)
        size += (size_t)got;
    (void)close(fd);
    MUST(size < 5 || memcmp(answer, "HTTP/", 5) == 0);
    if (memmem(answer, size, PAGE, sizeof PAGE - 1))
        MUST(memmem(bytes, len, TOKEN, sizeof TOKEN - 1));
    return 0;
}
