/* learn: see the header.
 *
 * The prior opinion is that of the configuration, with a standard deviation of e² on every
 * parameter: what one customer outweighs, but enough to hold what the data say nothing about. */
#include "insight/learn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "insight/estimate.h"
#include "model/churn.h"

#define PRIOR_WEIGHT 0.25 /* 1/2² */
/* Customers of the window below which it says nothing about which model is better. */
#define WINDOW_MIN 100
/* Buyers of a category below which what they buy next is chance. */
#define CATEGORY_MIN 20
/* P(buy) is kept off 0 and 1: one surprise must not outweigh everybody. */
#define CHANCE_LEAST 1e-6

const char *learn_outcome_name(enum learn_outcome outcome)
{
    static const char *const names[] = {"taken", "refused", "worse"};

    return names[outcome];
}

static double minor_per_major(const struct params *params)
{
    return pow(10, currency_exponent(params->reporting));
}

/* --- the last matured window --- */

static double loss_of(struct mbg mbg, const struct fit_cell *cells, size_t count, double days)
{
    double sum = 0, customers = 0;

    for (size_t i = 0; i < count; i++) {
        const double buy = churn_mbg_buy(mbg, cells[i].h, days);
        const double chance = fmax(CHANCE_LEAST, cells[i].gone ? 1 - buy : buy);

        sum -= cells[i].count * log(chance);
        customers += cells[i].count;
    }
    return customers > 0 ? sum / customers : 0;
}

static enum status judge_window(const struct histories *histories, const struct params *params,
                                const struct insight *in_force, struct learn_lesson *lesson)
{
    const double *theta = lesson->fit.theta;
    const struct mbg mbg = {.r = theta[0], .alpha = theta[1], .a = theta[2], .b = theta[3]};
    struct params before = *params;
    struct fit_cell *cells = NULL;
    size_t count = 0;
    enum status status = histories_window(histories, &cells, &count);

    if (status != STATUS_OK)
        return status;
    params_learn(&before, in_force);
    for (size_t i = 0; i < count; i++)
        lesson->window_customers += cells[i].count;
    if (lesson->window_customers >= WINDOW_MIN) {
        lesson->loss = loss_of(mbg, cells, count, histories->window_days);
        lesson->loss_in_force = loss_of(churn_mbg(&before), cells, count, histories->window_days);
        if (lesson->outcome == LEARN_TAKEN && lesson->loss > lesson->loss_in_force)
            lesson->outcome = LEARN_WORSE;
    }
    free(cells);
    return STATUS_OK;
}

/* --- the three models --- */

static void put_prior(struct fit_prior *prior, int at, double theta)
{
    prior->u[at] = log(theta);
}

static void prior_of(enum fit_model model, const struct params *params, struct fit_prior *prior)
{
    prior->weight = PRIOR_WEIGHT;
    switch (model) {
    case FIT_GG:
        put_prior(prior, 0, params->gg_p);
        put_prior(prior, 1, params->gg_q);
        put_prior(prior, 2, params->gg_gamma);
        break;
    case FIT_SBG:
        put_prior(prior, 0, params->sbg_alpha);
        put_prior(prior, 1, params->sbg_beta);
        break;
    default:
        put_prior(prior, 0, params->mbg_r);
        put_prior(prior, 1, params->mbg_alpha);
        put_prior(prior, 2, params->mbg_a);
        put_prior(prior, 3, params->mbg_b);
        break;
    }
}

static enum status fit_one(const struct histories *histories, enum fit_model model,
                           const struct params *params, struct learn_lesson *ret_lesson)
{
    struct fit_cell *cells = NULL;
    struct fit_prior prior = {.weight = 0};
    struct fit_problem problem = {.model = model, .unit_days = 1, .prior = &prior};
    enum status status =
        histories_cells(histories, model, minor_per_major(params), &cells, &problem.count);

    *ret_lesson = (struct learn_lesson){.outcome = LEARN_REFUSED};
    if (status != STATUS_OK)
        return status;
    prior_of(model, params, &prior);
    problem.cells = cells;
    status = estimate_fit(&problem, &ret_lesson->fit);
    free(cells);
    if (status == STATUS_OK && ret_lesson->fit.verdict == FIT_OK)
        ret_lesson->outcome = LEARN_TAKEN;
    return status;
}

static void take(enum learn_subject subject, const double theta[], struct insight *insight)
{
    switch (subject) {
    case LEARN_BUYING:
        insight->fitted_mbg = true;
        insight->mbg_r = theta[0];
        insight->mbg_alpha = theta[1];
        insight->mbg_a = theta[2];
        insight->mbg_b = theta[3];
        break;
    case LEARN_SPEND:
        insight->fitted_gg = true;
        insight->gg_p = theta[0];
        insight->gg_q = theta[1];
        insight->gg_gamma = theta[2];
        break;
    default:
        insight->fitted_sbg = true;
        insight->sbg_alpha = theta[0];
        insight->sbg_beta = theta[1];
        break;
    }
}

/* --- what is bought together --- */

static void learn_categories(const struct histories *histories, struct insight *insight)
{
    for (int one = 0; one < INSIGHT_CATEGORIES; one++) {
        int64_t best = 0;

        insight->category_next[one] = 0;
        insight->category_share[one] = 0;
        if (histories->bought[one] < CATEGORY_MIN)
            continue;
        for (int other = 0; other < INSIGHT_CATEGORIES; other++)
            if (other != one && histories->bought_both[one][other] > best) {
                best = histories->bought_both[one][other];
                insight->category_next[one] = (uint8_t)other;
                insight->category_share[one] = (uint16_t)(1000 * best / histories->bought[one]);
            }
    }
}

/* The most frequent name of each bit; of equals the first by the alphabet. */
static void learn_names(const struct histories *histories, struct insight *insight)
{
    for (int bit = 0; bit < INSIGHT_CATEGORIES; bit++) {
        const struct histories_name *best = &histories->names[bit][0];

        for (int i = 1; i < HISTORIES_NAMES_MAX; i++) {
            const struct histories_name *one = &histories->names[bit][i];

            if (one->count > best->count || (one->count > 0 && one->count == best->count &&
                                             memcmp(one->name, best->name, sizeof one->name) < 0))
                best = one;
        }
        /* A name that cannot stand in an alert leaves the one known before. */
        if (best->count > 0)
            (void)insight_name_category(insight, bit, best->name);
    }
}

enum status learn_from(const struct histories *histories, const struct params *params,
                       struct insight *insight, struct learn_lesson ret_lessons[LEARN_SUBJECTS])
{
    static const enum fit_model models[LEARN_SUBJECTS] = {FIT_MBG, FIT_GG, FIT_SBG};

    for (int i = 0; i < LEARN_SUBJECTS; i++) {
        enum status status = fit_one(histories, models[i], params, &ret_lessons[i]);

        if (status == STATUS_OK && i == LEARN_BUYING)
            status = judge_window(histories, params, insight, &ret_lessons[i]);
        if (status != STATUS_OK)
            return status;
    }
    for (int i = 0; i < LEARN_SUBJECTS; i++)
        if (ret_lessons[i].outcome == LEARN_TAKEN)
            take((enum learn_subject)i, ret_lessons[i].fit.theta, insight);
    if (histories->repeaters >= FIT_REPEATERS_MIN)
        insight->gap_ms = spread_quantile(&histories->gaps, 50);
    learn_categories(histories, insight);
    learn_names(histories, insight);
    return STATUS_OK;
}
