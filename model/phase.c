/* phase: the words for the phases of an episode. */
#include "base/must.h"
#include "model/effect.h"

const char *phase_label(enum phase phase)
{
    static const char *const labels[PHASE_COUNT] = {
        [PHASE_RAISED] = "raised",
        [PHASE_UPDATED] = "updated",
        [PHASE_RESOLVED] = "resolved",
        [PHASE_RETRACTED] = "retracted",
    };

    MUST(phase < PHASE_COUNT);
    return labels[phase];
}
