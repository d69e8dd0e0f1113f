/* sim_fiber: coroutines. A worker runs in one and gives control back at every port call; abandoning
 * it there is a crash. */
#ifndef LC_SIM_FIBER_H
#define LC_SIM_FIBER_H

#include <stdbool.h>

struct sim_fiber;

/* Starts at the first resume; `main` may return, then the fiber is done. */
struct sim_fiber *sim_fiber_open(void (*main)(void *arg), void *arg);
/* Run it until it yields or is done. Not from inside a fiber. */
void sim_fiber_resume(struct sim_fiber *fiber);
/* Back to whoever resumed the running fiber. */
void sim_fiber_yield(void);
bool sim_fiber_done(const struct sim_fiber *fiber);
/* Its stack is used again by the next one; what it held is not freed here. Accepts NULL. */
void sim_fiber_abandon(struct sim_fiber *fiber);

#endif
