#include "state/redis_memory_inner.h"

#include <stdlib.h>

#include "base/must.h"

struct object *redis_memory_find(struct redis_memory *server, struct span key)
{
    struct dict_entry *entry = dict_find(&server->keys, key);

    return entry ? entry->object : NULL;
}

struct object *redis_memory_make(struct redis_memory *server, struct span key,
                                 enum object_kind kind)
{
    struct object *object = calloc(1, sizeof *object);

    MUST(object);
    object->kind = kind;
    dict_add(&server->keys, key)->object = object;
    return object;
}

void redis_memory_object_free(struct object *object)
{
    if (object->kind == OBJECT_HASH)
        for (uint32_t i = 0; i < object->fields.used; i++)
            if (object->fields.entries[i].key)
                free(object->fields.entries[i].bytes);
    dict_fini(&object->fields);
    free(object->ranks);
    free(object);
}

bool redis_memory_drop(struct redis_memory *server, struct span key)
{
    struct dict_entry *entry = dict_find(&server->keys, key);

    if (!entry)
        return false;
    redis_memory_object_free(entry->object);
    dict_remove(&server->keys, entry);
    return true;
}

void redis_memory_wipe(struct redis_memory *server)
{
    for (uint32_t i = 0; i < server->keys.used; i++)
        if (server->keys.entries[i].key)
            redis_memory_object_free(server->keys.entries[i].object);
    dict_fini(&server->keys);
}

struct object *redis_memory_object_copy(const struct object *object)
{
    struct object *copy = calloc(1, sizeof *copy);

    MUST(copy);
    copy->kind = object->kind;
    for (uint32_t i = 0; i < object->fields.used; i++) {
        const struct dict_entry *entry = &object->fields.entries[i];

        if (!entry->key)
            continue;
        if (object->kind == OBJECT_ZSET)
            redis_memory_zset_add(copy, dict_key(entry), entry->score);
        else
            redis_memory_hash_set(copy, dict_add(&copy->fields, dict_key(entry)),
                                  (struct span){entry->bytes, entry->bytes_len});
    }
    return copy;
}

void redis_memory_hash_set(struct object *object, struct dict_entry *entry, struct span bytes)
{
    MUST(object->kind == OBJECT_HASH);
    if (!entry->bytes || entry->bytes_len != bytes.len) {
        free(entry->bytes);
        entry->bytes = malloc(bytes.len + 1);
        MUST(entry->bytes);
        entry->bytes_len = (uint32_t)bytes.len;
    }
    if (bytes.len)
        memcpy(entry->bytes, bytes.at, bytes.len);
}

void redis_memory_hash_remove(struct object *object, struct dict_entry *entry)
{
    free(entry->bytes);
    dict_remove(&object->fields, entry);
}

static int rank_compare(const struct rank *rank, double score, struct span member)
{
    size_t len = rank->member.len < member.len ? rank->member.len : member.len;
    int order;

    if (rank->score != score)
        return rank->score < score ? -1 : 1;
    order = memcmp(rank->member.at, member.at, len);
    if (order)
        return order;
    return rank->member.len < member.len ? -1 : rank->member.len > member.len;
}

/* Place of (score, member): the first rank that is not before it. */
static size_t rank_place(const struct object *object, double score, struct span member)
{
    size_t low = 0, high = object->fields.live;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (rank_compare(&object->ranks[middle], score, member) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void rank_remove(struct object *object, double score, struct span member)
{
    size_t place = rank_place(object, score, member);

    memmove(&object->ranks[place], &object->ranks[place + 1],
            (object->fields.live - place - 1) * sizeof *object->ranks);
}

void redis_memory_zset_add(struct object *object, struct span member, double score)
{
    struct dict_entry *entry = dict_find(&object->fields, member);
    size_t place;

    MUST(object->kind == OBJECT_ZSET);
    if (entry && entry->score == score)
        return;
    if (entry) {
        rank_remove(object, entry->score, member);
        object->fields.live--; /* while its rank is out */
        place = rank_place(object, score, member);
        object->fields.live++;
    } else {
        place = rank_place(object, score, member);
        entry = dict_add(&object->fields, member);
    }
    entry->score = score;
    if (object->fields.live > object->rank_cap) {
        object->rank_cap = object->rank_cap ? object->rank_cap * 2 : 8;
        object->ranks = realloc(object->ranks, object->rank_cap * sizeof *object->ranks);
        MUST(object->ranks);
    }
    memmove(&object->ranks[place + 1], &object->ranks[place],
            (object->fields.live - 1 - place) * sizeof *object->ranks);
    object->ranks[place] = (struct rank){score, dict_key(entry)};
}

void redis_memory_zset_remove(struct object *object, struct dict_entry *entry)
{
    rank_remove(object, entry->score, dict_key(entry));
    dict_remove(&object->fields, entry);
}

size_t redis_memory_zset_lower(const struct object *object, double score, bool after)
{
    size_t low = 0, high = object->fields.live;

    while (low < high) {
        size_t middle = (low + high) / 2;
        double at = object->ranks[middle].score;

        if (at < score || (after && at == score))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
