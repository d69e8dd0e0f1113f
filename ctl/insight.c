/* insight: what the daemons learned of the whole population, and how to make them learn now. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "ctl/ctl.h"
#include "ctl/servers.h"
#include "model/tier.h"
#include "state/proposal.h"

enum { STORY_BYTES = 1 << 16, ANSWER_POLL_MS = 200 };

/* --- asking --- */

/* Asks, and waits for the answer. */
static int ask(struct servers *servers, int64_t wait_ms)
{
    struct clock clock = clock_system();
    struct proposal there = {0};
    struct report report = {0};
    int64_t until_ms = clock_mono_ms(&clock) + wait_ms, number = clock_wall_ms(&clock);
    if (proposal_ask(&servers->redis, servers->config.app, number, &report) != STATUS_OK)
        return ctl_fail_report(CTL_UNAVAILABLE, &report);
    while (clock_mono_ms(&clock) < until_ms && !ctl_interrupted()) {
        if (proposal_peek(&servers->redis, servers->config.app, &there, &report) != STATUS_OK)
            return ctl_fail_report(CTL_UNAVAILABLE, &report);
        if (there.answered == number)
            return CTL_OK;
        ctl_nap(ANSWER_POLL_MS);
    }
    return ctl_fail(CTL_FAILED,
                    "insight: asked for, and not made within %lld s: does a daemon own partition 0 "
                    "(lifecyclectl status)? It will still be made when one does",
                    (long long)(wait_ms / 1000));
}

/* --- the story: what the daemon said of its last survey --- */

struct told_model {
    char name[16], outcome[16], reason[160], help[240];
};

static void copy(struct span text, char *ret_text, size_t cap)
{
    snprintf(ret_text, cap, "%.*s", (int)(text.len < cap ? text.len : cap - 1), text.at);
}

static void read_model(struct json_reader *r, struct told_model *ret_model)
{
    struct span key;
    json_object_begin(r);
    while (json_object_next(r, &key)) {
        if (span_is(key, "outcome"))
            copy(json_read_string(r), ret_model->outcome, sizeof ret_model->outcome);
        else if (span_is(key, "reason"))
            copy(json_read_string(r), ret_model->reason, sizeof ret_model->reason);
        else if (span_is(key, "help"))
            copy(json_read_string(r), ret_model->help, sizeof ret_model->help);
        else
            json_skip(r);
    }
}

static void print_model(const struct told_model *model)
{
    printf("  %-12s %s: %s%s%s\n", model->name, model->outcome, model->reason,
           model->help[0] ? "; what would help: " : "", model->help);
}

static void print_models(struct json_reader *r)
{
    struct span key;
    json_object_begin(r);
    while (json_object_next(r, &key)) {
        struct told_model model = {.name = ""};
        copy(key, model.name, sizeof model.name);
        read_model(r, &model);
        if (!r->fault)
            print_model(&model);
    }
}

static double read_number(struct json_reader *r)
{
    double value = 0;
    if (text_double_parse(json_read_number(r), &value) != STATUS_OK)
        json_fault(r, "a number is none");
    return value;
}

static void print_learned(struct json_reader *r)
{
    bool in_force = false;
    double lessons = 0, notes = 0, loss = 0, plain = 0;
    struct span key;
    json_object_begin(r);
    while (json_object_next(r, &key)) {
        if (span_is(key, "in_force"))
            in_force = json_read_bool(r);
        else if (span_is(key, "lessons"))
            lessons = read_number(r);
        else if (span_is(key, "notes"))
            notes = read_number(r);
        else if (span_is(key, "log_loss"))
            loss = read_number(r);
        else if (span_is(key, "log_loss_plain"))
            plain = read_number(r);
        else
            json_skip(r);
    }
    if (r->fault)
        return;
    printf("  learned      %s: %.0f lessons", in_force ? "in force" : "not in force", lessons);
    if (lessons > 0)
        printf(", log loss of P(buy) %.4f, the model alone %.4f", loss, plain);
    printf("; %.0f customers noted\n", notes);
}

/* Also a survey that could not be made tells why. */
static void print_story(struct span story, struct arena *scratch)
{
    struct json_reader r;
    struct span key;
    json_reader_init(&r, story, scratch);
    json_object_begin(&r);
    while (json_object_next(&r, &key)) {
        if (span_is(key, "models")) {
            print_models(&r);
        } else if (span_is(key, "learned")) {
            print_learned(&r);
        } else if (span_is(key, "text")) {
            struct span text = json_read_string(&r);
            printf("  last survey  not made: %.*s\n", (int)text.len, text.at ? text.at : "");
        } else {
            json_skip(&r);
        }
    }
}

