/* One pipeline at a time over the port: what was queued, what was answered, and what an error
 * answer asks of the caller. */
#include "base/must.h"
#include "base/text.h"
#include "state/store_inner.h"

/* First word of an error answer → what to do. `words` follow the server's own. */
static const struct refusal {
    const char *prefix, *code;
    enum status status;
    const char *words;
} refusals[] = {
    {"OOM", "redis-oom", STATUS_RETRY,
     "Redis is at its maxmemory: raise it or free memory; nothing was lost, the partition goes on "
     "by itself"},
    {"READONLY", "redis-readonly", STATUS_RETRY,
     "this Redis is a read-only replica (a failover?): point redis.address at the primary, or wait "
     "until it is one"},
    {"LOADING", "redis-loading", STATUS_RETRY, "Redis is reading its data set; wait"},
    {"MISCONF", "redis-misconf", STATUS_RETRY,
     "Redis cannot save to disk and refuses writes: see its log, free disk space"},
    {"NOREPLICAS", "redis-noreplicas", STATUS_RETRY,
     "Redis has fewer good replicas than min-replicas-to-write asks for"},
    {"BUSY", "redis-busy", STATUS_RETRY, "a script blocks Redis: SCRIPT KILL, or wait"},
    {"MASTERDOWN", "redis-masterdown", STATUS_RETRY, "this replica has lost its primary"},
    {"TRYAGAIN", "redis-cluster", STATUS_RETRY, "Redis Cluster is moving the slot"},
    {"CLUSTERDOWN", "redis-cluster", STATUS_RETRY, "Redis Cluster is not serving"},
    {"MOVED", "redis-cluster", STATUS_REJECT, "Redis Cluster is not supported: use one primary"},
    {"ASK", "redis-cluster", STATUS_REJECT, "Redis Cluster is not supported: use one primary"},
    {"NOAUTH", "redis-noauth", STATUS_REJECT, "Redis wants a password: set redis.password_file"},
    {"WRONGPASS", "redis-wrongpass", STATUS_REJECT,
     "user name or password are wrong, or the ACL user is off"},
    {"NOPERM", "redis-noperm", STATUS_REJECT,
     "the ACL user may not do this: load deploy/redis/lifecycled.acl"},
    {"WRONGTYPE", "redis-wrongtype", STATUS_REJECT,
     "a key of this partition holds something else: another program uses the same prefix. Choose "
     "another app "
     "name, or delete the key and let the partition be rebuilt"},
    {"EXECABORT", "redis-execabort", STATUS_RETRY, "the step was refused as a whole"},
};

static bool begins(struct span text, const char *word)
{
    size_t len = strlen(word);

    return text.len >= len && !memcmp(text.at, word, len) &&
           (text.len == len || text.at[len] == ' ');
}

enum status store_error_status(struct span error, struct report *report)
{
    int len = error.len < 160 ? (int)error.len : 160;

    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (begins(error, refusals[i].prefix)) {
            report_set(report, refusals[i].code, "Redis: %.*s. %s", len, error.at,
                       refusals[i].words);
            return refusals[i].status;
        }
    report_set(report, "redis-error",
               "Redis: %.*s. Is it Redis 6.2 or newer, and is it really Redis?", len, error.at);
    return STATUS_RETRY;
}

enum status store_protocol_error(struct store *store, struct report *report)
{
    report_set(
        report, "redis-protocol",
        "Redis answered with something else than the command's reply; the connection is given up");
    store->redis.close(store->redis.self);
    store->pending = 0;
    store->watch = 0;
    store->broken = true;
    return STATUS_RETRY;
}

void store_talk_begin(struct store *store)
{
    MUST(store->pending == 0);
    store->redis.forget(store->redis.self);
    store->broken = false;
}

void store_queue(struct store *store, size_t argc, const struct span *argv)
{
    store->redis.queue(store->redis.self, argc, argv);
    store->pending++;
}

void store_queue_rewatch(struct store *store)
{
    /* A key that changed under an older WATCH would still make the next EXEC answer nil. */
    STORE_QUEUE(store, SPAN_LITERAL("UNWATCH"));
    store_queue_watch(store);
}

enum status store_take_rewatch(struct store *store, struct report *report)
{
    const struct redis_value *value;
    enum status status = store_expect(store, REDIS_STATUS, &value, report);

    return status == STATUS_OK ? store_expect(store, REDIS_STATUS, &value, report) : status;
}

void store_queue_watch(struct store *store)
{
#ifdef LC_PLANT_NO_WATCH
    STORE_QUEUE(store, SPAN_LITERAL("UNWATCH"));
    return;
#endif
    struct store_key meta = store_key_meta(store);

    STORE_QUEUE(store, SPAN_LITERAL("WATCH"), store_key_span(&meta));
}

void store_queue_open(struct store *store, struct span by)
{
    struct store_key meta = store_key_meta(store);

    STORE_QUEUE(store, SPAN_LITERAL("HINCRBY"), store_key_span(&meta), STORE_META_OPEN, by);
}

