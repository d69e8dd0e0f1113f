/* Up to SCAN_MAX entries are searched one after the other by their hash (a bucket has about
 * sixteen); beyond that an open-addressing index of twice the size leads to them. Memory refused is
 * a crash: this serves simulations and tests. */
#include "state/dict.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"

#define SCAN_MAX 16

static bool is(const struct dict_entry *entry, uint64_t hash, struct span key)
{
    return entry->hash == hash && entry->key && span_equal(dict_key(entry), key);
}

struct dict_entry *dict_find(const struct dict *dict, struct span key)
{
    uint64_t hash = hash_bytes(key, 0);

    if (!dict->index) {
        for (uint32_t i = 0; i < dict->used; i++)
            if (is(&dict->entries[i], hash, key))
                return &dict->entries[i];
        return NULL;
    }
    /* At most half full: the probe ends. */
    for (uint32_t at = (uint32_t)hash & (dict->index_cap - 1); dict->index[at];
         at = (at + 1) & (dict->index_cap - 1))
        if (is(&dict->entries[dict->index[at] - 1], hash, key))
            return &dict->entries[dict->index[at] - 1];
    return NULL;
}

static void index_put(struct dict *dict, uint32_t number)
{
    uint32_t at = (uint32_t)dict->entries[number].hash & (dict->index_cap - 1);

    while (dict->index[at])
        at = (at + 1) & (dict->index_cap - 1);
    dict->index[at] = number + 1;
}

/* Close the gaps, grow when that is not enough, and build the index anew. */
static void make_room(struct dict *dict)
{
    uint32_t to = 0;

    for (uint32_t i = 0; i < dict->used; i++)
        if (dict->entries[i].key)
            dict->entries[to++] = dict->entries[i];
    dict->used = to;
    if (to > dict->cap / 4 * 3 || dict->cap == 0) {
        dict->cap = dict->cap ? dict->cap * 2 : 4;
        dict->entries = realloc(dict->entries, dict->cap * sizeof *dict->entries);
        MUST(dict->entries);
    }
    free(dict->index);
    dict->index = NULL;
    if (dict->cap <= SCAN_MAX)
        return;
    dict->index_cap = dict->cap * 2;
    dict->index = calloc(dict->index_cap, sizeof *dict->index);
    MUST(dict->index);
    for (uint32_t i = 0; i < dict->used; i++)
        index_put(dict, i);
}

struct dict_entry *dict_add(struct dict *dict, struct span key)
{
    struct dict_entry *entry;

    if (dict->used == dict->cap)
        make_room(dict);
    entry = &dict->entries[dict->used++];
    *entry = (struct dict_entry){.hash = hash_bytes(key, 0), .key_len = (uint32_t)key.len};
    entry->key = malloc(key.len + 1); /* + 1: never NULL, an empty key is a key */
    MUST(entry->key);
    if (key.len)
        memcpy(entry->key, key.at, key.len);
    dict->live++;
    if (dict->index)
        index_put(dict, dict->used - 1);
    return entry;
}

void dict_remove(struct dict *dict, struct dict_entry *entry)
{
    free(entry->key);
    entry->key = NULL;
    dict->live--;
}

void dict_fini(struct dict *dict)
{
    for (uint32_t i = 0; i < dict->used; i++)
        free(dict->entries[i].key);
    free(dict->entries);
    free(dict->index);
    *dict = (struct dict){0};
}
