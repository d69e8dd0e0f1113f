/* learn: the models of a new insight, fitted on the cells of a walk; what is not better stays as it
 * was, with the reason. */
#ifndef LC_INSIGHT_LEARN_H
#define LC_INSIGHT_LEARN_H

#include "insight/histories.h"
#include "model/fit.h"

enum learn_outcome {
    LEARN_TAKEN,
    LEARN_REFUSED, /* fit.verdict says why */
    LEARN_WORSE,   /* on the last matured window it says less than what is in force */
};

struct learn_lesson {
    enum learn_outcome outcome;
    struct fit_result fit;
    /* MBG/NBD: mean log loss of P(buys within the window) of who was a buyer at its begin,
     * by the new parameters and by those in force; 0 without such a window. */
    double loss, loss_in_force, window_customers;
};

/* In the order of fit_model: buying, spend, renewals. */
enum learn_subject { LEARN_BUYING, LEARN_SPEND, LEARN_RENEWALS, LEARN_SUBJECTS };

/* Fills the fitted models, the median gap and what is bought together of *insight, which comes in
 * as the one in force. `params`: configured ones, the prior opinion. FATAL: no memory. */
enum status learn_from(const struct histories *histories, const struct params *params,
                       struct insight *insight,
                       struct learn_lesson ret_lessons[LEARN_SUBJECTS]) LC_CHECKED;

/* "taken", "refused", "worse" */
const char *learn_outcome_name(enum learn_outcome outcome);

#endif
