/* The table of what is tortured. Each row runs with its first allocation failing, then its second,
 * and so on until none fails; and again with eight in a row. Nothing may crash, leak, or answer OK
 * with a wrong result, and afterwards it must work. */
#include "tests/torture/torture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "base/text.h"
#include "config/config.h"
#include "ctl/backup_file.h"
#include "ctl/transactions.h"
#include "insight/histories.h"
#include "pipeline/kafka_conf.h"
#include "state/cache.h"
#include "state/params_codec.h"
#include "state/redis_client.h"

#define RUNS_MAX 20000

static char folder[] = "/tmp/lc-torture-XXXXXX", csv_path[64], backup_path[64];

/* --- configuration --- */

static char example[65536];
static size_t example_len;

static void config_once(bool must)
{
    static struct config_errors errors;
    static struct config config;
    struct span text = {example, example_len};
    enum status status;

    errors.count = errors.dropped = 0;
    status = config_parse(text, kafka_conf_reserved, &config, &errors);
    MUST(status == STATUS_OK || (errors.count > 0 && !must));
    if (status == STATUS_OK) {
        MUST(config.type_alias_count == 1);
        MUST(config.kafka_property_count == 2);
        config_fini(&config);
    }
}

static void config_torture(long from, long width)
{
    torture_arm(from, width);
    config_once(false);
    (void)torture_disarm();
    config_once(true);
}

static void config_print_torture(long from, long width)
{
    char *text[2];

    torture_arm(from, width);
    text[0] = config_print_example();
    text[1] = config_print_help();
    (void)torture_disarm();
    for (int i = 0; i < 2; i++) {
        MUST(!text[i] || text[i][strlen(text[i]) - 1] == '\n'); /* whole or not at all */
        free(text[i]);
    }
}

/* --- the analyst's input --- */

static void transactions_torture(long from, long width)
{
    struct transactions transactions;
    struct report report = {0};
    struct buyer *buyers = NULL;
    size_t count = 0;
    enum status status;

    torture_arm(from, width);
    status = transactions_read(csv_path, false, &transactions, &report);
    if (status == STATUS_OK)
        buyers = transactions_buyers(&transactions, transactions.last_day, 0, &count);
    (void)torture_disarm();
    MUST(status == STATUS_OK || report.text[0] != '\0');
    if (status == STATUS_OK) {
        MUST(transactions.count == 5);
        MUST(!buyers || count == 3);
    }
    transactions_close(&transactions);
    free(buyers);
}

/* --- backups --- */

static const struct backup_head head = {
    .app = "app",
    .input = "events",
    .partitions = 1,
    .meta = {.cfg = "cafe", .customers = 1, .buckets = 1, .last_offset = -1}};

static enum status backup_write(struct report *report)
{
    struct store_blob blob = {.customer = SPAN_LITERAL("anna"),
                              .record = SPAN_LITERAL("record"),
                              .ledger = SPAN_LITERAL("")};
    struct store_bucket bucket = {.blobs = &blob, .count = 1};
    struct backup_writer *writer = NULL;
    int64_t bytes;
    enum status status = backup_writer_open(backup_path, &head, &writer, report);

    if (status == STATUS_OK)
        status = backup_writer_put(writer, &bucket, report);
    if (status == STATUS_OK)
        status = backup_writer_finish(writer, &bytes, report);
    backup_writer_close(writer);
    return status;
}

static enum status backup_read(struct report *report)
{
    struct backup_reader *reader = NULL;
    struct store_bucket *buckets;
    struct backup_head back;
    struct arena arena;
    size_t count = 1;
    enum status status = backup_reader_open(backup_path, &back, &reader, report);

    arena_init(&arena, 4 << 20);
    while (status == STATUS_OK && count > 0)
        status = backup_reader_next(reader, &arena, &buckets, &count, report);
    arena_fini(&arena);
    backup_reader_close(reader);
    return status;
}

static void backup_torture(long from, long width)
{
    struct report report = {0};
    enum status status;

    torture_arm(from, width);
    status = backup_write(&report);
    MUST(status == STATUS_OK || report.text[0] != '\0');
    status = backup_read(&report);
    MUST(status == STATUS_OK || report.text[0] != '\0');
    (void)torture_disarm();
    MUST(access(backup_path, F_OK) != 0 || backup_read(&report) == STATUS_OK); /* whole or absent */
    (void)unlink(backup_path);
}

/* --- the population --- */

/* Five hundred buyers of two purchase days, all different. */
static void histories_torture(long from, long width)
{
    static struct histories histories;
    struct fit_cell *cells[2] = {NULL, NULL};
    size_t count[2] = {0, 0};
    int64_t left_out = 0, counted = 0;

    torture_arm(from, width);
    histories_init(&histories, 20000 * TEXT_MS_PER_DAY, 90 * TEXT_MS_PER_DAY);
    for (int32_t i = 0; i < 500; i++) {
        struct customer customer;

        customer_init(&customer);
        customer.purchase_days = customer.days_kept = 2;
        customer.first_day = customer.days[0].day = 10000 + 11 * i;
        customer.last_day = customer.days[1].day = 15600 + 8 * i;
        left_out += histories_add(&histories, &customer) != STATUS_OK;
    }
    if (histories_cells(&histories, FIT_MBG, 100, &cells[0], &count[0]) != STATUS_OK)
        left_out++;
    if (histories_window(&histories, &cells[1], &count[1]) != STATUS_OK)
        left_out++;
    (void)torture_disarm();
    for (size_t i = 0; i < count[0]; i++)
        counted += (int64_t)cells[0][i].count;
    MUST(left_out > 0 || counted == 500); /* whole, or told */
    free(cells[0]);
    free(cells[1]);
    histories_fini(&histories);
}

