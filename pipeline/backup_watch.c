/* backup_watch: see the header. */
#include "pipeline/backup_watch.h"

enum backup_use backup_use_of(int64_t backup_offset, int64_t log_low, int64_t log_end)
{
    if (backup_offset < log_low)
        return BACKUP_PASSED;
    if (log_low > 0 && backup_offset - log_low < (log_end - log_low) / 5)
        return BACKUP_NEAR;
    return BACKUP_FRESH;
}

static void tell(const struct ports *ports, int32_t partition, const struct backup_view *view)
{
    if (view->use == BACKUP_PASSED)
        ports_log(
            ports, WORKER_ERROR, partition, "backup-passed",
            "the newest backup stands at offset %lld but the log begins at %lld: it cannot be "
            "restored any more; run lifecyclectl backup now",
            (long long)view->offset, (long long)view->log_low);
    else if (view->use == BACKUP_NEAR)
        ports_log(ports, WORKER_WARNING, partition, "backup-near",
                  "the newest backup stands at offset %lld and the log begins at %lld: run "
                  "lifecyclectl backup before retention passes it",
                  (long long)view->offset, (long long)view->log_low);
    else
        ports_log(ports, WORKER_INFO, partition, "backup-fresh",
                  "the newest backup stands at offset %lld", (long long)view->offset);
}

void backup_watch_look(struct backup_watch *watch, const struct ports *ports, struct store *store,
                       int32_t partition, int64_t now_ms)
{
    struct store_backup backup;
    struct backup_view view = {.use = BACKUP_UNKNOWN};
    int64_t high = 0;
    bool present = false;

    if (now_ms < watch->look_at_ms)
        return;
    watch->look_at_ms = now_ms + BACKUP_LOOK_MS;
    if (store_backup_read(store, &backup, &present, NULL) != STATUS_OK ||
        ports->source.bounds(ports->source.self, partition, &view.log_low, &high, NULL) !=
            STATUS_OK)
        return;
    if (present) {
        view.use = backup_use_of(backup.at.offset, view.log_low, high);
        view.offset = backup.at.offset;
        view.made_ms = backup.made_ms;
    }
    if (present && view.use != watch->view.use)
        tell(ports, partition, &view);
    watch->view = view;
}
