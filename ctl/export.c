/* export: all customers as CSV or JSON lines, with the figures of the models as of one time. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "ctl/csv_file.h"
#include "ctl/ctl.h"
#include "ctl/servers.h"
#include "model/tier.h"
#include "model/value.h"

enum cell_type { CELL_TEXT, CELL_INT, CELL_DOUBLE, CELL_MONEY, CELL_TIME, CELL_DAY };

struct cell {
    const char *name;
    enum cell_type type;
    struct span text;
    int64_t integer;
    double number;
    bool absent;
};
enum { CELLS_MAX = 24, LINE_MAX_BYTES = 8192 };

struct export
{
    const struct params *params;
    int64_t at_ms;
    bool json, begun;
    int64_t count;
};

/* One table of columns for both forms. Returns their number. */
static size_t cells_of(struct export *x, int32_t partition, struct span id,
                       const struct customer *c, struct cell cells[CELLS_MAX])
{
    bool bought = c->purchase_days > 0;
    struct history h = {0};
    struct churn_risk risk;
    struct value value;
    struct span tier = span_of(tier_label(c->tier));
    struct span class = span_of(tier_class_label(tier_class(c, x->at_ms, x->params)));
    size_t n = 0;
    if (bought)
        h = customer_history(c, x->at_ms);
    churn_risk_at(c, x->at_ms, x->params, &risk);
    value_at(c, x->at_ms, x->params, &value);
    cells[n++] = (struct cell){.name = "customer", .type = CELL_TEXT, .text = id};
    cells[n++] = (struct cell){.name = "partition", .type = CELL_INT, .integer = partition};
    cells[n++] =
        (struct cell){.name = "stage", .type = CELL_TEXT, .text = span_of(stage_label(c->stage))};
    cells[n++] =
        (struct cell){.name = "stage_since", .type = CELL_TIME, .integer = c->stage_since_ms};
    cells[n++] =
        (struct cell){.name = "purchase_days", .type = CELL_INT, .integer = c->purchase_days};
    cells[n++] = (struct cell){.name = "orders", .type = CELL_INT, .integer = c->orders};
    cells[n++] = (struct cell){.name = "spend", .type = CELL_MONEY, .integer = c->spend_minor};
    cells[n++] = (struct cell){
        .name = "first_day", .type = CELL_DAY, .integer = c->first_day, .absent = !bought};
    cells[n++] = (struct cell){
        .name = "last_day", .type = CELL_DAY, .integer = c->last_day, .absent = !bought};
    cells[n++] = (struct cell){.name = "x", .type = CELL_DOUBLE, .number = h.x, .absent = !bought};
    cells[n++] =
        (struct cell){.name = "t_x", .type = CELL_DOUBLE, .number = h.t_x, .absent = !bought};
    cells[n++] = (struct cell){.name = "T", .type = CELL_DOUBLE, .number = h.T, .absent = !bought};
    cells[n++] = (struct cell){
        .name = "p_alive", .type = CELL_DOUBLE, .number = risk.p_alive, .absent = !bought};
    cells[n++] = (struct cell){
        .name = "p_buy_model", .type = CELL_DOUBLE, .number = risk.p_buy_model, .absent = !bought};
    cells[n++] = (struct cell){.name = "churn_risk",
                               .type = CELL_DOUBLE,
                               .number = risk.risk,
                               .absent = !bought && !risk.subscribed};
    cells[n++] = (struct cell){.name = "clv_12", .type = CELL_MONEY, .integer = value.clv_minor};
    cells[n++] =
        (struct cell){.name = "tier", .type = CELL_TEXT, .text = tier, .absent = tier.at == NULL};
    cells[n++] = (struct cell){.name = "percentile",
                               .type = CELL_DOUBLE,
                               .number = insight_percentile(&x->params->insight, value.clv_minor),
                               .absent = !bought || x->params->insight.buyers == 0};
    cells[n++] = (struct cell){
        .name = "class", .type = CELL_TEXT, .text = class, .absent = class.at == NULL};
    cells[n++] = (struct cell){.name = "channel",
                               .type = CELL_TEXT,
                               .text = {c->channel, strnlen(c->channel, sizeof c->channel)}};
    cells[n++] = (struct cell){.name = "first_seen", .type = CELL_TIME, .integer = c->first_ms};
    cells[n++] = (struct cell){.name = "last_seen", .type = CELL_TIME, .integer = c->touch_ms};
    cells[n++] = (struct cell){.name = "alerts", .type = CELL_INT, .integer = c->alert_count};
    return n;
}

