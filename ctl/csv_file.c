/* csv_file: rows are gathered from libcsv's callbacks; cells live in one buffer that is reused for
 * each row. */
#include "ctl/csv_file.h"

#include <csv.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ROW_BYTES_MAX = 1 << 20 };

struct reading {
    csv_row_fn *row;
    void *self;
    const char *path;
    struct report *report;
    enum status status;
    char *bytes;
    size_t used, cells;
    size_t at[CSV_COLUMNS_MAX], len[CSV_COLUMNS_MAX];
    int64_t line, row_line;
};

static void on_cell(void *cell, size_t len, void *self)
{
    struct reading *r = self;
    if (r->status != STATUS_OK)
        return;
    if (r->cells == CSV_COLUMNS_MAX || len > ROW_BYTES_MAX - r->used) {
        report_set(r->report, "csv", "%s:%lld: a row of more than %d columns or 1 MiB", r->path,
                   (long long)r->row_line, CSV_COLUMNS_MAX);
        r->status = STATUS_REJECT;
        return;
    }
    if (len > 0)
        memcpy(r->bytes + r->used, cell, len);
    r->at[r->cells] = r->used;
    r->len[r->cells++] = len;
    r->used += len;
}

static void on_row(int terminator, void *self)
{
    struct reading *r = self;
    (void)terminator;
    struct span cells[CSV_COLUMNS_MAX];
    for (size_t i = 0; i < r->cells; i++)
        cells[i] = (struct span){r->bytes + r->at[i], r->len[i]};
    struct csv_row row = {cells, r->cells, r->row_line};
    if (r->status == STATUS_OK)
        r->status = r->row(r->self, &row, r->report);
    r->cells = r->used = 0;
    r->row_line = r->line;
}

/* libcsv counts no lines: feed it one line at a time, so that a row knows where it began (quoted
 * cells may span lines). */
static enum status feed(struct reading *r, struct csv_parser *parser, FILE *file)
{
    char *text = NULL;
    size_t cap = 0;
    ssize_t len;
    while (r->status == STATUS_OK && (len = getline(&text, &cap, file)) >= 0) {
        r->line++;
        if (r->cells == 0 && parser->entry_pos == 0)
            r->row_line = r->line;
        if (csv_parse(parser, text, (size_t)len, on_cell, on_row, r) != (size_t)len) {
            report_set(r->report, "csv", "%s:%lld: %s", r->path, (long long)r->line,
                       csv_strerror(csv_error(parser)));
            r->status = STATUS_REJECT;
        }
    }
    free(text);
    if (r->status == STATUS_OK && !feof(file)) { /* read error, or a line too long for memory */
        report_set(r->report, "csv", "%s: %s", r->path, strerror(errno));
        r->status = STATUS_REJECT;
    }
    if (r->status == STATUS_OK && csv_fini(parser, on_cell, on_row, r) != 0) {
        report_set(r->report, "csv", "%s:%lld: a quoted cell is not closed", r->path,
                   (long long)r->row_line);
        r->status = STATUS_REJECT;
    }
    return r->status;
}

static enum status read_stream(FILE *file, const char *path, csv_row_fn *row, void *self,
                               struct report *report)
{
    struct reading r = {.row = row, .self = self, .path = path, .report = report};
    struct csv_parser parser;
    enum status status = STATUS_REJECT;
    r.bytes = malloc(ROW_BYTES_MAX);
    if (!r.bytes || csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        report_set(report, "csv", "%s: no memory", path);
    } else {
        status = feed(&r, &parser, file);
        csv_free(&parser);
    }
    free(r.bytes);
    return status;
}

enum status csv_file_read(const char *path, csv_row_fn *row, void *self, struct report *report)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "r");
    if (!file) {
        report_set(report, "csv", "%s: %s", path, strerror(errno));
        return STATUS_REJECT;
    }
    enum status status = read_stream(file, path, row, self, report);
    if (!standard)
        fclose(file);
    return status;
}

enum status csv_text_read(struct span text, const char *path, csv_row_fn *row, void *self,
                          struct report *report)
{
    FILE *file = fmemopen((void *)(uintptr_t)text.at, text.len, "r");
    if (!file) {
        report_set(report, "csv", "%s: %s", path, strerror(errno));
        return STATUS_REJECT;
    }
    enum status status = read_stream(file, path, row, self, report);
    fclose(file);
    return status;
}

static bool named(struct span cell, const char *const names[CSV_NAMES_MAX])
{
    for (int i = 0; i < CSV_NAMES_MAX && names[i]; i++)
        if (cell.len == strlen(names[i]) && strncasecmp(cell.at, names[i], cell.len) == 0)
            return true;
    return false;
}

bool csv_header(const struct csv_row *row, const char *const names[][CSV_NAMES_MAX], int columns,
                int needed, int ret_at[])
{
    int at[CSV_COLUMNS_MAX], found = 0;
    for (int c = 0; c < columns; c++) {
        at[c] = -1;
        for (size_t i = row->count; i-- > 0;)
            if (named(row->cells[i], names[c]))
                at[c] = (int)i;
        found += c < needed && at[c] >= 0;
    }
    if (found < needed)
        return false;
    memcpy(ret_at, at, sizeof *at * (size_t)columns);
    return true;
}

enum status csv_bad_row(const char *path, const struct csv_row *row, const char *why,
                        struct span value, int64_t *skipped, struct report *report)
{
    if (skipped) {
        ++*skipped;
        return STATUS_OK;
    }
    report_set(report, "csv", "%s:%lld: %s, not '%.*s' (--skip-bad counts such rows and goes on)",
               path, (long long)row->line, why, (int)(value.len > 60 ? 60 : value.len),
               value.at ? value.at : "");
    return STATUS_REJECT;
}

void csv_put_cell(FILE *out, struct span text)
{
    static const char blank[] = " \t"; /* libcsv cuts them off an unquoted cell */
    bool plain =
        text.len == 0 || (!strchr(blank, text.at[0]) && !strchr(blank, text.at[text.len - 1]));
    for (size_t i = 0; i < text.len; i++)
        plain = plain && !strchr("\",\n\r", text.at[i]);
    if (plain) {
        fwrite(text.at, 1, text.len, out);
        return;
    }
    putc('"', out);
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"')
            putc('"', out);
        putc(text.at[i], out);
    }
    putc('"', out);
}
