/* The in-process Redis answers as the real one: every conversation of the table is held with both,
 * and the answers must be the same text. Without redis-server the table's own answers are still
 * checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "state/redis_memory.h"
#include "state_redis_server.h"

/* An answer as redis-cli would show it, on one line. */
static size_t show(const struct redis_value *value, char *text, size_t cap)
{
    size_t len = 0;

    switch (value->type) {
    case REDIS_NIL:
        return (size_t)snprintf(text, cap, "nil");
    case REDIS_INT:
        return (size_t)snprintf(text, cap, ":%lld", (long long)value->integer);
    case REDIS_STATUS:
        return (size_t)snprintf(text, cap, "+%.*s", (int)value->text.len, value->text.at);
    case REDIS_ERROR:
        return (size_t)snprintf(text, cap, "-%.*s", (int)value->text.len, value->text.at);
    case REDIS_BULK:
        return (size_t)snprintf(text, cap, "%.*s", (int)value->text.len, value->text.at);
    case REDIS_ARRAY:
        len += (size_t)snprintf(text, cap, "[");
        for (size_t i = 0; i < value->count; i++) {
            len += (size_t)snprintf(text + len, cap - len, i ? " " : "");
            len += show(&value->items[i], text + len, cap - len);
        }
        return len + (size_t)snprintf(text + len, cap - len, "]");
    }
    return len;
}

static void say(struct redis *redis, const char *line, char *ret_text, size_t cap)
{
    char copy[256], *rest = copy;
    struct span argv[24];
    const struct redis_value *value;
    size_t argc = 0;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *word; (word = strsep(&rest, " ")) != NULL;)
        argv[argc++] = span_is(span_of(word), "''") ? SPAN_LITERAL("") : span_of(word);
    redis->queue(redis->self, argc, argv);
    assert_int_equal(redis->send(redis->self, NULL), STATUS_OK);
    assert_int_equal(redis->reply(redis->self, &value, NULL), STATUS_OK);
    show(value, ret_text, cap);
    redis->forget(redis->self);
}

/* who says what, and what is answered ("*": not compared with the table, only between the servers)
 */
