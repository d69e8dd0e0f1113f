/* A ring of entries and an index of their places.
 *
 * Entries lie one after the other in a ring of bytes, oldest at the tail, new ones at the head. An
 * entry that still fits its room is written in place; one that does not leaves a dead hole and goes
 * to the head. Room is made at the tail: a hole is reclaimed; an entry read since it was last
 * passed gets a second chance, that is, moves to the head; so does any entry while much of the ring
 * is holes (it is then packed, not emptied); what is left is evicted. So there is one allocation
 * for all entries, no fragmentation and no malloc an entry.
 *
 * The index is open addressing with linear probing: place and 32 bits of the hash, eight bytes a
 * slot, one cache line a look-up and one for the entry. Ring and index start small and double
 * within bytes_max. */
#include "state/cache.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/must.h"

#define UNIT         16 /* entries begin at multiples of it */
#define RING_FIRST   ((size_t)16 * 1024)
#define SLOTS_FIRST  256u
#define BYTES_MIN    ((size_t)64 * 1024)
#define CUSTOMER_MAX 128
#define VALUE_MAX    UINT16_MAX
#define CHANCES      256 /* entries moved to make room for one; each move was paid for by a read */
#define SLACK        8   /* an eighth more room than asked for: records grow */
#define ABSENT       UINT16_MAX

struct entry {
    uint64_t hash;
    uint32_t room; /* bytes of the whole entry, a multiple of UNIT */
    int32_t partition;
    uint16_t customer_len;
    uint16_t ledger_len, record_len; /* ABSENT: none */
    uint8_t dead, referenced;
    char bytes[]; /* customer, ledger, record */
};
_Static_assert(sizeof(struct entry) == 24, "the head of an entry is 24 bytes");

struct slot {
    uint32_t place; /* of the entry in UNITs, + 1; 0: free */
    uint32_t tag;
};

struct cache {
    char *ring;
    size_t ring_cap, ring_max;
    size_t head, tail; /* offsets; equal: empty (the ring is never filled) */
    size_t end;        /* where the entries end before the wrap; meaningful while head < tail */
    size_t live;       /* bytes of entries that are not dead */
    struct slot *slots;
    uint32_t slot_count, slot_max, used;
    struct cache_stats stats;
};

static struct entry *entry_at(const struct cache *cache, size_t offset)
{
    return (struct entry *)(void *)(cache->ring + offset);
}

static struct entry *entry_of(const struct cache *cache, const struct slot *slot)
{
    return entry_at(cache, (size_t)(slot->place - 1) * UNIT);
}

/* --- index --- */

static uint32_t tag_of(int32_t partition, uint64_t hash)
{
    return (uint32_t)(hash >> 32) ^ (uint32_t)hash ^ (uint32_t)partition * 0x9e3779b1u;
}

static struct slot *slot_find(const struct cache *cache, int32_t partition, uint64_t hash,
                              struct span customer)
{
    uint32_t mask = cache->slot_count - 1, tag = tag_of(partition, hash);

    for (uint32_t at = tag & mask; cache->slots[at].place; at = (at + 1) & mask) {
        const struct entry *entry;

        if (cache->slots[at].tag != tag)
            continue;
        entry = entry_of(cache, &cache->slots[at]);
        if (entry->hash == hash && entry->partition == partition &&
            entry->customer_len == customer.len && !memcmp(entry->bytes, customer.at, customer.len))
            return &cache->slots[at];
    }
    return NULL;
}

static struct slot *slot_of_place(const struct cache *cache, size_t offset)
{
    const struct entry *entry = entry_at(cache, offset);
    uint32_t mask = cache->slot_count - 1, place = (uint32_t)(offset / UNIT) + 1;
    uint32_t at = tag_of(entry->partition, entry->hash) & mask;

    while (cache->slots[at].place != place) {
        MUST(cache->slots[at].place); /* a live entry has a slot */
        at = (at + 1) & mask;
    }
    return &cache->slots[at];
}

