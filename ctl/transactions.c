/* transactions: rows are kept as they come, then sorted once. */
#include "ctl/transactions.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/event.h"

enum { COLUMN_CUSTOMER, COLUMN_DATE, COLUMN_AMOUNT, COLUMNS };

static const char *const column_names[COLUMNS][CSV_NAMES_MAX] = {
    {"customer", "customer_id", "user_id", "id"},
    {"date", "time", "timestamp", "day"},
    {"amount", "total", "revenue", "spend"},
};

bool transactions_header(struct transactions *transactions, const struct csv_row *row)
{
    if (csv_header(row, column_names, COLUMNS, COLUMN_DATE + 1, transactions->at))
        return true;
    transactions->at[COLUMN_AMOUNT] = row->count > COLUMN_AMOUNT ? COLUMN_AMOUNT : -1;
    return false;
}

static struct span cell(const struct transactions *in, const struct csv_row *row, int column)
{
    int at = in->at[column];
    return at >= 0 && (size_t)at < row->count ? row->cells[at] : SPAN_ABSENT;
}

/* NULL, or what is wrong with the row; *ret_cell the value it is about. */
static const char *row_parse(const struct transactions *in, const struct csv_row *row,
                             struct transaction *ret, struct span *ret_cell)
{
    int64_t ms;
    struct span customer = *ret_cell = cell(in, row, COLUMN_CUSTOMER);
    if (customer.len < 1 || customer.len > EVENT_CUSTOMER_BYTES_MAX || !text_utf8_valid(customer))
        return "the customer must be 1 to 128 bytes of UTF-8";
    *ret_cell = cell(in, row, COLUMN_DATE);
    if (text_time_parse(*ret_cell, &ms) != STATUS_OK)
        return row->line > 1 ? "the date must be like 2025-01-31 or an RFC 3339 time"
                             : "the date must be like 2025-01-31 or an RFC 3339 time (a header "
                               "names customer,date[,amount])";
    ret->day = text_day_of(ms);
    ret->amount = 0;
    *ret_cell = cell(in, row, COLUMN_AMOUNT);
    if (in->at[COLUMN_AMOUNT] < 0)
        return NULL;
    if (text_double_parse(*ret_cell, &ret->amount) != STATUS_OK || ret->amount > 1e15)
        return "the amount must be a decimal number";
    return ret->amount < 0 ? "a negative amount is a refund, and no purchase: leave refunds out"
                           : NULL;
}

static enum status keep_row(struct transactions *in, struct transaction t, struct span customer,
                            struct report *report)
{
    if (in->count == in->cap) {
        size_t cap = in->cap ? in->cap * 2 : 4096;
        void *rows = realloc(in->rows, cap * sizeof *in->rows);
        if (rows) {
            in->rows = rows;
            in->cap = cap;
        }
    }
    if (in->text_cap - in->text_len < customer.len) {
        size_t cap = in->text_cap * 2 + 65536;
        void *text = realloc(in->text, cap);
        if (text) {
            in->text = text;
            in->text_cap = cap;
        }
    }
    if (in->count == in->cap || in->text_cap - in->text_len < customer.len ||
        in->text_len > UINT32_MAX - customer.len) {
        report_set(report, "csv", "%s: too large for memory", in->path);
        return STATUS_FULL;
    }
    t.customer_at = (uint32_t)in->text_len;
    t.customer_len = (uint32_t)customer.len;
    memcpy(in->text + in->text_len, customer.at, customer.len);
    in->text_len += customer.len;
    if (in->count == 0 || t.day < in->first_day)
        in->first_day = t.day;
    if (in->count == 0 || t.day > in->last_day)
        in->last_day = t.day;
    in->rows[in->count++] = t;
    return STATUS_OK;
}

enum status transactions_row(struct transactions *in, const struct csv_row *row,
                             struct report *report)
{
    struct transaction t;
    struct span wrong;
    const char *why = row_parse(in, row, &t, &wrong);
    if (!why)
        return keep_row(in, t, cell(in, row, COLUMN_CUSTOMER), report);
    return csv_bad_row(in->path, row, why, wrong, in->skip_bad ? &in->bad : NULL, report);
}

