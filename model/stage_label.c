/* stage_label: the words for stages and for why a customer is in one. */
#include "base/must.h"
#include "model/customer.h"

static const char *const stage_labels[] = {
#define STAGE(name, label, means) [STAGE_##name] = label,
#include "model/stage.def"
#undef STAGE
};

static const char *const stage_reason_labels[] = {
    [STAGE_BY_FIRST_EVENT] = "first_event", [STAGE_BY_FUNNEL] = "funnel",
    [STAGE_BY_PURCHASE] = "purchase",       [STAGE_BY_REFUND] = "refund",
    [STAGE_BY_SILENCE] = "silence",         [STAGE_BY_RISK] = "risk",
    [STAGE_BY_TENURE] = "tenure",           [STAGE_BY_SUBSCRIPTION] = "subscription",
    [STAGE_BY_DELETE] = "delete",           [STAGE_BY_ALIAS] = "alias",
};

_Static_assert(sizeof(stage_reason_labels) / sizeof(*stage_reason_labels) == STAGE_REASON_COUNT,
               "every reason has a label");

const char *stage_label(enum stage stage)
{
    MUST(stage < STAGE_COUNT);
    return stage_labels[stage];
}

const char *stage_reason_label(enum stage_reason reason)
{
    MUST(reason < STAGE_REASON_COUNT);
    return stage_reason_labels[reason];
}
