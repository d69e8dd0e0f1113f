/* report_json: the figures of the report for programs: sums, from which every mean follows. */
#include "base/json.h"
#include "ctl/report_page.h"

enum { JSON_BYTES = 1 << 19 };

static void put_group(struct json_writer *w, const struct census_group *group)
{
    json_put_object(w);
#define CENSUS_FIELD(name, help)                                                                   \
    json_put_key(w, #name);                                                                        \
    json_put_i64(w, group->name);
    CENSUS_FIELDS_TABLE(CENSUS_FIELD)
#undef CENSUS_FIELD
    json_put_object_end(w);
}

static void put_spread(struct json_writer *w, const char *name, const struct spread *spread)
{
    double shares[SPREAD_LORENZ];
    spread_lorenz(spread, shares);
    json_put_key(w, name);
    json_put_object(w);
    json_put_key(w, "buyers");
    json_put_i64(w, spread->count);
    json_put_key(w, "sum_minor");
    json_put_i64(w, spread->sum);
    json_put_key(w, "gini");
    json_put_double(w, spread_gini(spread));
    json_put_key(w, "top20_share");
    json_put_double(w, spread_top_share(spread, 0.2));
    json_put_key(w, "lorenz");
    json_put_array(w);
    for (int i = 0; i < SPREAD_LORENZ; i++)
        json_put_double(w, shares[i]);
    json_put_array_end(w);
    json_put_key(w, "percentiles_minor");
    json_put_array(w);
    for (int p = 0; p <= 100; p++)
        json_put_i64(w, spread_quantile(spread, p));
    json_put_array_end(w);
    json_put_object_end(w);
}

/* One member a group, named by its label. */
static void put_groups(struct json_writer *w, const char *name, const struct census_group *groups,
                       int first, int count, const char *(*label)(int))
{
    json_put_key(w, name);
    json_put_object(w);
    for (int i = first; i < count; i++) {
        json_put_key(w, label(i));
        put_group(w, &groups[i]);
    }
    json_put_object_end(w);
}

static const char *stage_name(int stage)
{
    return stage_label((enum stage)stage);
}

static const char *tier_name(int tier)
{
    return tier_label((enum tier)tier);
}

static const char *class_name(int class)
{
    return tier_class_label((enum customer_class) class);
}

/* Names of channels come from outside: values, not keys. */
static void put_channels(struct json_writer *w, const struct census *census)
{
    json_put_key(w, "channels");
    json_put_array(w);
    for (int i = 0; i < census->channels; i++) {
        json_put_object(w);
        json_put_key(w, "channel");
        json_put_text(w, census_channel_name(census, i));
        json_put_key(w, "figures");
        put_group(w, &census->channel[i]);
        json_put_object_end(w);
    }
    json_put_array_end(w);
}

static void put_churn(struct json_writer *w, const struct census *census)
{
    json_put_key(w, "churn_reasons");
    json_put_object(w);
    for (int r = 0; r < CHURN_REASON_COUNT; r++) {
        json_put_key(w, churn_reason_label((enum churn_reason)r));
        json_put_i64(w, census->churn_reason[r]);
    }
    json_put_object_end(w);
    json_put_key(w, "ever_churned");
    json_put_i64(w, census->ever_churned);
    json_put_key(w, "returned");
    json_put_i64(w, census->returned);
}

static void put_moves(struct json_writer *w, const struct report_moves *moves)
{
    json_put_key(w, "moves");
    if (!moves->read) {
        json_put_null(w);
        return;
    }
    json_put_array(w);
    for (int from = STAGE_NONE; from < STAGE_COUNT; from++)
        for (int to = STAGE_NONE; to < STAGE_COUNT; to++)
            if (moves->count[from][to] > 0) {
                json_put_object(w);
                json_put_key(w, "from");
                json_put_text(w, stage_name(from));
                json_put_key(w, "to");
                json_put_text(w, stage_name(to));
                json_put_key(w, "number");
                json_put_i64(w, moves->count[from][to]);
                json_put_object_end(w);
            }
    json_put_array_end(w);
}

void report_page_json(const struct report_page *page, FILE *out)
{
    static char text[JSON_BYTES];
    const struct census *census = page->census;
    struct json_writer w;
    json_writer_init(&w, text, sizeof text);
    json_put_object(&w);
    json_put_key(&w, "application");
    json_put_text(&w, page->app);
    json_put_key(&w, "at");
    json_put_time(&w, census->at_ms);
    json_put_key(&w, "currency");
    json_put_text(&w, currency_code(page->params->reporting));
    json_put_key(&w, "insight");
    json_put_i64(&w, page->params->insight.version);
    json_put_key(&w, "all");
    put_group(&w, &census->all);
    put_groups(&w, "stages", census->stage, STAGE_LEAD, STAGE_COUNT, stage_name);
    put_groups(&w, "tiers", census->tier, TIER_A, TIER_COUNT, tier_name);
    put_groups(&w, "classes", census->class, CLASS_NONE + 1, CENSUS_CLASSES, class_name);
    put_channels(&w, census);
    put_churn(&w, census);
    put_moves(&w, page->moves);
    put_spread(&w, "value", &census->value);
    put_spread(&w, "revenue", &census->revenue);
    json_put_object_end(&w);
    if (!w.full)
        fprintf(out, "%.*s\n", (int)w.len, text);
}