static void put_csv(const struct cell *cell, const struct params *params)
{
    char text[64];
    if (cell->absent ||
        ((cell->type == CELL_TIME) && (cell->integer == INT64_MIN || cell->integer == INT64_MAX)))
        return;
    switch (cell->type) {
    case CELL_TEXT:
        csv_put_cell(stdout, cell->text);
        break;
    case CELL_INT:
        printf("%lld", (long long)cell->integer);
        break;
    case CELL_DOUBLE:
        printf("%.17g", cell->number);
        break;
    case CELL_MONEY:
        text_decimal_format(cell->integer, currency_exponent(params->reporting), text, sizeof text);
        fputs(text, stdout);
        break;
    case CELL_TIME:
        text_time_format(cell->integer, text);
        fputs(text, stdout);
        break;
    case CELL_DAY:
        text_date_format(cell->integer * TEXT_MS_PER_DAY, text);
        fputs(text, stdout);
        break;
    }
}

static void put_json(struct json_writer *w, const struct cell *cell, const struct params *params)
{
    char text[64];
    json_put_key(w, cell->name);
    if (cell->absent ||
        (cell->type == CELL_TIME && (cell->integer == INT64_MIN || cell->integer == INT64_MAX))) {
        json_put_null(w);
        return;
    }
    switch (cell->type) {
    case CELL_TEXT:
        json_put_string(w, cell->text);
        break;
    case CELL_INT:
        json_put_i64(w, cell->integer);
        break;
    case CELL_DOUBLE:
        json_put_double(w, cell->number);
        break;
    case CELL_MONEY: {
        size_t len = text_decimal_format(cell->integer, currency_exponent(params->reporting), text,
                                         sizeof text);
        json_put_raw(w, (struct span){text, len});
        break;
    }
    case CELL_TIME:
        json_put_time(w, cell->integer);
        break;
    case CELL_DAY:
        text_date_format(cell->integer * TEXT_MS_PER_DAY, text);
        json_put_text(w, text);
        break;
    }
}

static enum status export_one(void *self, int32_t partition, struct span id,
                              const struct customer *customer)
{
    struct export *x = self;
    struct cell cells[CELLS_MAX];
    size_t count = cells_of(x, partition, id, customer, cells);
    x->count++;
    if (x->json) {
        char line[LINE_MAX_BYTES];
        struct json_writer w;
        json_writer_init(&w, line, sizeof line);
        json_put_object(&w);
        for (size_t i = 0; i < count; i++)
            put_json(&w, &cells[i], x->params);
        json_put_object_end(&w);
        if (w.full)
            return STATUS_FULL;
        printf("%.*s\n", (int)w.len, line);
    } else {
        for (size_t i = 0; !x->begun && i < count; i++)
            printf("%s%s", i ? "," : "", cells[i].name);
        if (!x->begun)
            putchar('\n');
        for (size_t i = 0; i < count; i++) {
            if (i > 0)
                putchar(',');
            put_csv(&cells[i], x->params);
        }
        putchar('\n');
    }
    x->begun = true;
    return ctl_interrupted() || ferror(stdout) ? STATUS_REJECT : STATUS_OK;
}

int export_command(int argc, char **argv)
{
    const char *config_path = NULL, *brokers = NULL, *redis = NULL;
    int64_t at_ms = INT64_MIN;
    bool json = false;
    const struct ctl_option options[] = {
        {CTL_TEXT, "config", "FILE", "configuration of the daemon", &config_path},
        {CTL_TEXT, "brokers", "HOSTS", "instead of the configured ones", &brokers},
        {CTL_TEXT, "redis", "ADDRESS", "unix:/path or host:port, instead of the configured one",
         &redis},
        {CTL_TIME, "at", "TIME", "figures of the models as of then (default: now)", &at_ms},
        {CTL_FLAG, "json", NULL, "JSON lines instead of CSV", &json},
        {CTL_END, NULL, NULL, NULL, NULL},
    };
    ctl_options(argc, argv, "export [OPTIONS]", options, 0, 0);
    struct servers servers;
    struct report report = {0};
    int failed = servers_load(&servers, config_path, brokers, redis);
    if (failed)
        return failed;
    struct export x = {.params = &servers.config.params,
                       .at_ms = servers_now(&servers, at_ms, INT64_MIN),
                       .json = json};
    int result = CTL_OK;
    if (servers_walk(&servers, export_one, &x, &report) != STATUS_OK)
        result = ctl_fail_report(CTL_UNAVAILABLE, &report);
    if (fflush(stdout) != 0)
        result = ctl_fail(CTL_FAILED, "export: cannot write to standard output");
    servers_close(&servers);
    return result;
}
