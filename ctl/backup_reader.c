/* Reading a backup file: nothing in it is believed before its block's hash is right, and nothing of
 * it after that is taken beyond its bounds. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mp.h"
#include "ctl/backup_inner.h"

struct backup_reader {
    FILE *file;
    uint64_t hash;
    int64_t next;    /* number of the bucket that must come next */
    int64_t buckets; /* as the head promises */
    int64_t customers, customers_promised;
    size_t len;
    char block[BACKUP_BLOCK_MAX];
};

static enum status damaged(const char *why, struct report *report)
{
    report_set(report, "backup-damaged", "%s: take another backup", why);
    return STATUS_REJECT;
}

static enum status cannot_read(struct report *report)
{
    report_set(report, "backup-read", "the backup cannot be read: %s", strerror(errno));
    return STATUS_RETRY;
}

static enum status get(struct backup_reader *r, void *to, size_t len, struct report *report)
{
    if (fread(to, 1, len, r->file) == len)
        return STATUS_OK;
    return ferror(r->file) ? cannot_read(report)
                           : damaged("the file ends before its end mark", report);
}

static enum status block_next(struct backup_reader *r, struct report *report)
{
    unsigned char frame[BACKUP_FRAME];
    uint32_t len;
    uint64_t hash;
    enum status status = get(r, frame, sizeof frame, report);

    if (status != STATUS_OK)
        return status;
    backup_frame_unpack(frame, &len, &hash);
    if (len > sizeof r->block)
        return damaged("a block is longer than any can be", report);
    status = get(r, r->block, len, report);
    if (status != STATUS_OK)
        return status;
    r->len = len;
    r->hash = hash_bytes((struct span){r->block, len}, r->hash);
    return r->hash == hash ? STATUS_OK : damaged("a block's checksum is wrong", report);
}

static bool read_text(struct mp_reader *mp, char *ret_text, size_t cap)
{
    struct span text = mp_read_str(mp);

    if (text.len >= cap || (text.len > 0 && memchr(text.at, '\0', text.len)))
        return false;
    memcpy(ret_text, text.at ? text.at : "", text.len);
    ret_text[text.len] = '\0';
    return true;
}

static bool head_fits(const struct backup_head *head, const int64_t numbers[BACKUP_NUMBERS])
{
    return numbers[0] >= 0 && numbers[0] < numbers[1] && numbers[1] <= INT32_MAX &&
           numbers[3] >= 0 && numbers[4] >= 0 && numbers[7] >= 0 && numbers[7] <= UINT32_MAX &&
           numbers[9] >= 0 && numbers[10] >= 1 && numbers[10] <= INT32_MAX && numbers[11] >= -1 &&
           numbers[12] >= 0 && numbers[12] <= (STORE_HELD_SILENCE | STORE_HELD_STORM) &&
           numbers[15] >= 0 && numbers[17] >= 0 && numbers[18] >= 0 && head->app[0] != '\0';
}

static enum status read_head(struct backup_reader *r, struct backup_head *ret_head,
                             struct report *report)
{
    struct backup_head head = {0};
    int64_t numbers[BACKUP_NUMBERS];
    struct mp_reader mp;
    bool fits;
    enum status status = block_next(r, report);

    if (status != STATUS_OK)
        return status;
    mp_reader_init(&mp, (struct span){r->block, r->len});
    fits = mp_read_array(&mp) == BACKUP_HEAD_ITEMS && mp_read_i64(&mp) == BACKUP_HEAD &&
           read_text(&mp, head.app, sizeof head.app) &&
           read_text(&mp, head.input, sizeof head.input);
    for (size_t i = 0; fits && i < BACKUP_NUMBERS; i++)
        numbers[i] = mp_read_i64(&mp);
    fits = fits && read_text(&mp, head.meta.cfg, sizeof head.meta.cfg);
    head.meta.last_hash = fits ? mp_read_u64(&mp) : 0;
    if (!fits || mp.fault || mp.at != mp.end || !head_fits(&head, numbers))
        return damaged("the head is malformed", report);
    head.partition = (int32_t)numbers[0];
    head.partitions = (int32_t)numbers[1];
    head.made_ms = numbers[2];
    head.meta.at = (struct position){numbers[3], numbers[4]};
    head.meta.control_offset = numbers[5];
    head.meta.watermark_ms = numbers[6];
    head.meta.params_version = (uint32_t)numbers[7];
    head.meta.switched_ms = numbers[8];
    head.meta.customers = r->customers_promised = numbers[9];
    head.meta.buckets = (uint32_t)numbers[10];
    r->buckets = numbers[10];
    head.meta.last_offset = numbers[11];
    head.meta.guard =
        (struct store_guard){(uint32_t)numbers[12], numbers[13], numbers[14], numbers[15],
                             numbers[16],           numbers[17], numbers[18]};
    *ret_head = head;
    return STATUS_OK;
}

static enum status read_magic(struct backup_reader *r, struct report *report)
{
    static const char family[] = "lifecycled backup ";
    char magic[sizeof BACKUP_MAGIC] = "";

