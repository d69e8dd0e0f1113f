/* dict: byte strings → values in insertion order, for redis_memory. Redis answers HGETALL of a
 * small hash in insertion order, and a simulation must see the same order in every run of a seed:
 * so entries live in an array, with an index beside it only when they are many. */
#ifndef LC_STATE_DICT_H
#define LC_STATE_DICT_H

#include <stdint.h>

#include "base/span.h"

struct dict_entry {
    uint64_t hash;
    char *key; /* the dict's; NULL: removed */
    uint32_t key_len, bytes_len;
    union {
        char *bytes; /* the caller's, as is object */
        double score;
        void *object;
    };
};

/* Zeroed is empty. Iterate entries[0 .. used), leaving out those whose key is NULL. */
struct dict {
    struct dict_entry *entries;
    uint32_t *index; /* NULL while cap is small; entry number + 1, 0 = free */
    uint32_t used, live, cap, index_cap;
};

struct dict_entry *dict_find(const struct dict *dict, struct span key); /* NULL when absent */
/* A new entry with zeroed value; the key must be absent. Moves the entries. */
struct dict_entry *dict_add(struct dict *dict, struct span key);
/* The value must have been freed. */
void dict_remove(struct dict *dict, struct dict_entry *entry);
void dict_fini(struct dict *dict);

static inline struct span dict_key(const struct dict_entry *entry)
{
    return (struct span){entry->key, entry->key_len};
}

#endif
