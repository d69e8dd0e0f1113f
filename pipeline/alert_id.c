/* alert_id: names of alerts and episodes. They are compared across replays, releases and machines:
 * what is hashed and in which byte order never changes (tests/golden/alerts). */
#include "base/hash.h"
#include "pipeline/alert_codec.h"

/* Two halves of 128 bits: the same bytes under two seeds. */
#define SEED_HIGH UINT64_C(0x6c69666563796331) /* "lifecyc1" */
#define SEED_LOW  UINT64_C(0x6c69666563796332)

static char *put_le(char *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        *at++ = (char)(value >> (8 * i) & 0xff);
    return at;
}

static void put_hex(char *at, uint64_t value)
{
    for (int i = 15; i >= 0; i--, value >>= 4)
        at[i] = "0123456789abcdef"[value & 15];
}

static void id_of(const char *what, size_t len, struct span customer, char ret_id[33])
{
    struct span name = {what, len};

    put_hex(ret_id, hash_bytes(customer, hash_bytes(name, SEED_HIGH)));
    put_hex(ret_id + 16, hash_bytes(customer, hash_bytes(name, SEED_LOW)));
    ret_id[32] = '\0';
}

void alert_id(const struct effect *effect, struct span customer, char ret_id[33])
{
    char what[16], *at = what;

    at = put_le(at, (uint64_t)effect->kind, 1);
    at = put_le(at, effect->episode, 4);
    at = put_le(at, (uint64_t)effect->phase, 1);
    at = put_le(at, effect->revision, 2);
    /* Somebody who was forgotten and comes back counts episodes from 1 again. */
    at = put_le(at, (uint64_t)effect->at_ms, 8);
    id_of(what, (size_t)(at - what), customer, ret_id);
}

void alert_id_episode(const struct effect *effect, struct span customer, char ret_id[33])
{
    char what[5], *at = what;

    at = put_le(at, (uint64_t)effect->kind, 1);
    at = put_le(at, effect->episode, 4);
    id_of(what, (size_t)(at - what), customer, ret_id);
}
