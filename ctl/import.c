/* import: a CSV of past transactions becomes Order Completed events, or refunds.
 *
 * Safe to run twice: the order id is made of what the row says (customer, date, amount, and its
 * number among rows that say the same), so a second run publishes the same orders and the daemon
 * knows them. Records are stamped with now, never with the date of the row: retention would delete
 * them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/text.h"
#include "ctl/csv_file.h"
#include "ctl/ctl.h"
#include "ctl/kafka_client.h"
#include "ctl/outgoing.h"
#include "ctl/servers.h"

struct transaction {
    uint32_t customer_at, customer_len; /* into import.text */
    int64_t time_ms, amount_minor;
    enum currency currency;
    uint32_t ordinal; /* among rows that say the same, from 1 */
    uint32_t row;
};

enum column { COLUMN_CUSTOMER, COLUMN_DATE, COLUMN_AMOUNT, COLUMN_CURRENCY, COLUMN_COUNT };

struct import {
    const char *path, *config_path, *brokers, *topic, *currency_code, *channel;
    bool refunds, skip_bad, dry_run;
    int64_t rate;
    enum currency currency;
    /* what was read */
    struct transaction *rows;
    size_t count, cap;
    char *text;
    size_t text_len, text_cap;
    int at[COLUMN_COUNT]; /* index of each column, −1 absent */
    bool begun;
    int64_t bad;
};

static const char *const column_names[COLUMN_COUNT][CSV_NAMES_MAX] = {
    {"customer", "customer_id", "user_id", "id"},
    {"date", "time", "timestamp", "day"},
    {"amount", "total", "revenue", "spend"},
    {"currency", NULL, NULL, NULL},
};

/* A first row that names the columns; without one they stand in the order of the table above. */
static bool header_of(struct import *in, const struct csv_row *row)
{
    return csv_header(row, column_names, COLUMN_COUNT, COLUMN_AMOUNT + 1, in->at);
}

static struct span cell(const struct import *in, const struct csv_row *row, enum column column)
{
    int at = in->at[column];
    return at >= 0 && (size_t)at < row->count ? row->cells[at] : SPAN_ABSENT;
}

/* NULL, or what is wrong with the row; *ret_cell the value it is about. */
static const char *row_parse(const struct import *in, const struct csv_row *row,
                             struct transaction *ret, struct span *ret_cell)
{
    struct span customer = *ret_cell = cell(in, row, COLUMN_CUSTOMER);
    if (customer.len < 1 || customer.len > EVENT_CUSTOMER_BYTES_MAX || !text_utf8_valid(customer))
        return "the customer must be 1 to 128 bytes of UTF-8";
    *ret_cell = cell(in, row, COLUMN_DATE);
    if (text_time_parse(*ret_cell, &ret->time_ms) != STATUS_OK)
        return "the date must be like 2025-01-31 or an RFC 3339 time";
    ret->currency = in->currency;
    if (cell(in, row, COLUMN_CURRENCY).len > 0) {
        *ret_cell = cell(in, row, COLUMN_CURRENCY);
        ret->currency = currency_find(*ret_cell);
        if (ret->currency == CURRENCY_NONE)
            return "the currency is no ISO 4217 code";
    }
    *ret_cell = cell(in, row, COLUMN_AMOUNT);
    if (text_decimal_parse(*ret_cell, currency_exponent(ret->currency), &ret->amount_minor) !=
        STATUS_OK)
        return "the amount must be a decimal number with no more digits than the currency has";
    if (!in->refunds && ret->amount_minor < 0)
        return "a negative amount is a refund: import a file of them with --refunds";
    if (in->refunds)
        ret->amount_minor = ret->amount_minor < 0 ? -ret->amount_minor : ret->amount_minor;
    return NULL;
}

static enum status keep_row(struct import *in, struct transaction t, struct span customer,
                            struct report *report)
{
    if (in->count == in->cap) {
        in->cap = in->cap ? in->cap * 2 : 4096;
        in->rows = realloc(in->rows, in->cap * sizeof *in->rows);
    }
    if (in->text_cap - in->text_len < customer.len) {
        in->text_cap = in->text_cap * 2 + 65536;
        in->text = realloc(in->text, in->text_cap);
    }
    if (!in->rows || !in->text || in->text_len > UINT32_MAX - customer.len ||
        in->count == UINT32_MAX) {
        report_set(report, "import", "%s: too large for memory; split the file", in->path);
        return STATUS_FULL;
    }
    t.customer_at = (uint32_t)in->text_len;
    t.customer_len = (uint32_t)customer.len;
    t.row = (uint32_t)in->count;
    memcpy(in->text + in->text_len, customer.at, customer.len);
    in->text_len += customer.len;
    in->rows[in->count++] = t;
    return STATUS_OK;
}