    if (fread(magic, 1, sizeof BACKUP_MAGIC - 1, r->file) != sizeof BACKUP_MAGIC - 1 ||
        memcmp(magic, family, sizeof family - 1) != 0) {
        report_set(report, "backup-foreign", "the file is no backup of lifecycled");
        return STATUS_REJECT;
    }
    if (memcmp(magic, BACKUP_MAGIC, sizeof BACKUP_MAGIC - 1) != 0) {
        report_set(report, "backup-format",
                   "the backup has another format than %d, the one this build knows: restore it "
                   "with the version that made it",
                   BACKUP_FORMAT);
        return STATUS_REJECT;
    }
    return STATUS_OK;
}

enum status backup_reader_open(const char *path, struct backup_head *ret_head,
                               struct backup_reader **ret_reader, struct report *report)
{
    struct backup_reader *r = malloc(sizeof *r);
    enum status status;

    if (!r) {
        report_set(report, "memory", "no memory for a backup");
        return STATUS_RETRY;
    }
    memset(r, 0,
           offsetof(struct backup_reader, block)); /* the block is written before it is read */
    r->file = fopen(path, "rbe");
    status = r->file ? read_magic(r, report) : cannot_read(report);
    if (status == STATUS_OK)
        status = read_head(r, ret_head, report);
    if (status != STATUS_OK) {
        backup_reader_close(r);
        return status;
    }
    *ret_reader = r;
    return STATUS_OK;
}

/* [number, [customer, record, ledger]…] */
static enum status read_bucket(struct backup_reader *r, struct mp_reader *mp, struct arena *arena,
                               struct store_bucket *ret_bucket)
{
    uint32_t items = mp_read_array(mp);
    int64_t number = mp_read_i64(mp);
    struct store_blob *blobs;

    if (mp->fault || items < 1 || number != r->next || number >= r->buckets) {
        mp_fault(mp, "buckets out of order");
        return STATUS_OK;
    }
    blobs = arena_zalloc(arena, items * sizeof *blobs);
    if (!blobs)
        return STATUS_FULL;
    for (uint32_t i = 0; i + 1 < items && !mp->fault; i++) {
        if (mp_read_array(mp) != 3)
            mp_fault(mp, "not a customer");
        blobs[i].customer = mp_read_bin(mp);
        blobs[i].record = mp_read_bin(mp);
        blobs[i].ledger = mp_read_bin(mp);
        blobs[i].hash = store_customer_hash(blobs[i].customer);
        if (!mp->fault && (blobs[i].customer.len == 0 || blobs[i].record.len == 0 ||
                           store_bucket_of(blobs[i].hash, (uint32_t)r->buckets) != number))
            mp_fault(mp, "a customer in the wrong bucket");
    }
    r->next++;
    r->customers += items - 1;
    *ret_bucket = (struct store_bucket){(uint32_t)number, blobs, items - 1};
    return STATUS_OK;
}

static enum status read_end(struct backup_reader *r, struct mp_reader *mp, struct report *report)
{
    int64_t buckets = mp_read_i64(mp), customers = mp_read_i64(mp);

    if (mp->fault || mp->at != mp->end || buckets != r->next || buckets != r->buckets ||
        customers != r->customers || customers != r->customers_promised)
        return damaged("the end mark does not fit what came before", report);
    return fgetc(r->file) == EOF ? STATUS_OK : damaged("something follows the end mark", report);
}

enum status backup_reader_next(struct backup_reader *r, struct arena *arena,
                               struct store_bucket **ret_buckets, size_t *ret_count,
                               struct report *report)
{
    struct mp_reader mp;
    struct store_bucket *buckets;
    size_t count = 0;
    int64_t kind;
    enum status status = block_next(r, report);

    if (status != STATUS_OK)
        return status;
    mp_reader_init(&mp, (struct span){r->block, r->len});
    (void)mp_read_array(&mp);
    kind = mp_read_i64(&mp);
    if (kind == BACKUP_END) {
        *ret_count = 0;
        return read_end(r, &mp, report);
    }
    buckets = arena_alloc(arena, BACKUP_BUCKETS_MAX * sizeof *buckets);
    if (!buckets)
        status = STATUS_FULL;
    while (status == STATUS_OK && kind == BACKUP_BUCKETS && !mp.fault && mp.at != mp.end &&
           count < BACKUP_BUCKETS_MAX)
        status = read_bucket(r, &mp, arena, &buckets[count++]);
    if (status == STATUS_FULL) {
        report_set(report, "memory", "no memory for a block of the backup");
        return STATUS_FULL;
    }
    /* without a bucket it would pass for the end */
    if (kind != BACKUP_BUCKETS || mp.fault || mp.at != mp.end || count == 0)
        return damaged(mp.fault ? mp.fault : "a block is malformed", report);
    *ret_buckets = buckets;
    *ret_count = count;
    return STATUS_OK;
}

void backup_reader_close(struct backup_reader *r)
{
    if (!r)
        return;
    if (r->file)
        (void)fclose(r->file);
    free(r);
}
