#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "state/store.h"
#include "state_redis_server.h"

static void test_addresses_are_understood_or_refused_with_words(void **state)
{
    static const struct {
        const char *name, *address, *code; /* code NULL: accepted */
        bool tls, allow_plaintext;
    } rows[] = {
        {"a unix socket", "unix:/run/redis/redis.sock", NULL, false, false},
        {"loopback by number", "127.0.0.1:6379", NULL, false, false},
        {"loopback by name", "localhost:6379", NULL, false, false},
        {"loopback of IPv6", "[::1]:6379", NULL, false, false},
        {"a remote host without TLS", "redis.example:6379", "redis-plaintext", false, false},
        {"a remote host without TLS, allowed", "redis.example:6379", NULL, false, true},
        {"a remote IPv6 host without TLS", "[2001:db8::1]:6379", "redis-plaintext", false, false},
        {"a name that begins like loopback", "127.0.0.1.example:6379", "redis-plaintext", false,
         false},
        {"a relative socket", "unix:redis.sock", "redis-address", false, false},
        {"no port", "localhost", "redis-address", false, false},
        {"port 0", "localhost:0", "redis-address", false, false},
        {"port 65536", "localhost:65536", "redis-address", false, false},
        {"a port that is no number", "localhost:redis", "redis-address", false, false},
        {"no host", ":6379", "redis-address", false, false},
        {"IPv6 without brackets", "::1:6379", "redis-address", false, false},
        {"an open bracket", "[::1:6379", "redis-address", false, false},
        {"empty brackets", "[]:6379", "redis-address", false, false},
        {"a URL", "redis://localhost:6379", "redis-address", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct redis_client_options options = {.address = rows[i].address,
                                               .tls = rows[i].tls,
                                               .allow_plaintext = rows[i].allow_plaintext};
        struct redis_client *client = NULL;
        struct report report = {.code = ""};
        enum status status = redis_client_open(&options, &client, &report);

        if (status != (rows[i].code ? STATUS_REJECT : STATUS_OK) ||
            strcmp(report.code, rows[i].code ? rows[i].code : "") != 0)
            fail_msg("%s: %s, %s", rows[i].name, status_name(status), report.code);
        redis_client_close(client);
    }
}

static void test_nobody_there_is_a_retry_that_says_where(void **state)
{
    struct redis_client_options options = {.address = "unix:/nonexistent/redis.sock",
                                           .connect_timeout_ms = 200,
                                           .command_timeout_ms = 200};
    struct redis_client *client;
    struct redis redis;
    struct report report;

    (void)state;
    assert_int_equal(redis_client_open(&options, &client, &report), STATUS_OK);
    redis = redis_client_port(client);
    redis.queue(redis.self, 1, (struct span[]){SPAN_LITERAL("PING")});
    assert_int_equal(redis.send(redis.self, &report), STATUS_RETRY);
    assert_string_equal(report.code, "redis-away");
    assert_non_null(strstr(report.text, "unix:/nonexistent/redis.sock"));
    assert_int_equal(redis.connection(redis.self), 0);
    redis_client_close(client);
}

/* --- with a real server --- */

static bool start(struct redis_server *server, const char *acl)
{
    if (!redis_server_installed()) {
        print_message("redis-server is not installed: skipped\n");
        return false;
    }
    assert_true(redis_server_start(server, acl));
    return true;
}

static struct redis open_client(const struct redis_server *server, struct redis_client **ret_client)
{
    struct report report;

    assert_int_equal(redis_client_open(&server->options, ret_client, &report), STATUS_OK);
    return redis_client_port(*ret_client);
}

static enum status say(struct redis redis, const char *line, const struct redis_value **ret_value,
                       struct report *report)
{
    static char copy[256];
    char *rest = copy;
    struct span argv[16];
    size_t argc = 0;
    enum status status;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *word; (word = strsep(&rest, " ")) != NULL;)
        argv[argc++] = span_of(word);
    redis.forget(redis.self);
    redis.queue(redis.self, argc, argv);
    status = redis.send(redis.self, report);
    return status == STATUS_OK ? redis.reply(redis.self, ret_value, report) : status;
}