static void slot_add(struct cache *cache, uint32_t tag, uint32_t place)
{
    uint32_t mask = cache->slot_count - 1, at = tag & mask;

    while (cache->slots[at].place)
        at = (at + 1) & mask;
    cache->slots[at] = (struct slot){place, tag};
}

/* Take a slot out and close the gap: every later slot of the run that may stand there moves back.
 */
static void slot_remove(struct cache *cache, struct slot *slot)
{
    uint32_t mask = cache->slot_count - 1, gap = (uint32_t)(slot - cache->slots);

    for (uint32_t at = (gap + 1) & mask; cache->slots[at].place; at = (at + 1) & mask) {
        uint32_t home = cache->slots[at].tag & mask;

        if (((at - home) & mask) >= ((at - gap) & mask)) {
            cache->slots[gap] = cache->slots[at];
            gap = at;
        }
    }
    cache->slots[gap] = (struct slot){0, 0};
    cache->used--;
}

static bool index_grow(struct cache *cache)
{
    uint32_t count = cache->slot_count;
    struct slot *old = cache->slots, *slots;

    if (count >= cache->slot_max)
        return false;
    slots = calloc((size_t)count * 2, sizeof *slots);
    if (!slots)
        return false;
    cache->slots = slots;
    cache->slot_count = count * 2;
    for (uint32_t i = 0; i < count; i++)
        if (old[i].place)
            slot_add(cache, old[i].tag, old[i].place);
    free(old);
    return true;
}

/* --- ring --- */

static size_t round_up(size_t bytes)
{
    return (bytes + UNIT - 1) & ~(size_t)(UNIT - 1);
}

static void bury(struct cache *cache, struct slot *slot)
{
    struct entry *entry = entry_of(cache, slot);

    entry->dead = 1;
    cache->live -= entry->room;
    cache->stats.entries--;
    slot_remove(cache, slot);
}

/* Room for so many bytes at the head without touching the tail; false when there is none. Moves the
 * head over the wrap. */
static bool head_fits(struct cache *cache, size_t bytes)
{
    if (cache->head == cache->tail)
        cache->head = cache->tail = 0;
    if (cache->head < cache->tail)
        return cache->head + bytes < cache->tail;
    if (cache->head + bytes <= cache->ring_cap)
        return cache->tail > 0 || cache->head + bytes < cache->ring_cap;
    if (bytes >= cache->tail)
        return false;
    cache->end = cache->head;
    cache->head = 0;
    return true;
}

/* Only while the entries do not wrap: what lies behind a wrap would have to move. */
static bool ring_grow(struct cache *cache)
{
    size_t cap = cache->ring_cap * 2 < cache->ring_max ? cache->ring_cap * 2 : cache->ring_max;
    char *ring;

    if (cache->head < cache->tail || cap <= cache->ring_cap)
        return false;
    ring = realloc(cache->ring, cap);
    if (!ring)
        return false;
    cache->ring = ring;
    cache->ring_cap = cap;
    return true;
}

/* Can the entry at the tail move to the head? Once the head is below the tail it always can: what
 * it overlaps is itself. */
static bool head_takes_tail(struct cache *cache, size_t room)
{
    if (cache->head < cache->tail || cache->head + room <= cache->ring_cap)
        return true;
    if (cache->tail == 0)
        return false; /* the head would come to lie on the tail: one entry a lap */
    cache->end = cache->head;
    cache->head = 0;
    return true;
}

