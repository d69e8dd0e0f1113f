#include "model/previous.h"

#include "base/must.h"

bool previous_next(const struct previous *previous, uint32_t *at, struct span *ret_id)
{
    uint32_t len;

    if (*at >= previous->len)
        return false;
    len = (unsigned char)previous->bytes[*at];
    MUST(len > 0 && len < previous->len - *at);
    *ret_id = (struct span){previous->bytes + *at + 1, len};
    *at += 1 + len;
    return true;
}

bool previous_has(const struct previous *previous, struct span id)
{
    uint32_t at = 0;
    struct span other;

    while (previous_next(previous, &at, &other))
        if (span_equal(other, id))
            return true;
    return false;
}

bool previous_add(struct previous *previous, struct span id)
{
    MUST(id.len > 0 && id.len <= EVENT_CUSTOMER_BYTES_MAX);
    if (previous_has(previous, id))
        return true;
    if (previous->count == PREVIOUS_MAX)
        return false;
    MUST(previous->cap - previous->len > id.len);
    previous->bytes[previous->len] = (char)id.len;
    memcpy(previous->bytes + previous->len + 1, id.at, id.len);
    previous->len += 1 + (uint32_t)id.len;
    previous->count++;
    return true;
}

bool previous_valid(struct span bytes, uint32_t *ret_count)
{
    uint32_t count = 0;

    for (size_t at = 0; at < bytes.len; count++) {
        size_t len = (unsigned char)bytes.at[at];

        if (len == 0 || len > EVENT_CUSTOMER_BYTES_MAX || len >= bytes.len - at ||
            count == PREVIOUS_MAX)
            return false;
        at += 1 + len;
    }
    *ret_count = count;
    return true;
}
