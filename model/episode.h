/* episode: from a rule's answers to alerts: raise, update, resolve, retract, cool-down, and what is
 * history and stays untold. The only file that writes customer->episode. */
#ifndef LC_MODEL_EPISODE_H
#define LC_MODEL_EPISODE_H

#include "model/rule.h"

/* What the rules answered, of the kinds whose rule would answer the same again: one instance, whose
 * episodes did not move. Rules are the larger part of a step; what was asked need not be again. */
struct episode_answers {
    uint32_t kept; /* bit a kind: of[kind] is valid */
    struct rule_answer of[KIND_COUNT];
};

/* Asks every rule at view->at_ms and moves the episodes. late: what begins now is history
 * (alerts.late_max): episodes open untold and stay untold to their end; an end of a told one is
 * told all the same, so that nobody acts on it any longer. */
void episode_step(struct view *view, struct customer *customer, bool late, struct effects *effects,
                  struct episode_answers *ret_answers);
/* When silence alone next changes an answer or ends a cool-down of a condition that holds; >
 * view->at_ms. `answers`: of the step just made, NULL: ask. */
int64_t episode_due(struct view *view, const struct episode_answers *answers);
/* One effect outside of any rule's answer: the customer is no more (erased, or it has become
 * another), told as stage_changed to none. */
void episode_tell_gone(struct customer *customer, const struct event *event,
                       enum stage_reason reason, const struct params *params,
                       struct effects *effects);
/* Every open episode ends: its customer becomes another. */
void episode_end_all(struct view *view, struct customer *customer, struct effects *effects);
/* What was told to the customer `from` counts against telling it `into` again: cool-downs and
 * caps. Its episodes are over. */
void episode_merge(struct customer *into, const struct customer *from);

#endif
