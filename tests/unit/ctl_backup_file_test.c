#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/backup_file.h"

#define BUCKETS   37
#define CUSTOMERS 400

static char folder[] = "/tmp/lc-backup-XXXXXX";
static char path[64];
static struct arena arena;
static struct report report;

/* Customer i of a state of BUCKETS buckets: id, a record of i bytes, a ledger for every second. */
struct made {
    char id[CUSTOMERS][16];
    char bytes[CUSTOMERS];
    struct store_blob blobs[BUCKETS][CUSTOMERS];
    struct store_bucket buckets[BUCKETS];
};

static void make(struct made *made)
{
    memset(made->bytes, 'r', sizeof made->bytes);
    for (uint32_t b = 0; b < BUCKETS; b++)
        made->buckets[b] = (struct store_bucket){.number = b, .blobs = made->blobs[b]};
    for (size_t i = 0; i < CUSTOMERS; i++) {
        struct span id = {made->id[i], (size_t)snprintf(made->id[i], 16, "c%zu", i)};
        uint64_t hash = store_customer_hash(id);
        struct store_bucket *bucket = &made->buckets[store_bucket_of(hash, BUCKETS)];

        bucket->blobs[bucket->count++] =
            (struct store_blob){.customer = id,
                                .hash = hash,
                                .record = {made->bytes, i + 1},
                                .ledger = i % 2 ? SPAN_LITERAL("ledger") : SPAN_LITERAL("")};
    }
}

static const struct backup_head head = {.app = "app",
                                        .input = "customer-events",
                                        .partition = 2,
                                        .partitions = 4,
                                        .made_ms = 1700000000000,
                                        .meta = {.at = {123456, 7},
                                                 .control_offset = 99,
                                                 .watermark_ms = INT64_MIN,
                                                 .cfg = "0123456789abcdef",
                                                 .params_version = 3,
                                                 .switched_ms = 5,
                                                 .customers = CUSTOMERS,
                                                 .buckets = BUCKETS,
                                                 .last_offset = 123455,
                                                 .last_hash = UINT64_MAX,
                                                 .guard = {STORE_HELD_STORM, -1, 2, 3, 4, 5, 6}}};

static enum status write_all(const struct backup_head *with)
{
    static struct made made;
    struct backup_writer *writer;
    int64_t bytes = 0;
    enum status status;

    memset(&made, 0, sizeof made);
    make(&made);
    assert_int_equal(backup_writer_open(path, with, &writer, &report), STATUS_OK);
    for (size_t i = 0; i < BUCKETS; i++)
        assert_int_equal(backup_writer_put(writer, &made.buckets[i], &report), STATUS_OK);
    status = backup_writer_finish(writer, &bytes, &report);
    backup_writer_close(writer);
    return status;
}

/* Reads the file to its end; the number of customers. */
static enum status read_all(struct backup_head *ret_head, size_t *ret_customers, size_t *ret_bytes)
{
    struct backup_reader *reader;
    struct store_bucket *buckets = NULL;
    size_t count = 1;
    enum status status = backup_reader_open(path, ret_head, &reader, &report);

    *ret_customers = *ret_bytes = 0;
    if (status != STATUS_OK)
        return status;
    while (status == STATUS_OK && count > 0) {
        arena_reset(&arena);
        status = backup_reader_next(reader, &arena, &buckets, &count, &report);
        for (size_t i = 0; status == STATUS_OK && i < count; i++)
            for (size_t j = 0; j < buckets[i].count; j++) {
                ++*ret_customers;
                *ret_bytes += buckets[i].blobs[j].record.len + buckets[i].blobs[j].ledger.len;
            }
    }
    backup_reader_close(reader);
    return status;
}

