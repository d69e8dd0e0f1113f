#include "base/hash.h"

#include "base/must.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes(struct span bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.at, bytes.len, seed);
}

uint64_t hash_pair(struct span first, struct span second)
{
    /* The first's hash (which knows its length) seeds the second's: the border between them counts.
     */
    return hash_bytes(second, hash_bytes(first, 0));
}

static uint32_t load_le32(const char *at)
{
    const unsigned char *byte = (const unsigned char *)at;

    return (uint32_t)byte[0] | (uint32_t)byte[1] << 8 | (uint32_t)byte[2] << 16 |
           (uint32_t)byte[3] << 24;
}

/* org.apache.kafka.common.utils.Utils.murmur2: MurmurHash2 by Austin Appleby with Kafka's seed. */
static uint32_t murmur2(struct span key)
{
    const uint32_t mix = 0x5bd1e995;
    uint32_t hash = 0x9747b28c ^ (uint32_t)key.len;
    size_t whole = key.len & ~(size_t)3;

    for (size_t i = 0; i < whole; i += 4) {
        uint32_t word = load_le32(key.at + i) * mix;

        word ^= word >> 24;
        hash = hash * mix ^ word * mix;
    }
    for (size_t i = key.len; i-- > whole;)
        hash ^= (uint32_t)(unsigned char)key.at[i] << (8 * (i - whole));
    if (key.len > whole)
        hash *= mix;
    hash ^= hash >> 13;
    hash *= mix;
    return hash ^ hash >> 15;
}

/* CRC-32 of IEEE 802.3 (reflected, 0xedb88320), four bits at a time: keys are short and a small
 * table stays in cache. */
static uint32_t crc32_ieee(struct span key)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < key.len; i++) {
        crc ^= (unsigned char)key.at[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

int32_t hash_partition_murmur2(struct span key, int32_t partitions)
{
    MUST(partitions > 0);
    return (int32_t)((murmur2(key) & INT32_MAX) % (uint32_t)partitions);
}

int32_t hash_partition_crc32(struct span key, int32_t partitions)
{
    MUST(partitions > 0);
    return (int32_t)(crc32_ieee(key) % (uint32_t)partitions);
}
