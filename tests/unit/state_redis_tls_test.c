/* TLS to a real redis-server with certificates made here. In a build without TLS only the refusal
 * is tested. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "state_redis_server.h"

/* A directory with two authorities, and certificates for 127.0.0.1 and localhost: good, expired, of
 * the other authority. */
static const char *const script =
    "set -e; cd \"$1\"; exec >log 2>&1\n"
    "for ca in ca other; do openssl req -x509 -newkey rsa:2048 -nodes -keyout $ca.key -out $ca.pem "
    "-days 2 "
    "-subj /CN=$ca; done\n"
    "make() { openssl req -newkey rsa:2048 -nodes -keyout $1.key -out $1.csr -subj /CN=$1\n"
    "printf 'subjectAltName=IP:127.0.0.1,DNS:localhost' >$1.ext\n"
    "openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -out $1.pem $3 "
    "-extfile $1.ext; }\n"
    "make good ca; make foreign other\n"
    "make expired ca '-not_before 20200101000000Z -not_after 20200102000000Z'\n";

struct files {
    char dir[64], ca[96], other[96], cert[3][96], key[3][96];
};
enum { GOOD, FOREIGN, EXPIRED };

static bool files_make(struct files *files)
{
    static const char *const names[] = {"good", "foreign", "expired"};
    char dir[64];
    int outcome;
    pid_t pid;

    snprintf(files->dir, sizeof files->dir, "/tmp/lc-tls-XXXXXX");
    if (!mkdtemp(files->dir))
        return false;
    memcpy(dir, files->dir, sizeof dir);
    snprintf(files->ca, sizeof files->ca, "%s/ca.pem", dir);
    snprintf(files->other, sizeof files->other, "%s/other.pem", dir);
    for (int i = 0; i < 3; i++) {
        snprintf(files->cert[i], sizeof files->cert[i], "%s/%s.pem", dir, names[i]);
        snprintf(files->key[i], sizeof files->key[i], "%s/%s.key", dir, names[i]);
    }
    pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", script, "sh", files->dir, (char *)NULL);
        _exit(1);
    }
    return waitpid(pid, &outcome, 0) == pid && outcome == 0;
}

static void files_drop(const struct files *files)
{
    pid_t pid = fork();

    if (pid == 0) {
        execl("/bin/rm", "rm", "-r", files->dir, (char *)NULL);
        _exit(1);
    }
    waitpid(pid, NULL, 0);
}

