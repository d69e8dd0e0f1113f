/* histories: what the models are fitted on: buying histories, spend and renewals of everybody in
 * cells with their centroids, the last matured window (what a model said a horizon ago, against
 * what came), the customers' own gaps, and what is bought together. Added up customer by customer
 * in a walk; integers, so the order does not matter. */
#ifndef LC_INSIGHT_HISTORIES_H
#define LC_INSIGHT_HISTORIES_H

#include "insight/grid.h"
#include "insight/spread.h"
#include "model/customer.h"
#include "model/fit.h"

#define HISTORIES_RENEWALS_MAX 200
#define HISTORIES_NAMES_MAX    8

struct histories_name {
    char name[INSIGHT_NAME_MAX]; /* zero padded; empty: free */
    int64_t count;
};

struct histories {
    int32_t day;         /* as of the end of this UTC day */
    int32_t window_days; /* of the matured window */
    int64_t buyers, repeaters;
    struct grid buying; /* cells (first week, weeks from first to last, x): Σ first, Σ last, Σ x */
    struct grid window; /* the same as of `day − window_days`, and whether they bought since */
    int64_t window_skipped; /* too many purchases since to know what was before */
    struct grid spend;      /* cells (paid repeat days, bucket of their mean): Σ days, Σ minor */
    int64_t renewals[HISTORIES_RENEWALS_MAX + 1][2]; /* by renewals made: still there, gone */
    struct spread gaps; /* own mean gap of customers with two purchase days or more, ms */
    int64_t bought[INSIGHT_CATEGORIES];
    int64_t bought_both[INSIGHT_CATEGORIES][INSIGHT_CATEGORIES];
    /* Names customers bought last, by their bit; the first few of each bit are counted. */
    struct histories_name names[INSIGHT_CATEGORIES][HISTORIES_NAMES_MAX];
};

/* Empty, for histories as of at_ms and a window of horizon_ms before it. */
void histories_init(struct histories *ret_histories, int64_t at_ms, int64_t horizon_ms);
void histories_fini(struct histories *histories);
/* FULL: one of the grids had no room for the customer (grid.left_out counts); the rest has it. */
enum status histories_add(struct histories *histories, const struct customer *customer) LC_CHECKED;

/* Cells for model/fit.h: FIT_MBG, FIT_GG or FIT_SBG. *ret_cells is malloc'd, the caller's. Money in
 * major units, of which one has `minor_per_major`. FATAL: no memory. */
enum status histories_cells(const struct histories *histories, enum fit_model model,
                            double minor_per_major, struct fit_cell **ret_cells,
                            size_t *ret_count) LC_CHECKED;
/* Histories at the begin of the window; .gone: did not buy in it. */
enum status histories_window(const struct histories *histories, struct fit_cell **ret_cells,
                             size_t *ret_count) LC_CHECKED;

#endif
