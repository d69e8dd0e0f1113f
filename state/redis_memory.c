/* The server and its connections. Commands are copied into a buffer by `queue` and run by `send`,
 * one after the other; their replies wait in the connection's arena. WATCH works as in Redis: a
 * write to a key marks every connection that watches it, and EXEC of a marked connection answers
 * nil. */
#include "state/redis_memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "state/redis_memory_inner.h"

#define WATCHES_MAX 16
#define ARENA_MAX   ((size_t)1 << 32)

struct waiting {
    struct waiting *next;
    struct redis_value value;
};

struct redis_memory_conn {
    struct redis_memory *server;
    struct redis_memory_conn *next;
    uint64_t number; /* of the connection */
    bool connected;
    struct redis_script queued, multi;
    struct span *argv;
    size_t argv_cap;
    bool in_multi, failed /* a command of the transaction was refused */, marked;
    uint64_t watched[WATCHES_MAX]; /* hashes of keys */
    size_t watched_count;
    struct arena arena;
    struct waiting *first, **last;
};

struct redis_memory_image {
    struct dict keys;
};

/* --- server --- */

struct redis_memory *redis_memory_open(void)
{
    struct redis_memory *server = calloc(1, sizeof *server);

    MUST(server);
    snprintf(server->policy, sizeof server->policy, "noeviction");
    return server;
}

void redis_memory_close(struct redis_memory *server)
{
    if (!server)
        return;
    MUST(!server->conns);
    redis_memory_tear_forget(server);
    redis_memory_wipe(server);
    free(server);
}

void redis_memory_refuse_writes(struct redis_memory *server, const char *error)
{
    snprintf(server->refuse, sizeof server->refuse, "%s", error ? error : "");
}

void redis_memory_touch(struct redis_memory *server, struct span key)
{
    uint64_t hash = 0;

    for (struct redis_memory_conn *conn = server->conns; conn; conn = conn->next) {
        if (conn->watched_count == 0 || conn->marked)
            continue;
        hash = hash ? hash : hash_bytes(key, 0);
        for (size_t i = 0; i < conn->watched_count; i++)
            conn->marked |= conn->watched[i] == hash;
    }
}

static void copy_keys(const struct dict *from, struct dict *to)
{
    for (uint32_t i = 0; i < from->used; i++)
        if (from->entries[i].key)
            dict_add(to, dict_key(&from->entries[i]))->object =
                redis_memory_object_copy(from->entries[i].object);
}

struct redis_memory_image *redis_memory_save(const struct redis_memory *server)
{
    struct redis_memory_image *image = calloc(1, sizeof *image);

    MUST(image);
    copy_keys(&server->keys, &image->keys);
    return image;
}

void redis_memory_load(struct redis_memory *server, const struct redis_memory_image *image)
{
    redis_memory_tear_forget(server);
    redis_memory_wipe(server);
    if (image)
        copy_keys(&image->keys, &server->keys);
    for (struct redis_memory_conn *conn = server->conns; conn; conn = conn->next)
        conn->marked = conn->watched_count > 0;
}

void redis_memory_image_free(struct redis_memory_image *image)
{
    if (!image)
        return;
    for (uint32_t i = 0; i < image->keys.used; i++)
        if (image->keys.entries[i].key)
            redis_memory_object_free(image->keys.entries[i].object);
    dict_fini(&image->keys);
    free(image);
}

static const char *next_command(struct redis_memory_conn *conn, const char *at, size_t *ret_argc)
{
    return redis_script_next(at, &conn->argv, &conn->argv_cap, ret_argc);
}

/* --- replies --- */

struct redis_value redis_memory_status(const char *text)
{
    return (struct redis_value){.type = REDIS_STATUS, .text = span_of(text)};
}

