/* proposal: see the header. The commands are among those the store uses, so that its ACL suffices.
 */
#include "state/proposal.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/must.h"
#include "base/text.h"
#include "state/params_codec.h"
#include "state/store_inner.h"

#define ARENA_BYTES   (2 * (size_t)PARAMS_TEXT_MAX)
#define NUMBER_BYTES  24
#define COMMANDS_MAX  4
#define ARGUMENTS_MAX 12

/* One pipeline: commands queued, sent, answered in order. */
struct talk {
    struct redis *redis;
    char key[STORE_APP_MAX + 16];
    size_t pending;
};

static void talk_begin(struct talk *talk, struct redis *redis, const char *app)
{
    int len = snprintf(talk->key, sizeof talk->key, "{%s:insight}", app);

    MUST(len > 0);
    MUST((size_t)len < sizeof talk->key);
    talk->redis = redis;
    talk->pending = 0;
    redis->forget(redis->self);
}

/* `command key arguments…` */
static void talk_queue(struct talk *talk, const char *command, size_t count,
                       const struct span *arguments)
{
    struct span argv[2 + ARGUMENTS_MAX] = {span_of(command), span_of(talk->key)};

    MUST(count <= ARGUMENTS_MAX);
    MUST(talk->pending < COMMANDS_MAX);
    for (size_t i = 0; i < count; i++)
        argv[2 + i] = arguments[i];
    talk->redis->queue(talk->redis->self, 2 + count, argv);
    talk->pending++;
}

/* MULTI, EXEC, UNWATCH */
static void talk_queue_bare(struct talk *talk, const char *command)
{
    struct span argv = span_of(command);

    MUST(talk->pending < COMMANDS_MAX);
    talk->redis->queue(talk->redis->self, 1, &argv);
    talk->pending++;
}

/* The next answer, of this type; REDIS_NIL in place of it only where `nil_allowed`. */
static enum status talk_take(struct talk *talk, enum redis_type type, bool nil_allowed,
                             const struct redis_value **ret_value, struct report *report)
{
    const struct redis_value *value;
    enum status status = talk->redis->reply(talk->redis->self, &value, report);

    if (status != STATUS_OK) {
        talk->pending = 0;
        return status;
    }
    talk->pending--;
    if (value->type == REDIS_ERROR)
        return store_error_status(value->text, report);
    if (value->type != type && !(nil_allowed && value->type == REDIS_NIL)) {
        report_set(report, "redis-protocol",
                   "Redis answered with something else than the command's reply; the connection "
                   "is given up");
        talk->redis->close(talk->redis->self);
        talk->pending = 0;
        return STATUS_RETRY;
    }
    *ret_value = value;
    return STATUS_OK;
}

static enum status talk_send(struct talk *talk, struct report *report)
{
    enum status status = talk->redis->send(talk->redis->self, report);

    if (status != STATUS_OK)
        talk->pending = 0;
    return status;
}

/* Takes what is left, so that the connection is in step again. */
static void talk_end(struct talk *talk)
{
    const struct redis_value *value;

    while (talk->pending > 0 && talk->redis->reply(talk->redis->self, &value, NULL) == STATUS_OK)
        talk->pending--;
    talk->redis->forget(talk->redis->self);
}

/* --- reading --- */

static bool read_number(const struct redis_value *value, int64_t *ret_number)
{
    *ret_number = 0;
    return value->type == REDIS_NIL ||
           (value->type == REDIS_BULK && text_i64_parse(value->text, ret_number) == STATUS_OK);
}

static const struct span head[] = {SPAN_LITERAL("version"), SPAN_LITERAL("made"),
                                   SPAN_LITERAL("asked"), SPAN_LITERAL("answered")};
#define HEAD_COUNT (sizeof head / sizeof *head)

static enum status take_head(struct talk *talk, struct proposal *ret_proposal,
                             struct report *report)
{
    const struct redis_value *value = NULL;
    struct proposal found = {0};
    int64_t version = 0;
    enum status status = talk_take(talk, REDIS_ARRAY, false, &value, report);

    if (status != STATUS_OK)
        return status;
    if (value->count != HEAD_COUNT || !read_number(&value->items[0], &version) ||
        !read_number(&value->items[1], &found.made_ms) ||
        !read_number(&value->items[2], &found.asked) ||
        !read_number(&value->items[3], &found.answered) || version < 0 || version > UINT32_MAX) {
        report_set(report, "insight-damaged",
                   "%s in Redis was written by something else: delete it, the daemons offer theirs "
                   "again",
                   talk->key);
        return STATUS_REJECT;
    }
    found.version = (uint32_t)version;
    *ret_proposal = found;
    return STATUS_OK;
}

enum status proposal_peek(struct redis *redis, const char *app, struct proposal *ret_proposal,
                          struct report *report)
{
    struct talk talk;
    enum status status;

    talk_begin(&talk, redis, app);
    talk_queue(&talk, "HMGET", HEAD_COUNT, head);
    status = talk_send(&talk, report);
    if (status == STATUS_OK)
        status = take_head(&talk, ret_proposal, report);
    talk_end(&talk);
    return status;
}

/* One field's text into the arena; absent: not there. */
static enum status read_field(struct redis *redis, const char *app, const char *field,
                              struct arena *arena, struct span *ret_text, struct report *report)
{
    const struct redis_value *value = NULL;
    struct span name = span_of(field);
    struct talk talk;
    enum status status;

