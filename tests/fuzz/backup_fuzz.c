/* A backup file, made of the input's blocks with the checksums they need, so that what is behind
 * the checksums is reached: refused with words, or read the same twice, buckets in their order and
 * every customer in its bucket. The input: blocks of two bytes of length and the payload. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/must.h"
#include "ctl/backup_inner.h"
#include "tests/fuzz/fuzz.h"

#define ARENA_MAX ((size_t)64 << 20)

static void write_file(int fd, const uint8_t *bytes, size_t len)
{
    uint64_t hash = 0;

    MUST(write(fd, BACKUP_MAGIC, sizeof BACKUP_MAGIC - 1) == sizeof BACKUP_MAGIC - 1);
    while (len >= 2) {
        unsigned char frame[BACKUP_FRAME];
        size_t payload = (size_t)bytes[0] | (size_t)bytes[1] << 8;

        bytes += 2;
        len -= 2;
        payload = payload < len ? payload : len;
        hash = hash_bytes((struct span){(const char *)bytes, payload}, hash);
        backup_frame_pack(frame, (uint32_t)payload, hash);
        MUST(write(fd, frame, sizeof frame) == sizeof frame);
        MUST(write(fd, bytes, payload) == (ssize_t)payload);
        bytes += payload;
        len -= payload;
    }
}

static uint64_t hash_bucket(const struct store_bucket *bucket, uint32_t buckets, uint64_t seen)
{
    for (size_t i = 0; i < bucket->count; i++) {
        const struct store_blob *blob = &bucket->blobs[i];

        MUST(blob->customer.len > 0);
        MUST(blob->record.len > 0);
        MUST(store_bucket_of(blob->hash, buckets) == bucket->number);
        seen = hash_bytes(blob->customer, seen);
        seen = hash_bytes(blob->record, seen);
        seen = hash_bytes(blob->ledger, seen);
    }
    return seen;
}

/* A number for everything that was read; 0: refused. */
static uint64_t read_file(const char *path)
{
    struct backup_head head;
    struct backup_reader *reader = NULL;
    struct store_bucket *buckets;
    struct report report = {0};
    struct arena arena;
    size_t count = 0;
    uint32_t next = 0;
    uint64_t seen = 1;
    enum status status = backup_reader_open(path, &head, &reader, &report);

    arena_init(&arena, ARENA_MAX);
    do {
        if (status == STATUS_OK)
            status = backup_reader_next(reader, &arena, &buckets, &count, &report);
        for (size_t i = 0; status == STATUS_OK && i < count; i++) {
            MUST(buckets[i].number == next++);
            seen = hash_bucket(&buckets[i], head.meta.buckets, seen);
        }
        arena_reset(&arena);
    } while (status == STATUS_OK && count > 0);
    MUST(status == STATUS_OK || report.text[0] != '\0');
    MUST(status != STATUS_OK || next == head.meta.buckets);
    arena_fini(&arena);
    backup_reader_close(reader);
    return status == STATUS_OK ? seen : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char path[64];
    int fd = memfd_create("backup", MFD_CLOEXEC);

    MUST(fd >= 0);
    write_file(fd, bytes, len);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    MUST(read_file(path) == read_file(path));
    (void)close(fd);
    return 0;
}