struct redis_value redis_memory_error(struct arena *arena, const char *format, ...)
{
    char text[REDIS_MEMORY_ERROR_MAX + 100];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    MUST(len >= 0);
    if ((size_t)len >= sizeof text)
        len = (int)sizeof text - 1;
    return (struct redis_value){.type = REDIS_ERROR,
                                .text = {arena_copy(arena, text, (size_t)len), (size_t)len}};
}

/* --- transactions --- */

static void transaction_end(struct redis_memory_conn *conn)
{
    conn->in_multi = conn->failed = conn->marked = false;
    conn->watched_count = 0;
    redis_script_clear(&conn->multi);
}

static struct redis_value run(struct redis_memory_conn *conn, const struct command *command,
                              size_t argc)
{
    struct call call = {conn->server, &conn->arena, conn->argv, argc};

    if (command->write)
        redis_memory_tear_note(conn->server, argc, conn->argv);
    return command->run(&call);
}

static struct redis_value watch(struct redis_memory_conn *conn, size_t argc)
{
    if (conn->in_multi)
        return redis_memory_error(&conn->arena, "ERR WATCH inside MULTI is not allowed");
    for (size_t i = 1; i < argc; i++) {
        MUST(conn->watched_count < WATCHES_MAX);
        conn->watched[conn->watched_count++] = hash_bytes(conn->argv[i], 0);
    }
    return redis_memory_status("OK");
}

static struct redis_value exec(struct redis_memory_conn *conn)
{
    const char *at = conn->multi.at;
    struct redis_value *items;
    size_t count = conn->multi.count;

    if (!conn->in_multi)
        return redis_memory_error(&conn->arena, "ERR EXEC without MULTI");
    if (conn->failed) {
        transaction_end(conn);
        return redis_memory_error(&conn->arena,
                                  "EXECABORT Transaction discarded because of previous errors.");
    }
    if (conn->marked || redis_memory_tear_now(conn->server, &conn->multi)) {
        transaction_end(conn);
        return (struct redis_value){.type = REDIS_NIL};
    }
    conn->watched_count = 0; /* before its own writes: they must not mark it */
    items = arena_alloc(&conn->arena, (count + 1) * sizeof *items);
    MUST(items);
    for (size_t i = 0; i < count; i++) {
        size_t argc;

        at = next_command(conn, at, &argc);
        items[i] = run(conn, redis_memory_command(conn->argv[0]), argc);
    }
    transaction_end(conn);
    return (struct redis_value){.type = REDIS_ARRAY, .items = items, .count = count};
}

/* The commands that belong to the connection; false when it is none of them. */
static bool control(struct redis_memory_conn *conn, const struct command *command, size_t argc,
                    struct redis_value *ret_value)
{
    if (!strcmp(command->name, "WATCH")) {
        *ret_value = watch(conn, argc);
    } else if (!strcmp(command->name, "MULTI")) {
        *ret_value = conn->in_multi
                         ? redis_memory_error(&conn->arena, "ERR MULTI calls can not be nested")
                         : redis_memory_status("OK");
        conn->in_multi = true;
    } else if (!strcmp(command->name, "EXEC")) {
        *ret_value = exec(conn);
    } else if (!strcmp(command->name, "DISCARD")) {
        *ret_value = conn->in_multi ? redis_memory_status("OK")
                                    : redis_memory_error(&conn->arena, "ERR DISCARD without MULTI");
        if (conn->in_multi)
            transaction_end(conn);
    } else if (!strcmp(command->name, "UNWATCH") && !conn->in_multi) {
        conn->watched_count = 0;
        conn->marked = false;
        *ret_value = redis_memory_status("OK");
    } else {
        return false;
    }
    return true;
}

static struct redis_value refuse(struct redis_memory_conn *conn, struct redis_value error)
{
    conn->failed = conn->in_multi;
    return error;
}

static struct redis_value dispatch(struct redis_memory_conn *conn, size_t argc)
{
    const struct command *command = redis_memory_command(conn->argv[0]);
    struct redis_value value;

