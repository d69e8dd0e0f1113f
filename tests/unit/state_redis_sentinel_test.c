/* Sentinels that say what the test wants, each a process of its own on a free port, and what the
 * client makes of it. Real ones: tests/integration/doors.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <netinet/in.h>

#include "state/redis_sentinel.h"
#include "state_redis_server.h"

struct fake {
    pid_t pid; /* 0: none listens */
    int port;
};

/* Answers by the words of the command; `epoch` < 0: refuses. */
static void fake_serve(int listener, int epoch, int primary)
{
    char text[2048], answer[512], port[16];

    snprintf(port, sizeof port, "%d", primary);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        ssize_t len;

        while ((len = read(fd, text, sizeof text - 1)) > 0) {
            text[len] = '\0';
            if (epoch < 0)
                snprintf(answer, sizeof answer, "-NOAUTH Authentication required.\r\n");
            else if (strstr(text, "ROLE"))
                snprintf(answer, sizeof answer, "*1\r\n$5\r\nslave\r\n");
            else if (strstr(text, "GET-MASTER"))
                snprintf(answer, sizeof answer, "*2\r\n$9\r\n127.0.0.1\r\n$%zu\r\n%s\r\n",
                         strlen(port), port);
            else
                snprintf(answer, sizeof answer,
                         "*4\r\n$5\r\nflags\r\n$6\r\nmaster\r\n"
                         "$12\r\nconfig-epoch\r\n$1\r\n%d\r\n",
                         epoch);
            if (write(fd, answer, strlen(answer)) < 0)
                break;
        }
        close(fd);
    }
}

static struct fake fake_start(int epoch, int primary)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct fake fake = {0};

    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(listen(listener, 8), 0);
    fake.port = ntohs(address.sin_port);
    fake.pid = fork();
    if (fake.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fake_serve(listener, epoch, primary ? primary : fake.port);
    }
    close(listener);
    return fake;
}

static void fake_stop(struct fake *fake)
{
    if (fake->pid > 0) {
        kill(fake->pid, SIGKILL);
        waitpid(fake->pid, NULL, 0);
    }
    fake->pid = 0;
}

enum { AWAY = -2, REFUSES = -1 };

