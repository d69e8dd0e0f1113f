/* redis_memory_inner: what the files of redis_memory share. redis_memory.c: server, connections,
 * transactions; redis_memory_data.c: keys and their values; redis_memory_commands.c: the commands;
 * redis_memory_script.h: commands in a buffer; redis_memory_tear.c: a transaction torn in two. */
#ifndef LC_STATE_REDIS_MEMORY_INNER_H
#define LC_STATE_REDIS_MEMORY_INNER_H

#include "base/arena.h"
#include "state/dict.h"
#include "state/redis_memory.h"
#include "state/redis_memory_script.h"

#define REDIS_MEMORY_ERROR_MAX 200

enum object_kind { OBJECT_HASH, OBJECT_ZSET };

/* Members of a sorted set in their order: (score, bytes). */
struct rank {
    double score;
    struct span member; /* borrowed from the dict's key */
};

struct object {
    enum object_kind kind;
    struct dict fields; /* hash: bytes; zset: score */
    struct rank *ranks; /* zset: fields.live of them */
    size_t rank_cap;
};

struct redis_memory {
    struct dict keys; /* → struct object */
    struct redis_memory_conn *conns;
    char refuse[REDIS_MEMORY_ERROR_MAX]; /* empty: writes are taken */
    char policy[32];
    uint64_t conn_count;
    bool tear_armed, died;
    uint32_t tear_draw;
    struct redis_memory_tear *tear; /* NULL: none */
};

/* One command being executed. Replies live in the arena of the connection. */
struct call {
    struct redis_memory *server;
    struct arena *arena;
    const struct span *argv;
    size_t argc;
};

/* --- redis_memory_data.c --- */
struct object *redis_memory_find(struct redis_memory *server, struct span key);
struct object *redis_memory_make(struct redis_memory *server, struct span key,
                                 enum object_kind kind);
/* Remove the key and its object; false when absent. Does not touch watches. */
bool redis_memory_drop(struct redis_memory *server, struct span key);
void redis_memory_wipe(struct redis_memory *server);
struct object *redis_memory_object_copy(const struct object *object);
void redis_memory_object_free(struct object *object);
void redis_memory_hash_set(struct object *object, struct dict_entry *entry, struct span bytes);
void redis_memory_hash_remove(struct object *object, struct dict_entry *entry);
void redis_memory_zset_add(struct object *object, struct span member, double score);
void redis_memory_zset_remove(struct object *object, struct dict_entry *entry);
/* First rank whose score is ≥ score (> when `after`). */
size_t redis_memory_zset_lower(const struct object *object, double score, bool after);

/* --- redis_memory.c --- */
/* The key was written: transactions that watch it will not execute. */
void redis_memory_touch(struct redis_memory *server, struct span key);

/* --- redis_memory_tear.c --- */
/* Is this the transaction to be torn? Then it is not run, and the server dies. */
bool redis_memory_tear_now(struct redis_memory *server, const struct redis_script *multi);
/* A write command is about to run. */
void redis_memory_tear_note(struct redis_memory *server, size_t argc, const struct span *argv);
void redis_memory_tear_forget(struct redis_memory *server);

/* --- redis_memory_commands.c --- */
struct command {
    const char *name; /* upper case */
    size_t name_len;
    int arity; /* as Redis counts: with the name; negative: at least */
    bool write;
    struct redis_value (*run)(struct call *call);
};
const struct command *redis_memory_command(struct span name); /* NULL: unknown */
struct redis_value redis_memory_error(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct redis_value redis_memory_status(const char *text); /* constant */

#endif