/* --- state --- */

static void params_torture(long from, long width)
{
    struct params params, back;
    struct report report = {0};
    struct arena arena;
    struct span text;
    enum status status;

    params_default(&params);
    arena_init(&arena, 1 << 20);
    torture_arm(from, width);
    status = params_encode(&params, &arena, &text);
    (void)torture_disarm();
    MUST(status == STATUS_OK || status == STATUS_FULL);
    if (status == STATUS_OK)
        MUST(params_decode(text, &back, &report) == STATUS_OK);
    arena_fini(&arena);
}

static void cache_torture(long from, long width)
{
    struct span record = SPAN_LITERAL("record"), ledger = SPAN_LITERAL("ledger"), back, other;
    struct cache *cache;
    char id[16];

    torture_arm(from, width);
    cache = cache_open(1 << 20);
    for (int i = 0; cache && i < 3000; i++) {
        struct span customer = {id, (size_t)snprintf(id, sizeof id, "c%d", i)};

        cache_put(cache, i % 3, store_customer_hash(customer), customer, record, ledger);
        if (cache_get(cache, i % 3, store_customer_hash(customer), customer, &back, &other))
            MUST(span_equal(back, record));
    }
    (void)torture_disarm();
    cache_close(cache);
}

/* hiredis itself ends the process without memory (0.14), as librdkafka does: a restart is safe at
 * any moment, and tests/faults kills it at random ones. So here only what is before the connection.
 */
static void redis_torture(long from, long width)
{
    static const char *const sentinels[] = {NULL, "127.0.0.1:1"};

    for (int i = 0; i < 2; i++) {
        const struct redis_client_options options = {.address = "unix:/nonexistent",
                                                     .sentinels = sentinels[i],
                                                     .master = "m",
                                                     .connect_timeout_ms = 100,
                                                     .command_timeout_ms = 100};
        struct redis_client *client = NULL;
        struct report report = {0};
        enum status status;

        torture_arm(from, width);
        status = redis_client_open(&options, &client, &report);
        for (int j = 0; status == STATUS_OK && j < 1000; j++) {
            struct redis redis = redis_client_port(client);

            redis.queue(redis.self, 1, (struct span[]){SPAN_LITERAL("PING")});
        }
        torture_exempt(1);
        if (status == STATUS_OK) {
            struct redis redis = redis_client_port(client);

            MUST(redis.send(redis.self, &report) == STATUS_RETRY);
        }
        torture_exempt(-1);
        if (i == 0)
            (void)torture_disarm();
        MUST(report.text[0] != '\0');
        redis_client_close(client);
    }
    (void)torture_disarm();
}

/* --- the rows --- */

static const struct {
    const char *name;
    void (*run)(long from, long width);
} rows[] = {
    {"a configuration is read", config_torture},
    {"a configuration is printed", config_print_torture},
    {"a CSV of transactions is read", transactions_torture},
    {"a backup is written and read", backup_torture},
    {"parameters are written and read", params_torture},
    {"the histories of a population", histories_torture},
    {"the cache fills", cache_torture},
    {"Redis is connected to", redis_torture},
    {"a worker is opened", torture_worker_open},
    {"a worker's day: events, timers, a wiped Redis", torture_worker_day},
};

/* The fourth row is longer than the buffer that read the others. */
static void make_csv(void)
{
    FILE *file = fopen(csv_path, "w");

    MUST(file);
    MUST(fprintf(file,
                 "customer,date,amount\na,2024-01-01,5\nb,2024-01-02,6.50\n\"a\",2024-02-01,7\n"
                 "%0400d,2024-02-02,1\na,2024-03-01,2\n",
                 3) > 0);
    MUST(fclose(file) == 0);
}

/* Every setting at its default, and something under each map. */
static void make_example(void)
{
    static const char more[] =
        "kafka:\n  properties:\n    security.protocol: SASL_SSL\n    "
        "sasl.mechanism: PLAIN\nevents:\n  type_aliases:\n    purchase: Order Completed\n"
        "money:\n  rates:\n    USD: 0.9213\nname: n\nredis:\n  address: unix:/x\n";

    memcpy(example, more, sizeof more);
    example_len = sizeof more - 1;
}

int main(void)
{
    static const long widths[] = {1, 8};

    MUST(mkdtemp(folder));
    (void)snprintf(csv_path, sizeof csv_path, "%s/csv", folder);
    (void)snprintf(backup_path, sizeof backup_path, "%s/backup", folder);
    make_csv();
    make_example();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        long runs = 0, live;

        rows[i].run(RUNS_MAX, 1); /* what is kept for ever (locale, timezone) is kept by now */
        live = torture_live();
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
            for (long from = 1;; from++, runs++) {
                MUST(from < RUNS_MAX);
                rows[i].run(from, widths[w]);
                if (torture_live() != live)
                    fprintf(stderr, "%s: failing %ld from %ld on: %ld allocations leak\n",
                            rows[i].name, widths[w], from, torture_live() - live);
                MUST(torture_live() == live);
                if (torture_disarm() < from)
                    break;
            }
        printf("%6ld runs: %s\n", runs, rows[i].name);
        (void)fflush(stdout);
    }
    (void)unlink(csv_path);
    (void)rmdir(folder);
    return 0;
}
