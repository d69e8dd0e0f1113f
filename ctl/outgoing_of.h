/* outgoing_of: an event of the simulated population as it is published. */
#ifndef LC_CTL_OUTGOING_OF_H
#define LC_CTL_OUTGOING_OF_H

#include "ctl/behaviour.h"
#include "ctl/outgoing.h"

/* Borrows the texts of `from`. */
void outgoing_of(const struct behaviour_event *from, struct outgoing *ret_event);

#endif
