/* ticket: complaints and support tickets of a customer, open and resolved. Filing and resolution
 * are the newest of each, so that the order of arrival does not matter; the CUSTOMER_TICKETS_MAX
 * that matter most are kept. */
#ifndef LC_MODEL_TICKET_H
#define LC_MODEL_TICKET_H

#include "model/customer.h"

/* A filing or a resolution, of a complaint or a ticket. */
void ticket_add(struct customer *customer, const struct event *event);
/* Those of `from` join. */
void ticket_merge(struct customer *into, const struct customer *from);

#endif
