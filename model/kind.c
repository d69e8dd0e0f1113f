/* kind: the words for alert kinds and their bands, from the one table of kinds. */
#include "model/effect.h"

#include "base/must.h"

struct kind_row {
    const char *label, *severity;
    enum marketing marketing;
};

static const struct kind_row rows[KIND_COUNT] = {
#define KIND(name, label, rule, severity, marketing, cooldown)                                     \
    {label, #severity, MARKETING_##marketing},
#include "model/kind.def"
#undef KIND
};

const char *kind_label(enum kind kind)
{
    MUST(kind < KIND_COUNT);
    return rows[kind].label;
}

const char *kind_severity(enum kind kind)
{
    MUST(kind < KIND_COUNT);
    return rows[kind].severity;
}

enum marketing kind_marketing(enum kind kind)
{
    MUST(kind < KIND_COUNT);
    return rows[kind].marketing;
}

const char *kind_band_label(enum kind kind, uint8_t band)
{
    static const char *const labels[KIND_COUNT][3] = {
        [KIND_CHURN_RISK] = {"high", "critical", NULL},
        [KIND_WIN_BACK] = {"first_offer", "second_offer", NULL},
        [KIND_RENEWAL_DUE] = {"first_notice", "second_notice", "payment_failed"},
    };
    const char *label;

    MUST(kind < KIND_COUNT);
    label = band >= 1 && band <= 3 ? labels[kind][band - 1] : NULL;
    return label ? label : "open";
}