static enum status on_row(void *self, const struct csv_row *row, struct report *report)
{
    struct import *in = self;
    struct transaction t = {0};
    struct span wrong;
    if (!in->begun) {
        in->begun = true;
        if (header_of(in, row))
            return STATUS_OK;
    }
    const char *why = row_parse(in, row, &t, &wrong);
    if (!why)
        return keep_row(in, t, cell(in, row, COLUMN_CUSTOMER), report);
    return csv_bad_row(in->path, row, why, wrong, in->skip_bad ? &in->bad : NULL, report);
}

static struct span customer_of(const struct import *in, const struct transaction *t)
{
    return (struct span){in->text + t->customer_at, t->customer_len};
}

static const struct import *sorting; /* qsort has no context argument */

static int compare_i64(int64_t left, int64_t right)
{
    return left < right ? -1 : left > right;
}

static int by_content(const void *left, const void *right)
{
    const struct transaction *l = left, *r = right;
    struct span a = customer_of(sorting, l), b = customer_of(sorting, r);
    int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);
    if (order == 0)
        order = compare_i64((int64_t)a.len, (int64_t)b.len);
    if (order == 0)
        order = compare_i64(l->time_ms, r->time_ms);
    if (order == 0)
        order = compare_i64(l->amount_minor, r->amount_minor);
    if (order == 0)
        order = compare_i64(l->currency, r->currency);
    return order ? order : compare_i64(l->row, r->row);
}

static int by_time(const void *left, const void *right)
{
    const struct transaction *l = left, *r = right;
    int order = compare_i64(l->time_ms, r->time_ms);
    return order ? order : compare_i64(l->row, r->row);
}

/* Numbers the rows that say the same, then puts all in order of time: the order in which they
 * happened. */
static void number_and_sort(struct import *in)
{
    sorting = in;
    qsort(in->rows, in->count, sizeof *in->rows, by_content);
    if (in->count > 0)
        in->rows[0].ordinal = 1;
    for (size_t i = 1; i < in->count; i++) {
        struct transaction *t = &in->rows[i], *before = &in->rows[i - 1];
        bool same = t->time_ms == before->time_ms && t->amount_minor == before->amount_minor &&
                    t->currency == before->currency &&
                    span_equal(customer_of(in, t), customer_of(in, before));
        t->ordinal = same ? before->ordinal + 1 : 1;
    }
    qsort(in->rows, in->count, sizeof *in->rows, by_time);
}

static enum status publish(const struct import *in, struct kafka_producer *producer,
                           const char *topic, const struct transaction *t, struct report *report)
{
    char content[256], id[64], value[OUTGOING_MAX];
    size_t len = 0;
    struct span customer = customer_of(in, t);
    int n = snprintf(content, sizeof content, "%lld/%lld/%s/%u", (long long)t->time_ms,
                     (long long)t->amount_minor, currency_code(t->currency), t->ordinal);
    MUST(n > 0 && (size_t)n < sizeof content);
    uint64_t print = hash_pair(customer, (struct span){content, (size_t)n});
    n = snprintf(id, sizeof id, "%s-%016llx", in->refunds ? "import-refund" : "import-order",
                 (unsigned long long)print);
    MUST(n > 0 && (size_t)n < sizeof id);
    struct outgoing event = {.event = in->refunds ? "Order Refunded" : "Order Completed",
                             .customer = customer,
                             .message_id = {id, (size_t)n},
                             .time_ms = t->time_ms,
                             .channel = span_of(in->channel),
                             .has_amount = true,
                             .amount_minor = t->amount_minor,
                             .currency = currency_code(t->currency),
                             .exponent = currency_exponent(t->currency)};
    *(in->refunds ? &event.refund_id : &event.order_id) = (struct span){id, (size_t)n};
    MUST(outgoing_json(&event, value, &len) == STATUS_OK);
    if (producer)
        return kafka_producer_send(producer, topic, customer, (struct span){value, len}, report);
    return fwrite(value, 1, len, stdout) == len && putchar('\n') != EOF ? STATUS_OK : STATUS_REJECT;
}

