/* in_force: the parameters each partition folds with now: those of the newest birth or switch in
 * the control topic. */
#ifndef LC_CTL_IN_FORCE_H
#define LC_CTL_IN_FORCE_H

#include "ctl/servers.h"

/* Into params[partition], count of them; of a partition without a birth record: *ret_missing is its
 * number (-1: none is missing). RETRY: Kafka does not answer. REJECT: a record cannot be read. */
enum status in_force_read(const struct servers *servers, struct params *params, int32_t count,
                          int32_t *ret_missing, struct report *report) LC_CHECKED;

#endif
