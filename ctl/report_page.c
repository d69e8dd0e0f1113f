/* report_page: the sections of the page, in the order in which a customer passes through them. */
#include "ctl/report_page.h"

#include <string.h>

#include "base/text.h"

#define PER_MONTH (CENSUS_RECENT_DAYS / 30.0)

static const char style[] =
    "body{font:15px/1.45 system-ui,sans-serif;color:#222;max-width:860px;margin:2em auto;padding:0 "
    "1em}"
    "h1{font-size:1.6em}h2{font-size:1.2em;margin-top:2.2em;border-bottom:1px solid #ddd}"
    "table{border-collapse:collapse;margin:.8em 0;font-variant-numeric:tabular-nums}"
    "th,td{padding:.25em .7em;text-align:right;border-bottom:1px solid #eee}"
    "th{font-weight:600;color:#555}th:first-child,td:first-child{text-align:left}"
    "svg{width:100%;height:auto}svg text{font-size:13px;fill:currentColor}"
    "svg .note,p.note{fill:#666;color:#666}p.note{font-size:.9em}";

/* --- figures --- */

static double part(int64_t of, int64_t whole)
{
    return whole > 0 ? (double)of / (double)whole : 0;
}

static double major(const struct report_page *page, double minor)
{
    for (int i = currency_exponent(page->params->reporting); i > 0; i--)
        minor /= 10;
    return minor;
}

static void put_escaped(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
}

/* --- cells --- */

static void head(FILE *out, const char *const *names)
{
    fputs("<table><tr>", out);
    for (; *names; names++)
        fprintf(out, "<th>%s</th>", *names);
    fputs("</tr>\n", out);
}

static void row(FILE *out, const char *name)
{
    fputs("<tr><td>", out);
    put_escaped(out, name);
    fputs("</td>", out);
}

static void whole(FILE *out, int64_t number)
{
    fprintf(out, "<td>%lld</td>", (long long)number);
}

static void ratio(FILE *out, int64_t of, int64_t all)
{
    if (all > 0)
        fprintf(out, "<td>%.1f %%</td>", 100 * part(of, all));
    else
        fputs("<td>–</td>", out);
}

static void mean(FILE *out, double sum, int64_t count, const char *format)
{
    fputs("<td>", out);
    if (count > 0)
        fprintf(out, format, sum / (double)count);
    else
        fputs("–", out);
    fputs("</td>", out);
}

static void money(const struct report_page *page, FILE *out, double minor, int64_t count)
{
    mean(out, major(page, minor), count, "%.2f");
}

static void end_row(FILE *out)
{
    fputs("</tr>\n", out);
}

static void end_table(FILE *out)
{
    fputs("</table>\n", out);
}

/* --- sections --- */

static void put_funnel(const struct report_page *page, FILE *out)
{
    const struct census_group *all = &page->census->all;
    struct report_bar bars[] = {
        {"known", (double)all->customers, ""},         {"demo or further", (double)all->demos, ""},
        {"trial or further", (double)all->trials, ""}, {"bought", (double)all->buyers, ""},
        {"bought again", (double)all->repeaters, ""},  {"loyal now", (double)all->loyal, ""},
    };
    const int count = sizeof bars / sizeof *bars;
    for (int i = 0; i < count; i++)
        snprintf(bars[i].note, sizeof bars[i].note, "%.0f (%.1f %% of the known)", bars[i].value,
                 100 * bars[i].value / (all->customers > 0 ? (double)all->customers : 1));
    fputs("<h2>From potential to loyal</h2>\n", out);
    report_svg_bars(out, bars, count);
    fputs("<p class=\"note\">Prospects forgotten after a long silence are not among the "
          "known.</p>\n",
          out);
}

static void put_channels(const struct report_page *page, FILE *out)
{
    static const char *const names[] = {
        "channel",      "known",   "demo",         "trial",          "bought",
        "bought again", "churned", "value a head", "revenue a head", NULL};
    const struct census *census = page->census;
    fputs("<h2>By channel of the first touch</h2>\n", out);
    head(out, names);
    for (int i = 0; i < census->channels; i++) {
        const struct census_group *g = &census->channel[i];
        row(out, census_channel_name(census, i));
        whole(out, g->customers);
        ratio(out, g->demos, g->customers);
        ratio(out, g->trials, g->customers);
        ratio(out, g->buyers, g->customers);
        ratio(out, g->repeaters, g->buyers);
        ratio(out, g->churned, g->buyers);
        money(page, out, (double)g->value_minor, g->customers);
        money(page, out, (double)g->revenue_minor, g->customers);
        end_row(out);
    }
    end_table(out);
}

