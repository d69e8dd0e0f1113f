/* warning: the names of the warning signs, as alerts and `explain` show them. */
#include "model/warning.h"

#include "base/must.h"

const char *warning_label(enum warning warning)
{
    static const char *const labels[WARNING_COUNT] = {
        [WARNING_ACTIVITY] = "activity_decline",
        [WARNING_SATISFACTION] = "satisfaction_low",
        [WARNING_COMPLAINT_OPEN] = "complaint_open",
        [WARNING_COMPLAINT_RESOLVED] = "complaint_resolved",
        [WARNING_PAYMENT] = "payment_trouble",
        [WARNING_UNSUBSCRIBED] = "unsubscribed",
    };
    MUST((unsigned)warning < WARNING_COUNT);
    return labels[warning];
}
