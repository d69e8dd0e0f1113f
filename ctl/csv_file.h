/* csv_file: a table of text from a CSV file (RFC 4180, by libcsv), with the line of each row for
 * messages. */
#ifndef LC_CTL_CSV_FILE_H
#define LC_CTL_CSV_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

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

/* The same from memory; `path` is for the words. */
enum status csv_text_read(struct span text, const char *path, csv_row_fn *row, void *self,
                          struct report *report) LC_CHECKED;

#define CSV_NAMES_MAX 4

/* True when the row names the first `needed` of the columns, each by one of its names in any case;
 * then ret_at holds the index of every column, −1 for one that is absent. */
bool csv_header(const struct csv_row *row, const char *const names[][CSV_NAMES_MAX], int columns,
                int needed, int ret_at[]);

/* What a reader of rows returns for a bad one: OK and one more in *skipped, or, where that is NULL,
 * REJECT with path:line, what is wrong and the value. */
enum status csv_bad_row(const char *path, const struct csv_row *row, const char *why,
                        struct span value, int64_t *skipped, struct report *report) LC_CHECKED;

/* Writes one cell, quoted when it has to be for csv_file_read to give the same back. */
void csv_put_cell(FILE *out, struct span text);

#endif