static void put_stages(const struct report_page *page, FILE *out)
{
    static const char *const names[] = {"stage",      "customers",    "share",      "days in it",
                                        "value",      "revenue",      "a month",    "purchases",
                                        "churn risk", "satisfaction", "complained", NULL};
    const struct census *census = page->census;
    fputs("<h2>Stages</h2>\n", out);
    head(out, names);
    for (int s = STAGE_LEAD; s < STAGE_COUNT; s++) {
        const struct census_group *g = &census->stage[s];
        row(out, stage_label((enum stage)s));
        whole(out, g->customers);
        ratio(out, g->customers, census->all.customers);
        mean(out, (double)g->stage_days, g->customers, "%.0f");
        money(page, out, (double)g->value_minor, g->customers);
        money(page, out, (double)g->revenue_minor, g->customers);
        money(page, out, (double)g->recent_minor / PER_MONTH, g->customers);
        mean(out, (double)g->purchase_days, g->customers, "%.1f");
        mean(out, (double)g->risk_ppm / 1e4, g->at_risk, "%.0f %%");
        mean(out, (double)g->score_pct, g->scores, "%.0f");
        ratio(out, g->complained, g->customers);
        end_row(out);
    }
    end_table(out);
    fputs("<p class=\"note\">Value, revenue and revenue a month (of the last 90 days) are means a "
          "head; satisfaction is the mean of all answers to surveys, 0 to 100.</p>\n",
          out);
}

static void put_loyal(const struct report_page *page, FILE *out)
{
    const struct census_group *loyal = &page->census->stage[STAGE_LOYAL];
    static const char *const names[] = {"loyal customers",
                                        "engagements in 90 d",
                                        "satisfaction",
                                        "renewals a subscriber",
                                        "bought of two categories",
                                        "complained",
                                        "made a referral",
                                        NULL};
    fputs("<h2>Loyal customers</h2>\n", out);
    head(out, names);
    fprintf(out, "<tr><td>%lld</td>", (long long)loyal->customers);
    mean(out, (double)loyal->engagements, loyal->customers, "%.1f");
    mean(out, (double)loyal->score_pct, loyal->scores, "%.0f");
    mean(out, (double)loyal->renewals, loyal->subscribers, "%.1f");
    ratio(out, loyal->cross_buyers, loyal->customers);
    ratio(out, loyal->complained, loyal->customers);
    ratio(out, loyal->referrers, loyal->customers);
    end_row(out);
    end_table(out);
}

static void put_churned(const struct report_page *page, FILE *out)
{
    static const char *const names[] = {"reason given", "customers", "share", NULL};
    const struct census *census = page->census;
    int64_t churned = census->stage[STAGE_CHURNED].customers;
    fputs("<h2>Churned customers</h2>\n", out);
    head(out, names);
    for (int r = 0; r < CHURN_REASON_COUNT; r++) {
        row(out, churn_reason_label((enum churn_reason)r));
        whole(out, census->churn_reason[r]);
        ratio(out, census->churn_reason[r], churned);
        end_row(out);
    }
    end_table(out);
    fprintf(out,
            "<p>%lld are churned now. Of %lld who churned at least once, %lld (%.1f %%) bought "
            "again.</p>\n",
            (long long)churned, (long long)census->ever_churned, (long long)census->returned,
            100 * part(census->returned, census->ever_churned));
}

static void put_concentration(const struct report_page *page, FILE *out)
{
    const struct census *census = page->census;
    double value[SPREAD_LORENZ], revenue[SPREAD_LORENZ];
    spread_lorenz(&census->value, value);
    spread_lorenz(&census->revenue, revenue);
    fputs("<h2>Concentration</h2>\n", out);
    fprintf(out,
            "<p>The top 20 %% of the buyers hold <b>%.1f %%</b> of the expected value (Gini %.3f) "
            "and brought <b>%.1f %%</b> of the revenue (Gini %.3f).</p>\n",
            100 * spread_top_share(&census->value, 0.2), spread_gini(&census->value),
            100 * spread_top_share(&census->revenue, 0.2), spread_gini(&census->revenue));
    report_svg_lorenz(out, value, revenue);
}

static void share_of_tiers(const struct census *census, size_t field, double ret_share[4])
{
    double sum = 0;
    for (int t = TIER_A; t <= TIER_D; t++) {
        int64_t figure;
        memcpy(&figure, (const char *)&census->tier[t] + field, sizeof figure);
        ret_share[t - TIER_A] = figure > 0 ? (double)figure : 0;
        sum += ret_share[t - TIER_A];
    }
    for (int t = 0; t < 4; t++)
        ret_share[t] = sum > 0 ? ret_share[t] / sum : 0;
}

static void put_tier_columns(const struct census *census, FILE *out)
{
    struct report_column columns[] = {{"customers", {0}},
                                      {"value", {0}},
                                      {"revenue", {0}},
                                      {"last 90 days", {0}},
                                      {"service cost", {0}}};
    static const size_t fields[] = {
        offsetof(struct census_group, customers), offsetof(struct census_group, value_minor),
        offsetof(struct census_group, revenue_minor), offsetof(struct census_group, recent_minor),
        offsetof(struct census_group, cost_minor)};
    const int count = sizeof fields / sizeof *fields;
    for (int i = 0; i < count; i++)
        share_of_tiers(census, fields[i], columns[i].share);
    report_svg_columns(out, columns, count);
}

