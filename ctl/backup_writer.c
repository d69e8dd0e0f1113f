/* Writing a backup file. Buckets gather in a block of about a mebibyte. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <msgpack/pack.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/must.h"
#include "ctl/backup_inner.h"

#define BLOCK_TARGET (1u << 20)

struct backup_writer {
    FILE *file;
    char path[PATH_MAX], draft[PATH_MAX];
    uint64_t hash; /* of the last block */
    int64_t bytes, buckets, customers;
    struct store_meta meta; /* what it must come to */
    uint32_t waiting;       /* buckets in the block */
    size_t len;
    bool full;
    char block[BACKUP_BLOCK_MAX]; /* payload without its array header */
};

static int block_write(void *self, const char *bytes, size_t len)
{
    struct backup_writer *w = self;

    if (len > sizeof w->block - w->len) {
        w->full = true;
        return -1;
    }
    memcpy(w->block + w->len, bytes, len);
    w->len += len;
    return 0;
}

static enum status failed(struct backup_writer *w, const char *what, struct report *report)
{
    report_set(report, "backup-write", "%s: %s: %s", w->draft, what, strerror(errno));
    return STATUS_RETRY;
}

static enum status put_bytes(struct backup_writer *w, const void *bytes, size_t len,
                             struct report *report)
{
    if (fwrite(bytes, 1, len, w->file) != len)
        return failed(w, "cannot write", report);
    w->bytes += (int64_t)len;
    return STATUS_OK;
}

/* What has gathered in the block goes to the file. */
static enum status block_end(struct backup_writer *w, struct report *report)
{
    unsigned char frame[BACKUP_FRAME];
    enum status status;

    if (w->full) {
        report_set(report, "backup-write", "a bucket of customers is larger than %u bytes",
                   BACKUP_BLOCK_MAX);
        return STATUS_REJECT;
    }
    w->hash = hash_bytes((struct span){w->block, w->len}, w->hash);
    backup_frame_pack(frame, (uint32_t)w->len, w->hash);
    status = put_bytes(w, frame, sizeof frame, report);
    if (status == STATUS_OK)
        status = put_bytes(w, w->block, w->len, report);
    w->len = w->waiting = 0;
    return status;
}

static void pack_text(msgpack_packer *packer, const char *text)
{
    msgpack_pack_str_with_body(packer, text, strlen(text));
}

static void pack_span(msgpack_packer *packer, struct span span)
{
    msgpack_pack_bin_with_body(packer, span.at ? span.at : "", span.len);
}

static enum status put_head(struct backup_writer *w, const struct backup_head *head,
                            struct report *report)
{
    msgpack_packer packer = {w, block_write};
    const struct store_meta *meta = &head->meta;
    const struct store_guard *guard = &meta->guard;
    const int64_t numbers[] = {
        head->partition,   head->partitions,     head->made_ms,      meta->at.offset,
        meta->at.control,  meta->control_offset, meta->watermark_ms, meta->params_version,
        meta->switched_ms, meta->customers,      meta->buckets,      meta->last_offset,
        guard->held,       guard->held_ms,       guard->heard_ms,    guard->gap_ms,
        guard->hour,       guard->alerts,        guard->mean_milli,
    };
    _Static_assert(sizeof numbers / sizeof *numbers == BACKUP_NUMBERS, "as the reader reads them");

    msgpack_pack_array(&packer, BACKUP_HEAD_ITEMS);
    msgpack_pack_int64(&packer, BACKUP_HEAD);
    pack_text(&packer, head->app);
    pack_text(&packer, head->input);
    for (size_t i = 0; i < BACKUP_NUMBERS; i++)
        msgpack_pack_int64(&packer, numbers[i]);
    pack_text(&packer, meta->cfg);
    msgpack_pack_uint64(&packer, meta->last_hash);
    return block_end(w, report);
}

enum status backup_writer_open(const char *path, const struct backup_head *head,
                               struct backup_writer **ret_writer, struct report *report)
{
    struct backup_writer *w = malloc(sizeof *w);
    enum status status;
    int fd;

