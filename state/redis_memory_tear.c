/* A transaction torn in two, as Redis 7.0 does it: its append-only file ends inside a MULTI. The
 * restart forgets that half, but leaves its MULTI in the file, and new commands are written behind
 * it; so the restart after that runs the half, then everything that followed. */
#include "state/redis_memory_inner.h"

struct redis_memory_tear {
    struct redis_memory_image *before;
    struct redis_script journal; /* the half, and every write since */
};

void redis_memory_tear(struct redis_memory *server, uint32_t draw)
{
    server->tear_armed = draw != 0;
    server->tear_draw = draw;
}

bool redis_memory_died(struct redis_memory *server)
{
    bool died = server->died;

    server->died = false;
    return died;
}

bool redis_memory_tear_now(struct redis_memory *server, const struct redis_script *multi)
{
    const char *at = multi->at;
    struct redis_memory_tear *tear;
    struct span *argv = NULL;
    size_t cap = 0;

    if (!server->tear_armed || server->tear || multi->count < 2)
        return false;
    tear = calloc(1, sizeof *tear);
    MUST(tear);
    tear->before = redis_memory_save(server);
    for (size_t i = 0, half = 1 + server->tear_draw % (multi->count - 1); i < half; i++) {
        size_t argc;

        at = redis_script_next(at, &argv, &cap, &argc);
        redis_script_add(&tear->journal, argc, argv);
    }
    free(argv);
    server->tear = tear;
    server->tear_armed = false;
    server->died = true;
    return true;
}

void redis_memory_tear_note(struct redis_memory *server, size_t argc, const struct span *argv)
{
    if (server->tear)
        redis_script_add(&server->tear->journal, argc, argv);
}

void redis_memory_tear_forget(struct redis_memory *server)
{
    struct redis_memory_tear *tear = server->tear;

    if (!tear)
        return;
    server->tear = NULL;
    redis_memory_image_free(tear->before);
    free(tear->journal.at);
    free(tear);
}

bool redis_memory_restart(struct redis_memory *server)
{
    struct redis_memory_tear *tear = server->tear;
    const char *at;
    struct arena replies;
    struct span *argv = NULL;
    size_t cap = 0;

    if (!tear)
        return false;
    server->tear = NULL; /* loading forgets it, and nothing is noted any more */
    redis_memory_load(server, tear->before);
    arena_init(&replies, (size_t)1 << 30);
    at = tear->journal.at;
    for (size_t i = 0; i < tear->journal.count; i++) {
        struct call call = {.server = server, .arena = &replies};

        at = redis_script_next(at, &argv, &cap, &call.argc);
        call.argv = argv;
        (void)redis_memory_command(argv[0])->run(&call);
    }
    free(argv);
    arena_fini(&replies);
    server->tear = tear;
    redis_memory_tear_forget(server);
    return true;
}