    if (!command)
        return refuse(conn,
                      redis_memory_error(&conn->arena,
                                         "ERR unknown command '%.*s', with args beginning with: ",
                                         (int)conn->argv[0].len, conn->argv[0].at));
    if (command->arity > 0 ? argc != (size_t)command->arity : argc < (size_t)-command->arity) {
        char name[32];

        for (size_t i = 0; i <= command->name_len; i++)
            name[i] = (char)(command->name[i] >= 'A' ? command->name[i] | 0x20 : command->name[i]);
        return refuse(conn,
                      redis_memory_error(&conn->arena,
                                         "ERR wrong number of arguments for '%s' command", name));
    }
    if (control(conn, command, argc, &value))
        return value;
    if (command->write && conn->server->refuse[0])
        return refuse(conn, redis_memory_error(&conn->arena, "%s", conn->server->refuse));
    if (conn->in_multi) {
        redis_script_add(&conn->multi, argc, conn->argv);
        return redis_memory_status("QUEUED");
    }
    return run(conn, command, argc);
}

/* --- the port --- */

static void port_queue(void *self, size_t argc, const struct span *argv)
{
    struct redis_memory_conn *conn = self;

    MUST(argc > 0);
    redis_script_add(&conn->queued, argc, argv);
}

static enum status port_send(void *self, struct report *report)
{
    struct redis_memory_conn *conn = self;
    const char *at = conn->queued.at;

    (void)report;
    if (!conn->connected)
        conn->number = ++conn->server->conn_count;
    conn->connected = true;
    for (size_t i = 0; i < conn->queued.count; i++) {
        struct waiting *waiting = arena_alloc(&conn->arena, sizeof *waiting);
        size_t argc;

        MUST(waiting);
        at = next_command(conn, at, &argc);
        *waiting = (struct waiting){NULL, dispatch(conn, argc)};
        *conn->last = waiting;
        conn->last = &waiting->next;
    }
    redis_script_clear(&conn->queued);
    return STATUS_OK;
}

static enum status port_reply(void *self, const struct redis_value **ret_value,
                              struct report *report)
{
    struct redis_memory_conn *conn = self;

    (void)report;
    MUST(conn->first); /* as many replies as commands */
    *ret_value = &conn->first->value;
    conn->first = conn->first->next;
    if (!conn->first)
        conn->last = &conn->first;
    return STATUS_OK;
}

static void port_forget(void *self)
{
    struct redis_memory_conn *conn = self;

    if (!conn->first) /* replies not taken yet live in the same arena */
        arena_reset(&conn->arena);
}

static uint64_t port_connection(void *self)
{
    struct redis_memory_conn *conn = self;

    return conn->connected ? conn->number : 0;
}

static void port_close(void *self)
{
    struct redis_memory_conn *conn = self;

    transaction_end(conn);
    redis_script_clear(&conn->queued);
    conn->first = NULL;
    conn->last = &conn->first;
    conn->connected = false;
}

struct redis_memory_conn *redis_memory_connect(struct redis_memory *server)
{
    struct redis_memory_conn *conn = calloc(1, sizeof *conn);

    MUST(conn);
    conn->server = server;
    conn->next = server->conns;
    server->conns = conn;
    conn->last = &conn->first;
    arena_init(&conn->arena, ARENA_MAX);
    return conn;
}

struct redis redis_memory_port(struct redis_memory_conn *conn)
{
    return (struct redis){conn,        port_queue,      port_send, port_reply,
                          port_forget, port_connection, port_close};
}

void redis_memory_disconnect(struct redis_memory_conn *conn)
{
    if (!conn)
        return;
    for (struct redis_memory_conn **link = &conn->server->conns; *link; link = &(*link)->next)
        if (*link == conn) {
            *link = conn->next;
            break;
        }
    free(conn->queued.at);
    free(conn->multi.at);
    free(conn->argv);
    arena_fini(&conn->arena);
    free(conn);
}