static void test_a_pipeline_of_ten_thousand_comes_back_in_order(void **state)
{
    struct redis_client *client;
    struct redis_server server;
    const struct redis_value *value;
    struct redis redis;
    struct report report;
    char big[3000];

    (void)state;
    if (!start(&server, NULL))
        skip();
    redis = open_client(&server, &client);
    memset(big, 'b', sizeof big);
    big[7] = '\0'; /* bytes are bytes */
    big[9] = '\r';
    big[10] = '\n';
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 10000; i++) {
            char field[16];
            struct span key = {field, (size_t)snprintf(field, sizeof field, "%d", i)};

            redis.queue(redis.self, 4,
                        (struct span[]){
                            SPAN_LITERAL("HSET"), SPAN_LITERAL("h"), key, {big, (size_t)i % 3000}});
            redis.queue(redis.self, 3,
                        (struct span[]){SPAN_LITERAL("HMGET"), SPAN_LITERAL("h"), key});
        }
        assert_int_equal(redis.send(redis.self, &report), STATUS_OK);
        for (int i = 0; i < 10000; i++) {
            assert_int_equal(redis.reply(redis.self, &value, &report), STATUS_OK);
            assert_int_equal(value->type, REDIS_INT);
            assert_int_equal(value->integer, round == 0);
            assert_int_equal(redis.reply(redis.self, &value, &report), STATUS_OK);
            assert_int_equal(value->type, REDIS_ARRAY);
            assert_int_equal(value->count, 1);
            assert_true(span_equal(value->items[0].text, (struct span){big, (size_t)i % 3000}));
        }
        redis.forget(redis.self);
    }
    assert_int_equal(redis.connection(redis.self), 1);
    redis_client_close(client);
    redis_server_stop(&server);
}

static void test_a_dead_server_breaks_the_connection_and_a_new_one_is_taken_up(void **state)
{
    struct redis_client *client;
    struct redis_server server;
    const struct redis_value *value;
    struct redis redis;
    struct report report;

    (void)state;
    if (!start(&server, NULL))
        skip();
    redis = open_client(&server, &client);
    assert_int_equal(say(redis, "PING", &value, &report), STATUS_OK);
    assert_int_equal(redis.connection(redis.self), 1);
    kill(server.pid, SIGKILL);
    waitpid(server.pid, NULL, 0);
    /* no SIGPIPE, whichever of write and read meets it first */
    assert_int_equal(say(redis, "PING", &value, &report), STATUS_RETRY);
    assert_string_equal(report.code, "redis-away");
    assert_int_equal(redis.connection(redis.self), 0);
    assert_int_equal(say(redis, "PING", &value, &report), STATUS_RETRY);
    unlink(server.address + 5);
    redis_server_run(&server);
    for (int i = 0; i < 500 && say(redis, "PING", &value, &report) != STATUS_OK; i++)
        usleep(10000);
    assert_int_equal(redis.connection(redis.self), 2);
    assert_true(span_is(value->text, "PONG"));
    redis_client_close(client);
    redis_server_stop(&server);
}

static void test_a_stalled_server_is_given_up_after_the_command_timeout(void **state)
{
    struct redis_client *client;
    struct redis_server server;
    const struct redis_value *value;
    struct redis redis;
    struct report report;

    (void)state;
    if (!start(&server, NULL))
        skip();
    server.options.command_timeout_ms = 150;
    redis = open_client(&server, &client);
    assert_int_equal(say(redis, "PING", &value, &report), STATUS_OK);
    kill(server.pid, SIGSTOP);
    assert_int_equal(say(redis, "PING", &value, &report), STATUS_RETRY);
    assert_non_null(strstr(report.text, "timeout"));
    assert_int_equal(redis.connection(redis.self), 0);
    kill(server.pid, SIGCONT);
    assert_int_equal(say(redis, "PING", &value, &report),
                     STATUS_OK); /* the late PONG is not taken for this one */
    assert_int_equal(redis.connection(redis.self), 2);
    redis_client_close(client);
    redis_server_stop(&server);
}

