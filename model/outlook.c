#include "model/outlook.h"

#include "model/churn.h"

uint32_t outlook_of(const struct customer *customer, int64_t horizon_ms,
                    const struct params *params, struct effects *scratch,
                    struct outlook_step *ret_steps, uint32_t cap)
{
    struct customer copy = *customer;
    uint32_t count = 0;

    while (count < cap && copy.due_ms <= horizon_ms && copy.due_ms != INT64_MAX) {
        int64_t at_ms = copy.due_ms;

        scratch->count = 0;
        fold_timers(&copy, at_ms, at_ms, params, scratch);
        if (copy.stage == STAGE_NONE) {
            ret_steps[count++] = (struct outlook_step){
                .at_ms = at_ms, .from = customer->stage, .to = STAGE_NONE, .forgotten = true};
            break;
        }
        for (uint32_t i = 0; i < scratch->count && count < cap; i++) {
            const struct effect *effect = &scratch->at[i];

            ret_steps[count++] = (struct outlook_step){
                .at_ms = at_ms,
                .kind = effect->kind,
                .phase = effect->phase,
                .band = effect->band,
                .from = effect->from,
                .to = effect->to,
                .risk = effect->churn.risk,
            };
        }
    }
    scratch->count = 0;
    return count;
}
