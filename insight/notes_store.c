/* notes_store: the hash {app:notes}: field `head`, and `0`, `1` … a thousand notes each. Written in
 * one MULTI; the commands are among those the store uses, so that its ACL suffices. */
#include <stdio.h>

#include "base/must.h"
#include "insight/notes.h"
#include "state/store.h"

#define FIELD_BYTES 8
#define APP_MAX     64 /* the longest that config.def allows */
#define ARENA_BYTES ((size_t)4 << 20)

/* Field names and values in turn: the head, then the chunks. */
struct fields {
    char name[1 + NOTES_CHUNKS][FIELD_BYTES];
    struct span at[2 * (1 + NOTES_CHUNKS)];
    size_t count;
};

struct key {
    char at[APP_MAX + 16];
};

static struct span key_of(const char *app, struct key *key)
{
    int len = snprintf(key->at, sizeof key->at, "{%s:notes}", app);

    MUST(len > 0);
    MUST((size_t)len < sizeof key->at);
    return (struct span){key->at, (size_t)len};
}

/* The next answer; an error of the server is RETRY: notes can wait. */
static enum status take(struct redis *redis, const struct redis_value **ret_value,
                        struct report *report)
{
    enum status status = redis->reply(redis->self, ret_value, report);

    if (status == STATUS_OK && (*ret_value)->type == REDIS_ERROR) {
        report_set(report, "notes-redis", "the notes of the learned layer: Redis: %.*s",
                   (int)((*ret_value)->text.len < 160 ? (*ret_value)->text.len : 160),
                   (*ret_value)->text.at);
        redis->close(redis->self); /* what else was queued is void with it */
        return STATUS_RETRY;
    }
    return status;
}

static enum status damaged(const char *why, struct report *report)
{
    report_set(report, "notes-damaged", "the notes of the learned layer in Redis: %s", why);
    return STATUS_REJECT;
}

/* --- loading --- */

/* The value of a field in the answer to HGETALL; absent: there is none. */
static struct span field_of(const struct redis_value *all, const char *name)
{
    for (size_t i = 0; i + 1 < all->count; i += 2)
        if (all->items[i].type == REDIS_BULK && all->items[i + 1].type == REDIS_BULK &&
            span_is(all->items[i].text, name))
            return all->items[i + 1].text;
    return SPAN_ABSENT;
}

static enum status decode(const struct redis_value *all, struct notes *notes, struct report *report)
{
    const char *why = "the head is missing";
    struct span head = field_of(all, "head");
    size_t count = 0;

    if (!head.at || notes_decode_head(head, notes, &count, &why) != STATUS_OK)
        return damaged(why, report);
    for (size_t chunk = 0; notes->count < count && chunk < NOTES_CHUNKS; chunk++) {
        char name[FIELD_BYTES];
        struct span bytes;

        snprintf(name, sizeof name, "%u", (unsigned)chunk);
        bytes = field_of(all, name);
        why = "a part is missing";
        if (!bytes.at || notes_decode_chunk(bytes, notes, &why) != STATUS_OK)
            return damaged(why, report);
    }
    return notes->count == count ? STATUS_OK : damaged("some are missing", report);
}

enum status notes_load(struct redis *redis, const char *app, struct notes *notes,
                       struct report *report)
{
    struct key key;
    struct span argv[] = {SPAN_LITERAL("HGETALL"), key_of(app, &key)};
    const struct redis_value *value = NULL;
    enum status status;

    redis->forget(redis->self);
    redis->queue(redis->self, 2, argv);
    status = redis->send(redis->self, report);
    if (status == STATUS_OK)
        status = take(redis, &value, report);
    if (status == STATUS_OK && value->type != REDIS_ARRAY)
        status = damaged("something else stands there", report);
    else if (status == STATUS_OK && value->count > 0)
        status = decode(value, notes, report);
    redis->forget(redis->self);
    return status;
}

/* --- saving --- */

static void field_add(struct fields *fields, const char *name, struct span value)
{
    char *copy = fields->name[fields->count / 2];

    snprintf(copy, FIELD_BYTES, "%s", name);
    fields->at[fields->count++] = span_of(copy);
    fields->at[fields->count++] = value;
}

static enum status encode(const struct notes *notes, struct arena *arena, struct fields *ret_fields)
{
    struct span bytes;
    enum status status = notes_encode_head(notes, arena, &bytes);

    ret_fields->count = 0;
    if (status == STATUS_OK)
        field_add(ret_fields, "head", bytes);
    for (size_t chunk = 0; status == STATUS_OK && chunk * NOTES_CHUNK < notes->count; chunk++) {
        char name[FIELD_BYTES];

        snprintf(name, sizeof name, "%u", (unsigned)chunk);
        status = notes_encode_chunk(notes, chunk, arena, &bytes);
        if (status == STATUS_OK)
            field_add(ret_fields, name, bytes);
    }
    return status;
}

/* MULTI, UNLINK, HSET, EXEC and their answers. */
static enum status replace(struct redis *redis, struct span key, const struct fields *fields,
                           struct report *report)
{
    const struct span begin = SPAN_LITERAL("MULTI"), end = SPAN_LITERAL("EXEC");
    const struct span away[] = {SPAN_LITERAL("UNLINK"), key};
    struct span argv[2 + 2 * (1 + NOTES_CHUNKS)] = {SPAN_LITERAL("HSET"), key};
    const struct redis_value *value = NULL;
    enum status status;

    for (size_t i = 0; i < fields->count; i++)
        argv[2 + i] = fields->at[i];
    redis->queue(redis->self, 1, &begin);
    redis->queue(redis->self, 2, away);
    redis->queue(redis->self, 2 + fields->count, argv);
    redis->queue(redis->self, 1, &end);
    status = redis->send(redis->self, report);
    for (int answer = 0; answer < 4 && status == STATUS_OK; answer++)
        status = take(redis, &value, report);
    return status;
}

enum status notes_save(struct redis *redis, const char *app, const struct notes *notes,
                       struct report *report)
{
    struct fields fields;
    struct arena arena;
    struct key key;
    enum status status;

    arena_init(&arena, ARENA_BYTES);
    status = encode(notes, &arena, &fields);
    redis->forget(redis->self);
    if (status == STATUS_OK)
        status = replace(redis, key_of(app, &key), &fields, report);
    redis->forget(redis->self);
    arena_fini(&arena);
    return status;
}