static void test_passwords_are_read_anew_at_each_connect(void **state)
{
    char password[16] = "wrong";
    struct redis_client *client;
    struct redis_server server;
    const struct redis_value *value;
    struct redis redis;
    struct report report;

    (void)state;
    if (!start(&server, "user default off\nuser me on >right ~* +@all\n"))
        skip();
    server.options.username = "me";
    server.options.password = password;
    redis = open_client(&server, &client);
    assert_int_equal(say(redis, "PING", &value, &report), STATUS_RETRY);
    assert_string_equal(report.code, "redis-auth");
    assert_null(strstr(report.text, "wrong ")); /* the password is not told */
    snprintf(password, sizeof password, "right");
    assert_int_equal(say(redis, "PING", &value, &report), STATUS_OK);
    redis.close(redis.self);
    server.options.database = 9;
    assert_int_equal(say(redis, "HSET h a 1", &value, &report), STATUS_OK);
    redis.close(redis.self);
    server.options.database = 0;
    assert_int_equal(say(redis, "EXISTS h", &value, &report), STATUS_OK);
    assert_int_equal(value->integer, 0);
    redis.close(redis.self);
    server.options.database = 99;
    assert_int_equal(say(redis, "PING", &value, &report), STATUS_RETRY);
    redis_client_close(client);
    redis_server_stop(&server);
}

/* deploy/redis/lifecycled.acl with a known password in place of the hash. */
static void read_acl(char *ret_text, size_t cap)
{
    FILE *file = fopen(LC_SOURCE_DIR "/deploy/redis/lifecycled.acl", "r");
    char line[1024], *hash;
    size_t len = 0;

    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (line[0] != 'u') /* comments */
            continue;
        hash = strstr(line, " #");
        assert_non_null(hash);
        len += (size_t)snprintf(ret_text + len, cap - len, "%.*s >secret%s", (int)(hash - line),
                                line, hash + 66);
    }
    fclose(file);
    for (char *at; (at = strstr(ret_text, "{APP:")) != NULL;)
        memcpy(at, "{app:", 5);
    snprintf(ret_text + len, cap - len, "user default off\n");
}

static void store_round(struct store *store, struct report *report)
{
    struct store_put puts[200];
    struct store_meta meta, next;
    struct store_step step = {.base = &meta, .next = &next, .puts = puts, .put_count = 200};
    struct store_sweep sweep = {.number = 0, .due_ms = INT64_MAX};
    struct store_bucket *buckets;
    struct store_blob blob = {.customer = SPAN_LITERAL("c1")};
    char names[200][16];
    struct arena arena;
    size_t count;
    int64_t next_ms;
    bool present, unknown;

    arena_init(&arena, 16 << 20);
    assert_int_equal(store_claim(store, &meta, &present, report), STATUS_OK);
    for (int i = 0; i < 200; i++) {
        snprintf(names[i], sizeof names[i], "c%d", i);
        puts[i] = (struct store_put){.customer = span_of(names[i]),
                                     .hash = store_customer_hash(span_of(names[i])),
                                     .record = i ? SPAN_LITERAL("record") : SPAN_ABSENT,
                                     .ledger = i ? SPAN_LITERAL("ledger") : SPAN_ABSENT,
                                     .due_ms = i,
                                     .created = true};
    }
    for (int round = 0; round < 3; round++) { /* birth and splits, a swept step, a claimed one */
        next = meta;
        next.at.offset++;
        step.sweeps = &sweep;
        step.sweep_count = round > 0;
        if (store_commit_begin(store, &step, &arena, report) != STATUS_OK ||
            store_commit_end(store, &unknown, report) != STATUS_OK)
            fail_msg("%s: %s", report->code, report->text);
        meta = next;
        for (int i = 0; i < 200; i++)
            puts[i].created = i == 0;
        if (round == 1)
            assert_int_equal(store_claim(store, &meta, &present, report), STATUS_OK);
    }
    blob.hash = store_customer_hash(blob.customer);
    assert_int_equal(store_load(store, &meta, &blob, 1, &arena, report), STATUS_OK);
    assert_true(span_is(blob.record, "record"));
    assert_int_equal(
        store_load_due(store, &meta, 100, 5, &arena, &buckets, &count, &next_ms, report),
        STATUS_OK);
    assert_int_equal(store_wipe(store, report), STATUS_OK);
    arena_fini(&arena);
}

