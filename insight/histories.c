/* histories: from customers to cells and from cells to centroids. */
#include "insight/histories.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/text.h"

#define WEEK 7
/* Histories younger than this are told apart by the day: there a week is no small thing. */
#define YOUNG_DAYS 56
/* Counts up to this are cells of their own, larger ones share a cell with their neighbours. */
#define COUNT_EXACT 64

void histories_init(struct histories *ret_histories, int64_t at_ms, int64_t horizon_ms)
{
    memset(ret_histories, 0, sizeof *ret_histories);
    spread_init(&ret_histories->gaps);
    ret_histories->day = (int32_t)text_day_of(at_ms);
    ret_histories->window_days = (int32_t)(horizon_ms / TEXT_MS_PER_DAY);
    MUST(ret_histories->window_days > 0);
}

void histories_fini(struct histories *histories)
{
    grid_fini(&histories->buying);
    grid_fini(&histories->window);
    grid_fini(&histories->spend);
}

/* --- keys: 24 bits of age, 20 of distance, 18 of count, 1 flag, never 0 --- */

static uint64_t days_step(int32_t days)
{
    MUST(days >= 0);
    return days < YOUNG_DAYS ? (uint64_t)days : YOUNG_DAYS + (uint64_t)(days - YOUNG_DAYS) / WEEK;
}

/* Steps of about 3 % beyond the exact ones. */
static uint64_t count_step(uint32_t count)
{
    return count <= COUNT_EXACT
               ? count
               : COUNT_EXACT + 1 + (uint64_t)(32 * log2((double)count / COUNT_EXACT));
}

static uint64_t buying_key(int32_t age, int32_t distance, uint32_t x, bool flag)
{
    return UINT64_C(1) << 63 | days_step(age) << 39 | (days_step(distance) & 0xfffff) << 19 |
           (count_step(x) & 0x3ffff) << 1 | flag;
}

/* --- adding --- */

static enum status add_buying(struct histories *h, const struct customer *customer)
{
    const uint32_t x = customer->purchase_days - 1;
    const int64_t figures[GRID_SUMS] = {customer->first_day, customer->last_day, x};

    if (customer->last_day > h->day)
        return STATUS_OK; /* the walk goes on while customers buy */
    return grid_add(&h->buying,
                    buying_key(h->day - customer->first_day,
                               customer->last_day - customer->first_day, x, false),
                    figures);
}

/* The customer as of the begin of the window, from the purchase days that are kept. */
static enum status add_window(struct histories *h, const struct customer *customer)
{
    const int32_t begin = h->day - h->window_days;
    uint32_t since = 0;
    int32_t last = customer->last_day;

    if (customer->first_day > begin || customer->last_day > h->day)
        return STATUS_OK;
    while (since < customer->days_kept &&
           customer->days[customer->days_kept - 1 - since].day > begin)
        since++;
    if (since > 0 && since == customer->days_kept) {
        if (since + 1 < customer->purchase_days) {
            h->window_skipped++;
            return STATUS_OK;
        }
        last = customer->first_day; /* the only one before */
    } else if (since > 0) {
        last = customer->days[customer->days_kept - 1 - since].day;
    }
    const uint32_t x = customer->purchase_days - 1 - since;
    const int64_t figures[GRID_SUMS] = {customer->first_day, last, x};
    return grid_add(
        &h->window,
        buying_key(begin - customer->first_day, last - customer->first_day, x, since > 0), figures);
}

static enum status add_spend(struct histories *h, const struct customer *customer)
{
    const uint32_t days = customer->repeat_days_paid;
    const int64_t figures[GRID_SUMS] = {days, customer->repeat_spend_minor / (days ? days : 1), 0};

    if (days == 0 || customer->repeat_spend_minor < days)
        return STATUS_OK;
    return grid_add(&h->spend,
                    UINT64_C(1) << 63 | count_step(days) << 32 |
                        (uint64_t)(100 * log((double)figures[1]) + 1),
                    figures);
}

static void add_renewals(struct histories *h, const struct subscription *subscription)
{
    const uint32_t made = subscription->renewals < HISTORIES_RENEWALS_MAX ? subscription->renewals
                                                                          : HISTORIES_RENEWALS_MAX;

    if (subscription->state != SUBSCRIPTION_NONE)
        h->renewals[made][subscription->state == SUBSCRIPTION_ENDED]++;
}

static void add_categories(struct histories *h, uint64_t categories)
{
    for (uint64_t rest = categories; rest != 0; rest &= rest - 1) {
        const int one = __builtin_ctzll(rest);

        h->bought[one]++;
        for (uint64_t others = categories; others != 0; others &= others - 1)
            h->bought_both[one][__builtin_ctzll(others)]++;
    }
}

