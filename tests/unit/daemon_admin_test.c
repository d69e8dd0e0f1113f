/* admin: HTTP as a client sees it, over a real socket; whom it lets see a customer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "daemon/admin.h"

static bool well;

static void page_metrics(void *self, FILE *out)
{
    (void)self;
    fputs("lifecycled_up 1\n", out);
}

static bool page_check(void *self, FILE *out)
{
    (void)self;
    fputs(well ? "ok\n" : "redis-away: waiting\n", out);
    return well;
}

static enum status page_customer(void *self, struct span id, char *buffer, size_t cap,
                                 size_t *ret_len, struct report *report)
{
    (void)self;
    if (span_is(id, "away")) {
        report_set(report, "redis-away", "Redis is away");
        return STATUS_RETRY;
    }
    if (!span_is(id, "c 1/x"))
        return STATUS_GONE;
    *ret_len = (size_t)snprintf(buffer, cap, "{\"customer\":\"c 1/x\"}");
    return STATUS_OK;
}

static const struct admin_pages pages = {
    .metrics = page_metrics, .live = page_check, .ready = page_check, .customer = page_customer};

static struct admin *open_at(const char *listen, const char *token)
{
    struct admin_options options = {.listen = listen, .token = token};
    struct report report = {0};
    struct admin *admin = NULL;

    if (admin_open(&options, pages, &admin, &report) != STATUS_OK)
        fail_msg("%s", report.text);
    return admin;
}

/* The whole answer to the bytes of a request. */
static const char *ask(const struct admin *admin, const char *request)
{
    static char answer[1 << 16];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)admin_port(admin)),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval limit = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t len = 0;
    ssize_t got;

    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)!send(fd, request, strlen(request), MSG_NOSIGNAL);
    while (len < sizeof answer - 1 &&
           (got = recv(fd, answer + len, sizeof answer - 1 - len, 0)) > 0)
        len += (size_t)got;
    answer[len] = '\0';
    (void)close(fd);
    return answer;
}

static unsigned status_of(const char *answer)
{
    unsigned status = 0;

    (void)sscanf(answer, "HTTP/1.1 %3u", &status);
    return status;
}

#define TAIL " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void requests(void **state)
{
    static const struct {
        const char *name, *request;
        unsigned status;
        const char *word;
    } rows[] = {
        {"metrics", "GET /metrics" TAIL, 200, "lifecycled_up 1"},
        {"in the format's type", "GET /metrics" TAIL, 200, "version=0.0.4"},
        {"HEAD is GET without a body", "HEAD /metrics" TAIL, 200, "text/plain"},
        {"no cache keeps it", "GET /readyz" TAIL, 200, "no-store"},
        {"a customer by an escaped id", "GET /customers/c%201%2Fx" TAIL, 200,
         "{\"customer\":\"c 1/x\"}"},
        {"JSON says so", "GET /customers/c%201%2Fx" TAIL, 200, "application/json"},
        {"a customer we do not know", "GET /customers/nobody" TAIL, 404, "no such customer"},
        {"when Redis is away", "GET /customers/away" TAIL, 503, "redis-away: Redis is away"},
        {"no id", "GET /customers/" TAIL, 400, "1 to 128"},
        {"an id that is not UTF-8", "GET /customers/%ff" TAIL, 400, "UTF-8"},
        {"another page", "GET /secrets" TAIL, 404, "/metrics"},
        {"writing",
         "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 405,
         "GET only"},
        {"deleting", "DELETE /customers/c" TAIL, 405, "Allow: GET"},
    };
    struct admin *admin = open_at("127.0.0.1:0", NULL);

    (void)state;
    well = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *answer = ask(admin, rows[i].request);

        print_message("  %s\n", rows[i].name);
        assert_int_equal(status_of(answer), rows[i].status);
        assert_non_null(strstr(answer, rows[i].word));
    }
    admin_close(admin);
}

static void not_ready_says_why(void **state)
{
    struct admin *admin = open_at("127.0.0.1:0", NULL);
    const char *answer;

    (void)state;
    well = false;
    answer = ask(admin, "GET /readyz" TAIL);
    assert_int_equal(status_of(answer), 503);
    assert_non_null(strstr(answer, "redis-away: waiting"));
    admin_close(admin);
}

