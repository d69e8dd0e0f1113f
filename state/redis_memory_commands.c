/* Each command as Redis 7.0 answers it over RESP2, for the arguments that the store uses; options
 * beyond them are a syntax error, so that a use of them is noticed. */
#include "state/redis_memory_inner.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/must.h"
#include "base/text.h"

static struct redis_value integer(int64_t value)
{
    return (struct redis_value){.type = REDIS_INT, .integer = value};
}

static struct redis_value bulk(struct call *call, struct span bytes)
{
    return (struct redis_value){
        .type = REDIS_BULK,
        .text = {arena_copy(call->arena, bytes.len ? bytes.at : "", bytes.len), bytes.len}};
}

static struct redis_value nil(void)
{
    return (struct redis_value){.type = REDIS_NIL};
}

static struct redis_value wrong_type(struct call *call)
{
    return redis_memory_error(call->arena,
                              "WRONGTYPE Operation against a key holding the wrong kind of value");
}

static struct redis_value syntax(struct call *call)
{
    return redis_memory_error(call->arena, "ERR syntax error");
}

static struct redis_value *items_of(struct call *call, size_t count)
{
    struct redis_value *items = arena_alloc(call->arena, (count + 1) * sizeof *items);

    MUST(items);
    return items;
}

static struct redis_value array(const struct redis_value *items, size_t count)
{
    return (struct redis_value){.type = REDIS_ARRAY, .items = items, .count = count};
}

static bool word(struct span span, const char *text)
{
    return span.len == strlen(text) && !strncasecmp(span.at, text, span.len);
}

/* An empty container is no key in Redis. */
static void drop_when_empty(struct call *call, const struct object *object)
{
    if (object->fields.live == 0)
        redis_memory_drop(call->server, call->argv[1]);
}

/* --- connection and server --- */

static struct redis_value run_ping(struct call *call)
{
    (void)call;
    return redis_memory_status("PONG");
}

static struct redis_value run_ok(struct call *call)
{
    (void)call;
    return redis_memory_status("OK");
}

static struct redis_value run_auth(struct call *call)
{
    if (call->argc == 2)
        return redis_memory_error(
            call->arena, "ERR AUTH <password> called without any password configured for the "
                         "default user. Are you sure your configuration is correct?");
    if (!span_is(call->argv[1], "default"))
        return redis_memory_error(call->arena,
                                  "WRONGPASS invalid username-password pair or user is disabled.");
    return redis_memory_status("OK");
}

static struct redis_value run_hello(struct call *call)
{
    static const char *const pairs[] = {"server", "redis",      "version", "7.0.15",
                                        "mode",   "standalone", "role",    "master"};
    size_t count = sizeof pairs / sizeof *pairs;
    struct redis_value *items = items_of(call, count);

    if (call->argc > 1 && !span_is(call->argv[1], "2"))
        return redis_memory_error(call->arena, "NOPROTO unsupported protocol version");
    for (size_t i = 0; i < count; i++)
        items[i] = bulk(call, span_of(pairs[i]));
    return array(items, count);
}

static struct redis_value run_role(struct call *call)
{
    struct redis_value *items = items_of(call, 3);

    items[0] = bulk(call, SPAN_LITERAL("master"));
    items[1] = integer(0);
    items[2] = array(items_of(call, 0), 0);
    return array(items, 3);
}

static struct redis_value run_config(struct call *call)
{
    struct redis_value *items = items_of(call, 2);
    bool policy = call->argc > 2 && word(call->argv[2], "maxmemory-policy");

    if (word(call->argv[1], "SET") && call->argc == 4 && policy) {
        snprintf(call->server->policy, sizeof call->server->policy, "%.*s", (int)call->argv[3].len,
                 call->argv[3].at);
        return redis_memory_status("OK");
    }
    if (!word(call->argv[1], "GET") || call->argc != 3)
        return syntax(call);
    items[0] = bulk(call, SPAN_LITERAL("maxmemory-policy"));
    items[1] = bulk(call, span_of(call->server->policy));
    return array(items, policy ? 2 : 0);
}