    talk_begin(&talk, redis, app);
    talk_queue(&talk, "HGET", 1, &name);
    status = talk_send(&talk, report);
    if (status == STATUS_OK)
        status = talk_take(&talk, REDIS_BULK, true, &value, report);
    if (status == STATUS_OK && value->type == REDIS_NIL) {
        *ret_text = SPAN_ABSENT;
    } else if (status == STATUS_OK) {
        char *copy = arena_copy(arena, value->text.at, value->text.len);

        if (copy)
            *ret_text = (struct span){copy, value->text.len};
        else
            status = STATUS_FULL;
    }
    talk_end(&talk);
    return status;
}

enum status proposal_load(struct redis *redis, const char *app, const struct insight *known,
                          struct insight *ret_insight, struct report *report)
{
    struct insight there = {0};
    struct proposal found;
    struct arena arena;
    struct span text = SPAN_ABSENT;
    enum status status = proposal_peek(redis, app, &found, report);

    there.version = found.version;
    there.made_ms = found.made_ms;
    if (status != STATUS_OK || !insight_newer(&there, known)) {
        if (status == STATUS_OK && ret_insight != known)
            *ret_insight = *known;
        return status;
    }
    arena_init(&arena, ARENA_BYTES);
    status = read_field(redis, app, "text", &arena, &text, report);
    if (status == STATUS_OK)
        status = params_decode_insight(text, &there, report);
    if (status == STATUS_OK)
        *ret_insight = insight_newer(&there, known) ? there : *known;
    arena_fini(&arena);
    return status;
}

enum status proposal_story(struct redis *redis, const char *app, struct arena *arena,
                           struct span *ret_story, struct report *report)
{
    return read_field(redis, app, "story", arena, ret_story, report);
}

/* --- writing --- */

struct number {
    char at[NUMBER_BYTES];
};

static struct span number_text(int64_t value, struct number *number)
{
    return (struct span){number->at,
                         (size_t)snprintf(number->at, sizeof number->at, "%" PRId64, value)};
}

/* HSET of the fields under the WATCH that stands; STALE: somebody else was here. */
static enum status write_watched(struct talk *talk, size_t count, const struct span *fields,
                                 struct report *report)
{
    const struct redis_value *value = NULL;
    enum status status;

    talk_queue_bare(talk, "MULTI");
    talk_queue(talk, "HSET", count, fields);
    talk_queue_bare(talk, "EXEC");
    status = talk_send(talk, report);
    if (status == STATUS_OK)
        status = talk_take(talk, REDIS_STATUS, false, &value, report);
    if (status == STATUS_OK)
        status = talk_take(talk, REDIS_STATUS, false, &value, report);
    if (status == STATUS_OK)
        status = talk_take(talk, REDIS_ARRAY, true, &value, report);
    if (status == STATUS_OK && value->type == REDIS_NIL)
        status = STATUS_STALE;
    return status;
}

static enum status offer_text(struct talk *talk, const struct insight *insight, struct span text,
                              struct span story, struct report *report)
{
    const struct redis_value *value = NULL;
    struct number version, made;
    struct span fields[] = {SPAN_LITERAL("version"), number_text(insight->version, &version),
                            SPAN_LITERAL("made"),    number_text(insight->made_ms, &made),
                            SPAN_LITERAL("text"),    text,
                            SPAN_LITERAL("story"),   story};
    struct insight there = {0};
    struct proposal found;
    enum status status;

    talk_queue(talk, "WATCH", 0, NULL);
    talk_queue(talk, "HMGET", HEAD_COUNT, head);
    status = talk_send(talk, report);
    if (status == STATUS_OK)
        status = talk_take(talk, REDIS_STATUS, false, &value, report);
    if (status == STATUS_OK)
        status = take_head(talk, &found, report);
    if (status != STATUS_OK)
        return status;
    there.version = found.version;
    there.made_ms = found.made_ms;
    if (!insight_newer(insight, &there)) {
        talk_queue_bare(talk, "UNWATCH");
        status = talk_send(talk, report);
        return status == STATUS_OK ? STATUS_STALE : status;
    }
    return write_watched(talk, story.at ? 8 : 6, fields, report);
}

enum status proposal_offer(struct redis *redis, const char *app, const struct insight *insight,
                           struct span story, struct report *report)
{
    struct arena arena;
    struct span text;
    struct talk talk;
    enum status status;

    arena_init(&arena, ARENA_BYTES);
    status = params_encode_insight(insight, &arena, &text);
    if (status == STATUS_OK) {
        talk_begin(&talk, redis, app);
        status = offer_text(&talk, insight, text, story, report);
        talk_end(&talk);
    }
    arena_fini(&arena);
    return status;
}

static enum status write_fields(struct redis *redis, const char *app, size_t count,
                                const struct span *fields, struct report *report)
{
    const struct redis_value *value = NULL;
    struct talk talk;
    enum status status;

    talk_begin(&talk, redis, app);
    talk_queue(&talk, "HSET", count, fields);
    status = talk_send(&talk, report);
    if (status == STATUS_OK)
        status = talk_take(&talk, REDIS_INT, false, &value, report);
    talk_end(&talk);
    return status;
}

enum status proposal_ask(struct redis *redis, const char *app, int64_t number,
                         struct report *report)
{
    struct number text;
    struct span fields[] = {SPAN_LITERAL("asked"), number_text(number, &text)};

    return write_fields(redis, app, 2, fields, report);
}

enum status proposal_answer(struct redis *redis, const char *app, int64_t number, struct span story,
                            struct report *report)
{
    struct number text;
    struct span fields[] = {SPAN_LITERAL("answered"), number_text(number, &text),
                            SPAN_LITERAL("story"), story};

    return write_fields(redis, app, story.at ? 4 : 2, fields, report);
}
