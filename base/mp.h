/* mp: a bounded MessagePack cursor with a sticky error (MessagePack spec, 2013 revision).
 *
 * It reads bytes in place and allocates nothing: a five-byte array32 header cannot make it reserve
 * memory. After the first fault every further read gives zero, so a decoder checks `fault` once, at
 * its end. Used for hostile input (events) and for our own records, which may be damaged too. */
#ifndef LC_BASE_MP_H
#define LC_BASE_MP_H

#include <stdint.h>

#include "base/span.h"

#define MP_DEPTH_MAX 8

enum mp_type {
    MP_NIL,
    MP_BOOL,
    MP_INT,
    MP_FLOAT,
    MP_STR,
    MP_BIN,
    MP_ARRAY,
    MP_MAP,
    MP_EXT,
    MP_END
};

struct mp_reader {
    const uint8_t *at, *end;
    const char *fault; /* NULL while all is well; else what was wrong, a constant string */
};

void mp_reader_init(struct mp_reader *reader, struct span bytes);
/* Type of the next item without consuming it; MP_END at the end or after a fault. */
enum mp_type mp_peek(const struct mp_reader *reader);
bool mp_read_nil(struct mp_reader *reader); /* consumes a nil when it is next */
bool mp_read_bool(struct mp_reader *reader);
int64_t mp_read_i64(struct mp_reader *reader);   /* fault when not an integer or above INT64_MAX */
uint64_t mp_read_u64(struct mp_reader *reader);  /* fault when negative */
double mp_read_double(struct mp_reader *reader); /* integer or float, finite */
struct span mp_read_str(struct mp_reader *reader); /* str; bytes are not checked for UTF-8 */
struct span mp_read_bin(struct mp_reader *reader);
/* Number of items (of pairs for a map); never more than the bytes that remain could hold. */
uint32_t mp_read_array(struct mp_reader *reader);
uint32_t mp_read_map(struct mp_reader *reader);
/* Skip one item of any type, depth ≤ MP_DEPTH_MAX. */
void mp_skip(struct mp_reader *reader);
void mp_fault(struct mp_reader *reader, const char *why); /* the first one stays */

#endif
