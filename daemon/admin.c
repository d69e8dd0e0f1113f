/* admin: see the header. */
#include "daemon/admin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "config/config.h"
#include "model/event.h"

struct admin {
    struct MHD_Daemon *http;
    struct admin_pages pages;
    const char *token;
    bool loopback;
    int port;
    char path[108]; /* of the unix socket, to be removed; "" for TCP */
};

bool admin_token_equal(struct span given, struct span token)
{
    unsigned difference = given.len != token.len;

    for (size_t i = 0; i < given.len; i++)
        difference |= (unsigned)((unsigned char)given.at[i] ^
                                 (unsigned char)(token.len ? token.at[i % token.len] : 0));
    return difference == 0 && token.len > 0;
}

/* --- answers --- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              const char *text, size_t len)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result;

    if (!response)
        return MHD_NO;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (status == MHD_HTTP_UNAUTHORIZED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status,
                                   const char *text)
{
    return answer(connection, status, "text/plain; charset=utf-8", text, strlen(text));
}

/* A page written through stdio into memory. */
static enum MHD_Result answer_page(struct MHD_Connection *connection, const char *type, void *self,
                                   void (*metrics)(void *self, FILE *out),
                                   bool (*check)(void *self, FILE *out))
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    bool well = true;
    enum MHD_Result result;

    if (!out)
        return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory\n");
    if (metrics)
        metrics(self, out);
    else
        well = check(self, out);
    if (fclose(out) != 0 || !text)
        result = answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory\n");
    else
        result =
            answer(connection, well ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, type, text, len);
    free(text);
    return result;
}

static bool allowed(const struct admin *admin, struct MHD_Connection *connection)
{
    const char *given =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    static const char scheme[] = "Bearer ";

    if (!admin->token)
        return admin->loopback;
    if (!given || strncasecmp(given, scheme, sizeof scheme - 1) != 0)
        return false;
    return admin_token_equal(span_of(given + sizeof scheme - 1), span_of(admin->token));
}

static enum MHD_Result answer_customer(struct admin *admin, struct MHD_Connection *connection,
                                       const char *text)
{
    struct span id = span_of(text); /* libmicrohttpd has undone %xx */
    struct report report = {0};
    size_t len = 0;
    char *buffer;
    enum MHD_Result result;

    if (!allowed(admin, connection))
        return answer_text(connection, MHD_HTTP_UNAUTHORIZED, "a bearer token is needed\n");
    if (id.len == 0 || id.len > EVENT_CUSTOMER_BYTES_MAX || !text_utf8_valid(id))
        return answer_text(connection, MHD_HTTP_BAD_REQUEST,
                           "a customer's id is 1 to 128 bytes of UTF-8\n");
    buffer = malloc(ADMIN_CUSTOMER_MAX);
    if (!buffer)
        return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory\n");
    switch (
        admin->pages.customer(admin->pages.self, id, buffer, ADMIN_CUSTOMER_MAX, &len, &report)) {
    case STATUS_OK:
        result = answer(connection, MHD_HTTP_OK, "application/json", buffer, len);
        break;
    case STATUS_GONE:
        result = answer_text(connection, MHD_HTTP_NOT_FOUND, "no such customer\n");
        break;
    default:
        (void)snprintf(buffer, ADMIN_CUSTOMER_MAX, "%s: %s\n", report.code, report.text);
        result = answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, buffer);
    }
    free(buffer);
    return result;
}

static enum MHD_Result on_request(void *self, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    static const char customers[] = "/customers/";
    struct admin *admin = self;

    (void)version;
    (void)upload;
    (void)state;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        *upload_size = 0;
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n");
    }
    if (strcmp(url, "/metrics") == 0)
        return answer_page(connection, "text/plain; version=0.0.4; charset=utf-8",
                           admin->pages.self, admin->pages.metrics, NULL);
    if (strcmp(url, "/livez") == 0)
        return answer_page(connection, "text/plain; charset=utf-8", admin->pages.self, NULL,
                           admin->pages.live);
    if (strcmp(url, "/readyz") == 0)
        return answer_page(connection, "text/plain; charset=utf-8", admin->pages.self, NULL,
                           admin->pages.ready);
    if (strncmp(url, customers, sizeof customers - 1) == 0)
        return answer_customer(admin, connection, url + sizeof customers - 1);
    return answer_text(connection, MHD_HTTP_NOT_FOUND, "/metrics /livez /readyz /customers/{id}\n");
}

/* --- listening --- */

static int listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    (void)unlink(path); /* of a process that was killed */
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        listen(fd, ADMIN_CONNECTIONS_MAX) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static int listen_tcp(const char *host, int port, int *ret_port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    char service[8];
    int fd = -1, yes = 1;

    (void)snprintf(service, sizeof service, "%d", port);
    if (getaddrinfo(host, service, &hints, &list) != 0)
        return -1;
    for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
            continue;
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        if (bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, ADMIN_CONNECTIONS_MAX) != 0) {
            int error = errno;

            (void)close(fd);
            errno = error;
            fd = -1;
        }
    }
    freeaddrinfo(list);
    if (fd >= 0 && getsockname(fd, (struct sockaddr *)&bound, &len) == 0)
        *ret_port =
            ntohs(bound.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&bound)->sin6_port
                                              : ((const struct sockaddr_in *)&bound)->sin_port);
    return fd;
}

static enum status start(struct admin *admin, int fd, const char *listen, struct report *report)
{
    admin->http = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL, 0, NULL, NULL, on_request, admin,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)ADMIN_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)ADMIN_TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)ADMIN_MEMORY_MAX, MHD_OPTION_END);
    if (admin->http)
        return STATUS_OK;
    (void)close(fd);
    report_set(report, "http-listen", "http.listen %s: the server can't start", listen);
    return STATUS_REJECT;
}

enum status admin_open(const struct admin_options *options, struct admin_pages pages,
                       struct admin **ret_admin, struct report *report)
{
    struct config_address address;
    struct admin *admin;
    enum status status;
    int fd;

    if (config_address_parse(options->listen, &address) != STATUS_OK) {
        report_set(report, "http-listen", "http.listen \"%s\" is no host:port and no unix:/path",
                   options->listen);
        return STATUS_REJECT;
    }
    admin = calloc(1, sizeof *admin);
    if (!admin) {
        report_set(report, "memory", "no memory for the HTTP server");
        return STATUS_REJECT;
    }
    *admin = (struct admin){.pages = pages, .token = options->token, .loopback = address.loopback};
    (void)snprintf(admin->path, sizeof admin->path, "%s", address.path);
    fd = address.path[0] ? listen_unix(address.path)
                         : listen_tcp(address.host, address.port, &admin->port);
    if (fd < 0) {
        status = errno == EADDRINUSE ? STATUS_RETRY : STATUS_REJECT;
        report_set(report, "http-listen", "http.listen %s: %s", options->listen, strerror(errno));
        free(admin);
        return status;
    }
    status = start(admin, fd, options->listen, report);
    if (status != STATUS_OK) {
        free(admin);
        return status;
    }
    *ret_admin = admin;
    return STATUS_OK;
}

int admin_port(const struct admin *admin)
{
    return admin->port;
}

void admin_close(struct admin *admin)
{
    if (!admin)
        return;
    MHD_stop_daemon(admin->http);
    if (admin->path[0])
        (void)unlink(admin->path);
    free(admin);
}
