/* previous: the ids that have become a customer (Alias), kept beside it with its ledger, so that
 * its erasure reaches their redirects. A flat list: a byte of length, then the id; in the order in
 * which they came, each once. */
#ifndef LC_MODEL_PREVIOUS_H
#define LC_MODEL_PREVIOUS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/event.h"

#define PREVIOUS_MAX       32
#define PREVIOUS_BYTES_MAX (PREVIOUS_MAX * (1 + EVENT_CUSTOMER_BYTES_MAX))

/* Memory is the caller's: before every fold step room for one more id, up to the bound. */
struct previous {
    char *bytes;
    uint32_t len, cap;
    uint32_t count;
};

bool previous_has(const struct previous *previous, struct span id);
/* False: there are PREVIOUS_MAX others. An id that is there already is no other. */
bool previous_add(struct previous *previous, struct span id);
/* The ids in turn; begin with *at = 0. False at the end. */
bool previous_next(const struct previous *previous, uint32_t *at, struct span *ret_id);
/* Are these bytes such a list, within the bounds? *ret_count: of how many ids. */
bool previous_valid(struct span bytes, uint32_t *ret_count);

#endif