static struct redis_value run_info(struct call *call)
{
    char text[256];
    int len =
        snprintf(text, sizeof text,
                 "# Server\r\nredis_version:7.0.15\r\n\r\n# Memory\r\nmaxmemory_policy:%s\r\n\r\n"
                 "# Replication\r\nrole:master\r\n",
                 call->server->policy);

    return bulk(call, (struct span){text, (size_t)len});
}

/* --- keys --- */

static struct redis_value run_type(struct call *call)
{
    const struct object *object = redis_memory_find(call->server, call->argv[1]);

    if (!object)
        return redis_memory_status("none");
    return redis_memory_status(object->kind == OBJECT_HASH ? "hash" : "zset");
}

static struct redis_value run_exists(struct call *call)
{
    int64_t count = 0;

    for (size_t i = 1; i < call->argc; i++)
        count += redis_memory_find(call->server, call->argv[i]) != NULL;
    return integer(count);
}

static struct redis_value run_del(struct call *call)
{
    int64_t count = 0;

    for (size_t i = 1; i < call->argc; i++)
        if (redis_memory_drop(call->server, call->argv[i])) {
            redis_memory_touch(call->server, call->argv[i]);
            count++;
        }
    return integer(count);
}

/* All keys in one answer: the cursor is always done. */
static struct redis_value run_scan(struct call *call)
{
    const struct dict *keys = &call->server->keys;
    struct redis_value *items = items_of(call, 2), *found = items_of(call, keys->live);
    char pattern[256] = "*", key[512];
    size_t count = 0;

    for (size_t i = 2; i < call->argc; i += 2) {
        if (i + 1 == call->argc || (!word(call->argv[i], "MATCH") && !word(call->argv[i], "COUNT")))
            return syntax(call);
        if (word(call->argv[i], "MATCH"))
            snprintf(pattern, sizeof pattern, "%.*s", (int)call->argv[i + 1].len,
                     call->argv[i + 1].at);
    }
    for (uint32_t i = 0; i < keys->used; i++) {
        if (!keys->entries[i].key)
            continue;
        snprintf(key, sizeof key, "%.*s", (int)keys->entries[i].key_len, keys->entries[i].key);
        if (fnmatch(pattern, key, 0) == 0)
            found[count++] = bulk(call, dict_key(&keys->entries[i]));
    }
    items[0] = bulk(call, SPAN_LITERAL("0"));
    items[1] = array(found, count);
    return array(items, 2);
}

/* --- hashes --- */

static struct redis_value run_hset(struct call *call)
{
    struct object *object = redis_memory_find(call->server, call->argv[1]);
    int64_t added = 0;

    if (call->argc % 2 != 0)
        return redis_memory_error(call->arena, "ERR wrong number of arguments for 'hset' command");
    if (object && object->kind != OBJECT_HASH)
        return wrong_type(call);
    if (!object)
        object = redis_memory_make(call->server, call->argv[1], OBJECT_HASH);
    for (size_t i = 2; i < call->argc; i += 2) {
        struct dict_entry *entry = dict_find(&object->fields, call->argv[i]);

        added += !entry;
        if (!entry)
            entry = dict_add(&object->fields, call->argv[i]);
        redis_memory_hash_set(object, entry, call->argv[i + 1]);
    }
    redis_memory_touch(call->server, call->argv[1]);
    return integer(added);
}

static struct redis_value run_hincrby(struct call *call)
{
    struct object *object = redis_memory_find(call->server, call->argv[1]);
    struct dict_entry *entry;
    int64_t value = 0, by;
    char text[24];

