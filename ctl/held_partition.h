/* held_partition: a partition taken from its daemon for a moment, for backup and restore. */
#ifndef LC_CTL_HELD_PARTITION_H
#define LC_CTL_HELD_PARTITION_H

#include "ctl/servers.h"

struct held_partition {
    struct store *store;
    char token[64];
    int64_t renewed_ms, begun_ms; /* monotonic */
    struct store_meta meta;       /* as claimed */
    bool present;
};

/* Holds and claims. RETRY, REJECT with words. */
enum status held_partition_open(struct servers *servers, int32_t partition,
                                struct held_partition *ret_held, struct report *report) LC_CHECKED;
/* Call between pieces of work of at most a second or so: keeps the hold. REJECT: interrupted. */
enum status held_partition_renew(struct held_partition *held, struct report *report) LC_CHECKED;
/* Milliseconds it was held. */
int64_t held_partition_close(struct held_partition *held);

#endif
