#include "model/relief.h"

#include "model/rules.h"
#include "model/tally.h"

enum { RELIEF_PURCHASE = 1, RELIEF_RESOLUTION = 2, RELIEF_SCORE = 4 };

/* The fewest first, and of those what is asked of the customer least. */
static const struct {
    unsigned changes;
    const char *what;
} tries[] = {
    {RELIEF_PURCHASE, "purchase"},
    {RELIEF_RESOLUTION, "resolution"},
    {RELIEF_SCORE, "better_score"},
    {RELIEF_PURCHASE | RELIEF_RESOLUTION, "purchase+resolution"},
    {RELIEF_PURCHASE | RELIEF_SCORE, "purchase+better_score"},
    {RELIEF_RESOLUTION | RELIEF_SCORE, "resolution+better_score"},
    {RELIEF_PURCHASE | RELIEF_RESOLUTION | RELIEF_SCORE, "purchase+resolution+better_score"},
};

static int16_t enough_score(const struct view *view)
{
    return (int16_t)(1 + (view->customer->score_metric == SURVEY_CSAT ? view->params->csat_low
                                                                      : view->params->nps_low));
}

static void add(struct customer *customer, struct event event, const struct view *view)
{
    event.time_ms = event.record_ms = view->at_ms;
    tally_add(customer, &event, false, view->params);
}

/* The smallest order there is: how much is bought does not enter the risk. */
static void make(struct customer *customer, unsigned changes, const struct view *view)
{
    if (changes & RELIEF_PURCHASE)
        add(customer,
            (struct event){.type = EVENT_ORDER_COMPLETED,
                           .has = EVENT_HAS_AMOUNT,
                           .amount_minor = 1,
                           .currency = view->params->reporting},
            view);
    if (changes & RELIEF_RESOLUTION)
        add(customer, (struct event){.type = EVENT_COMPLAINT_RESOLVED}, view);
    if (changes & RELIEF_SCORE)
        add(customer,
            (struct event){.type = EVENT_SURVEY_RESPONDED,
                           .has = EVENT_HAS_SCORE,
                           .metric = view->customer->score_metric,
                           .score = enough_score(view)},
            view);
}

/* Would churn_risk, open, end? */
static bool ends(const struct view *view, unsigned changes)
{
    struct customer customer = *view->customer;
    struct view after = {.customer = &customer, .params = view->params, .at_ms = view->at_ms};

    make(&customer, changes, view);
    return rule_risk(&after)->risk < rule_high(&after) - view->params->churn_risk_clear;
}

const char *relief_of(const struct view *view, double *ret_amount)
{
    for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++)
        if (ends(view, tries[i].changes)) {
            *ret_amount = tries[i].changes == RELIEF_SCORE ? enough_score(view) : 1;
            return tries[i].what;
        }
    *ret_amount = 0;
    return NULL;
}
