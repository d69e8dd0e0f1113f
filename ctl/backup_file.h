/* backup_file: the file that `lifecyclectl backup` writes and `restore` reads: one partition at one
 * position.
 *
 * "lifecycled backup 1\n", then blocks: length (4 bytes, little-endian), hash of the payload seeded
 * with the hash of the block before (8 bytes; so no block can be missing, doubled or moved),
 * payload. The payload is MessagePack:
 *   [0, app, input topic, partition, partitions, made_ms, and the meta (store.h)]    head
 *   [1] [number, [customer, record, ledger]…]…    buckets, in the order of their numbers
 *   [2, buckets, customers]    end
 * Memory is bounded by the largest block. Nothing in it is secret, but it is personal data:
 * customer ids and what they did; the file is readable by its owner only. */
#ifndef LC_CTL_BACKUP_FILE_H
#define LC_CTL_BACKUP_FILE_H

#include "state/store.h"

#define BACKUP_FORMAT      1
#define BACKUP_BLOCK_MAX   (16u << 20)
#define BACKUP_TOPIC_MAX   250
#define BACKUP_APP_MAX     65
#define BACKUP_BUCKETS_MAX 4096 /* of one block */

struct backup_head {
    char app[BACKUP_APP_MAX], input[BACKUP_TOPIC_MAX];
    int32_t partition, partitions;
    int64_t made_ms;
    struct store_meta meta;
};

struct backup_writer;

/* Writes beside `path` (same folder); nobody sees `path` before finish. RETRY: disk, with words. */
enum status backup_writer_open(const char *path, const struct backup_head *head,
                               struct backup_writer **ret_writer, struct report *report) LC_CHECKED;
/* Next bucket, in the order of their numbers. */
enum status backup_writer_put(struct backup_writer *writer, const struct store_bucket *bucket,
                              struct report *report) LC_CHECKED;
/* On the disk and in its place when OK. */
enum status backup_writer_finish(struct backup_writer *writer, int64_t *ret_bytes,
                                 struct report *report) LC_CHECKED;
/* Accepts NULL; what was not finished is removed. */
void backup_writer_close(struct backup_writer *writer);

struct backup_reader;

/* REJECT with words: no backup, a newer format, damaged. RETRY: it cannot be read now. */
enum status backup_reader_open(const char *path, struct backup_head *ret_head,
                               struct backup_reader **ret_reader, struct report *report) LC_CHECKED;
/* The next buckets (in the arena and the reader's block: valid until the next call); *ret_count 0:
 * the end, and it is whole. REJECT: damaged or cut short. FULL: arena. */
enum status backup_reader_next(struct backup_reader *reader, struct arena *arena,
                               struct store_bucket **ret_buckets, size_t *ret_count,
                               struct report *report) LC_CHECKED;
void backup_reader_close(struct backup_reader *reader); /* accepts NULL */

#endif
