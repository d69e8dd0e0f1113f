/* cells: three ways to the same struct. */
#include "ctl/cells.h"

#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "insight/estimate.h"

void cells_close(struct cells *cells)
{
    free(cells->cells);
    *cells = (struct cells){NULL, 0};
}

static enum status keep(struct fit_cell *cells, size_t count, struct cells *ret_cells)
{
    *ret_cells = (struct cells){cells, estimate_merge(cells, count)};
    return STATUS_OK;
}

enum status cells_of_histories(const struct buyer *buyers, size_t count, double unit_days,
                               struct cells *ret_cells)
{
    struct fit_cell *cells = calloc(count + 1, sizeof *cells);
    if (!cells)
        return STATUS_FATAL;
    for (size_t i = 0; i < count; i++) {
        const struct history h = buyers[i].h;
        cells[i].count = 1;
        cells[i].h = (struct history){.x = h.x, .t_x = h.t_x / unit_days, .T = h.T / unit_days};
    }
    return keep(cells, count, ret_cells);
}

enum status cells_of_spend(const struct buyer *buyers, size_t count, struct cells *ret_cells)
{
    struct fit_cell *cells = calloc(count + 1, sizeof *cells);
    size_t kept = 0;
    if (!cells)
        return STATUS_FATAL;
    for (size_t i = 0; i < count; i++)
        if (buyers[i].paid_days > 0)
            cells[kept++] = (struct fit_cell){
                .count = 1, .h = {.x = buyers[i].paid_days}, .mean = buyers[i].mean};
    return keep(cells, kept, ret_cells);
}

/* --- survivors --- */

enum { PERIODS_MAX = 1000 };

struct survivors {
    const char *path;
    int at; /* column, −1 the last */
    bool begun;
    double left[PERIODS_MAX + 1];
    size_t count;
};

static enum status on_row(void *self, const struct csv_row *row, struct report *report)
{
    static const char *const names[][CSV_NAMES_MAX] = {{"survivors", "customers", "active"}};
    struct survivors *in = self;
    bool first = !in->begun;
    double left = 0;
    in->begun = true;
    if (first && csv_header(row, names, 1, 1, &in->at))
        return STATUS_OK;
    size_t at = in->at >= 0 ? (size_t)in->at : row->count - 1;
    struct span value = at < row->count ? row->cells[at] : SPAN_ABSENT;
    const char *why = NULL;
    if (text_double_parse(value, &left) != STATUS_OK || left < 0 || left > 1e12)
        why = "survivors must be a number, 0 or more";
    else if (in->count > 0 && left > in->left[in->count - 1])
        why = "a cohort cannot grow: more survivors than before";
    else if (in->count > PERIODS_MAX)
        why = "at most 1000 periods";
    if (why) {
        report_set(report, "csv", "%s:%lld: %s, not '%.*s'", in->path, (long long)row->line, why,
                   (int)(value.len > 60 ? 60 : value.len), value.at ? value.at : "");
        return STATUS_REJECT;
    }
    in->left[in->count++] = left;
    return STATUS_OK;
}

enum status cells_of_survivors(const char *path, struct cells *ret_cells, struct report *report)
{
    struct survivors in = {.path = path, .at = -1};
    enum status status = csv_file_read(path, on_row, &in, report);
    if (status != STATUS_OK)
        return status;
    if (in.count < 2) {
        report_set(report, "csv", "%s: a cohort needs two rows or more", path);
        return STATUS_REJECT;
    }
    struct fit_cell *cells = calloc(in.count, sizeof *cells);
    if (!cells) {
        report_set(report, "csv", "%s: no memory", path);
        return STATUS_FATAL;
    }
    for (size_t i = 0; i + 1 < in.count; i++)
        cells[i] = (struct fit_cell){
            .count = in.left[i] - in.left[i + 1], .h = {.x = (double)i}, .gone = true};
    cells[in.count - 1] =
        (struct fit_cell){.count = in.left[in.count - 1], .h = {.x = (double)(in.count - 1)}};
    return keep(cells, in.count, ret_cells);
}
