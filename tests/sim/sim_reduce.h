/* sim_reduce: a failure made small: faults are left out one after the other, then events from the
 * end, as long as it still fails. */
#ifndef LC_SIM_REDUCE_H
#define LC_SIM_REDUCE_H

#include "tests/sim/sim_campaign.h"

/* Prints what is left: its trace, its faults, the command that runs it again. `self`: the name of
 * this program. */
void sim_reduce(const struct sim_failure *failure, const char *self);
/* The last lines of a trace without those of idle workers; lines < 0: all. */
void sim_reduce_print(FILE *trace, int lines);

#endif
