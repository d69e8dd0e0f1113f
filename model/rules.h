/* rules: what the functions of the alert kinds share. Private to model/rules*.c. */
#ifndef LC_MODEL_RULES_H
#define LC_MODEL_RULES_H

#include "model/rule.h"

#define KIND(name, label, rule, severity, marketing, cooldown) rule_fn rule;
#include "model/kind.def"
#undef KIND

int64_t rule_later(int64_t left, int64_t right);
int64_t rule_sooner(int64_t left, int64_t right);
double rule_days(int64_t span_ms);
/* Risk at which churn_risk opens, and when silence alone brings a risk, > at_ms. */
double rule_high(struct view *view);
int64_t rule_reaches(struct view *view, double risk);
/* The one instance of a kind that has one, not holding. */
void rule_none_holds(uint32_t instance, rule_explain_fn *explain, struct rule_answer *ret_answer);
/* A condition that silence alone brings about at starts_ms and (INT64_MAX: not) takes away at
 * ends_ms. */
void rule_holds_between(const struct view *view, int64_t starts_ms, int64_t ends_ms,
                        struct rule_answer *answer);
void rule_reason(struct effect *effect, const char *feature, double value, double baseline,
                 double contribution);
/* Silence against the customer's own rhythm, and how much it has bought. */
void rule_reason_rhythm(struct view *view, struct effect *effect);
/* The terms of the expected 12-month value: they sum to it exactly, in minor units. */
void rule_reason_value(struct view *view, struct effect *effect);
/* What ends it: the smallest change. */
void rule_clears(struct effect *effect, const char *when, double amount);

#endif
