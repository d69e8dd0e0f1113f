/* customer_json: the state of a customer as people and programs read it: `explain`, `export`, GET
 * /customers/{id}. */
#ifndef LC_PIPELINE_CUSTOMER_JSON_H
#define LC_PIPELINE_CUSTOMER_JSON_H

#include "base/json.h"
#include "model/outlook.h"

/* State, stage and since when, value with its parts, churn risk with contributions, and what
 * happens next in silence. */
void customer_json_write(struct json_writer *writer, struct span id,
                         const struct customer *customer, int64_t at_ms,
                         const struct params *params, const struct outlook_step *steps,
                         uint32_t step_count);

#endif
