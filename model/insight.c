/* insight: its empty form, its invariants, and the percentile read from its cuts. */
#include "model/insight.h"

#include <math.h>
#include <string.h>

void insight_init(struct insight *ret_insight)
{
    /* Padding too: copies compare equal byte by byte. */
    memset(ret_insight, 0, sizeof *ret_insight);
}

static bool is_plain(const char name[INSIGHT_NAME_MAX])
{
    bool ended = false;

    for (int i = 0; i < INSIGHT_NAME_MAX; i++) {
        unsigned char byte = (unsigned char)name[i];

        if (byte == 0) {
            ended = true;
            continue;
        }
        if (ended || byte < 0x20 || byte == 0x7f || byte == '"' || byte == '\\' || byte == ',' ||
            byte == ':')
            return false;
    }
    return true;
}

bool insight_name_category(struct insight *insight, int bit, const char name[INSIGHT_NAME_MAX])
{
    if (!is_plain(name))
        return false;
    memcpy(insight->category_name[bit], name, INSIGHT_NAME_MAX);
    return true;
}

static bool is_share(double share)
{
    return share >= 0 && share <= 1;
}

static bool usable(double parameter)
{
    return isfinite(parameter) && parameter > 0 && parameter <= 1e12;
}

static const char *check_learned(const struct insight *insight)
{
    if (!insight->learned)
        return NULL;
    for (int i = 0; i < FEATURE_COUNT; i++)
        if (!(insight->feature_weight[i] >= feature_weight_min((enum feature)i) &&
              insight->feature_weight[i] <= feature_weight_max((enum feature)i)))
            return "a learned weight is out of range";
    for (int i = 0; i < WARNING_COUNT; i++)
        if (!(insight->warning_weight[i] >= WARNING_WEIGHT_MIN && insight->warning_weight[i] <= 0))
            return "a learned weight of a warning is out of range";
    return NULL;
}

static const char *check_models(const struct insight *insight)
{
    if (insight->fitted_mbg && !(usable(insight->mbg_r) && usable(insight->mbg_alpha) &&
                                 usable(insight->mbg_a) && usable(insight->mbg_b)))
        return "a fitted parameter of MBG/NBD is out of range";
    if (insight->fitted_gg && !(usable(insight->gg_p) && usable(insight->gg_gamma) &&
                                usable(insight->gg_q) && insight->gg_q > 1))
        return "a fitted parameter of Gamma-Gamma is out of range";
    if (insight->fitted_sbg && !(usable(insight->sbg_alpha) && usable(insight->sbg_beta)))
        return "a fitted parameter of sBG is out of range";
    return NULL;
}

const char *insight_check(const struct insight *insight)
{
    if (insight->buyers < 0 || insight->gap_ms < 0)
        return "a number of the population is negative";
    for (int i = 1; i < INSIGHT_CUTS; i++)
        if (insight->value_cut_minor[i] < insight->value_cut_minor[i - 1])
            return "the value cuts do not ascend";
    if (!is_share(insight->value_gini) || !is_share(insight->value_top20) ||
        !is_share(insight->revenue_gini) || !is_share(insight->revenue_top20))
        return "a share of the population is out of range";
    for (int i = 0; i < INSIGHT_CATEGORIES; i++)
        if (insight->category_next[i] >= INSIGHT_CATEGORIES || insight->category_share[i] > 1000)
            return "a category bought next is out of range";
    for (int i = 0; i < INSIGHT_CATEGORIES; i++)
        if (!is_plain(insight->category_name[i]))
            return "a category has a name that cannot be told";
    if (check_learned(insight) != NULL)
        return check_learned(insight);
    return check_models(insight);
}

bool insight_newer(const struct insight *insight, const struct insight *than)
{
    if (insight->version != than->version)
        return insight->version > than->version;
    return insight->made_ms > than->made_ms;
}

double insight_percentile(const struct insight *insight, int64_t value_minor)
{
    const int64_t *cut = insight->value_cut_minor;
    int low = 0, high = INSIGHT_CUTS - 1;

    if (insight->buyers == 0 || value_minor <= 0 || value_minor < cut[low])
        return 0;
    if (value_minor >= cut[high])
        return 100;
    /* cut[low] ≤ value < cut[high] */
    while (high - low > 1) {
        int middle = (low + high) / 2;

        if (cut[middle] <= value_minor)
            low = middle;
        else
            high = middle;
    }
    return low + (double)(value_minor - cut[low]) / (double)(cut[high] - cut[low]);
}
