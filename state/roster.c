/* roster: see the header. The commands are among those the store uses, so that its ACL suffices. */
#include "state/roster.h"

#include <stdio.h>

#include "base/must.h"
#include "state/store_inner.h"

/* One command about the hash, and its answer, which stays valid until `forget`. */
static enum status ask(struct redis *redis, const char *app, size_t argc, struct span *argv,
                       const struct redis_value **ret_value, struct report *report)
{
    char key[STORE_APP_MAX + 16];
    int len = snprintf(key, sizeof key, "{%s:roster}", app);
    const struct redis_value *value = NULL;
    enum status status;

    MUST(len > 0);
    MUST((size_t)len < sizeof key);
    argv[1] = span_of(key);
    redis->forget(redis->self);
    redis->queue(redis->self, argc, argv);
    status = redis->send(redis->self, report);
    if (status == STATUS_OK)
        status = redis->reply(redis->self, &value, report);
    if (status == STATUS_OK && value->type == REDIS_ERROR)
        status = store_error_status(value->text, report);
    if (status == STATUS_OK)
        *ret_value = value;
    return status == STATUS_OK ? STATUS_OK : STATUS_RETRY;
}

enum status roster_sign(struct redis *redis, const char *app, const char *name, const char *process,
                        struct report *report)
{
    struct span argv[] = {SPAN_LITERAL("HSET"), SPAN_ABSENT, span_of(name), span_of(process)};
    const struct redis_value *value;
    enum status status = ask(redis, app, sizeof argv / sizeof *argv, argv, &value, report);

    redis->forget(redis->self);
    return status;
}

enum status roster_look(struct redis *redis, const char *app, const char *name, const char *process,
                        bool *ret_rival, struct report *report)
{
    struct span argv[] = {SPAN_LITERAL("HGET"), SPAN_ABSENT, span_of(name)};
    const struct redis_value *value;
    enum status status = ask(redis, app, sizeof argv / sizeof *argv, argv, &value, report);

    if (status == STATUS_OK)
        *ret_rival = value->type == REDIS_BULK && !span_equal(value->text, span_of(process));
    redis->forget(redis->self);
    return status;
}