bool store_is_torn(const struct redis_value *open)
{
#ifdef LC_PLANT_TORN_UNNOTICED
    return false;
#endif
    return open->type == REDIS_BULK && !span_is(open->text, "0");
}

void store_queue_meta(struct store *store)
{
    struct store_key meta = store_key_meta(store);
    struct span argv[3 + STORE_META_FIELDS] = {SPAN_LITERAL("HMGET"), store_key_span(&meta)};

    memcpy(argv + 2, store_meta_field, sizeof store_meta_field);
    argv[2 + STORE_META_FIELDS] = STORE_META_OPEN;
    store_queue(store, 3 + STORE_META_FIELDS, argv);
}

void store_queue_position(struct store *store)
{
    struct store_key meta = store_key_meta(store);

    STORE_QUEUE(store, SPAN_LITERAL("HMGET"), store_key_span(&meta), SPAN_LITERAL("token"),
                SPAN_LITERAL("R"), SPAN_LITERAL("C"), SPAN_LITERAL("buckets"), STORE_META_OPEN);
}

enum status store_send(struct store *store, struct report *report)
{
    enum status status = store->redis.send(store->redis.self, report);

    if (status != STATUS_OK) {
        store->pending = 0;
        store->watch = 0;
        store->broken = true;
    }
    return status;
}

enum status store_take(struct store *store, const struct redis_value **ret_value,
                       struct report *report)
{
    enum status status;

    MUST(store->pending > 0);
    status = store->redis.reply(store->redis.self, ret_value, report);
    if (status != STATUS_OK) {
        store->pending = 0;
        store->watch = 0;
        store->broken = true;
        return status;
    }
    store->pending--;
    return STATUS_OK;
}

enum status store_expect(struct store *store, enum redis_type type,
                         const struct redis_value **ret_value, struct report *report)
{
    const struct redis_value *value;
    enum status status = store_take(store, &value, report);

    if (status != STATUS_OK)
        return status;
    if (value->type == REDIS_ERROR)
        return store_error_status(value->text, report);
    if (value->type != type)
        return store_protocol_error(store, report);
    *ret_value = value;
    return STATUS_OK;
}

void store_drain(struct store *store)
{
    const struct redis_value *value;

    while (store->pending > 0)
        if (store_take(store, &value, NULL) != STATUS_OK)
            break;
    store->redis.forget(store->redis.self);
}

enum status store_take_exec(struct store *store, size_t queued, struct report *report)
{
    const struct redis_value *value;
    struct report cause = {0};
    enum status status, refused = STATUS_OK;

    for (size_t i = 0; i < queued + 1; i++) { /* MULTI, then a QUEUED each */
        status = store_take(store, &value, report);
        if (status != STATUS_OK)
            return status;
        if (value->type == REDIS_ERROR && refused == STATUS_OK)
            refused = store_error_status(value->text, &cause);
    }
    status = store_take(store, &value, report);
    if (status != STATUS_OK)
        return status;
    if (value->type == REDIS_NIL)
        return STATUS_STALE;
    if (value->type == REDIS_ERROR) {
        if (refused == STATUS_OK)
            return store_error_status(value->text, report);
        report_set(report, cause.code, "%s", cause.text);
        return refused;
    }
    if (value->type != REDIS_ARRAY || value->count != queued || refused != STATUS_OK)
        return store_protocol_error(store, report);
    for (size_t i = 0; i < value->count; i++)
        if (value->items[i].type == REDIS_ERROR) {
            /* Redis does not roll back: the other commands took effect. */
            (void)!store_error_status(value->items[i].text, report);
            return STATUS_GONE;
        }
    return STATUS_OK;
}

enum status store_take_position(struct store *store, struct position at, bool present,
                                uint32_t buckets, struct report *report)
{
    const struct redis_value *value;
    enum status status = store_expect(store, REDIS_ARRAY, &value, report);
    int64_t offset, control, count;
    bool same;

    if (status != STATUS_OK)
        return status;
    if (value->count != 5)
        return store_protocol_error(store, report);
    same = (value->items[1].type == REDIS_BULK) == present && !store_is_torn(&value->items[4]);
    if (same && present)
        same = text_i64_parse(value->items[1].text, &offset) == STATUS_OK &&
               text_i64_parse(value->items[2].text, &control) == STATUS_OK &&
               text_i64_parse(value->items[3].text, &count) == STATUS_OK &&
               (buckets == 0 || count == buckets) &&
               (!store->token || (span_is(value->items[0].text, store->token) &&
                                  offset == at.offset && control == at.control));
    if (same)
        return STATUS_OK;
    report_set(report, "redis-moved",
               "the partition's meta in Redis is not what this worker left there: another worker "
               "claimed it, or "
               "Redis lost its newest writes");
    return STATUS_STALE;
}

enum status store_take_meta(struct store *store, struct store_meta_found *ret_found,
                            struct report *report)
{
    const struct redis_value *value;
    enum status status = store_expect(store, REDIS_ARRAY, &value, report);

    if (status == STATUS_OK && value->count != STORE_META_FIELDS + 1)
        return store_protocol_error(store, report);
    return status == STATUS_OK ? store_meta_read(store, value, ret_found, report) : status;
}