/* --- the insight itself --- */

static void print_cut(const struct params *params, enum tier tier)
{
    char money[48];
    double floor = tier_floor(tier, params);
    text_decimal_format(params->insight.value_cut_minor[(int)floor],
                        currency_exponent(params->reporting), money, sizeof money);
    printf("  tier %s       from percentile %.0f: %s %s expected in 12 months\n", tier_label(tier),
           floor, money, currency_code(params->reporting));
}

static void print_insight(const struct params *params)
{
    const struct insight *insight = &params->insight;
    char made[TEXT_TIME_BYTES];
    if (insight->version == 0) {
        printf("none made yet: nobody has a tier, the parameters are those of the configuration\n");
        return;
    }
    text_time_format(insight->made_ms, made);
    printf("version %u of %lld buyers as of %s\n", (unsigned)insight->version,
           (long long)insight->buyers, made);
    printf("  value        top 20 %% of the buyers hold %.1f %%, Gini %.3f\n",
           100 * insight->value_top20, insight->value_gini);
    printf("  revenue      top 20 %% of the buyers brought %.1f %%, Gini %.3f\n",
           100 * insight->revenue_top20, insight->revenue_gini);
    print_cut(params, TIER_A);
    print_cut(params, TIER_B);
    print_cut(params, TIER_C);
    if (insight->gap_ms > 0)
        printf("  rhythm       half of the repeat buyers buy every %.1f d or more often\n",
               (double)insight->gap_ms / TEXT_MS_PER_DAY);
    if (insight->fitted_mbg)
        printf("  buying       r %.4g, alpha %.4g d, a %.4g, b %.4g\n", insight->mbg_r,
               insight->mbg_alpha, insight->mbg_a, insight->mbg_b);
    if (insight->fitted_gg)
        printf("  spend        p %.4g, q %.4g, gamma %.4g\n", insight->gg_p, insight->gg_q,
               insight->gg_gamma);
    if (insight->fitted_sbg)
        printf("  renewals     alpha %.4g, beta %.4g\n", insight->sbg_alpha, insight->sbg_beta);
}

static int show(struct servers *servers, bool json)
{
    struct report report = {0};
    struct span story = SPAN_ABSENT;
    struct arena arena;
    int result = CTL_OK;
    arena_init(&arena, STORY_BYTES);
    if (servers_learn(servers, &report) != STATUS_OK ||
        proposal_story(&servers->redis, servers->config.app, &arena, &story, &report) !=
            STATUS_OK) {
        result = ctl_fail_report(CTL_UNAVAILABLE, &report);
    } else if (json) {
        printf("%.*s\n", story.at ? (int)story.len : 4, story.at ? story.at : "null");
    } else {
        print_insight(&servers->config.params);
        if (story.at)
            print_story(story, &arena);
    }
    arena_fini(&arena);
    return result;
}

int insight_command(int argc, char **argv)
{
    const char *config_path = NULL, *redis = NULL;
    int64_t wait_ms = 600000;
    bool now = false, json = false;
    const struct ctl_option options[] = {
        {CTL_TEXT, "config", "FILE", "configuration of the daemon", &config_path},
        {CTL_TEXT, "redis", "ADDRESS", "unix:/path or host:port, instead of the configured one",
         &redis},
        {CTL_FLAG, "now", NULL, "ask the daemon that owns partition 0 for a new one, and wait",
         &now},
        {CTL_DURATION, "wait", "TIME", "at most so long (default 10m)", &wait_ms},
        {CTL_FLAG, "json", NULL, "what the daemon told of the last survey, as it told it", &json},
        {CTL_END, NULL, NULL, NULL, NULL},
    };
    ctl_options(argc, argv, "insight [--now] [OPTIONS]", options, 0, 0);
    struct servers servers;
    struct report report = {0};
    int result = servers_load(&servers, config_path, NULL, redis);
    if (result)
        return result;
    if (servers_redis(&servers, &report) != STATUS_OK)
        result = ctl_fail_report(CTL_UNAVAILABLE, &report);
    if (result == CTL_OK && now)
        result = ask(&servers, wait_ms);
    if (result == CTL_OK)
        result = show(&servers, json);
    servers_close(&servers);
    return result;
}
