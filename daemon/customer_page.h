/* customer_page: one customer's state as JSON, read from Redis without claiming anything. For GET
 * /customers/{id}. */
#ifndef LC_DAEMON_CUSTOMER_PAGE_H
#define LC_DAEMON_CUSTOMER_PAGE_H

#include "model/params.h"
#include "state/redis.h"

struct customer_page {
    struct redis redis; /* a connection of its own */
    const char *app;
    const struct params *params;
    int32_t partitions; /* of the input topic; > 0 */
    bool crc32;         /* the input's partitioner */
    bool event_clock;   /* "now" is the watermark instead of wall_ms */
    int64_t wall_ms;
};

/* GONE: no such customer. RETRY with words: Redis is away or the state moved under the reading.
 * REJECT: the record is damaged. FULL: buffer. */
enum status customer_page_write(const struct customer_page *page, struct span id, char *buffer,
                                size_t cap, size_t *ret_len, struct report *report) LC_CHECKED;

#endif
