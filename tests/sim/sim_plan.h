/* sim_plan: plans of faults as text, kind:nth:ms:choice,… as they are printed after a failure;
 * `events:N` before them: only the first N events. */
#ifndef LC_SIM_PLAN_H
#define LC_SIM_PLAN_H

#include "tests/sim/sim_fault.h"

#define SIM_PLAN_TEXT_MAX 4096

void sim_plan_write(const struct sim_plan *plan, char ret_text[SIM_PLAN_TEXT_MAX]);
/* Up to the end of the text or line. false: it is none. */
bool sim_plan_read(const char *text, struct sim_plan *ret_plan);

#endif