    if (text_i64_parse(call->argv[3], &by) != STATUS_OK)
        return redis_memory_error(call->arena, "ERR value is not an integer or out of range");
    if (object && object->kind != OBJECT_HASH)
        return wrong_type(call);
    if (!object)
        object = redis_memory_make(call->server, call->argv[1], OBJECT_HASH);
    entry = dict_find(&object->fields, call->argv[2]);
    if (entry &&
        text_i64_parse(((struct span){entry->bytes, entry->bytes_len}), &value) != STATUS_OK)
        return redis_memory_error(call->arena, "ERR hash value is not an integer");
    if (__builtin_add_overflow(value, by, &value))
        return redis_memory_error(call->arena, "ERR increment or decrement would overflow");
    if (!entry)
        entry = dict_add(&object->fields, call->argv[2]);
    int len = snprintf(text, sizeof text, "%lld", (long long)value);
    redis_memory_hash_set(object, entry, (struct span){text, (size_t)len});
    redis_memory_touch(call->server, call->argv[1]);
    return integer(value);
}

static struct redis_value run_hdel(struct call *call)
{
    struct object *object = redis_memory_find(call->server, call->argv[1]);
    int64_t removed = 0;

    if (!object)
        return integer(0);
    if (object->kind != OBJECT_HASH)
        return wrong_type(call);
    for (size_t i = 2; i < call->argc; i++) {
        struct dict_entry *entry = dict_find(&object->fields, call->argv[i]);

        if (!entry)
            continue;
        redis_memory_hash_remove(object, entry);
        removed++;
    }
    drop_when_empty(call, object);
    if (removed)
        redis_memory_touch(call->server, call->argv[1]);
    return integer(removed);
}

static struct redis_value field(struct call *call, const struct object *object, struct span name)
{
    const struct dict_entry *entry = object ? dict_find(&object->fields, name) : NULL;

    return entry ? bulk(call, (struct span){entry->bytes, entry->bytes_len}) : nil();
}

static struct redis_value run_hget(struct call *call)
{
    const struct object *object = redis_memory_find(call->server, call->argv[1]);

    if (object && object->kind != OBJECT_HASH)
        return wrong_type(call);
    return field(call, object, call->argv[2]);
}

static struct redis_value run_hmget(struct call *call)
{
    const struct object *object = redis_memory_find(call->server, call->argv[1]);
    struct redis_value *items = items_of(call, call->argc - 2);

    if (object && object->kind != OBJECT_HASH)
        return wrong_type(call);
    for (size_t i = 2; i < call->argc; i++)
        items[i - 2] = field(call, object, call->argv[i]);
    return array(items, call->argc - 2);
}

static struct redis_value run_hgetall(struct call *call)
{
    const struct object *object = redis_memory_find(call->server, call->argv[1]);
    struct redis_value *items;
    size_t count = 0;

    if (object && object->kind != OBJECT_HASH)
        return wrong_type(call);
    items = items_of(call, object ? object->fields.live * (size_t)2 : 0);
    for (uint32_t i = 0; object && i < object->fields.used; i++) {
        const struct dict_entry *entry = &object->fields.entries[i];

        if (!entry->key)
            continue;
        items[count++] = bulk(call, dict_key(entry));
        items[count++] = bulk(call, (struct span){entry->bytes, entry->bytes_len});
    }
    return array(items, count);
}

static struct redis_value run_hlen(struct call *call)
{
    const struct object *object = redis_memory_find(call->server, call->argv[1]);

    if (object && object->kind != OBJECT_HASH)
        return wrong_type(call);
    return integer(object ? (int64_t)object->fields.live : 0);
}

/* --- sorted sets --- */

static bool score_of(struct span text, double *ret_score)
{
    char copy[64], *end;

    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    *ret_score = strtod(copy, &end);
    return *end == '\0' && !isnan(*ret_score);
}

/* As Redis writes a double: an integer where it is one. */
static struct redis_value score_text(struct call *call, double score)
{
    char text[64];
    int len;

    if (isinf(score))
        len = snprintf(text, sizeof text, "%s", score > 0 ? "inf" : "-inf");
    else if (score == floor(score) && fabs(score) < 4503599627370496.0)
        len = snprintf(text, sizeof text, "%lld", (long long)score);
    else
        len = snprintf(text, sizeof text, "%.17g", score);
    return bulk(call, (struct span){text, (size_t)len});
}