/* Let the tail pass one entry: a survivor moves to the head, any other is evicted. */
static void tail_pass(struct cache *cache, bool keep)
{
    const struct entry *entry = entry_at(cache, cache->tail);
    size_t room = entry->room, from = cache->tail;
    struct slot *slot = entry->dead ? NULL : slot_of_place(cache, from);
    bool moves = slot && keep && head_takes_tail(cache, room);
    bool wrapped = cache->head < cache->tail;

    if (moves) {
        memmove(cache->ring + cache->head, cache->ring + from, room);
        entry_at(cache, cache->head)->referenced = 0;
        slot->place = (uint32_t)(cache->head / UNIT) + 1;
        cache->head += room;
    } else if (slot) {
        bury(cache, slot);
        cache->stats.evictions++;
    }
    cache->tail = from + room;
    if (wrapped && cache->tail == cache->end)
        cache->tail = 0;
}

static bool is_empty(const struct cache *cache)
{
    return cache->head == cache->tail;
}

/* Afterwards `bytes` fit at the head. */
static bool make_room(struct cache *cache, size_t bytes)
{
    int chances = CHANCES;

    if (bytes * 4 > cache->ring_max)
        return false;
    while (!head_fits(cache, bytes)) {
        const struct entry *entry;
        bool holes = cache->live < cache->ring_cap - cache->ring_cap / 8, keep;

        if (ring_grow(cache))
            continue;
        if (is_empty(cache))
            return false; /* memory was refused while the ring was small */
        entry = entry_at(cache, cache->tail);
        keep = chances > 0 && !entry->dead && (entry->referenced || holes);
        chances -= keep;
        tail_pass(cache, keep);
    }
    return true;
}

/* --- the cache --- */

struct cache *cache_open(size_t bytes_max)
{
    struct cache *cache = calloc(1, sizeof *cache);
    size_t share;

    if (!cache)
        return NULL;
    if (bytes_max < BYTES_MIN)
        bytes_max = BYTES_MIN;
    /* An eighth for the index, counted with the old one while it doubles. */
    cache->slot_max = SLOTS_FIRST;
    while ((share = (size_t)cache->slot_max * 2 * sizeof(struct slot) * 3 / 2) <= bytes_max / 8)
        cache->slot_max *= 2;
    share = (size_t)cache->slot_max * sizeof(struct slot) * 3 / 2;
    cache->ring_max = (bytes_max - share - sizeof *cache) / UNIT * UNIT;
    if (cache->ring_max / UNIT >= UINT32_MAX)
        cache->ring_max = (size_t)(UINT32_MAX - 1) * UNIT;
    cache->ring_cap = RING_FIRST;
    cache->slot_count = SLOTS_FIRST;
    cache->slots = calloc(cache->slot_count, sizeof *cache->slots);
    cache->ring = malloc(cache->ring_cap);
    if (!cache->slots || !cache->ring) {
        cache_close(cache);
        return NULL;
    }
    return cache;
}

void cache_close(struct cache *cache)
{
    if (!cache)
        return;
    free(cache->ring);
    free(cache->slots);
    free(cache);
}

static struct span part(const char *at, uint16_t len)
{
    return len == ABSENT ? SPAN_ABSENT : (struct span){at, len};
}

static size_t stored(uint16_t len)
{
    return len == ABSENT ? 0 : len;
}

bool cache_get(struct cache *cache, int32_t partition, uint64_t hash, struct span customer,
               struct span *ret_record, struct span *ret_ledger)
{
    struct slot *slot = slot_find(cache, partition, hash, customer);
    struct entry *entry;

    if (!slot) {
        cache->stats.misses++;
        return false;
    }
    cache->stats.hits++;
    entry = entry_of(cache, slot);
    entry->referenced = 1;
    *ret_ledger = part(entry->bytes + entry->customer_len, entry->ledger_len);
    *ret_record =
        part(entry->bytes + entry->customer_len + stored(entry->ledger_len), entry->record_len);
    return true;
}

void cache_prefetch(const struct cache *cache, int32_t partition, uint64_t hash)
{
    uint32_t mask = cache->slot_count - 1, tag = tag_of(partition, hash);
    const struct slot *slot = &cache->slots[tag & mask];

    /* The processor goes on past the miss: the loads of a run of these calls overlap. */
    if (slot->place)
        __builtin_prefetch(cache->ring + (size_t)(slot->place - 1) * UNIT);
}