static void what_was_written_is_read(void **state)
{
    struct backup_head back;
    size_t customers, bytes;
    struct stat st;

    (void)state;
    assert_int_equal(write_all(&head), STATUS_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(read_all(&back, &customers, &bytes), STATUS_OK);
    assert_string_equal(back.app, head.app);
    assert_string_equal(back.input, head.input);
    assert_string_equal(back.meta.cfg, head.meta.cfg);
    assert_int_equal(back.partition, 2);
    assert_int_equal(back.partitions, 4);
    assert_int_equal(back.made_ms, head.made_ms);
    assert_int_equal(position_compare(back.meta.at, head.meta.at), 0);
    assert_int_equal(back.meta.control_offset, 99);
    assert_memory_equal(&back.meta.guard, &head.meta.guard, sizeof back.meta.guard);
    assert_true(back.meta.watermark_ms == INT64_MIN);
    assert_int_equal(back.meta.params_version, 3);
    assert_int_equal(back.meta.switched_ms, 5);
    assert_int_equal(back.meta.customers, CUSTOMERS);
    assert_int_equal(back.meta.buckets, BUCKETS);
    assert_int_equal(back.meta.last_offset, 123455);
    assert_true(back.meta.last_hash == UINT64_MAX);
    assert_int_equal(customers, CUSTOMERS);
    assert_int_equal(bytes, CUSTOMERS * (CUSTOMERS + 1) / 2 + CUSTOMERS / 2 * 6);
}

static char *slurp(size_t *ret_len)
{
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(1 << 20);

    assert_non_null(file);
    *ret_len = fread(bytes, 1, 1 << 20, file);
    assert_int_equal(fclose(file), 0);
    return bytes;
}

static void spill(const char *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void no_changed_byte_passes(void **state)
{
    struct backup_head back;
    size_t len, customers, bytes;
    char *good;

    (void)state;
    assert_int_equal(write_all(&head), STATUS_OK);
    good = slurp(&len);
    for (size_t i = 0; i < len; i += i < 200 ? 1 : 997) {
        good[i] ^= 1;
        spill(good, len);
        if (read_all(&back, &customers, &bytes) != STATUS_REJECT)
            fail_msg("a change of byte %zu passes", i);
        good[i] ^= 1;
    }
    free(good);
}

static void no_cut_and_no_tail_passes(void **state)
{
    struct backup_head back;
    size_t len, customers, bytes;
    char *good;

    (void)state;
    assert_int_equal(write_all(&head), STATUS_OK);
    good = slurp(&len);
    for (size_t cut = 0; cut < len; cut += cut < 200 || cut + 60 > len ? 1 : 997) {
        spill(good, cut);
        if (read_all(&back, &customers, &bytes) != STATUS_REJECT)
            fail_msg("a file cut to %zu of %zu bytes passes", cut, len);
    }
    spill(good, len + 1);
    assert_int_equal(read_all(&back, &customers, &bytes), STATUS_REJECT);
    assert_string_equal(report.code, "backup-damaged");
    free(good);
}

static void files_of_others_are_named_so(void **state)
{
    static const struct {
        const char *name, *bytes, *code;
    } rows[] = {
        {"an empty file", "", "backup-foreign"},
        {"a text", "customer,date,amount\n1,2,3\n", "backup-foreign"},
        {"a newer format", "lifecycled backup 2\nand so on", "backup-format"},
    };
    struct backup_head back;
    size_t customers, bytes;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        spill(rows[i].bytes, strlen(rows[i].bytes));
        assert_int_equal(read_all(&back, &customers, &bytes), STATUS_REJECT);
        if (strcmp(report.code, rows[i].code) != 0)
            fail_msg("%s: %s", rows[i].name, report.code);
    }
}

static void a_count_that_does_not_come_out_is_no_backup(void **state)
{
    struct backup_head wrong = head;

    (void)state;
    (void)unlink(path);
    wrong.meta.customers++;
    assert_int_equal(write_all(&wrong), STATUS_REJECT);
    assert_string_equal(report.code, "backup-write");
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(rmdir(folder), 0); /* nor is a draft left */
    assert_int_equal(mkdir(folder, 0700), 0);
}

static void a_folder_that_is_not_there_is_told(void **state)
{
    struct backup_writer *writer;

    (void)state;
    assert_int_equal(backup_writer_open("/nonexistent/x", &head, &writer, &report), STATUS_RETRY);
    assert_non_null(strstr(report.text, "/nonexistent/x"));
}

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 16 << 20);
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    (void)unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(no_changed_byte_passes),
        cmocka_unit_test(no_cut_and_no_tail_passes),
        cmocka_unit_test(files_of_others_are_named_so),
        cmocka_unit_test(a_count_that_does_not_come_out_is_no_backup),
        cmocka_unit_test(a_folder_that_is_not_there_is_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