static enum status on_row(void *self, const struct csv_row *row, struct report *report)
{
    struct transactions *in = self;
    bool first = !in->begun;
    in->begun = true;
    return first && transactions_header(in, row) ? STATUS_OK : transactions_row(in, row, report);
}

static const char *sorting; /* qsort has no context argument: the text of the rows being sorted */

static int compare_customers(const struct transaction *l, const struct transaction *r)
{
    uint32_t shorter = l->customer_len < r->customer_len ? l->customer_len : r->customer_len;
    int order = memcmp(sorting + l->customer_at, sorting + r->customer_at, shorter);
    if (order)
        return order;
    return l->customer_len < r->customer_len ? -1 : l->customer_len > r->customer_len;
}

static int by_customer_and_day(const void *left, const void *right)
{
    const struct transaction *l = left, *r = right;
    int order = compare_customers(l, r);
    if (order)
        return order;
    if (l->day != r->day)
        return l->day < r->day ? -1 : 1;
    return l->customer_at < r->customer_at ? -1 : l->customer_at > r->customer_at;
}

enum status transactions_end(struct transactions *in, struct report *report)
{
    if (in->count == 0) {
        report_set(report, "csv", "%s: no transactions in it", in->path);
        return STATUS_REJECT;
    }
    sorting = in->text;
    qsort(in->rows, in->count, sizeof *in->rows, by_customer_and_day);
    return STATUS_OK;
}

enum status transactions_read(const char *path, bool skip_bad,
                              struct transactions *ret_transactions, struct report *report)
{
    *ret_transactions = (struct transactions){.path = path, .skip_bad = skip_bad, .at = {0, 1, 2}};
    enum status status = csv_file_read(path, on_row, ret_transactions, report);
    return status == STATUS_OK ? transactions_end(ret_transactions, report) : status;
}

void transactions_close(struct transactions *transactions)
{
    free(transactions->rows);
    free(transactions->text);
    transactions->rows = NULL;
    transactions->text = NULL;
}

/* --- histories --- */

static bool same_customer(const struct transactions *in, const struct transaction *l,
                          const struct transaction *r)
{
    return l->customer_len == r->customer_len &&
           memcmp(in->text + l->customer_at, in->text + r->customer_at, l->customer_len) == 0;
}

static void buyer_day(struct buyer *buyer, int32_t first, int32_t day, int32_t until,
                      int32_t horizon, double amount)
{
    if (day <= until) {
        buyer->spend += amount;
        if (day > first) {
            buyer->h.x++;
            buyer->h.t_x = day - first;
            buyer->paid_days += amount > 0;
            buyer->mean += amount; /* a sum until buyer_of() ends */
        }
    } else if (day - until <= horizon) {
        buyer->later_days++;
        buyer->later_spend += amount;
    }
}

/* One customer's rows [from, to), of which the first is at or before until. */
static struct buyer buyer_of(const struct transactions *in, size_t from, size_t to, int32_t until,
                             int32_t horizon)
{
    const struct transaction *rows = in->rows;
    const int32_t first = rows[from].day;
    struct buyer buyer = {
        .customer = {in->text + rows[from].customer_at, rows[from].customer_len},
        .h = {.x = 0, .t_x = 0, .T = until - first},
    };
    while (from < to) {
        const int32_t day = rows[from].day;
        double amount = 0;
        while (from < to && rows[from].day == day)
            amount += rows[from++].amount;
        buyer_day(&buyer, first, day, until, horizon, amount);
    }
    if (buyer.paid_days > 0)
        buyer.mean /= buyer.paid_days;
    return buyer;
}

struct buyer *transactions_buyers(const struct transactions *in, int32_t until, int32_t horizon,
                                  size_t *ret_count)
{
    struct buyer *buyers = malloc((in->count + 1) * sizeof *buyers);
    size_t count = 0;
    if (!buyers)
        return NULL;
    for (size_t from = 0, to; from < in->count; from = to) {
        to = from + 1;
        while (to < in->count && same_customer(in, &in->rows[from], &in->rows[to]))
            to++;
        if (in->rows[from].day <= until)
            buyers[count++] = buyer_of(in, from, to, until, horizon);
    }
    *ret_count = count;
    return buyers;
}