static struct redis_value run_zadd(struct call *call)
{
    struct object *object = redis_memory_find(call->server, call->argv[1]);
    bool lower = word(call->argv[2], "LT"), greater = word(call->argv[2], "GT");
    size_t first = lower || greater ? 3 : 2;
    int64_t added = 0;
    bool changed = false;
    double score;

    if (call->argc <= first || (call->argc - first) % 2 != 0)
        return syntax(call);
    for (size_t i = first; i < call->argc; i += 2)
        if (!score_of(call->argv[i], &score))
            return redis_memory_error(call->arena, "ERR value is not a valid float");
    if (object && object->kind != OBJECT_ZSET)
        return wrong_type(call);
    if (!object)
        object = redis_memory_make(call->server, call->argv[1], OBJECT_ZSET);
    for (size_t i = first; i < call->argc; i += 2) {
        const struct dict_entry *entry = dict_find(&object->fields, call->argv[i + 1]);

        MUST(score_of(call->argv[i], &score));
        if (entry && ((lower && score >= entry->score) || (greater && score <= entry->score) ||
                      score == entry->score))
            continue;
        added += !entry;
        changed = true;
        redis_memory_zset_add(object, call->argv[i + 1], score);
    }
    if (changed)
        redis_memory_touch(call->server, call->argv[1]);
    return integer(added);
}

static struct redis_value run_zrem(struct call *call)
{
    struct object *object = redis_memory_find(call->server, call->argv[1]);
    int64_t removed = 0;

    if (!object)
        return integer(0);
    if (object->kind != OBJECT_ZSET)
        return wrong_type(call);
    for (size_t i = 2; i < call->argc; i++) {
        struct dict_entry *entry = dict_find(&object->fields, call->argv[i]);

        if (!entry)
            continue;
        redis_memory_zset_remove(object, entry);
        removed++;
    }
    drop_when_empty(call, object);
    if (removed)
        redis_memory_touch(call->server, call->argv[1]);
    return integer(removed);
}

static struct redis_value ranks(struct call *call, const struct object *object, size_t from,
                                size_t to, bool scores)
{
    size_t count = 0;
    struct redis_value *items = items_of(call, from < to ? (to - from) * 2 : 0);

    for (size_t i = from; i < to; i++) {
        items[count++] = bulk(call, object->ranks[i].member);
        if (scores)
            items[count++] = score_text(call, object->ranks[i].score);
    }
    return array(items, count);
}

/* One end of a score range: "(5" is beyond 5. */
static bool bound_of(struct span text, double *ret_score, bool *ret_open)
{
    *ret_open = text.len > 0 && text.at[0] == '(';
    if (*ret_open)
        text = (struct span){text.at + 1, text.len - 1};
    return score_of(text, ret_score);
}

static struct redis_value run_zrangebyscore(struct call *call)
{
    const struct object *object = redis_memory_find(call->server, call->argv[1]);
    bool scores = false, min_open, max_open;
    int64_t offset = 0, limit = -1;
    double min, max;
    size_t from, to;

    if (!bound_of(call->argv[2], &min, &min_open) || !bound_of(call->argv[3], &max, &max_open))
        return redis_memory_error(call->arena, "ERR min or max is not a float");
    for (size_t i = 4; i < call->argc; i++) {
        if (word(call->argv[i], "WITHSCORES")) {
            scores = true;
        } else if (word(call->argv[i], "LIMIT") && i + 2 < call->argc) {
            if (text_i64_parse(call->argv[i + 1], &offset) != STATUS_OK ||
                text_i64_parse(call->argv[i + 2], &limit) != STATUS_OK)
                return redis_memory_error(call->arena,
                                          "ERR value is not an integer or out of range");
            i += 2;
        } else {
            return syntax(call);
        }
    }
    if (!object)
        return array(items_of(call, 0), 0);
    if (object->kind != OBJECT_ZSET)
        return wrong_type(call);
    from = redis_memory_zset_lower(object, min, min_open) + (offset > 0 ? (size_t)offset : 0);
    to = redis_memory_zset_lower(object, max, !max_open);
    if (limit >= 0 && from < to && to - from > (size_t)limit)
        to = from + (size_t)limit;
    return ranks(call, object, from, to, scores);
}

