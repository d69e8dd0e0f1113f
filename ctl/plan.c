#include "ctl/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/text.h"
#include "ctl/ctl.h"
#include "ctl/in_force.h"
#include "ctl/servers.h"
#include "model/value.h"
#include "pipeline/worker.h"

_Static_assert(PLAN_WINDOW_MS == WORKER_REARM_SPREAD_MS + WORKER_DUE_SPREAD_MS,
               "the window lasts until everybody has been judged");

/* A customer silent through the window: far fewer timers fire than this. */
#define ALERTS_MAX 2048

struct partition_now {
    int64_t switch_ms;   /* W at the switch */
    int64_t switched_ms; /* W of the last one */
    uint32_t version;
    bool present;
};

struct plan {
    struct servers *servers;
    struct params *now; /* by partition */
    struct partition_now *partitions;
    struct plan_view view;
    struct plan_sums sums;
    struct effect *with, *without; /* ALERTS_MAX each */
    struct effect *scratch;
};

/* --- one customer --- */

/* Silence until the window's end, as the worker brings it. */
static uint32_t silence(struct customer *customer, int64_t until_ms, const struct params *params,
                        struct effect *alerts)
{
    struct effects effects = {.at = alerts};

    while (customer->due_ms <= until_ms && customer->due_ms != INT64_MAX) {
        effects.cap = ALERTS_MAX;
        MUST(ALERTS_MAX - effects.count >= EFFECTS_PER_STEP_MAX);
        fold_timers(customer, customer->due_ms, customer->due_ms, params, &effects);
    }
    return effects.count;
}

static bool told_in(const struct effect *effect, const struct effect *alerts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (alerts[i].kind == effect->kind && alerts[i].phase == effect->phase &&
            alerts[i].band == effect->band && alerts[i].to == effect->to &&
            alerts[i].tier_to == effect->tier_to)
            return true;
    return false;
}

static int open_of(const struct customer *customer, const struct episode *like)
{
    int count = 0;

    for (uint8_t i = 0; i < customer->episodes; i++)
        count += customer->episode[i].phase == EPISODE_OPEN &&
                 customer->episode[i].kind == like->kind && customer->episode[i].band == like->band;
    return count;
}

/* Has one of them open what the other has not? */
static bool open_differs(const struct customer *left, const struct customer *right)
{
    for (uint8_t i = 0; i < left->episodes; i++)
        if (open_of(left, &left->episode[i]) != open_of(right, &left->episode[i]))
            return true;
    for (uint8_t i = 0; i < right->episodes; i++)
        if (open_of(left, &right->episode[i]) != open_of(right, &right->episode[i]))
            return true;
    return false;
}

static void count_after(struct plan *plan, struct customer *customer, int64_t until_ms,
                        const struct params *params, struct plan_alerts *alerts)
{
    struct effects effects = {.at = plan->scratch};

    while (customer->due_ms <= until_ms && customer->due_ms != INT64_MAX) {
        effects.count = 0;
        effects.cap = EFFECTS_PER_STEP_MAX;
        fold_timers(customer, customer->due_ms, customer->due_ms, params, &effects);
        for (uint32_t i = 0; i < effects.count; i++)
            alerts->after[plan->scratch[i].kind] += plan->scratch[i].phase == PHASE_RAISED;
    }
}

static void count_window(const struct effect *alerts, uint32_t count, struct plan_alerts *ret)
{
    for (uint32_t i = 0; i < count; i++)
        ret->window[alerts[i].kind][alerts[i].phase]++;
}

/* Both fates at the end of the window. */
static void compare(struct plan *plan, const struct customer *with, const struct customer *without,
                    int64_t value_minor)
{
    struct plan_sums *sums = &plan->sums;
    bool moves = with->stage != without->stage || with->tier != without->tier;

    sums->customers++;
    if (with->stage != without->stage) {
        sums->stage[without->stage][with->stage]++;
        sums->stage_minor[without->stage][with->stage] += value_minor;
    }
    if (with->tier != without->tier) {
        sums->tier[without->tier][with->tier]++;
        sums->tier_minor[without->tier][with->tier] += value_minor;
    }
    if (moves || open_differs(with, without)) {
        sums->affected++;
        sums->affected_minor = customer_money_add(sums->affected_minor, value_minor);
    }
}

static enum status plan_one(void *self, int32_t partition, struct span id,
                            const struct customer *customer)
{
    struct plan *plan = self;
    const struct partition_now *now = &plan->partitions[partition];
    const struct params *in_force = &plan->now[partition], *wanted = &plan->servers->config.params;
    const uint64_t hash = store_customer_hash(id);
    const int64_t until_ms = now->switch_ms + PLAN_WINDOW_MS - worker_due_ms(hash, 0);
    const int64_t days_ms = plan->sums.days * TEXT_MS_PER_DAY;
    struct customer with = *customer, without = *customer;
    uint32_t with_count, without_count;
    struct value value;

    if (!now->present || customer_is_empty(customer) || customer->stage == STAGE_NONE)
        return ctl_interrupted() ? STATUS_REJECT : STATUS_OK;
    value_at(customer, now->switch_ms > customer->now_ms ? now->switch_ms : customer->now_ms,
             in_force, &value);
    if (without.params_version < now->version) /* what the worker does when it reads the record */
        fold_rearm(&without, worker_rearm_ms(hash, now->switched_ms), now->version, in_force);
    fold_rearm(&with, worker_rearm_ms(hash, now->switch_ms), now->version + 1, wanted);
    with_count = silence(&with, until_ms, wanted, plan->with);
    without_count = silence(&without, until_ms, in_force, plan->without);
    compare(plan, &with, &without, value.clv_minor);
    count_window(plan->with, with_count, &plan->sums.with);
    count_window(plan->without, without_count, &plan->sums.without);
    for (uint32_t i = 0; i < with_count; i++) {
        struct plan_row row = {id, partition, &plan->with[i],
                               told_in(&plan->with[i], plan->without, without_count),
                               value.clv_minor};
        plan_row_print(&plan->view, &row);
    }
    count_after(plan, &with, until_ms + days_ms, wanted, &plan->sums.with);
    count_after(plan, &without, until_ms + days_ms, in_force, &plan->sums.without);
    return ctl_interrupted() || ferror(stdout) ? STATUS_REJECT : STATUS_OK;
}

