#include "base/status.h"

#include "base/must.h"

const char *status_name(enum status status)
{
    static const char *const names[STATUS_COUNT] = {
#define X(name, lower, next) [STATUS_##name] = lower,
        STATUS_TABLE(X)
#undef X
    };

    MUST((unsigned)status < STATUS_COUNT);
    return names[status];
}
