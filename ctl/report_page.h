/* report_page: the lifecycle report as one HTML page without anything from outside, pictures
 * included, or as one JSON object. */
#ifndef LC_CTL_REPORT_PAGE_H
#define LC_CTL_REPORT_PAGE_H

#include <stdio.h>

#include "insight/census.h"

/* Moves between stages as the alerts told them. */
struct report_moves {
    bool read;                                      /* else the alerts were not looked at */
    int64_t since_ms;                               /* counted from then on */
    int64_t total, count[STAGE_COUNT][STAGE_COUNT]; /* from, to */
};

struct report_page {
    const char *app;
    const struct census *census;
    const struct params *params; /* with the insight in force */
    const struct report_moves *moves;
};

void report_page_html(const struct report_page *page, FILE *out);
void report_page_json(const struct report_page *page, FILE *out);

/* --- report_svg.c: pictures, as <svg> elements --- */

struct report_bar {
    const char *label;
    double value;  /* ≥ 0 */
    char note[64]; /* beside the bar */
};
void report_svg_bars(FILE *out, const struct report_bar *bars, int count);
/* The Lorenz curves of value and revenue. */
void report_svg_lorenz(FILE *out, const double value[SPREAD_LORENZ],
                       const double revenue[SPREAD_LORENZ]);
struct report_column {
    const char *label;
    double share[4]; /* of tiers A, B, C, D */
};
void report_svg_columns(FILE *out, const struct report_column *columns, int count);

#endif