static int publish_all(const struct import *in, struct kafka_producer *producer, const char *topic)
{
    struct report report = {0};
    struct clock clock = clock_system();
    int64_t begun = clock_mono_ms(&clock);
    for (size_t i = 0; i < in->count && !ctl_interrupted(); i++) {
        if (publish(in, producer, topic, &in->rows[i], &report) != STATUS_OK)
            return ctl_fail_report(CTL_UNAVAILABLE, &report);
        while (in->rate > 0 && (int64_t)i * 1000 / in->rate > clock_mono_ms(&clock) - begun &&
               !ctl_interrupted())
            ctl_nap(1);
        ctl_progress("import", (int64_t)i + 1, (int64_t)in->count);
    }
    if (producer && kafka_producer_flush(producer, 60000, &report) != STATUS_OK)
        return ctl_fail_report(CTL_UNAVAILABLE, &report);
    if (ctl_interrupted())
        return ctl_fail(
            CTL_FAILED,
            "import: interrupted; run it again, what is published already does no harm");
    fprintf(stderr, "import: %zu events published to %s", in->count, topic);
    if (in->bad > 0)
        fprintf(stderr, ", %lld bad rows skipped", (long long)in->bad);
    fputc('\n', stderr);
    return CTL_OK;
}

static int import_to_kafka(struct import *in)
{
    struct servers servers;
    struct kafka_producer *producer = NULL;
    struct report report = {0};
    int failed = servers_load(&servers, in->config_path, in->brokers, NULL);
    if (failed)
        return failed;
    const char *topic = in->topic ? in->topic : servers_input_topic(&servers);
    int result = kafka_producer_open(&servers.kafka, &producer, &report) == STATUS_OK
                     ? publish_all(in, producer, topic)
                     : ctl_fail_report(CTL_UNAVAILABLE, &report);
    kafka_producer_close(producer);
    servers_close(&servers);
    return result;
}

int import_command(int argc, char **argv)
{
    struct import in = {.currency_code = "EUR", .channel = "import", .at = {0, 1, 2, 3}};
    const struct ctl_option options[] = {
        {CTL_TEXT, "config", "FILE", "configuration of the daemon to publish to", &in.config_path},
        {CTL_TEXT, "brokers", "HOSTS", "publish here, with defaults for the rest", &in.brokers},
        {CTL_TEXT, "topic", "NAME", "instead of the configured input topic", &in.topic},
        {CTL_TEXT, "currency", "CODE", "of amounts that name none (default EUR)",
         &in.currency_code},
        {CTL_TEXT, "channel", "NAME", "where these customers bought (default import)", &in.channel},
        {CTL_FLAG, "refunds", NULL, "rows are refunds without an order id; a minus sign is dropped",
         &in.refunds},
        {CTL_FLAG, "skip-bad", NULL, "count bad rows and go on", &in.skip_bad},
        {CTL_COUNT, "rate", "N", "at most N events a second (default: flat out)", &in.rate},
        {CTL_FLAG, "dry-run", NULL, "print the events instead of publishing them", &in.dry_run},
        {CTL_END, NULL, NULL, NULL, NULL},
    };
    ctl_options(argc, argv,
                "import FILE.csv [OPTIONS]   (columns customer,date,amount[,currency]; - is "
                "standard input)",
                options, 1, 1);
    in.path = argv[0];
    in.currency = currency_find(span_of(in.currency_code));
    if (in.currency == CURRENCY_NONE)
        return ctl_fail(CTL_USAGE, "import: --currency '%s' is no ISO 4217 code", in.currency_code);
    struct report report = {0};
    int result;
    if (csv_file_read(in.path, on_row, &in, &report) != STATUS_OK) {
        result = ctl_fail_report(CTL_DATA, &report);
    } else {
        number_and_sort(&in);
        result = in.dry_run ? publish_all(&in, NULL, "standard output") : import_to_kafka(&in);
    }
    free(in.rows);
    free(in.text);
    return result;
}