static void test_what_the_sentinels_say_and_what_is_made_of_it(void **state)
{
    static const struct {
        const char *name;
        int epochs[3]; /* Sentinel i names port 1001 + i */
        enum status status;
        int port;
        const char *words;
    } rows[] = {
        {"all agree: the first two are enough", {3, 3, 3}, STATUS_OK, 1001, NULL},
        {"one is cut off and names the primary of yesterday", {2, 3, 3}, STATUS_OK, 1002, NULL},
        {"the one that is away is passed over", {AWAY, 3, 3}, STATUS_OK, 1002, NULL},
        {"the one that refuses is passed over", {3, REFUSES, 3}, STATUS_OK, 1001, NULL},
        {"one of three is not enough",
         {3, AWAY, AWAY},
         STATUS_RETRY,
         0,
         "1 of 3 Sentinels answered, 2 have to"},
        {"nobody answers", {AWAY, AWAY, AWAY}, STATUS_RETRY, 0, "0 of 3 Sentinels answered"},
        {"they refuse", {REFUSES, REFUSES, 3}, STATUS_REJECT, 0, "redis.sentinel_password_file"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct redis_sentinel *sentinel;
        struct redis_place place = {.port = 0};
        struct report report = {0};
        struct fake fakes[3];
        char list[128];
        enum status status;

        for (int j = 0; j < 3; j++) {
            fakes[j] = fake_start(rows[i].epochs[j], 1001 + j);
            if (rows[i].epochs[j] == AWAY)
                fake_stop(&fakes[j]);
        }
        snprintf(list, sizeof list, "127.0.0.1:%d, 127.0.0.1:%d,127.0.0.1:%d", fakes[0].port,
                 fakes[1].port, fakes[2].port);
        struct redis_client_options options = {
            .sentinels = list, .master = "m", .connect_timeout_ms = 1000};
        assert_int_equal(redis_sentinel_open(&options, &sentinel, &report), STATUS_OK);
        status = redis_sentinel_find(sentinel, &place, &report);
        if (status != rows[i].status || place.port != rows[i].port ||
            (rows[i].words && !strstr(report.text, rows[i].words)))
            fail_msg("%s: status %s, port %d, %s", rows[i].name, status_name(status), place.port,
                     report.text);
        redis_sentinel_close(sentinel);
        for (int j = 0; j < 3; j++)
            fake_stop(&fakes[j]);
    }
}

static void test_what_was_known_once_is_not_unlearned(void **state)
{
    struct fake old = fake_start(4, 1001), new = fake_start(5, 1002);
    struct redis_sentinel *sentinel;
    struct redis_place place = {.port = 0};
    struct report report = {0};
    char list[64];

    (void)state;
    snprintf(list, sizeof list, "127.0.0.1:%d,127.0.0.1:%d", new.port, old.port);
    struct redis_client_options options = {
        .sentinels = list, .master = "m", .connect_timeout_ms = 1000};
    assert_int_equal(redis_sentinel_open(&options, &sentinel, &report), STATUS_OK);
    assert_int_equal(redis_sentinel_find(sentinel, &place, &report), STATUS_OK);
    assert_int_equal(place.port, 1002);
    fake_stop(&new);
    place.port = 0;
    assert_int_equal(redis_sentinel_find(sentinel, &place, &report), STATUS_RETRY);
    assert_string_equal(report.code, "redis-sentinel-behind");
    assert_int_equal(place.port, 0);
    redis_sentinel_close(sentinel);
    fake_stop(&old);
}

static void test_a_replica_is_not_taken_for_the_primary(void **state)
{
    struct fake fake = fake_start(1, 0); /* names itself, and says it is a replica */
    struct redis_client *client;
    struct report report = {0};
    struct redis redis;
    char list[64];

    (void)state;
    snprintf(list, sizeof list, "127.0.0.1:%d", fake.port);
    struct redis_client_options options = {
        .sentinels = list, .master = "m", .connect_timeout_ms = 1000, .command_timeout_ms = 1000};
    assert_int_equal(redis_client_open(&options, &client, &report), STATUS_OK);
    redis = redis_client_port(client);
    redis.queue(redis.self, 1, (struct span[]){SPAN_LITERAL("PING")});
    assert_int_equal(redis.send(redis.self, &report), STATUS_RETRY);
    assert_string_equal(report.code, "redis-replica");
    assert_int_equal(redis.connection(redis.self), 0);
    redis_client_close(client);
    fake_stop(&fake);
}

static void test_a_list_that_cannot_be_is_refused_with_words(void **state)
{
    static const struct {
        const char *list, *code;
        bool plain;
    } rows[] = {
        {"", "redis-address", true},
        {"127.0.0.1", "redis-address", true},
        {"127.0.0.1:0", "redis-address", true},
        {"127.0.0.1:65536", "redis-address", true},
        {"127.0.0.1:1,", "redis-address", true},
        {"unix:/run/sentinel", "redis-address", true},
        {"[::1:26379", "redis-address", true},
        {"127.0.0.1:26379,s2.example:26379", "redis-plaintext", false},
        {"127.0.0.1:26379,s2.example:26379", NULL, true},
        {"[::1]:65535,localhost:1", NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct redis_client_options options = {
            .sentinels = rows[i].list, .master = "m", .allow_plaintext = rows[i].plain};
        struct redis_sentinel *sentinel = NULL;
        struct report report = {0};
        enum status status = redis_sentinel_open(&options, &sentinel, &report);

        if ((status == STATUS_OK) != !rows[i].code ||
            (rows[i].code && strcmp(report.code, rows[i].code) != 0))
            fail_msg("'%s': %s %s", rows[i].list, status_name(status), report.text);
        redis_sentinel_close(sentinel);
    }
}

/* A write refused as READONLY: the answer is delivered, then the connection is given up, so that
 * the next one is looked for anew. */
static void test_a_primary_that_became_a_replica_is_left(void **state)
{
    struct redis_server server;
    struct redis_client *client;
    const struct redis_value *value;
    struct report report = {0};
    struct redis redis;

    (void)state;
    if (!redis_server_installed())
        skip();
    assert_true(redis_server_start(&server, NULL));
    assert_int_equal(redis_client_open(&server.options, &client, &report), STATUS_OK);
    redis = redis_client_port(client);
    redis.queue(
        redis.self, 3,
        (struct span[]){SPAN_LITERAL("REPLICAOF"), SPAN_LITERAL("127.0.0.1"), SPAN_LITERAL("1")});
    redis.queue(redis.self, 1, (struct span[]){SPAN_LITERAL("PING")});
    assert_int_equal(redis.send(redis.self, &report), STATUS_OK);
    assert_int_equal(redis.reply(redis.self, &value, &report), STATUS_OK);
    assert_int_equal(redis.reply(redis.self, &value, &report), STATUS_OK);
    assert_int_equal(redis.connection(redis.self), 1);
    redis.queue(redis.self, 3,
                (struct span[]){SPAN_LITERAL("SET"), SPAN_LITERAL("k"), SPAN_LITERAL("v")});
    redis.queue(redis.self, 1, (struct span[]){SPAN_LITERAL("PING")});
    assert_int_equal(redis.send(redis.self, &report), STATUS_OK);
    assert_int_equal(redis.reply(redis.self, &value, &report), STATUS_OK);
    assert_int_equal(value->type, REDIS_ERROR);
    assert_int_equal(redis.connection(redis.self), 1); /* an answer is still to come */
    assert_int_equal(redis.reply(redis.self, &value, &report), STATUS_OK);
    assert_true(span_is(value->text, "PONG"));
    assert_int_equal(redis.connection(redis.self), 0);
    redis_client_close(client);
    redis_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_sentinels_say_and_what_is_made_of_it),
        cmocka_unit_test(test_what_was_known_once_is_not_unlearned),
        cmocka_unit_test(test_a_replica_is_not_taken_for_the_primary),
        cmocka_unit_test(test_a_list_that_cannot_be_is_refused_with_words),
        cmocka_unit_test(test_a_primary_that_became_a_replica_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
