/* rule: the alert kinds. One function and one row of kind.def each; fold.c owns the episode (raise, update, resolve, cool-down,
 * history), a rule only says whether its condition holds. */
#ifndef LC_MODEL_RULE_H
#define LC_MODEL_RULE_H

#include "model/effect.h"

/* What a rule may look at. Figures that cost something are derived on first use (rule_risk, rule_value). */
struct view {
    const struct customer *customer;
    const struct params *params;
    int64_t at_ms;
    const struct event *event; /* NULL for a timer */
    struct churn_risk *risk;   /* scratch; use rule_risk() */
    struct value *value;
    bool has_risk, has_value;
};

/* A rule's answer about one instance. Instances are numbered 0.. until the rule answers `none`. */
struct rule_answer {
    bool none;        /* there is no such instance */
    bool holds;
    bool instant;     /* an occurrence, not a condition: the episode closes at once without `resolved` (stage_changed) */
    uint8_t band;     /* when it holds, from 1 */
    uint64_t key;     /* of the instance */
    int64_t since_ms; /* when it holds: since when */
    int64_t next_ms;  /* when silence alone would next change the answer, > at_ms; INT64_MAX never */
};

typedef void rule_fn(struct view *view, uint32_t instance, struct rule_answer *ret_answer);
/* Reasons and action of an effect that is about to be told. */
void rule_explain(struct view *view, struct effect *effect);
rule_fn *rule_of(enum kind kind);
int64_t rule_cooldown_ms(enum kind kind, const struct params *params);

const struct churn_risk *rule_risk(struct view *view);
const struct value *rule_value(struct view *view);

#endif
