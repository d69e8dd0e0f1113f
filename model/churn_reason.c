/* churn_reason: the words for why a customer left. */
#include "base/must.h"
#include "model/customer.h"

static const char *const churn_reason_labels[] = {
    [CHURN_UNKNOWN] = "unknown", [CHURN_COMPETITION] = "competition", [CHURN_PRICE] = "price",
    [CHURN_SERVICE] = "service", [CHURN_NEED_GONE] = "need_gone",
};

_Static_assert(sizeof(churn_reason_labels) / sizeof(*churn_reason_labels) == CHURN_REASON_COUNT,
               "every churn reason has a label");

const char *churn_reason_label(enum churn_reason reason)
{
    MUST(reason < CHURN_REASON_COUNT);
    return churn_reason_labels[reason];
}