/* Satisfaction, loyalty and profit side by side. */
static void put_tiers(const struct report_page *page, FILE *out)
{
    static const char *const names[] = {"tier",         "customers",   "value",   "a month",
                                        "satisfaction", "complained",  "loyal",   "made a referral",
                                        "churn risk",   "late payers", "revenue", "service cost",
                                        "profit",       NULL};
    const struct census *census = page->census;
    fputs("<h2>Value tiers</h2>\n", out);
    if (page->params->insight.version == 0) {
        fputs("<p>No tiers yet: the daemons have made no insight of the population "
              "(<code>lifecyclectl insight</code> says why).</p>\n",
              out);
        return;
    }
    put_tier_columns(census, out);
    head(out, names);
    for (int t = TIER_A; t <= TIER_D; t++) {
        const struct census_group *g = &census->tier[t];
        row(out, tier_label((enum tier)t));
        whole(out, g->customers);
        money(page, out, (double)g->value_minor, g->customers);
        money(page, out, (double)g->recent_minor / PER_MONTH, g->customers);
        mean(out, (double)g->score_pct, g->scores, "%.0f");
        ratio(out, g->complained, g->customers);
        ratio(out, g->loyal, g->customers);
        ratio(out, g->referrers, g->customers);
        mean(out, (double)g->risk_ppm / 1e4, g->at_risk, "%.0f %%");
        ratio(out, g->late_payers, g->customers);
        money(page, out, (double)g->revenue_minor, g->customers);
        money(page, out, (double)g->cost_minor, g->customers);
        money(page, out, (double)(g->revenue_minor - g->cost_minor), g->customers);
        end_row(out);
    }
    end_table(out);
    fputs("<p class=\"note\">Money is a mean a head; profit is revenue less service cost, both of "
          "all time.</p>\n",
          out);
}

static void put_classes(const struct report_page *page, FILE *out)
{
    static const char *const names[] = {"class",   "customers",  "value",
                                        "a month", "what to do", NULL};
    static const char *const measures[CENSUS_CLASSES] = {
        [CLASS_LOYAL] = "reward and ask for referrals",
        [CLASS_FAST_GROWING] = "offer the next step up",
        [CLASS_SLEEPING] = "wake them in person: they are worth it",
        [CLASS_NURTURE] = "show them more of what you have"};
    fputs("<h2>Classes</h2>\n", out);
    head(out, names);
    for (int c = CLASS_NONE + 1; c < CENSUS_CLASSES; c++) {
        const struct census_group *g = &page->census->class[c];
        row(out, tier_class_label((enum customer_class)c));
        whole(out, g->customers);
        money(page, out, (double)g->value_minor, g->customers);
        money(page, out, (double)g->recent_minor / PER_MONTH, g->customers);
        fprintf(out, "<td>%s</td>", measures[c]);
        end_row(out);
    }
    end_table(out);
}

static void put_moves(const struct report_page *page, FILE *out)
{
    const struct report_moves *moves = page->moves;
    char since[TEXT_TIME_BYTES] = "the beginning";
    if (!moves->read)
        return;
    if (moves->since_ms != INT64_MIN)
        text_time_format(moves->since_ms, since);
    fprintf(out, "<h2>Moves between stages</h2>\n<p>%lld told since %s; rows from, columns to.</p>",
            (long long)moves->total, since);
    fputs("<table><tr><th></th>", out);
    for (int to = STAGE_NONE; to < STAGE_COUNT; to++)
        fprintf(out, "<th>%s</th>", stage_label((enum stage)to));
    fputs("</tr>\n", out);
    for (int from = STAGE_NONE; from < STAGE_COUNT; from++) {
        row(out, stage_label((enum stage)from));
        for (int to = STAGE_NONE; to < STAGE_COUNT; to++)
            if (moves->count[from][to] > 0)
                whole(out, moves->count[from][to]);
            else
                fputs("<td></td>", out);
        end_row(out);
    }
    end_table(out);
}

void report_page_html(const struct report_page *page, FILE *out)
{
    const struct census *census = page->census;
    char at[TEXT_TIME_BYTES];
    text_time_format(census->at_ms, at);
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta "
          "name=\"viewport\" content=\"width=device-width\">"
          "<title>Customer lifecycle report</title><style>",
          out);
    fprintf(out, "%s</style></head><body>\n<h1>Customer lifecycle report</h1>\n<p>", style);
    put_escaped(out, page->app);
    fprintf(out,
            ", as of %s: <b>%lld</b> customers, <b>%lld</b> of them buyers; money in %s; models "
            "%s.</p>\n",
            at, (long long)census->all.customers, (long long)census->all.buyers,
            currency_code(page->params->reporting),
            page->params->calibrated ? "fitted on your own history" : "not calibrated yet");
    put_funnel(page, out);
    put_channels(page, out);
    put_stages(page, out);
    put_moves(page, out);
    put_loyal(page, out);
    put_churned(page, out);
    put_concentration(page, out);
    put_tiers(page, out);
    put_classes(page, out);
    fputs("</body></html>\n", out);
}