static struct redis_value run_zrange(struct call *call)
{
    const struct object *object = redis_memory_find(call->server, call->argv[1]);
    bool scores = call->argc == 5 && word(call->argv[4], "WITHSCORES");
    int64_t from, to, len;

    if (text_i64_parse(call->argv[2], &from) != STATUS_OK ||
        text_i64_parse(call->argv[3], &to) != STATUS_OK)
        return redis_memory_error(call->arena, "ERR value is not an integer or out of range");
    if (call->argc > 4 && !scores)
        return syntax(call);
    if (!object)
        return array(items_of(call, 0), 0);
    if (object->kind != OBJECT_ZSET)
        return wrong_type(call);
    len = (int64_t)object->fields.live;
    from = from < 0 ? from + len : from;
    to = to < 0 ? to + len : to;
    from = from < 0 ? 0 : from;
    to = to >= len ? len - 1 : to;
    return ranks(call, object, (size_t)from, to < from ? (size_t)from : (size_t)to + 1, scores);
}

static struct redis_value run_zcard(struct call *call)
{
    const struct object *object = redis_memory_find(call->server, call->argv[1]);

    if (object && object->kind != OBJECT_ZSET)
        return wrong_type(call);
    return integer(object ? (int64_t)object->fields.live : 0);
}

static struct redis_value run_zscore(struct call *call)
{
    const struct object *object = redis_memory_find(call->server, call->argv[1]);
    const struct dict_entry *entry;

    if (object && object->kind != OBJECT_ZSET)
        return wrong_type(call);
    entry = object ? dict_find(&object->fields, call->argv[2]) : NULL;
    return entry ? score_text(call, entry->score) : nil();
}

#define COMMAND(name, arity, write, run)                                                           \
    {                                                                                              \
        name, sizeof(name) - 1, arity, write, run                                                  \
    }
/* WATCH, MULTI, EXEC and DISCARD are the connection's (redis_memory.c); their rows give arity only.
 */
static const struct command commands[] = {
    COMMAND("HSET", -4, true, run_hset),
    COMMAND("HINCRBY", 4, true, run_hincrby),
    COMMAND("HMGET", -3, false, run_hmget),
    COMMAND("ZADD", -4, true, run_zadd),
    COMMAND("WATCH", -2, false, run_ok),
    COMMAND("MULTI", 1, false, run_ok),
    COMMAND("EXEC", 1, false, run_ok),
    COMMAND("HGETALL", 2, false, run_hgetall),
    COMMAND("HDEL", -3, true, run_hdel),
    COMMAND("ZREM", -3, true, run_zrem),
    COMMAND("ZRANGEBYSCORE", -4, false, run_zrangebyscore),
    COMMAND("ZSCORE", 3, false, run_zscore),
    COMMAND("HGET", 3, false, run_hget),
    COMMAND("HLEN", 2, false, run_hlen),
    COMMAND("ZRANGE", -4, false, run_zrange),
    COMMAND("ZCARD", 2, false, run_zcard),
    COMMAND("TYPE", 2, false, run_type),
    COMMAND("EXISTS", -2, false, run_exists),
    COMMAND("DEL", -2, true, run_del),
    COMMAND("UNLINK", -2, true, run_del),
    COMMAND("SCAN", -2, false, run_scan),
    COMMAND("UNWATCH", 1, false, run_ok),
    COMMAND("DISCARD", 1, false, run_ok),
    COMMAND("PING", -1, false, run_ping),
    COMMAND("SELECT", 2, false, run_ok),
    COMMAND("AUTH", -2, false, run_auth),
    COMMAND("HELLO", -1, false, run_hello),
    COMMAND("ROLE", 1, false, run_role),
    COMMAND("CONFIG", -2, false, run_config),
    COMMAND("INFO", -1, false, run_info),
};

const struct command *redis_memory_command(struct span name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (commands[i].name_len == name.len && !strncasecmp(commands[i].name, name.at, name.len))
            return &commands[i];
    return NULL;
}