static void who_may_see_a_customer(void **state)
{
    static const struct {
        const char *name, *listen, *token, *header;
        unsigned status;
    } rows[] = {
        {"loopback, no token configured", "127.0.0.1:0", NULL, "", 200},
        {"loopback, token configured, none given", "127.0.0.1:0", "s3cret", "", 401},
        {"everywhere, no token configured", "0.0.0.0:0", NULL, "", 401},
        {"everywhere, no token configured, one given", "0.0.0.0:0", NULL,
         "Authorization: Bearer x\r\n", 401},
        {"the right token", "0.0.0.0:0", "s3cret", "Authorization: Bearer s3cret\r\n", 200},
        {"a scheme in other letters", "0.0.0.0:0", "s3cret", "Authorization: bearer s3cret\r\n",
         200},
        {"a wrong token", "0.0.0.0:0", "s3cret", "Authorization: Bearer s3creT\r\n", 401},
        {"the beginning of it", "0.0.0.0:0", "s3cret", "Authorization: Bearer s3cre\r\n", 401},
        {"it and more", "0.0.0.0:0", "s3cret", "Authorization: Bearer s3crets\r\n", 401},
        {"an empty one", "0.0.0.0:0", "s3cret", "Authorization: Bearer \r\n", 401},
        {"another scheme", "0.0.0.0:0", "s3cret", "Authorization: Basic s3cret\r\n", 401},
    };

    (void)state;
    well = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct admin *admin = open_at(rows[i].listen, rows[i].token);
        char request[512];

        print_message("  %s\n", rows[i].name);
        snprintf(request, sizeof request,
                 "GET /customers/c%%201%%2Fx HTTP/1.1\r\nHost: x\r\n%sConnection: close\r\n\r\n",
                 rows[i].header);
        assert_int_equal(status_of(ask(admin, request)), rows[i].status);
        assert_int_equal(status_of(ask(admin, "GET /metrics" TAIL)), 200);
        admin_close(admin);
    }
}

static void tokens(void **state)
{
    static const struct {
        const char *given, *token;
        bool equal;
    } rows[] = {{"a", "a", true},   {"a", "b", false}, {"aa", "a", false},
                {"a", "aa", false}, {"", "", false},   {"", "a", false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(admin_token_equal(span_of(rows[i].given), span_of(rows[i].token)),
                         rows[i].equal);
}

/* A request whose head does not fit is refused, and the next one is served. */
static void an_endless_head_is_bounded(void **state)
{
    struct admin *admin = open_at("127.0.0.1:0", NULL);
    static char request[4 * ADMIN_MEMORY_MAX];

    (void)state;
    well = true;
    memset(request, 'a', sizeof request - 1);
    memcpy(request, "GET /", 5);
    memcpy(request + sizeof request - 64, " HTTP/1.1\r\n\r\n", 13);
    request[sizeof request - 51] = '\0';
    assert_int_not_equal(status_of(ask(admin, request)), 200);
    assert_int_equal(status_of(ask(admin, "GET /livez" TAIL)), 200);
    admin_close(admin);
}

static void addresses_that_cannot_be(void **state)
{
    static const char *const rows[] = {"nonsense", "127.0.0.1:99999", "192.0.2.1:0",
                                       "unix:/nonexistent/x"};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct admin_options options = {.listen = rows[i]};
        struct report report = {0};
        struct admin *admin = NULL;

        assert_int_equal(admin_open(&options, pages, &admin, &report), STATUS_REJECT);
        assert_string_equal(report.code, "http-listen");
        assert_non_null(strstr(report.text, rows[i]));
    }
}

static void an_address_that_is_taken_may_come_free(void **state)
{
    struct admin *first = open_at("127.0.0.1:0", NULL), *second = NULL;
    struct report report = {0};
    char listen[32];
    struct admin_options options = {.listen = listen};

    (void)state;
    snprintf(listen, sizeof listen, "127.0.0.1:%d", admin_port(first));
    assert_int_equal(admin_open(&options, pages, &second, &report), STATUS_RETRY);
    admin_close(first);
    assert_int_equal(admin_open(&options, pages, &second, &report), STATUS_OK);
    admin_close(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(not_ready_says_why),
        cmocka_unit_test(who_may_see_a_customer),
        cmocka_unit_test(tokens),
        cmocka_unit_test(an_endless_head_is_bounded),
        cmocka_unit_test(addresses_that_cannot_be),
        cmocka_unit_test(an_address_that_is_taken_may_come_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
