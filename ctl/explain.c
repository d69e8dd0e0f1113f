/* explain: one customer, and what happens next if it stays silent, with dates. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "ctl/ctl.h"
#include "ctl/servers.h"
#include "model/outlook.h"
#include "model/rhythm.h"
#include "model/stage.h"
#include "model/tier.h"
#include "pipeline/customer_json.h"

enum { STEPS_MAX = 32, JSON_MAX = 65536 };
#define DAY_MS ((double)TEXT_MS_PER_DAY)

static const char *date(int64_t ms, char buffer[TEXT_TIME_BYTES])
{
    if (ms == INT64_MIN || ms == INT64_MAX)
        return "-";
    text_time_format(ms, buffer);
    buffer[16] = 'Z';
    buffer[17] = '\0';
    buffer[10] = ' ';
    return buffer;
}

static const char *money(const struct params *params, int64_t minor, char buffer[48])
{
    size_t len = text_decimal_format(minor, currency_exponent(params->reporting), buffer, 40);
    snprintf(buffer + len, 48 - len, " %s", currency_code(params->reporting));
    return buffer;
}

static void print_stage(const struct customer *c, int64_t at_ms)
{
    char since[TEXT_TIME_BYTES];
    printf("  stage        %s since %s (%.0f d), by %s", stage_label(c->stage),
           date(c->stage_since_ms, since), (double)(at_ms - c->stage_since_ms) / DAY_MS,
           stage_reason_label(c->stage_reason));
    if (c->stage == STAGE_CHURNED && c->churn_reason != CHURN_UNKNOWN)
        printf("; reason given: %s", churn_reason_label(c->churn_reason));
    putchar('\n');
}

static void print_purchases(const struct customer *c, int64_t at_ms, const struct params *params)
{
    char spend[48], last[TEXT_TIME_BYTES];
    if (c->purchase_days == 0) {
        printf("  purchases    none\n");
        return;
    }
    struct history h = customer_history(c, at_ms);
    printf("  purchases    %u orders on %u days, %s net, last %s\n", c->orders, c->purchase_days,
           money(params, c->spend_minor, spend), date(c->last_purchase_ms, last));
    printf("  rhythm       every %.1f d of its own, silent for %.1f d   (x %.0f, t_x %.2f d, T "
           "%.2f d)\n",
           (double)rhythm_gap_ms(c, params) / DAY_MS, (double)rhythm_silence_ms(c, at_ms) / DAY_MS,
           h.x, h.t_x, h.T);
}

static void print_value(const struct customer *c, int64_t at_ms, const struct params *params)
{
    char clv[48], spend[48], cost[48];
    struct value value;
    value_at(c, at_ms, params, &value);
    printf("  value        %s expected in 12 months", money(params, value.clv_minor, clv));
    if (c->purchase_days > 0)
        printf(" = %.2f purchases x %s, discounted", value.purchases_12,
               money(params, (int64_t)llround(value.spend_minor), spend));
    else
        printf(" = %.0f %% likely to buy", 100 * value.p_convert);
    if (value.cost_minor > 0)
        printf(", less %s service cost", money(params, value.cost_minor, cost));
    printf("%s\n", params->calibrated ? "" : " (parameters not calibrated)");
}

static void print_tier(const struct customer *c, int64_t at_ms, const struct params *params)
{
    const char *class = tier_class_label(tier_class(c, at_ms, params));
    char since[TEXT_TIME_BYTES];
    if (c->tier != TIER_NONE)
        printf("  tier         %s since %s, at percentile %.1f of %lld buyers%s%s\n",
               tier_label(c->tier), date(c->tier_since_ms, since),
               insight_percentile(&params->insight, c->value_minor),
               (long long)params->insight.buyers, class ? "; " : "", class ? class : "");
    else if (class)
        printf("  class        %s\n", class);
}

static void print_risk(const struct customer *c, int64_t at_ms, const struct params *params)
{
    struct churn_risk risk;
    churn_risk_at(c, at_ms, params, &risk);
    if (c->purchase_days == 0 && !risk.subscribed) {
        printf("  churn risk   none: has not bought\n");
        return;
    }
    printf("  churn risk   %.1f %% (does not buy within %.0f d); P(alive) %.3f%s\n",
           100 * risk.risk, (double)params->churn_horizon_ms / DAY_MS, risk.p_alive,
           risk.subscribed ? "; by subscription term" : "");
    double sum = risk.base_logit;
    for (int i = 0; i < FEATURE_COUNT; i++)
        sum += risk.learned[i];
    for (int i = 0; i < WARNING_COUNT; i++)
        sum += risk.contribution[i];
    printf("               logit P(buy) %+.3f = %+.3f history", sum, risk.base_logit);
    for (int i = 0; i < FEATURE_COUNT; i++)
        if (risk.learned[i] != 0)
            printf(" %+.3f %s", risk.learned[i], feature_label((enum feature)i));
    for (int i = 0; i < WARNING_COUNT; i++)
        if (risk.contribution[i] != 0)
            printf(" %+.3f %s", risk.contribution[i], warning_label((enum warning)i));
    putchar('\n');
}

static void print_episodes(const struct customer *c)
{
    char since[TEXT_TIME_BYTES];
    for (uint32_t i = 0; i < c->episodes; i++) {
        const struct episode *e = &c->episode[i];
        if (e->phase == EPISODE_OPEN)
            printf("  open alert   %s (%s) since %s%s\n", kind_label((enum kind)e->kind),
                   kind_band_label((enum kind)e->kind, e->band), date(e->since_ms, since),
                   e->told ? "" : ", history: not told");
    }
}

static void print_outlook(const struct outlook_step *steps, uint32_t count, int64_t at_ms)
{
    char when[TEXT_TIME_BYTES];
    printf("  if silent\n");
    if (count == 0)
        printf("    nothing happens any more\n");
    for (uint32_t i = 0; i < count; i++) {
        const struct outlook_step *s = &steps[i];
        printf("    %s  (in %5.1f d)  ", date(s->at_ms, when), (double)(s->at_ms - at_ms) / DAY_MS);
        if (s->forgotten)
            printf("forgotten\n");
        else if (s->kind == KIND_STAGE_CHANGED)
            printf("%s -> %s, churn risk %.1f %%\n", stage_label(s->from), stage_label(s->to),
                   100 * s->risk);
        else
            printf("%s %s (%s), churn risk %.1f %%\n", kind_label(s->kind), phase_label(s->phase),
                   kind_band_label(s->kind, s->band), 100 * s->risk);
    }
}

static void explain_text(struct span id, const struct customer *c, int64_t at_ms,
                         const struct params *params, const struct outlook_step *steps,
                         uint32_t count)
{
    char at[TEXT_TIME_BYTES], first[TEXT_TIME_BYTES], touch[TEXT_TIME_BYTES];
    printf("customer %.*s at %s\n", (int)id.len, id.at, date(at_ms, at));
    printf("  known since  %s through %.*s, last seen %s\n", date(c->first_ms, first),
           CUSTOMER_TEXT_MAX, c->channel[0] ? c->channel : "?", date(c->touch_ms, touch));
    print_stage(c, at_ms);
    print_purchases(c, at_ms, params);
    print_value(c, at_ms, params);
    print_tier(c, at_ms, params);
    print_risk(c, at_ms, params);
    print_episodes(c);
    print_outlook(steps, count, at_ms);
}

static int explain_found(struct servers *servers, struct span id, struct customer *customer,
                         int64_t at_ms, bool json)
{
    struct span into = customer_into(customer);
    if (customer_is_redirect(customer))
        return ctl_fail(CTL_DATA,
                        "explain: %.*s has become another customer: lifecyclectl explain %.*s",
                        (int)id.len, id.at, (int)into.len, into.at);
    const struct params *params = &servers->config.params;
    struct outlook_step steps[STEPS_MAX];
    struct effects scratch = {.cap = EFFECTS_PER_STEP_MAX,
                              .at = calloc(EFFECTS_PER_STEP_MAX, sizeof(struct effect))};
    if (!scratch.at)
        return ctl_fail(CTL_UNAVAILABLE, "explain: no memory");
    uint32_t count =
        outlook_of(customer, at_ms + 3 * 366 * TEXT_MS_PER_DAY, params, &scratch, steps, STEPS_MAX);
    free(scratch.at);
    if (!json) {
        explain_text(id, customer, at_ms, params, steps, count);
        return CTL_OK;
    }
    static char buffer[JSON_MAX];
    struct json_writer writer;
    json_writer_init(&writer, buffer, sizeof buffer);
    customer_json_write(&writer, id, customer, at_ms, params, steps, count);
    if (writer.full)
        return ctl_fail(CTL_FAILED, "explain: more than %d bytes", JSON_MAX);
    printf("%.*s\n", (int)writer.len, buffer);
    return CTL_OK;
}

int explain_command(int argc, char **argv)
{
    const char *config_path = NULL, *brokers = NULL, *redis = NULL;
    int64_t at_ms = INT64_MIN;
    bool json = false, found = false;
    const struct ctl_option options[] = {
        {CTL_TEXT, "config", "FILE", "configuration of the daemon", &config_path},
        {CTL_TEXT, "brokers", "HOSTS", "instead of the configured ones", &brokers},
        {CTL_TEXT, "redis", "ADDRESS", "unix:/path or host:port, instead of the configured one",
         &redis},
        {CTL_TIME, "at", "TIME", "as of then (default: now; with clock: event the newest event)",
         &at_ms},
        {CTL_FLAG, "json", NULL, "for programs", &json},
        {CTL_END, NULL, NULL, NULL, NULL},
    };
    ctl_options(argc, argv, "explain CUSTOMER [OPTIONS]", options, 1, 1);
    struct span id = span_of(argv[0]);
    struct servers servers;
    struct store_meta meta;
    struct customer customer;
    struct report report = {0};
    int failed = servers_load(&servers, config_path, brokers, redis);
    if (failed)
        return failed;
    int result;
    if (servers_customer(&servers, id, &customer, &found, &meta, &report) != STATUS_OK)
        result = ctl_fail_report(CTL_UNAVAILABLE, &report);
    else if (!found)
        result =
            ctl_fail(CTL_FAILED, "explain: no customer '%s' (never seen, or forgotten)", argv[0]);
    else
        result = explain_found(&servers, id, &customer,
                               servers_now(&servers, at_ms, meta.watermark_ms), json);
    servers_close(&servers);
    return result;
}
