/* warning: the signs that somebody is about to leave, each with a weight in log-odds that is added
 * to logit P(buy) while it holds (docs/MODELS.md, "Warnings"). */
#ifndef LC_MODEL_WARNING_H
#define LC_MODEL_WARNING_H

enum warning {
    WARNING_ACTIVITY,
    WARNING_SATISFACTION,
    WARNING_COMPLAINT_OPEN,
    WARNING_COMPLAINT_RESOLVED,
    WARNING_PAYMENT,
    WARNING_UNSUBSCRIBED,
    WARNING_COUNT
};

#define WARNING_WEIGHT_MIN (-5.0) /* and at most 0: the range of the settings */

const char *warning_label(enum warning warning);

#endif