/* A port that was free a moment ago. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static bool tls_in_this_build(void)
{
    struct redis_client_options options = {.address = "localhost:1", .tls = true};
    struct redis_client *client = NULL;
    struct report report = {.code = ""};
    enum status status = redis_client_open(&options, &client, &report);

    redis_client_close(client);
    if (status == STATUS_OK)
        return true;
    assert_int_equal(status, STATUS_REJECT);
    assert_string_equal(report.code, "redis-tls-missing");
    return false;
}

static enum status ping(const struct redis_client_options *options, struct report *report)
{
    struct redis_client *client;
    const struct redis_value *value;
    struct redis redis;
    enum status status = redis_client_open(options, &client, report);

    if (status != STATUS_OK)
        return status;
    redis = redis_client_port(client);
    redis.queue(redis.self, 1, (struct span[]){SPAN_LITERAL("PING")});
    status = redis.send(redis.self, report);
    if (status == STATUS_OK)
        status = redis.reply(redis.self, &value, report);
    if (status == STATUS_OK)
        assert_true(span_is(value->text, "PONG"));
    redis_client_close(client);
    return status;
}

static void serve(struct redis_server *server, const struct files *files, int which, char port[8])
{
    const char *extra[] = {"--tls-port",         port,
                           "--tls-cert-file",    files->cert[which],
                           "--tls-key-file",     files->key[which],
                           "--tls-ca-cert-file", files->ca};

    assert_true(redis_server_prepare(server));
    snprintf(port, 8, "%d", free_port());
    memcpy(server->extra, extra, sizeof extra);
    redis_server_run(server);
    assert_true(redis_server_wait(server));
}

static void test_only_a_verified_certificate_for_the_right_name_is_talked_to(void **state)
{
    static const struct {
        const char *name;
        int served;
        bool other_ca, no_ca, no_client;
        const char *host, *server_name, *code; /* code NULL: it works */
    } rows[] = {
        {"a good certificate, by address", GOOD, false, false, false, "127.0.0.1", NULL, NULL},
        {"a name stated", GOOD, false, false, false, "127.0.0.1", "localhost", NULL},
        {"another name stated", GOOD, false, false, false, "127.0.0.1", "redis.example",
         "redis-tls-certificate"},
        {"another address", GOOD, false, false, false, "127.0.0.1", "127.0.0.2",
         "redis-tls-certificate"},
        {"an authority that did not sign it", GOOD, true, false, false, "127.0.0.1", NULL,
         "redis-tls-certificate"},
        {"the system's authorities", GOOD, false, true, false, "127.0.0.1", NULL,
         "redis-tls-certificate"},
        {"a certificate of another authority", FOREIGN, false, false, false, "127.0.0.1", NULL,
         "redis-tls-certificate"},
        {"an expired certificate", EXPIRED, false, false, false, "127.0.0.1", NULL,
         "redis-tls-certificate"},
        {"no certificate of our own where one is asked for", GOOD, false, false, true, "127.0.0.1",
         NULL, "redis-away"},
    };
    struct redis_server server = {.pid = 0};
    struct files files;
    char port[8], address[64];
    int served = -1;

    (void)state;
    if (!tls_in_this_build() || !redis_server_installed() ||
        access("/usr/bin/openssl", X_OK) != 0) {
        print_message("no TLS in this build, or no redis-server or openssl: skipped\n");
        skip();
    }
    assert_true(files_make(&files));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct redis_client_options options = {
            .address = address,
            .connect_timeout_ms = 2000,
            .command_timeout_ms = 2000,
            .tls = true,
            .tls_ca_file = rows[i].no_ca      ? NULL
                           : rows[i].other_ca ? files.other
                                              : files.ca,
            .tls_cert_file = rows[i].no_client ? NULL : files.cert[GOOD],
            .tls_key_file = rows[i].no_client ? NULL : files.key[GOOD],
            .tls_server_name = rows[i].server_name};
        struct report report = {.code = ""};

        if (rows[i].served != served) {
            if (server.pid)
                redis_server_stop(&server);
            served = rows[i].served;
            serve(&server, &files, served, port);
        }
        snprintf(address, sizeof address, "%s:%s", rows[i].host, port);
        if ((ping(&options, &report) == STATUS_OK) != (rows[i].code == NULL) ||
            strcmp(report.code, rows[i].code ? rows[i].code : "") != 0)
            fail_msg("%s: %s: %s", rows[i].name, report.code, report.text);
    }
    redis_server_stop(&server);
    files_drop(&files);
}

static void test_there_is_no_fall_back_to_plaintext(void **state)
{
    struct redis_server server;
    struct report report = {.code = ""};
    char port[8], address[64];

    (void)state;
    if (!tls_in_this_build() || !redis_server_installed()) {
        print_message("no TLS in this build, or no redis-server: skipped\n");
        skip();
    }
    assert_true(redis_server_prepare(&server));
    snprintf(port, sizeof port, "%d", free_port());
    server.extra[0] = "--port";
    server.extra[1] = port;
    redis_server_run(&server);
    assert_true(redis_server_wait(&server));
    snprintf(address, sizeof address, "127.0.0.1:%s", port);
    server.options = (struct redis_client_options){
        .address = address, .connect_timeout_ms = 500, .command_timeout_ms = 500};
    assert_int_equal(ping(&server.options, &report), STATUS_OK);
    server.options.tls = true;
    assert_int_not_equal(ping(&server.options, &report), STATUS_OK);
    redis_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_a_verified_certificate_for_the_right_name_is_talked_to),
        cmocka_unit_test(test_there_is_no_fall_back_to_plaintext),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
