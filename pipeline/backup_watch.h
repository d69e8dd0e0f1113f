/* backup_watch: is the newest backup of a partition still of use? It is while Kafka holds
 * everything after its position. Looked at once a minute; told when that changes. */
#ifndef LC_PIPELINE_BACKUP_WATCH_H
#define LC_PIPELINE_BACKUP_WATCH_H

#include "pipeline/ports.h"
#include "state/store.h"

#define BACKUP_LOOK_MS 60000

/* What has been deleted from the log's start, and where the backup stands in what is left. NEAR: in
 * the oldest fifth of the log: of the time that retention keeps, less than a fifth is left. */
enum backup_use backup_use_of(int64_t backup_offset, int64_t log_low, int64_t log_end);

struct backup_watch {
    int64_t look_at_ms; /* monotonic */
    struct backup_view view;
};

/* Reads the newest backup's note and the log's bounds when it is time. What cannot be read now is
 * looked at again the next time. */
void backup_watch_look(struct backup_watch *watch, const struct ports *ports, struct store *store,
                       int32_t partition, int64_t now_ms);

#endif
