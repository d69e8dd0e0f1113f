/* hash: XXH3 (64 bit, stable since xxHash 0.8.0) for fingerprints and tables, murmur2 for Kafka's
 * partitioner. Fingerprints are stored in Redis and in Kafka: these functions never change. */
#ifndef LC_BASE_HASH_H
#define LC_BASE_HASH_H

#include <stdint.h>

#include "base/span.h"

uint64_t hash_bytes(struct span bytes, uint64_t seed);
/* Fingerprint of a pair that cannot be confused with another split of the same bytes. */
uint64_t hash_pair(struct span first, struct span second);
/* Java client's partitioner: (murmur2(key) & 0x7fffffff) % partitions. partitions > 0. */
int32_t hash_partition_murmur2(struct span key, int32_t partitions);
/* librdkafka's "consistent": crc32(key) % partitions. partitions > 0. */
int32_t hash_partition_crc32(struct span key, int32_t partitions);

#endif