static void test_the_shipped_acl_allows_all_that_is_needed_and_little_else(void **state)
{
    static const char *const forbidden[] = {
        "FLUSHALL",        "KEYS *",      "CONFIG SET maxmemory-policy noeviction",
        "HSET other a 1",  "CLIENT LIST", "ACL LIST",
        "SCAN 0",          "EVAL x 0",    "SUBSCRIBE x",
        "REPLICAOF no one"};
    struct redis_client *client;
    struct redis_server server;
    const struct redis_value *value;
    struct redis redis;
    struct report report;
    struct store *store;
    char acl[4096];

    (void)state;
    read_acl(acl, sizeof acl);
    if (!start(&server, acl))
        skip();
    server.options.username = "lifecycled";
    server.options.password = "secret";
    redis = open_client(&server, &client);
    if (store_server_check(&redis, &report) != STATUS_OK)
        fail_msg("%s: %s", report.code, report.text);
    store = store_open(redis, &(struct store_options){
                                  .app = "app", .partition = 0, .token = "t", .generation = 1});
    store_round(store, &report);
    store_close(store);
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        assert_int_equal(say(redis, forbidden[i], &value, &report), STATUS_OK);
        if (value->type != REDIS_ERROR || strncmp(value->text.at, "NOPERM", 6) != 0)
            fail_msg("%s is allowed", forbidden[i]);
    }
    store = store_open(redis,
                       &(struct store_options){.app = "elsewhere", .token = "t", .generation = 1});
    assert_int_equal(store_claim(store, &(struct store_meta){0}, &(bool){false}, &report),
                     STATUS_REJECT);
    assert_string_equal(report.code, "redis-noperm");
    store_close(store);
    redis_client_close(client);
    redis_server_stop(&server);
}

static void test_the_check_of_a_server_finds_replicas_eviction_and_missing_rights(void **state)
{
    static const struct {
        const char *name, *user, *prepare, *code;
    } rows[] = {
        {"a primary that keeps everything", "all", "CONFIG SET maxmemory-policy noeviction", ""},
        {"CONFIG forbidden: INFO tells", "noconfig", "PING", ""},
        {"ROLE forbidden: INFO tells", "norole", "PING", ""},
        {"neither CONFIG nor INFO", "blind", "PING", "redis-noperm"},
        {"an eviction policy", "all", "CONFIG SET maxmemory-policy volatile-ttl", "redis-eviction"},
        {"an eviction policy, CONFIG forbidden", "noconfig", "PING", "redis-eviction"},
        {"a replica", "all", "REPLICAOF 127.0.0.1 1", "redis-replica"},
        {"a replica, ROLE forbidden", "norole", "PING", "redis-replica"},
    };
    struct redis_server server;
    const struct redis_value *value;

    (void)state;
    if (!start(&server,
               "user default off\nuser all on >p ~* +@all\nuser noconfig on >p ~* +@all -config\n"
               "user norole on >p ~* +@all -role\nuser blind on >p ~* +@all -config -info\n"))
        skip();
    server.options.password = "p";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct redis_client *client;
        struct redis redis;
        struct report report = {.code = ""};

        server.options.username = rows[i].user;
        redis = open_client(&server, &client);
        assert_int_equal(say(redis, rows[i].prepare, &value, &report), STATUS_OK);
        assert_int_not_equal(value->type, REDIS_ERROR);
        if (store_server_check(&redis, &report) != (rows[i].code[0] ? STATUS_REJECT : STATUS_OK) ||
            strcmp(report.code, rows[i].code) != 0)
            fail_msg("%s: %s", rows[i].name, report.text);
        redis_client_close(client);
    }
    redis_server_stop(&server);
}

