/* mark: the name under which an erased customer's mark is kept: a keyed hash of its id, so that
 * what is left in Redis neither is the id nor lets anybody without the key try out guesses.
 *
 * HMAC-SHA256 (RFC 2104), cut to 128 bits. The key is made of the operator's secret and the
 * application's name; without a secret it is made of the name alone, and then whoever has a copy of
 * Redis can test a guess, as with any unkeyed hash. Another secret makes other names: marks of
 * before are not found any more until the partition is rebuilt from Kafka. */
#ifndef LC_STATE_MARK_H
#define LC_STATE_MARK_H

#include "base/span.h"

#define MARK_LEAD       '\xff' /* no UTF-8 text, and so no id, has this byte */
#define MARK_NAME_BYTES 17
#define MARK_KEY_BYTES  32

struct mark_key {
    unsigned char bytes[MARK_KEY_BYTES];
};

/* secret may be absent. */
void mark_key_make(struct span secret, const char *app, struct mark_key *ret_key);
void mark_name(const struct mark_key *key, struct span customer, char ret_name[MARK_NAME_BYTES]);
/* Is this field of a bucket a mark, and no customer? */
static inline bool mark_is(struct span name)
{
    return name.len == MARK_NAME_BYTES && name.at[0] == MARK_LEAD;
}

#endif
