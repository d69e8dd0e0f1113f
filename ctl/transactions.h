/* transactions: a CSV of purchases (customer,date[,amount]) in memory, and the histories that
 * follow from it at a date. */
#ifndef LC_CTL_TRANSACTIONS_H
#define LC_CTL_TRANSACTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/report.h"
#include "base/span.h"
#include "base/status.h"
#include "ctl/csv_file.h"
#include "model/customer.h"

struct transaction {
    uint32_t customer_at, customer_len; /* into text */
    int32_t day;                        /* UTC, 1970-01-01 is 0 */
    double amount;                      /* major units, ≥ 0; 0 when the file has no such column */
};

struct transactions {
    const char *path;
    bool skip_bad;
    int64_t bad; /* rows skipped */
    struct transaction *rows;
    size_t count, cap;
    char *text;
    size_t text_len, text_cap;
    int at[3]; /* index of each column, −1 absent */
    bool begun;
    int32_t first_day, last_day;
};

/* Reads all of it, sorted by customer and day. REJECT with file:line and the value of a bad row
 * (unless skip_bad), for an unreadable file and for one without a row; FULL beyond memory. Close in
 * any case. */
enum status transactions_read(const char *path, bool skip_bad,
                              struct transactions *ret_transactions,
                              struct report *report) LC_CHECKED;
/* Row by row for whoever knows the columns already; see csv_row_fn. */
enum status transactions_row(struct transactions *transactions, const struct csv_row *row,
                             struct report *report) LC_CHECKED;
/* After the last transactions_row. */
enum status transactions_end(struct transactions *transactions, struct report *report) LC_CHECKED;
/* True when a first row names the columns; else they are expected in this order. */
bool transactions_header(struct transactions *transactions, const struct csv_row *row);
void transactions_close(struct transactions *transactions);

/* A customer as known at the end of day `until`, and what came in the `horizon` days after it.
 * Purchases of one day are one. */
struct buyer {
    struct span customer; /* into the transactions */
    struct history h;     /* days */
    double paid_days;     /* repeat purchase days with spend */
    double mean;          /* spend of each of them, 0 when none */
    double spend;         /* all, the first day included */
    double later_days, later_spend;
};

/* One buyer for each customer who bought until then, in the order of the transactions; the caller
 * frees. NULL without memory. */
struct buyer *transactions_buyers(const struct transactions *transactions, int32_t until,
                                  int32_t horizon, size_t *ret_count);

#endif