    if (!w) {
        report_set(report, "memory", "no memory for a backup");
        return STATUS_RETRY;
    }
    memset(w, 0,
           offsetof(struct backup_writer, block)); /* the block is written before it is read */
    if (snprintf(w->path, sizeof w->path, "%s", path) >= (int)sizeof w->path - 8 ||
        snprintf(w->draft, sizeof w->draft, "%s.draft", w->path) >= (int)sizeof w->draft) {
        report_set(report, "backup-write", "%s: the path is too long", path);
        free(w);
        return STATUS_REJECT;
    }
    w->meta = head->meta;
    fd = open(w->draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    w->file = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (!w->file) {
        status = failed(w, "cannot create", report);
        if (fd >= 0)
            close(fd);
        free(w);
        return status;
    }
    status = put_bytes(w, BACKUP_MAGIC, sizeof BACKUP_MAGIC - 1, report);
    if (status == STATUS_OK)
        status = put_head(w, head, report);
    if (status != STATUS_OK) {
        backup_writer_close(w);
        return status;
    }
    *ret_writer = w;
    return STATUS_OK;
}

enum status backup_writer_put(struct backup_writer *w, const struct store_bucket *bucket,
                              struct report *report)
{
    msgpack_packer packer = {w, block_write};

    if (w->waiting == 0) {
        msgpack_pack_array(&packer, 1);
        msgpack_pack_int64(&packer, BACKUP_BUCKETS);
    }
    msgpack_pack_array(&packer, 1 + bucket->count);
    msgpack_pack_int64(&packer, bucket->number);
    for (size_t i = 0; i < bucket->count; i++) {
        msgpack_pack_array(&packer, 3);
        pack_span(&packer, bucket->blobs[i].customer);
        pack_span(&packer, bucket->blobs[i].record);
        pack_span(&packer, bucket->blobs[i].ledger);
    }
    w->waiting++;
    w->buckets++;
    w->customers += (int64_t)bucket->count;
    return w->full || w->len >= BLOCK_TARGET || w->waiting == BACKUP_BUCKETS_MAX
               ? block_end(w, report)
               : STATUS_OK;
}

static enum status put_end(struct backup_writer *w, struct report *report)
{
    msgpack_packer packer = {w, block_write};

    msgpack_pack_array(&packer, 3);
    msgpack_pack_int64(&packer, BACKUP_END);
    msgpack_pack_int64(&packer, w->buckets);
    msgpack_pack_int64(&packer, w->customers);
    return block_end(w, report);
}

/* The name in the folder is on the disk too. */
static enum status sync_folder(struct backup_writer *w, struct report *report)
{
    char copy[PATH_MAX];
    enum status status = STATUS_OK;
    int fd;

    memcpy(copy, w->path, sizeof copy);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        status = failed(w, "cannot sync its folder", report);
    if (fd >= 0)
        close(fd);
    return status;
}

enum status backup_writer_finish(struct backup_writer *w, int64_t *ret_bytes, struct report *report)
{
    enum status status = w->waiting > 0 ? block_end(w, report) : STATUS_OK;
    int closed;

    if (status == STATUS_OK)
        status = put_end(w, report);
    if (status != STATUS_OK)
        return status;
    if (w->customers != w->meta.customers || w->buckets != w->meta.buckets) {
        report_set(
            report, "backup-write",
            "the state says %lld customers but has %lld: delete the partition's keys and let "
            "it be rebuilt from Kafka",
            (long long)w->meta.customers, (long long)w->customers);
        return STATUS_REJECT;
    }
    if (fflush(w->file) != 0 || fsync(fileno(w->file)) != 0)
        return failed(w, "cannot write", report);
    closed = fclose(w->file);
    w->file = NULL;
    if (closed != 0 || rename(w->draft, w->path) != 0) {
        status = failed(w, "cannot rename", report);
        (void)unlink(w->draft);
        return status;
    }
    *ret_bytes = w->bytes;
    return sync_folder(w, report);
}

void backup_writer_close(struct backup_writer *w)
{
    if (!w)
        return;
    if (w->file) {
        (void)fclose(w->file);
        (void)unlink(w->draft);
    }
    free(w);
}
