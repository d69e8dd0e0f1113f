/* insight: what was learned from the whole population and holds for everybody: the distribution of
 * value (tier cuts), the median rhythm, fitted parameters of the models, learned warning weights,
 * what is bought together.
 *
 * One immutable version at a time, part of struct params and so of the SWITCH that puts it in force
 * at a recorded offset: a replay judges with the insight of then. Made by insight/ from a walk over
 * all customers; never by the fold. Plain value, no pointers; equal insights are equal texts. */
#ifndef LC_MODEL_INSIGHT_H
#define LC_MODEL_INSIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "model/feature.h"

#define INSIGHT_CUTS       101 /* value at percentile 0, 1, … 100 */
#define INSIGHT_CATEGORIES 64  /* bits of customer.categories */
#define INSIGHT_NAME_MAX   16  /* of a category, as customer.category keeps it */

struct insight {
    uint32_t version; /* counts up; 0: none yet (nobody has a tier, the shipped priors hold) */
    int64_t made_ms;  /* as of when, by the clock the fold uses */

    /* population of buyers: docs/MODELS.md, "Value" */
    int64_t buyers;
    int64_t value_cut_minor[INSIGHT_CUTS]; /* ascending; meaningful when buyers > 0 */
    /* how unevenly value and revenue are spread: Gini, and the share of the top 20 % */
    double value_gini, value_top20, revenue_gini, revenue_top20;
    int64_t gap_ms; /* median of the customers' own mean gaps; 0: unknown, stage.population_gap */

    /* fitted models, in place of the configuration's where `fitted_*` says so; units of params.def
     */
    bool fitted_mbg, fitted_gg, fitted_sbg;
    double mbg_r, mbg_alpha, mbg_a, mbg_b;
    double gg_p, gg_q, gg_gamma;
    double sbg_alpha, sbg_beta;

    /* learned layer of P(buy) (model/belief.h): log-odds a unit of each feature, and of each
     * warning sign in place of the configuration's */
    bool learned;
    double feature_weight[FEATURE_COUNT];
    double warning_weight[WARNING_COUNT]; /* WARNING_WEIGHT_MIN to 0 */

    /* the category most often bought by those who bought category i, and how many of 1000 of them
     * did; share 0: not known */
    uint8_t category_next[INSIGHT_CATEGORIES];
    uint16_t category_share[INSIGHT_CATEGORIES];
    /* What the bit is called: of the names that customers bought last (customer.category) and that
     * have this bit, the most frequent. Zero padded, empty: unknown. insight_name_category() only.
     */
    char category_name[INSIGHT_CATEGORIES][INSIGHT_NAME_MAX];
};

void insight_init(struct insight *ret_insight);
/* Names a category; false: the text cannot stand in an alert and a line of the insight (a control
 * character, or one of quote, backslash, comma, colon), and nothing changed. */
bool insight_name_category(struct insight *insight, int bit, const char name[INSIGHT_NAME_MAX]);
/* NULL when every invariant holds (cuts ascend, parameters finite and in range), else which does
 * not (constant string). */
const char *insight_check(const struct insight *insight);
/* Which of two takes the other's place: the higher version; of one version, made twice at once, the
 * later one. */
bool insight_newer(const struct insight *insight, const struct insight *than);
/* Percentile 0–100 of a value among the buyers, linear between the cuts; 0 for values ≤ 0 and when
 * there is no population. */
double insight_percentile(const struct insight *insight, int64_t value_minor);

#endif