static void test_a_full_server_refuses_a_step_whole_and_takes_it_later(void **state)
{
    struct redis_client *client[2];
    struct redis_server server;
    struct redis redis, other;
    const struct redis_value *value;
    struct report report;
    struct store *store;
    struct arena arena;
    struct store_put put = {.customer = SPAN_LITERAL("anna"),
                            .record = SPAN_LITERAL("r"),
                            .ledger = SPAN_LITERAL("l"),
                            .created = true};
    struct store_meta meta, next;
    struct store_step step = {.base = &meta, .next = &next, .puts = &put, .put_count = 1};
    bool present, unknown;

    (void)state;
    if (!start(&server, NULL))
        skip();
    arena_init(&arena, 1 << 20);
    redis = open_client(&server, &client[0]);
    other = open_client(&server, &client[1]);
    store = store_open(redis, &(struct store_options){.app = "app", .token = "t", .generation = 1});
    assert_int_equal(store_claim(store, &meta, &present, &report), STATUS_OK);
    put.hash = store_customer_hash(put.customer);
    next = meta;
    next.at.offset = 1;
    assert_int_equal(say(other, "CONFIG SET maxmemory 1", &value, &report), STATUS_OK);
    assert_int_equal(store_commit_begin(store, &step, &arena, &report), STATUS_OK);
    assert_int_equal(store_commit_end(store, &unknown, &report), STATUS_RETRY);
    assert_false(unknown);
    assert_string_equal(report.code, "redis-oom");
    assert_int_equal(say(other, "EXISTS {app:0}:m {app:0}:b:0", &value, &report), STATUS_OK);
    assert_int_equal(value->integer, 0);
    assert_int_equal(say(other, "CONFIG SET maxmemory 0", &value, &report), STATUS_OK);
    assert_int_equal(store_commit_begin(store, &step, &arena, &report), STATUS_OK);
    assert_int_equal(store_commit_end(store, &unknown, &report), STATUS_OK);
    /* the connection is cut by the server between begin and end: unknown, then settled */
    meta = next;
    next.at.offset = 2;
    put.created = false;
    assert_int_equal(say(other, "CLIENT KILL TYPE normal SKIPME yes", &value, &report), STATUS_OK);
    assert_int_equal(store_commit_begin(store, &step, &arena, &report), STATUS_OK);
    assert_int_equal(store_commit_end(store, &unknown, &report), STATUS_RETRY);
    assert_true(unknown);
    assert_int_equal(store_settle(store, &step, &present, &report), STATUS_RETRY);
    assert_true(present); /* the base is there */
    assert_int_equal(store_commit_begin(store, &step, &arena, &report), STATUS_OK);
    assert_int_equal(store_commit_end(store, &unknown, &report), STATUS_OK);
    assert_int_equal(store_settle(store, &step, &present, &report), STATUS_OK);
    store_close(store);
    arena_fini(&arena);
    redis_client_close(client[0]);
    redis_client_close(client[1]);
    redis_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_are_understood_or_refused_with_words),
        cmocka_unit_test(test_nobody_there_is_a_retry_that_says_where),
        cmocka_unit_test(test_a_pipeline_of_ten_thousand_comes_back_in_order),
        cmocka_unit_test(test_a_dead_server_breaks_the_connection_and_a_new_one_is_taken_up),
        cmocka_unit_test(test_a_stalled_server_is_given_up_after_the_command_timeout),
        cmocka_unit_test(test_passwords_are_read_anew_at_each_connect),
        cmocka_unit_test(test_the_shipped_acl_allows_all_that_is_needed_and_little_else),
        cmocka_unit_test(test_the_check_of_a_server_finds_replicas_eviction_and_missing_rights),
        cmocka_unit_test(test_a_full_server_refuses_a_step_whole_and_takes_it_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
