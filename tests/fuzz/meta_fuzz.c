/* The meta of a partition in Redis, field by field (a line each: name=value): refused with words,
 * absent, or read the same twice and within its bounds. */
#include "base/must.h"
#include "state/redis_memory.h"
#include "state/store.h"
#include "tests/fuzz/fuzz.h"

#define KEY "{fuzz:0}:m"

static void put(struct redis *redis, struct span field, struct span value)
{
    const struct redis_value *reply;

    redis->queue(redis->self, 4,
                 (struct span[]){SPAN_LITERAL("HSET"), SPAN_LITERAL(KEY), field, value});
    MUST(redis->send(redis->self, NULL) == STATUS_OK);
    MUST(redis->reply(redis->self, &reply, NULL) == STATUS_OK);
    redis->forget(redis->self);
}

static void put_lines(struct redis *redis, struct span text)
{
    while (text.len > 0) {
        const char *stop = memchr(text.at, '\n', text.len);
        size_t len = stop ? (size_t)(stop - text.at) : text.len;
        const char *equals = memchr(text.at, '=', len);

        if (equals && equals > text.at) {
            size_t name = (size_t)(equals - text.at);

            put(redis, (struct span){text.at, name}, (struct span){equals + 1, len - name - 1});
        }
        len += stop != NULL;
        text = (struct span){text.at + len, text.len - len};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct redis_memory *server = redis_memory_open();
    struct redis_memory_conn *conn = redis_memory_connect(server);
    struct redis redis = redis_memory_port(conn);
    struct store_meta meta[2];
    bool present[2] = {false, false};
    enum status status[2];

    memset(meta, 0, sizeof meta);
    put_lines(&redis, (struct span){(const char *)bytes, len});
    for (int i = 0; i < 2; i++) {
        struct report report = {0};

        status[i] = store_peek(&redis, "fuzz", 0, &meta[i], &present[i], &report);
        MUST(status[i] == STATUS_OK || report.text[0] != '\0');
    }
    MUST(status[0] == status[1]);
    MUST(present[0] == present[1]);
    if (status[0] == STATUS_OK && present[0]) {
        MUST(memcmp(&meta[0], &meta[1], sizeof meta[0]) == 0);
        MUST(meta[0].at.offset >= 0);
        MUST(meta[0].at.control >= 0);
        MUST(meta[0].customers >= 0);
        MUST(meta[0].buckets >= 1);
        MUST(strlen(meta[0].cfg) < sizeof meta[0].cfg);
    }
    redis_memory_disconnect(conn);
    redis_memory_close(server);
    return 0;
}
