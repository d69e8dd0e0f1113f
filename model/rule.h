/* rule: the alert kinds. One function and one row of kind.def each; fold.c owns the episode (raise,
 * update, resolve, cool-down, history), a rule only says whether its condition holds. */
#ifndef LC_MODEL_RULE_H
#define LC_MODEL_RULE_H

#include "model/effect.h"

/* What a rule may look at. Figures that cost something are derived on first use (rule_risk,
 * rule_value). */
struct view {
    const struct customer *customer;
    const struct params *params;
    int64_t at_ms;
    const struct event *event; /* NULL for a timer */
    bool moved;                /* this step changed the stage, */
    enum stage from;           /* from this one */
    enum tier tier_from;       /* before this step */
    /* Caches; use rule_risk(), rule_value(), rule_threshold(), rule_crossing(). A step changes
     * nothing they depend on. */
    struct churn_risk risk;
    struct value value;
    double threshold;
    int64_t crossing_ms;
    bool has_risk, has_value, has_threshold, has_crossing;
};

/* Sets the action of an effect that is about to be told, and its reasons. */
typedef void rule_explain_fn(struct view *view, struct effect *effect);

/* A rule's answer about one instance. Instances are numbered 0.. until the rule answers `none`. */
struct rule_answer {
    bool none; /* there is no such instance */
    bool only; /* there is no further one: what comes next need not be asked */
    bool holds;
    bool instant; /* an occurrence, not a condition: the episode closes at once without `resolved`
                     (stage_changed) */
    bool quiet;   /* when it does not hold: an open episode ends untold, because what took over is
                     told itself */
    uint8_t band; /* when it holds, from 1 */
    uint64_t key; /* of the instance */
    int64_t since_ms; /* when it holds: since when */
    rule_explain_fn *explain;
    int64_t next_ms; /* when silence alone would next change the answer, > at_ms; INT64_MAX never.
                        Early is allowed */
};

/* Of the customer's episodes a rule may look at those of its own kind, and only at whether they are
 * open. */
typedef void rule_fn(struct view *view, uint32_t instance, struct rule_answer *ret_answer);
rule_fn *rule_of(enum kind kind);
int64_t rule_cooldown_ms(enum kind kind, const struct params *params);

const struct churn_risk *rule_risk(struct view *view);
const struct value *rule_value(struct view *view);
/* Risk from which it counts as elevated (stage_risk_threshold), and when the risk next reaches it,
 * > at_ms. */
double rule_threshold(struct view *view);
int64_t rule_crossing(struct view *view);

#endif