static const struct {
    int who;
    const char *line, *answer;
} talk[] = {
    {0, "PING", "+PONG"},
    {0, "ping", "+PONG"},
    {0, "NOSUCH a", "*"},
    {0, "HGET", "-ERR wrong number of arguments for 'hget' command"},
    {0, "HSET h a", "-ERR wrong number of arguments for 'hset' command"},
    {0, "HSET h a 1 b 2 c 3", ":3"},
    {0, "HSET h a 4 d ''", ":1"},
    {0, "HGETALL h", "[a 4 b 2 c 3 d ]"},
    {0, "HMGET h a x d", "[4 nil ]"},
    {0, "HGET h x", "nil"},
    {0, "HGET nokey x", "nil"},
    {0, "HMGET nokey a b", "[nil nil]"},
    {0, "HGETALL nokey", "[]"},
    {0, "HDEL h b x", ":1"},
    {0, "HGETALL h", "[a 4 c 3 d ]"},
    {0, "HLEN h", ":3"},
    {0, "HLEN nokey", ":0"},
    {0, "TYPE h", "+hash"},
    {0, "TYPE nokey", "+none"},
    {0, "EXISTS h nokey h", ":2"},
    {0, "ZADD h 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    {0, "ZADD z x a", "-ERR value is not a valid float"},
    {0, "ZADD z 1", "-ERR wrong number of arguments for 'zadd' command"},
    {0, "ZADD z 5 five 1 one 3 three 3 drei", ":4"},
    {0, "TYPE z", "+zset"},
    {0, "HGET z a", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    {0, "ZADD z LT 4 five 2 one 2.5 new", ":1"},
    {0, "ZADD z GT 9 five 0 one", ":0"},
    {0, "ZRANGE z 0 -1 WITHSCORES", "[one 1 new 2.5 drei 3 three 3 five 9]"},
    {0, "ZRANGE z 1 2", "[new drei]"},
    {0, "ZRANGE z 7 9", "[]"},
    {0, "ZRANGE z -2 -1", "[three five]"},
    {0, "ZRANGEBYSCORE z -inf 3 WITHSCORES LIMIT 0 3", "[one 1 new 2.5 drei 3]"},
    {0, "ZRANGEBYSCORE z (1 (3", "[new]"},
    {0, "ZRANGEBYSCORE z (3 +inf WITHSCORES LIMIT 0 1", "[five 9]"},
    {0, "ZRANGEBYSCORE z 0 10 LIMIT 3 5", "[three five]"},
    {0, "ZRANGEBYSCORE z a b", "-ERR min or max is not a float"},
    {0, "ZRANGEBYSCORE nokey 0 1", "[]"},
    {0, "ZSCORE z three", "3"},
    {0, "ZSCORE z nobody", "nil"},
    {0, "ZCARD z", ":5"},
    {0, "ZADD big 1700000000123 a -9007199254740992 b 2.5 d", ":3"},
    {0, "ZRANGE big 0 -1 WITHSCORES", "[b -9007199254740992 d 2.5 a 1700000000123]"},
    {0, "ZREM z one nobody", ":1"},
    {0, "ZREM nokey x", ":0"},
    {0, "EXEC", "-ERR EXEC without MULTI"},
    {0, "DISCARD", "-ERR DISCARD without MULTI"},
    {0, "MULTI", "+OK"},
    {0, "MULTI", "-ERR MULTI calls can not be nested"},
    {0, "WATCH h", "-ERR WATCH inside MULTI is not allowed"},
    {0, "HSET h e 5", "+QUEUED"},
    {0, "ZADD h 1 a", "+QUEUED"},
    {0, "HLEN h", "+QUEUED"},
    {0, "EXEC", "[:1 -WRONGTYPE Operation against a key holding the wrong kind of value :4]"},
    {0, "MULTI", "+OK"},
    {0, "HSET h f", "-ERR wrong number of arguments for 'hset' command"},
    {0, "HSET h f 6", "+QUEUED"},
    {0, "EXEC", "-EXECABORT Transaction discarded because of previous errors."},
    {0, "HGET h f", "nil"},
    {0, "MULTI", "+OK"},
    {0, "HSET h f 6", "+QUEUED"},
    {0, "DISCARD", "+OK"},
    {0, "HGET h f", "nil"},
    /* WATCH: a change by another, by oneself, of an absent key, of another key */
    {0, "WATCH h", "+OK"},
    {1, "HSET h a 5", ":0"},
    {0, "MULTI", "+OK"},
    {0, "HSET h f 6", "+QUEUED"},
    {0, "EXEC", "nil"},
    {0, "MULTI", "+OK"},
    {0, "HSET h f 6", "+QUEUED"},
    {0, "EXEC", "[:1]"},
    {0, "WATCH absent", "+OK"},
    {1, "HSET absent a 1", ":1"},
    {0, "MULTI", "+OK"},
    {0, "EXEC", "nil"},
    {0, "WATCH absent", "+OK"},
    {1, "DEL absent", ":1"},
    {0, "MULTI", "+OK"},
    {0, "EXEC", "nil"},
    {0, "WATCH absent", "+OK"},
    {1, "DEL absent", ":0"},
    {1, "HSET other a 1", ":1"},
    {1, "HGET h a", "5"},
    {1, "HDEL h nofield", ":0"},
    {0, "MULTI", "+OK"},
    {0, "EXEC", "[]"},
    {0, "WATCH h", "+OK"},
    {0, "HSET h own 1", ":1"},
    {0, "MULTI", "+OK"},
    {0, "EXEC", "nil"},
    {0, "WATCH h", "+OK"},
    {1, "HSET h a 6", ":0"},
    {0, "UNWATCH", "+OK"},
    {0, "WATCH h", "+OK"},
    {0, "MULTI", "+OK"},
    {0, "HSET h a 7", "+QUEUED"},
    {0, "EXEC", "[:0]"},
    {0, "WATCH h", "+OK"},
    {1, "HSET h a 8", ":0"},
    {0, "WATCH h", "+OK"}, /* the older mark stays */
    {0, "MULTI", "+OK"},
    {0, "EXEC", "nil"},
    {0, "WATCH z", "+OK"},
    {1, "ZADD z LT 99 five", ":0"}, /* changes nothing */
    {0, "MULTI", "+OK"},
    {0, "EXEC", "[]"},
    {0, "ZREM z three drei five new", ":4"},
    {0, "EXISTS z", ":0"}, /* an empty container is no key */
    {0, "UNLINK h big other nokey", ":3"},
    {0, "SCAN 0 MATCH {x:* COUNT 10", "[0 []]"},
    {0, "HSET {x:1}:m a 1", ":1"},
    {0, "SCAN 0 MATCH {x:* COUNT 10", "[0 [{x:1}:m]]"},
    {0, "DEL {x:1}:m", ":1"},
    {0, "CONFIG GET maxmemory-policy", "[maxmemory-policy noeviction]"},
    {0, "CONFIG GET nosuch", "[]"},
    {0, "AUTH password",
     "-ERR AUTH <password> called without any password configured for the default user. Are you "
     "sure your "
     "configuration is correct?"},
    {0, "AUTH default any", "+OK"},
    {0, "AUTH nobody x", "-WRONGPASS invalid username-password pair or user is disabled."},
    {0, "SELECT 0", "+OK"},
};

static void test_the_answers_are_those_of_the_table(void **state)
{
    struct redis_memory *server = redis_memory_open();
    struct redis_memory_conn *conn[2] = {redis_memory_connect(server),
                                         redis_memory_connect(server)};
    char answer[1024];

    (void)state;
    for (size_t i = 0; i < sizeof talk / sizeof *talk; i++) {
        struct redis redis = redis_memory_port(conn[talk[i].who]);

        say(&redis, talk[i].line, answer, sizeof answer);
        if (strcmp(talk[i].answer, "*") != 0 && strcmp(talk[i].answer, answer) != 0)
            fail_msg("row %zu, %s: %s", i, talk[i].line, answer);
    }
    redis_memory_disconnect(conn[0]);
    redis_memory_disconnect(conn[1]);
    redis_memory_close(server);
}

static void test_the_table_is_what_a_real_server_answers(void **state)
{
    struct redis_client *client[2];
    struct redis_server server;
    struct report report;
    char answer[1024];

    (void)state;
    if (!redis_server_installed()) {
        print_message("redis-server is not installed: skipped\n");
        skip();
    }
    assert_true(redis_server_start(&server, NULL));
    for (int i = 0; i < 2; i++)
        assert_int_equal(redis_client_open(&server.options, &client[i], &report), STATUS_OK);
    for (size_t i = 0; i < sizeof talk / sizeof *talk; i++) {
        struct redis redis = redis_client_port(client[talk[i].who]);

        say(&redis, talk[i].line, answer, sizeof answer);
        if (strcmp(talk[i].answer, "*") != 0 && strcmp(talk[i].answer, answer) != 0)
            fail_msg("row %zu, %s: %s", i, talk[i].line, answer);
    }
    for (int i = 0; i < 2; i++)
        redis_client_close(client[i]);
    redis_server_stop(&server);
}

static void test_an_image_brings_the_data_back_and_breaks_every_watch(void **state)
{
    struct redis_memory *server = redis_memory_open();
    struct redis_memory_conn *conn = redis_memory_connect(server);
    struct redis redis = redis_memory_port(conn);
    struct redis_memory_image *image;
    char answer[256];

    (void)state;
    say(&redis, "HSET h a 1 b 2", answer, sizeof answer);
    say(&redis, "ZADD z 2 two 1 one", answer, sizeof answer);
    image = redis_memory_save(server);
    say(&redis, "HSET h a 9 c 3", answer, sizeof answer);
    say(&redis, "DEL z", answer, sizeof answer);
    say(&redis, "WATCH other", answer, sizeof answer);
    redis_memory_load(server, image);
    say(&redis, "HGETALL h", answer, sizeof answer);
    assert_string_equal(answer, "[a 1 b 2]");
    say(&redis, "ZRANGE z 0 -1 WITHSCORES", answer, sizeof answer);
    assert_string_equal(answer, "[one 1 two 2]");
    say(&redis, "MULTI", answer, sizeof answer);
    say(&redis, "EXEC", answer, sizeof answer);
    assert_string_equal(answer, "nil");
    redis_memory_load(server, NULL);
    say(&redis, "EXISTS h z", answer, sizeof answer);
    assert_string_equal(answer, ":0");
    redis_memory_load(server, image); /* an image may be used again */
    say(&redis, "EXISTS h z", answer, sizeof answer);
    assert_string_equal(answer, ":2");
    redis_memory_image_free(image);
    redis_memory_disconnect(conn);
    redis_memory_close(server);
}

static void test_refused_writes_abort_the_transaction_and_reads_go_on(void **state)
{
    struct redis_memory *server = redis_memory_open();
    struct redis_memory_conn *conn = redis_memory_connect(server);
    struct redis redis = redis_memory_port(conn);
    char answer[256];

    (void)state;
    redis_memory_refuse_writes(server, "OOM command not allowed when used memory > 'maxmemory'.");
    say(&redis, "MULTI", answer, sizeof answer);
    say(&redis, "HSET h a 1", answer, sizeof answer);
    assert_string_equal(answer, "-OOM command not allowed when used memory > 'maxmemory'.");
    say(&redis, "HGET h a", answer, sizeof answer);
    assert_string_equal(answer, "+QUEUED");
    say(&redis, "EXEC", answer, sizeof answer);
    assert_string_equal(answer, "-EXECABORT Transaction discarded because of previous errors.");
    say(&redis, "HGET h a", answer, sizeof answer);
    assert_string_equal(answer, "nil");
    redis_memory_refuse_writes(server, NULL);
    say(&redis, "HSET h a 1", answer, sizeof answer);
    assert_string_equal(answer, ":1");
    redis_memory_disconnect(conn);
    redis_memory_close(server);
}

/* Closing a connection forgets its WATCH, its MULTI and what was queued, and the next send is
 * another connection. */
static void test_a_closed_connection_starts_anew(void **state)
{
    struct redis_memory *server = redis_memory_open();
    struct redis_memory_conn *conn = redis_memory_connect(server);
    struct redis redis = redis_memory_port(conn);
    uint64_t before;
    char answer[256];

    (void)state;
    assert_int_equal(redis.connection(redis.self), 0);
    say(&redis, "MULTI", answer, sizeof answer);
    before = redis.connection(redis.self);
    assert_true(before > 0);
    redis.queue(redis.self, 1, (struct span[]){SPAN_LITERAL("PING")});
    redis.close(redis.self);
    assert_int_equal(redis.connection(redis.self), 0);
    say(&redis, "EXEC", answer, sizeof answer);
    assert_string_equal(answer, "-ERR EXEC without MULTI");
    assert_true(redis.connection(redis.self) > before);
    redis_memory_disconnect(conn);
    redis_memory_close(server);
}

/* A hash and a sorted set far beyond what is searched entry by entry. */
static void test_many_fields_and_members_are_found_in_order(void **state)
{
    struct redis_memory *server = redis_memory_open();
    struct redis_memory_conn *conn = redis_memory_connect(server);
    struct redis redis = redis_memory_port(conn);
    char line[64], answer[256], expected[64];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(line, sizeof line, "HSET h f%d v%d", i, i);
        say(&redis, line, answer, sizeof answer);
        snprintf(line, sizeof line, "ZADD z %d m%d", i * 7919 % 1000, i);
        say(&redis, line, answer, sizeof answer);
    }
    for (int i = 0; i < 1000; i += 3) {
        snprintf(line, sizeof line, "HDEL h f%d", i);
        say(&redis, line, answer, sizeof answer);
        assert_string_equal(answer, ":1");
        snprintf(line, sizeof line, "ZREM z m%d", i);
        say(&redis, line, answer, sizeof answer);
        assert_string_equal(answer, ":1");
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(line, sizeof line, "HGET h f%d", i);
        say(&redis, line, answer, sizeof answer);
        snprintf(expected, sizeof expected, "v%d", i);
        assert_string_equal(answer, i % 3 ? expected : "nil");
        snprintf(line, sizeof line, "ZRANGEBYSCORE z %d %d", i * 7919 % 1000, i * 7919 % 1000);
        say(&redis, line, answer, sizeof answer);
        snprintf(expected, sizeof expected, "[m%d]", i);
        assert_string_equal(answer, i % 3 ? expected : "[]");
    }
    redis_memory_disconnect(conn);
    redis_memory_close(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_answers_are_those_of_the_table),
        cmocka_unit_test(test_the_table_is_what_a_real_server_answers),
        cmocka_unit_test(test_an_image_brings_the_data_back_and_breaks_every_watch),
        cmocka_unit_test(test_refused_writes_abort_the_transaction_and_reads_go_on),
        cmocka_unit_test(test_a_closed_connection_starts_anew),
        cmocka_unit_test(test_many_fields_and_members_are_found_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