/* --- all of them --- */

static enum status partitions_look(struct plan *plan, int64_t at_ms, struct report *report)
{
    struct servers *servers = plan->servers;

    for (int32_t i = 0; i < servers->partitions; i++) {
        struct partition_now *now = &plan->partitions[i];
        struct store_meta meta;
        enum status status =
            store_peek(&servers->redis, servers->config.app, i, &meta, &now->present, report);

        if (status != STATUS_OK)
            return status;
        if (!now->present)
            continue;
        now->switch_ms = servers_now(servers, at_ms, meta.watermark_ms);
        if (at_ms == INT64_MIN && meta.watermark_ms > now->switch_ms)
            now->switch_ms = meta.watermark_ms;
        now->switched_ms = meta.switched_ms;
        now->version = meta.params_version;
        if (plan->view.at_ms == INT64_MIN || now->switch_ms > plan->view.at_ms)
            plan->view.at_ms = now->switch_ms;
    }
    return STATUS_OK;
}

static bool memory_make(struct plan *plan)
{
    size_t count = (size_t)plan->servers->partitions;

    plan->now = calloc(count, sizeof *plan->now);
    plan->partitions = calloc(count, sizeof *plan->partitions);
    plan->with = calloc(ALERTS_MAX, sizeof *plan->with);
    plan->without = calloc(ALERTS_MAX, sizeof *plan->without);
    plan->scratch = calloc(EFFECTS_PER_STEP_MAX, sizeof *plan->scratch);
    return plan->now && plan->partitions && plan->with && plan->without && plan->scratch;
}

static void memory_free(struct plan *plan)
{
    free(plan->now);
    free(plan->partitions);
    free(plan->with);
    free(plan->without);
    free(plan->scratch);
}

static enum status plan_run(struct plan *plan, int64_t at_ms, struct report *report)
{
    struct servers *servers = plan->servers;
    int32_t missing = -1;
    enum status status = servers_partitions(servers, report);

    if (status == STATUS_OK)
        status = servers_redis(servers, report);
    if (status == STATUS_OK && !memory_make(plan)) {
        report_set(report, "memory", "no memory");
        status = STATUS_RETRY;
    }
    if (status == STATUS_OK)
        status = in_force_read(servers, plan->now, servers->partitions, &missing, report);
    if (status == STATUS_OK)
        status = partitions_look(plan, at_ms, report);
    if (status == STATUS_OK && missing >= 0 && plan->partitions[missing].present) {
        report_set(report, "control-lost", "the control topic has no parameters of partition %d",
                   missing);
        status = STATUS_REJECT;
    }
    return status == STATUS_OK ? servers_walk(servers, plan_one, plan, report) : status;
}

int plan_command(int argc, char **argv)
{
    const char *config_path = NULL, *brokers = NULL, *redis = NULL;
    int64_t at_ms = INT64_MIN;
    struct plan plan = {.sums = {.days = 30}, .view = {.at_ms = INT64_MIN}};
    const struct ctl_option options[] = {
        {CTL_TEXT, "config", "NEW.yaml", "the configuration that is to be deployed", &config_path},
        {CTL_TEXT, "brokers", "HOSTS", "instead of the configured ones", &brokers},
        {CTL_TEXT, "redis", "ADDRESS", "unix:/path or host:port, instead of the configured one",
         &redis},
        {CTL_TIME, "at", "TIME", "when the daemon switches (default: now; with clock: event at W)",
         &at_ms},
        {CTL_COUNT, "days", "N", "of silence for the alerts a day (default 30)", &plan.sums.days},
        {CTL_COUNT, "customers", "N",
         "also list the alerts of the hour after the switch, N at most", &plan.view.rows_max},
        {CTL_FLAG, "json", NULL, "JSON lines: the list, then the sums", &plan.view.json},
        {CTL_END, NULL, NULL, NULL, NULL},
    };
    ctl_options(argc, argv, "plan --config NEW.yaml [OPTIONS]   (changes nothing)", options, 0, 0);
    if (!config_path)
        return ctl_fail(CTL_USAGE, "plan: --config NEW.yaml is what it is about");
    if (plan.sums.days < 1 || plan.sums.days > 3660)
        return ctl_fail(CTL_USAGE, "plan: --days from 1 to 3660");
    struct servers servers;
    struct report report = {0};
    int result = servers_load(&servers, config_path, brokers, redis);
    if (result)
        return result;
    plan.servers = &servers;
    plan.view.params = &servers.config.params;
    if (plan_run(&plan, at_ms, &report) == STATUS_OK)
        plan_sums_print(&plan.view, &plan.sums);
    else
        result = ctl_fail_report(CTL_UNAVAILABLE, &report);
    if (fflush(stdout) != 0)
        result = ctl_fail(CTL_FAILED, "plan: cannot write to standard output");
    memory_free(&plan);
    servers_close(&servers);
    return result;
}
