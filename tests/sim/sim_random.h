/* sim_random: the one source of chance of a run. Same seed, same run, on every machine (splitmix64,
 * Steele, Lea, Flood 2014). */
#ifndef LC_SIM_RANDOM_H
#define LC_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct sim_random {
    uint64_t state;
};

static inline uint64_t sim_random_next(struct sim_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 … n − 1; n > 0. The bias is below 2^-32 and of no interest here. */
static inline uint32_t sim_random_below(struct sim_random *random, uint32_t n)
{
    return (uint32_t)(((sim_random_next(random) >> 32) * n) >> 32);
}

/* low … high, both possible. */
static inline int64_t sim_random_between(struct sim_random *random, int64_t low, int64_t high)
{
    return low + (int64_t)(sim_random_next(random) % (uint64_t)(high - low + 1));
}

/* Small numbers often, large ones sometimes: each power of two up to `high` is as likely. */
static inline int64_t sim_random_log(struct sim_random *random, int64_t high)
{
    int bits = 64 - __builtin_clzll((unsigned long long)high);
    int64_t top = INT64_C(1) << sim_random_between(random, 0, bits - 1);
    int64_t value = sim_random_between(random, top, 2 * top - 1);
    return value > high ? high : value;
}

static inline bool sim_random_chance(struct sim_random *random, uint32_t per_mille)
{
    return sim_random_below(random, 1000) < per_mille;
}

#endif