static void add_name(struct histories *h, const char name[INSIGHT_NAME_MAX])
{
    const struct span text = {name, strnlen(name, INSIGHT_NAME_MAX)};
    struct histories_name *names;
    int i = 0;

    _Static_assert(INSIGHT_NAME_MAX == CUSTOMER_TEXT_MAX, "a name fits");
    if (text.len == 0)
        return;
    names = h->names[customer_category_bit(text)];
    while (i < HISTORIES_NAMES_MAX && names[i].count > 0 &&
           memcmp(names[i].name, name, INSIGHT_NAME_MAX) != 0)
        i++;
    if (i == HISTORIES_NAMES_MAX)
        return;
    memcpy(names[i].name, name, INSIGHT_NAME_MAX);
    names[i].count++;
}

enum status histories_add(struct histories *histories, const struct customer *customer)
{
    enum status buying, window, spend;

    add_renewals(histories, &customer->subscription);
    if (customer->purchase_days == 0)
        return STATUS_OK;
    histories->buyers++;
    add_categories(histories, customer->categories);
    add_name(histories, customer->category);
    if (customer->purchase_days > 1) {
        histories->repeaters++;
        spread_add(&histories->gaps, (int64_t)(customer->last_day - customer->first_day) *
                                         TEXT_MS_PER_DAY / (customer->purchase_days - 1));
    }
    buying = add_buying(histories, customer);
    window = add_window(histories, customer);
    spend = add_spend(histories, customer);
    return buying != STATUS_OK ? buying : window != STATUS_OK ? window : spend;
}

/* --- centroids --- */

static struct grid_cell *sorted(const struct grid *grid)
{
    struct grid_cell *cells = calloc(grid->count + 1, sizeof *cells);

    if (cells)
        grid_sorted(grid, cells);
    return cells;
}

static struct history centroid(const struct grid_cell *cell, int32_t as_of)
{
    const double each = 1 / (double)cell->count;
    const double first = (double)cell->sum[0] * each, last = (double)cell->sum[1] * each;

    return (struct history){
        .x = (double)cell->sum[2] * each, .t_x = last - first, .T = as_of - first};
}

static enum status of_grid(const struct grid *grid, int32_t as_of, struct fit_cell **ret_cells,
                           size_t *ret_count)
{
    struct grid_cell *from = sorted(grid);
    struct fit_cell *cells = calloc(grid->count + 1, sizeof *cells);

    if (!from || !cells) {
        free(from);
        free(cells);
        return STATUS_FATAL;
    }
    for (size_t i = 0; i < grid->count; i++)
        cells[i] = (struct fit_cell){.count = (double)from[i].count,
                                     .h = centroid(&from[i], as_of),
                                     .gone = (from[i].key & 1) == 0};
    free(from);
    *ret_cells = cells;
    *ret_count = grid->count;
    return STATUS_OK;
}

static enum status of_spend(const struct histories *histories, double minor_per_major,
                            struct fit_cell **ret_cells, size_t *ret_count)
{
    const struct grid *grid = &histories->spend;
    struct grid_cell *from = sorted(grid);
    struct fit_cell *cells = calloc(grid->count + 1, sizeof *cells);

    if (!from || !cells) {
        free(from);
        free(cells);
        return STATUS_FATAL;
    }
    for (size_t i = 0; i < grid->count; i++) {
        const double each = 1 / (double)from[i].count;

        cells[i] = (struct fit_cell){.count = (double)from[i].count,
                                     .h = {.x = (double)from[i].sum[0] * each},
                                     .mean = (double)from[i].sum[1] * each / minor_per_major};
    }
    free(from);
    *ret_cells = cells;
    *ret_count = grid->count;
    return STATUS_OK;
}

static enum status of_renewals(const struct histories *histories, struct fit_cell **ret_cells,
                               size_t *ret_count)
{
    struct fit_cell *cells = calloc(2 * (HISTORIES_RENEWALS_MAX + 1), sizeof *cells);
    size_t count = 0;

    if (!cells)
        return STATUS_FATAL;
    for (int made = 0; made <= HISTORIES_RENEWALS_MAX; made++)
        for (int gone = 0; gone < 2; gone++)
            if (histories->renewals[made][gone] > 0)
                cells[count++] = (struct fit_cell){.count = (double)histories->renewals[made][gone],
                                                   .h = {.x = made},
                                                   .gone = gone != 0};
    *ret_cells = cells;
    *ret_count = count;
    return STATUS_OK;
}

enum status histories_cells(const struct histories *histories, enum fit_model model,
                            double minor_per_major, struct fit_cell **ret_cells, size_t *ret_count)
{
    switch (model) {
    case FIT_GG:
        return of_spend(histories, minor_per_major, ret_cells, ret_count);
    case FIT_SBG:
        return of_renewals(histories, ret_cells, ret_count);
    default:
        return of_grid(&histories->buying, histories->day, ret_cells, ret_count);
    }
}

enum status histories_window(const struct histories *histories, struct fit_cell **ret_cells,
                             size_t *ret_count)
{
    return of_grid(&histories->window, histories->day - histories->window_days, ret_cells,
                   ret_count);
}
