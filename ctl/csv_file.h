/* csv_file: a table of text from a CSV file (RFC 4180, by libcsv), with the line of each row for
 * messages. */
#ifndef LC_CTL_CSV_FILE_H
#define LC_CTL_CSV_FILE_H

#include <stdint.h>

#include "base/report.h"
#include "base/span.h"
#include "base/status.h"

#define CSV_COLUMNS_MAX 64

struct csv_row {
    const struct span *cells;
    size_t count;
    int64_t line; /* of the file, from 1, where the row begins */
};

/* Called for every row, the header included; anything but OK stops the reading and becomes its
 * result. */
typedef enum status csv_row_fn(void *self, const struct csv_row *row, struct report *report);

/* "-" is standard input. Empty lines are skipped. REJECT with file:line when the file is no CSV;
 * what `row` returned. */
enum status csv_file_read(const char *path, csv_row_fn *row, void *self,
                          struct report *report) LC_CHECKED;

#endif