static uint16_t len_of(struct span value)
{
    return value.at ? (uint16_t)value.len : ABSENT;
}

/* Ledger and record behind the customer, in an entry with room for them. ledger.at NULL: the one
 * that is there stays. */
static void entry_fill(struct entry *entry, struct span record, struct span ledger)
{
    char *at = entry->bytes + entry->customer_len;

    if (ledger.at) {
        if (ledger.len)
            memcpy(at, ledger.at, ledger.len);
        entry->ledger_len = len_of(ledger);
    }
    if (record.at && record.len)
        memcpy(at + stored(entry->ledger_len), record.at, record.len);
    entry->record_len = len_of(record);
}

/* A new entry at the head. */
static void append(struct cache *cache, int32_t partition, uint64_t hash, struct span customer,
                   struct span record, struct span ledger)
{
    size_t need = sizeof(struct entry) + customer.len + ledger.len + record.len;
    size_t room = round_up(need + need / SLACK);
    struct entry *entry;

    while (cache->used >= cache->slot_count / 4 * 3 && !index_grow(cache)) {
        MUST(!is_empty(cache));
        tail_pass(cache, false);
    }
    if (!make_room(cache, room))
        return;
    entry = entry_at(cache, cache->head);
    *entry = (struct entry){.hash = hash,
                            .room = (uint32_t)room,
                            .partition = partition,
                            .customer_len = (uint16_t)customer.len,
                            .ledger_len = ABSENT};
    memcpy(entry->bytes, customer.at, customer.len);
    entry_fill(entry, record, ledger);
    slot_add(cache, tag_of(partition, hash), (uint32_t)(cache->head / UNIT) + 1);
    cache->used++;
    cache->head += room;
    cache->live += room;
    cache->stats.entries++;
}

void cache_put(struct cache *cache, int32_t partition, uint64_t hash, struct span customer,
               struct span record, struct span ledger)
{
    struct slot *slot = slot_find(cache, partition, hash, customer);
    struct entry *entry = slot ? entry_of(cache, slot) : NULL;
    char kept[VALUE_MAX];
    size_t ledger_len;

    MUST(customer.len > 0 && customer.len <= CUSTOMER_MAX);
    if (record.len >= VALUE_MAX || ledger.len >= VALUE_MAX || (!entry && record.at && !ledger.at)) {
        if (slot)
            bury(cache, slot);
        return; /* what is not known whole is not kept */
    }
    if (!entry) {
        append(cache, partition, hash, customer, record, ledger);
        return;
    }
    if (!record.at)
        ledger = (struct span){"", 0}; /* gone with its customer */
    ledger_len = ledger.at ? ledger.len : stored(entry->ledger_len);
    if (sizeof *entry + customer.len + ledger_len + record.len <= entry->room) {
        entry_fill(entry, record, ledger);
        return;
    }
    if (!ledger.at && entry->ledger_len != ABSENT) {
        memcpy(kept, entry->bytes + entry->customer_len, ledger_len);
        ledger = (struct span){kept, ledger_len};
    }
    bury(cache, slot);
    append(cache, partition, hash, customer, record, ledger);
}

void cache_drop_partition(struct cache *cache, int32_t partition)
{
    size_t at = cache->tail;

    while (at != cache->head) {
        const struct entry *entry = entry_at(cache, at);
        size_t next = at + entry->room;

        if (!entry->dead && entry->partition == partition)
            bury(cache, slot_of_place(cache, at));
        at = cache->head < cache->tail && next == cache->end ? 0 : next;
    }
}

void cache_stats(const struct cache *cache, struct cache_stats *ret_stats)
{
    *ret_stats = cache->stats;
    ret_stats->bytes =
        sizeof *cache + cache->ring_cap + (size_t)cache->slot_count * sizeof(struct slot);
}
