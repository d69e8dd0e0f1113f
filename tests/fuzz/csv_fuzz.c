/* A CSV file: refused with words, or read; what is read and written again reads the same. */
#include <stdlib.h>

#include "base/must.h"
#include "ctl/csv_file.h"
#include "tests/fuzz/fuzz.h"

/* All cells one after the other, each with its length before it, each row with its count. */
struct seen {
    FILE *cells, *again;
    int64_t line;
};

static enum status on_row(void *self, const struct csv_row *row, struct report *report)
{
    struct seen *seen = self;

    (void)report;
    MUST(row->count > 0 && row->count <= CSV_COLUMNS_MAX);
    MUST(row->line > 0 && row->line >= seen->line);
    seen->line = row->line;
    if (row->count == 1 && row->cells[0].len == 0)
        return STATUS_OK; /* written, it is an empty line, which is no row */
    fwrite(&row->count, sizeof row->count, 1, seen->cells);
    for (size_t i = 0; i < row->count; i++) {
        fwrite(&row->cells[i].len, sizeof row->cells[i].len, 1, seen->cells);
        fwrite(row->cells[i].at, 1, row->cells[i].len, seen->cells);
        if (i > 0)
            putc(',', seen->again);
        csv_put_cell(seen->again, row->cells[i]);
    }
    putc('\n', seen->again);
    return STATUS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *cells[2] = {NULL, NULL}, *again[2] = {NULL, NULL};
    size_t cells_len[2], again_len[2];
    struct span text = {(const char *)bytes, len};
    enum status status = STATUS_OK;

    for (int i = 0; i < 2 && status == STATUS_OK; i++) {
        struct report report = {0};
        struct seen seen = {.cells = open_memstream(&cells[i], &cells_len[i]),
                            .again = open_memstream(&again[i], &again_len[i])};

        MUST(seen.cells && seen.again);
        status = csv_text_read(text, "FILE", on_row, &seen, &report);
        MUST(status == STATUS_OK || status == STATUS_REJECT);
        MUST((status == STATUS_REJECT) == (report.text[0] != '\0'));
        MUST(fclose(seen.cells) == 0 && fclose(seen.again) == 0);
        MUST(i == 0 || status == STATUS_OK);
        text = (struct span){again[i], again_len[i]};
    }
    if (status == STATUS_OK)
        MUST(cells_len[0] == cells_len[1] && memcmp(cells[0], cells[1], cells_len[0]) == 0);
    for (int i = 0; i < 2; i++) {
        free(cells[i]);
        free(again[i]);
    }
    return 0;
}
