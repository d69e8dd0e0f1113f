/* Opening, the server check and peek. */
#include "state/store.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/text.h"
#include "state/store_inner.h"

struct store *store_open_readonly(struct redis redis, const char *app, int32_t partition)
{
    struct store *store = calloc(1, sizeof *store);
    size_t len = strlen(app);
    int written;

    if (!store)
        return NULL;
    MUST(len >= 1 && len <= STORE_APP_MAX);
    for (size_t i = 0; i < len; i++)
        MUST(isalnum((unsigned char)app[i]) || strchr("._-", app[i]));
    MUST(partition >= 0);
    written = snprintf(store->prefix, sizeof store->prefix, "{%s:%" PRId32 "}:", app, partition);
    MUST(written > 0 && (size_t)written < sizeof store->prefix);
    store->prefix_len = (size_t)written;
    store->redis = redis;
    return store;
}

struct store *store_open(struct redis redis, const struct store_options *options)
{
    struct store *store = store_open_readonly(redis, options->app, options->partition);

    if (!store)
        return NULL;
    MUST(strlen(options->token) >= 1);
    MUST(strlen(options->token) <= STORE_TOKEN_MAX);
    store->token = options->token;
    store->generation = options->generation;
    return store;
}

void store_close(struct store *store)
{
    free(store);
}

void store_generation(struct store *store, int64_t generation)
{
    store->generation = generation;
}

/* --- is the server fit? --- */

/* The value of `name:` in INFO's text; absent when there is none. */
static struct span info_value(struct span info, const char *name)
{
    size_t len = strlen(name);
    const char *end = info.at + info.len;

    for (const char *line = info.at; line && line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t line_len = (size_t)((stop ? stop : end) - line);

        if (line_len > len && !memcmp(line, name, len) && line[len] == ':') {
            struct span value = {line + len + 1, line_len - len - 1};

            if (value.len && value.at[value.len - 1] == '\r')
                value.len--;
            return value;
        }
        line = stop ? stop + 1 : NULL;
    }
    return SPAN_ABSENT;
}

struct server_facts {
    struct span policy, role; /* absent: not told */
};

static enum status judge(const struct server_facts *facts, struct report *report)
{
    if (!facts->policy.at || !facts->role.at) {
        report_set(
            report, "redis-noperm",
            "the Redis user may neither ask CONFIG GET nor INFO (ROLE): %s cannot be checked; load "
            "deploy/redis/lifecycled.acl",
            facts->policy.at ? "the server's role" : "maxmemory-policy");
        return STATUS_REJECT;
    }
    if (!span_is(facts->role, "master")) {
        report_set(
            report, "redis-replica",
            "this Redis is a %.*s; state must be written to the primary: correct redis.address",
            (int)(facts->role.len & 15), facts->role.at);
        return STATUS_REJECT;
    }
    if (!span_is(facts->policy, "noeviction")) {
        report_set(report, "redis-eviction",
                   "Redis would evict customers: maxmemory-policy is '%.*s'; set it to noeviction",
                   (int)(facts->policy.len & 31), facts->policy.at);
        return STATUS_REJECT;
    }
    return STATUS_OK;
}

/* Collects what the answers tell; a refusal of one of them is not an error while another tells the
 * same. */
static enum status take_facts(struct store *talk, struct report *report)
{
    const struct redis_value *role, *policy, *memory, *replication;
    struct server_facts facts = {SPAN_ABSENT, SPAN_ABSENT};
    const struct redis_value **const takes[] = {&role, &policy, &memory, &replication};
    const struct redis_value *pong;
    enum status status = store_take(talk, &pong, report);

    if (status == STATUS_OK && pong->type == REDIS_ERROR)
        status = store_error_status(pong->text, report); /* LOADING, NOAUTH */
    for (size_t i = 0; status == STATUS_OK && i < sizeof takes / sizeof *takes; i++)
        status = store_take(talk, takes[i], report);
    if (status != STATUS_OK)
        return status;
    if (role->type == REDIS_ARRAY && role->count > 0 && role->items[0].type == REDIS_BULK)
        facts.role = role->items[0].text;
    else if (replication->type == REDIS_BULK)
        facts.role = info_value(replication->text, "role");
    if (policy->type == REDIS_ARRAY && policy->count == 2 && policy->items[1].type == REDIS_BULK)
        facts.policy = policy->items[1].text;
    else if (memory->type == REDIS_BULK)
        facts.policy = info_value(memory->text, "maxmemory_policy");
    return judge(&facts, report);
}

enum status store_server_check(struct redis *redis, struct report *report)
{
    struct store talk = {.redis = *redis};
    enum status status;

    store_talk_begin(&talk);
    STORE_QUEUE(&talk, SPAN_LITERAL("PING"));
    STORE_QUEUE(&talk, SPAN_LITERAL("ROLE"));
    STORE_QUEUE(&talk, SPAN_LITERAL("CONFIG"), SPAN_LITERAL("GET"),
                SPAN_LITERAL("maxmemory-policy"));
    STORE_QUEUE(&talk, SPAN_LITERAL("INFO"), SPAN_LITERAL("memory"));
    STORE_QUEUE(&talk, SPAN_LITERAL("INFO"), SPAN_LITERAL("replication"));
    status = store_send(&talk, report);
    if (status == STATUS_OK)
        status = take_facts(&talk, report);
    store_drain(&talk);
    return status;
}

/* --- peek --- */

enum status store_peek(struct redis *redis, const char *app, int32_t partition,
                       struct store_meta *ret_meta, bool *ret_present, struct report *report)
{
    struct store *store = store_open_readonly(*redis, app, partition);
    struct store_meta_found found = {0};
    enum status status;

    if (!store) {
        report_set(report, "memory", "out of memory");
        return STATUS_RETRY;
    }
    store_talk_begin(store);
    store_queue_meta(store);
    status = store_send(store, report);
    if (status == STATUS_OK)
        status = store_take_meta(store, &found, report);
    store_drain(store);
    store_close(store);
    if (status != STATUS_OK)
        return status;
    *ret_meta = found.meta;
    *ret_present = found.present && !found.wiping;
    return STATUS_OK;
}
