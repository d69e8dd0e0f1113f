/* fold: one step of one customer. Statistics first (tally), then judgement (stage, rules and
 * episodes) at fold time, then the time of the next timer. */
#include "model/fold.h"

#include <string.h>

#include "base/must.h"
#include "base/text.h"
#include "model/episode.h"
#include "model/errands.h"
#include "model/merge.h"
#include "model/stage.h"
#include "model/tally.h"
#include "model/tier.h"

/* An order and a refund with the same id are two things. */
#define SALT_ORDER  UINT64_C(0x6f72646572000001)
#define SALT_REFUND UINT64_C(0x726566756e640002)

/* Activity is compared as of the last 30 days against those before (churn_risk.c, warning
 * `activity_decline`). */
#define BIN_MS      (CUSTOMER_BIN_DAYS * TEXT_MS_PER_DAY)
#define RECENT_BINS (30 / CUSTOMER_BIN_DAYS + 1)

/* Episodes of a customer that was forgotten and came back must not be told by numbers of its first
 * life: they begin anywhere. */
#define EPISODE_MASK UINT64_C(0x3fffffff)

/* Fold time may be this far ahead of the record that moves a state: what decode allows an event,
 * twice. */
#define AHEAD_MAX_MS (2 * TEXT_MS_PER_DAY)

/* Far above what a silent customer's timers can be; more means that one does not move on. */
#define FIRED_MAX 100000

/* --- judgement --- */

static enum stage_reason reason_of_event(const struct event *event, enum stage_reason reason)
{
    if (reason != STAGE_BY_PURCHASE && reason != STAGE_BY_TENURE)
        return reason;
    if (event == NULL)
        return reason;
    if (tally_is_purchase(event))
        return STAGE_BY_PURCHASE;
    if (event->type == EVENT_ORDER_REFUNDED || event->type == EVENT_ORDER_CANCELLED)
        return STAGE_BY_REFUND;
    return event_type_group(event->type) == EVENT_SUBSCRIPTION ? STAGE_BY_SUBSCRIPTION : reason;
}

static void judge_risk(struct view *view, struct customer *customer)
{
    if (customer->purchase_days == 0 || customer->stage == STAGE_CHURNED) {
        customer->risk_since_ms = INT64_MAX;
        return;
    }
    if (rule_risk(view)->risk < rule_threshold(view))
        customer->risk_since_ms = INT64_MAX;
    else if (customer->risk_since_ms == INT64_MAX)
        customer->risk_since_ms = view->at_ms;
}

static void judge_stage(struct view *view, struct customer *customer)
{
    struct stage_verdict verdict = stage_of(customer, view->at_ms, view->params);

    if (verdict.stage == customer->stage)
        return;
    view->moved = true;
    view->from = customer->stage;
    customer->stage = verdict.stage;
    customer->stage_reason = reason_of_event(view->event, verdict.reason);
    customer->stage_since_ms = view->at_ms;
    customer->stage_cause = view->event != NULL ? view->event->id_fp : 0;
    if (verdict.stage == STAGE_CHURNED) {
        customer->churned_ms = view->at_ms;
        customer->risk_since_ms = INT64_MAX;
    } else if (view->from == STAGE_CHURNED) {
        customer->churn_reason = CHURN_UNKNOWN;
    }
    customer->returned = stage_returned(customer);
}

/* A step that brings money, a timer, or a stage changed may move the value; views and the like do
 * not (time alone is the timer's business). */
static bool calls_for_assessment(const struct view *view)
{
    enum event_group group;

    if (view->customer->purchase_days == 0)
        return view->customer->tier != TIER_NONE;
    if (view->event == NULL || view->moved || view->event->errand == EVENT_STATE)
        return true;
    group = event_type_group(view->event->type);
    return group == EVENT_PURCHASE || group == EVENT_SUBSCRIPTION || group == EVENT_COST;
}

static void judge_tier(struct view *view, struct customer *customer)
{
    view->tier_from = customer->tier;
    if (view->params->insight.buyers > 0 && calls_for_assessment(view))
        tier_assess(customer, rule_value(view)->clv_minor, view->at_ms, view->params);
}

static struct view view_of(const struct customer *customer, const struct event *event,
                           const struct params *params)
{
    return (struct view){
        .customer = customer,
        .params = params,
        .at_ms = customer->now_ms,
        .event = event,
        .tier_from = customer->tier,
    };
}

static int64_t due_of(struct view *view, const struct episode_answers *answers)
{
    const struct customer *customer = view->customer;
    int64_t risk_turns_ms = INT64_MAX;
    int64_t due_ms, forget_ms, tier_ms, episode_ms;

    if (customer->stage == STAGE_NONE)
        return INT64_MAX;
    if (customer->purchase_days > 0 && stage_watches_risk(customer->stage))
        risk_turns_ms =
            customer->risk_since_ms == INT64_MAX
                ? rule_crossing(view)
                : churn_risk_clearing(customer, view->at_ms, rule_threshold(view), view->params);
    due_ms = stage_due_given(customer, view->at_ms, risk_turns_ms, view->params);
    forget_ms = stage_forget_ms(customer, view->params);
    /* Fold time may have run ahead of a late event by more than that (a tombstone's has): forgotten
     * next, then. */
    if (forget_ms <= view->at_ms)
        forget_ms = view->at_ms + 1;
    if (forget_ms < due_ms)
        due_ms = forget_ms;
    tier_ms = tier_due(customer, view->at_ms, view->params);
    if (tier_ms < due_ms)
        due_ms = tier_ms;
    episode_ms = episode_due(view, answers);
    return episode_ms < due_ms ? episode_ms : due_ms;
}

int64_t fold_due(const struct customer *customer, const struct params *params)
{
    struct view view = view_of(customer, NULL, params);

    return due_of(&view, NULL);
}

/* Stage and episodes at fold time, and the next timer. */
static void judge(struct customer *customer, const struct event *event, bool late,
                  const struct params *params, struct effects *effects)
{
    struct view view = view_of(customer, event, params);
    struct episode_answers answers;

    judge_risk(&view, customer);
    judge_stage(&view, customer);
    judge_tier(&view, customer);
    episode_step(&view, customer, late, effects, &answers);
    customer->due_ms = due_of(&view, &answers);
    MUST(customer->due_ms > customer->now_ms);
}

/* --- the short way --- */

/* A sign of life of a customer of whom nothing is open and no risk elevated can only put silence,
 * and so everything silence brings, off: there is nothing to judge. It counts against the customer
 * first when it moves from the recent activity into that before (RECENT_BINS later): the timer must
 * not be later than that. Most events are such. */
static bool goes_the_short_way(const struct customer *customer, const struct event *event)
{
    if (!tally_is_activity(event->type) || event->type == EVENT_ORDER_COMPLETED ||
        event->reason != CHURN_UNKNOWN)
        return false;
    if (customer->stage == STAGE_NONE || event->time_ms < customer->now_ms ||
        customer->risk_since_ms != INT64_MAX)
        return false;
    for (uint8_t i = 0; i < customer->episodes; i++)
        if (customer->episode[i].phase == EPISODE_OPEN)
            return false;
    return true;
}

static void go_the_short_way(struct customer *customer, const struct event *event)
{
    int64_t counts_against_ms = ((int64_t)customer_bin_of(event->time_ms) + RECENT_BINS) * BIN_MS;

    customer->now_ms = event->time_ms;
    if (customer->purchase_days > 0 && customer->stage != STAGE_CHURNED &&
        counts_against_ms < customer->due_ms)
        customer->due_ms = counts_against_ms;
}

/* --- time --- */

static bool is_late(int64_t found_ms, int64_t at_ms, const struct params *params)
{
    int64_t late_ms;

    /* The record's own timestamp is anybody's word. */
    if (__builtin_sub_overflow(found_ms, at_ms, &late_ms))
        return found_ms > at_ms;
    return late_ms > params->late_max_ms;
}

/* What is left of a customer whose data is gone: when it was erased, and the counters that keep
 * alert ids unique. */
static void wipe(struct customer *customer)
{
    struct customer was = *customer;

    customer_init(customer);
    if (was.erased_ms == INT64_MIN)
        return;
    customer->now_ms = was.now_ms;
    customer->erased_ms = was.erased_ms;
    customer->erased_offset = was.erased_offset;
    customer->episode_count = was.episode_count;
    customer->alert_count = was.alert_count;
}

static void fire(struct customer *customer, int64_t found_ms, const struct params *params,
                 struct effects *effects)
{
    int64_t due_ms = customer->due_ms;

    if (due_ms > customer->now_ms)
        customer->now_ms = due_ms;
    if (stage_forget_ms(customer, params) <= customer->now_ms) {
        wipe(customer);
        return;
    }
    judge(customer, NULL, is_late(found_ms, due_ms, params), params, effects);
}

void fold_timers(struct customer *customer, int64_t until_ms, int64_t found_ms,
                 const struct params *params, struct effects *effects)
{
    for (int fired = 0; customer->due_ms <= until_ms && customer->due_ms != INT64_MAX; fired++) {
        MUST(fired < FIRED_MAX);
        fire(customer, found_ms, params, effects);
    }
}

void fold_rearm(struct customer *customer, int64_t watermark_ms, uint32_t params_version,
                const struct params *params)
{
    int64_t soonest_ms = watermark_ms > customer->now_ms ? watermark_ms : customer->now_ms + 1;

    (void)params;
#ifdef LC_FOLD_NEXT
    if (params->fold_level < 2) /* what a lower level does not know is gone */
        customer->next_events = 0;
#endif
    customer->params_version = params_version;
    if (customer->stage == STAGE_NONE)
        return;
    /* Under new numbers anything may hold at once: the timer fires, finds out, and arms itself
     * again. */
    customer->due_ms = soonest_ms;
}

/* --- events --- */

/* Silence until the event first. Whoever is forgotten in it comes back as somebody new, whether it
 * was this event or W that found out. */
static void pass_time(struct customer *customer, struct ledger *ledger, const struct event *event,
                      const struct params *params, struct effects *effects)
{
    const bool was_empty = customer_is_empty(customer);
    const uint32_t version = customer->params_version;

    fold_timers(customer, event->time_ms, event->record_ms, params, effects);
    if (was_empty || !customer_is_empty(customer))
        return;
    customer_init(customer);
    customer->params_version = version;
    ledger_clear(ledger);
}

static uint64_t order_known_by(const struct event *event)
{
    if (event->type == EVENT_ORDER_COMPLETED && (event->has & EVENT_HAS_ORDER))
        return event->order_fp ^ SALT_ORDER;
    if (event->type == EVENT_ORDER_REFUNDED && (event->has & EVENT_HAS_REFUND))
        return event->refund_fp ^ SALT_REFUND;
    return 0;
}

static bool is_known(const struct ledger *ledger, const struct event *event)
{
    uint64_t fp = order_known_by(event);

    return fp != 0 ? ledger_has_order(ledger, fp) : ledger_has_event(ledger, event->id_fp);
}

static void remember(struct ledger *ledger, const struct event *event)
{
    uint64_t fp = order_known_by(event);

    if (fp != 0)
        ledger_add_order(ledger, fp);
    else
        ledger_add_event(ledger, event->id_fp);
    /* A subscription's payment that names its order is that order: told again as an order it is a
     * repeat. */
    if (fp == 0 && tally_is_purchase(event) && (event->has & EVENT_HAS_ORDER) &&
        !ledger_has_order(ledger, event->order_fp ^ SALT_ORDER))
        ledger_add_order(ledger, event->order_fp ^ SALT_ORDER);
}

static enum fold_outcome refuse(const char *why, const char **ret_why)
{
    *ret_why = why;
    return FOLD_REJECTED;
}

/* What is left is a mark. It reaches the ids that became this customer, and whoever this id has
 * become: by either id one erases the person. */
static enum fold_outcome erase(struct customer *customer, struct ledger *ledger,
                               const struct event *event, const struct params *params,
                               struct effects *effects)
{
    bool known = customer->stage != STAGE_NONE;

    if (known && !is_late(event->record_ms, event->time_ms, params))
        episode_tell_gone(customer, event, STAGE_BY_DELETE, params, effects);
    errands_erased(effects->errands, known || customer_is_redirect(customer), &ledger->previous);
    if (event->type == EVENT_DELETE && customer_is_redirect(customer))
        errands_forward(effects->errands, customer_into(customer));
    customer->erased_ms = event->time_ms;
    customer->erased_offset = event->offset;
    if (event->time_ms > customer->now_ms)
        customer->now_ms = event->time_ms;
    wipe(customer);
    ledger_clear(ledger);
    return FOLD_APPLIED;
}

static void judge_event(struct customer *customer, const struct event *event,
                        const struct params *params, struct effects *effects)
{
    if (event->reason != CHURN_UNKNOWN)
        customer->churn_reason = event->reason;
    /* Any purchase ends a decline: a risk that is high all the same has to stay so anew. */
    if (tally_is_purchase(event) && customer->last_purchase_ms == event->time_ms)
        customer->risk_since_ms = INT64_MAX;
    if (event->time_ms > customer->now_ms)
        customer->now_ms = event->time_ms;
    judge(customer, event, is_late(event->record_ms, event->time_ms, params), params, effects);
}

/* --- identity: model/README.md, "One person, several ids" --- */

static enum fold_outcome forward(const struct customer *customer, const struct event *event,
                                 struct effects *effects, const char **ret_why)
{
    if (event->hops >= EVENT_HOPS_MAX)
        return refuse("sent on along too many aliases", ret_why);
    errands_forward(effects->errands, customer_into(customer));
    return FOLD_FORWARDED;
}

/* A state from far ahead of its record would put its customer to sleep until then. */
static bool is_ahead(const struct customer *customer, const struct event *event)
{
    int64_t ahead_ms;

    if (__builtin_sub_overflow(customer->now_ms, event->sent_ms, &ahead_ms))
        return customer->now_ms > event->sent_ms;
    return ahead_ms > AHEAD_MAX_MS;
}

static void become(struct customer *customer, struct span into)
{
    struct customer was = *customer;

    customer_init(customer);
    customer->now_ms = was.now_ms;
    customer->erased_ms = was.erased_ms;
    customer->erased_offset = was.erased_offset;
    customer->episode_count = was.episode_count;
    customer->alert_count = was.alert_count;
    customer->previous = was.previous;
    customer->into_len = (uint8_t)into.len;
    memcpy(customer->into, into.at, into.len);
}

static void depart(struct customer *customer, struct ledger *ledger, const struct event *event,
                   const struct params *params, struct effects *effects)
{
    bool late = is_late(event->record_ms, event->time_ms, params);
    struct view view;

    if (event->time_ms > customer->now_ms)
        customer->now_ms = event->time_ms;
    view = view_of(customer, event, params);
    episode_end_all(&view, customer, effects);
    errands_state(effects->errands, event->into, customer, ledger);
    if (customer->alert_count > 0 && !late) /* who never heard of it need not hear that it goes */
        episode_tell_gone(customer, event, STAGE_BY_ALIAS, params, effects);
}

static enum fold_outcome step_request(struct customer *customer, struct ledger *ledger,
                                      const struct event *event, const struct params *params,
                                      struct effects *effects, const char **ret_why)
{
    if (customer_is_redirect(customer))
        return span_equal(customer_into(customer), event->into)
                   ? FOLD_DUPLICATE
                   : forward(customer, event, effects, ret_why);
    if (span_equal(event->customer, event->into))
        return event->hops > 0 ? FOLD_DUPLICATE : refuse("the two ids are the same", ret_why);
    if (event->hops > 0)
        return refuse("the previous id has become another customer already", ret_why);
    pass_time(customer, ledger, event, params, effects);
    if (customer->stage != STAGE_NONE && is_ahead(customer, event))
        return refuse("the customer's events lie in the future", ret_why);
    if (customer->stage != STAGE_NONE)
        depart(customer, ledger, event, params, effects);
    if (event->time_ms > customer->now_ms)
        customer->now_ms = event->time_ms;
    become(customer, event->into);
    ledger_clear_repeats(ledger);
    return FOLD_APPLIED;
}

/* Only a forged state can count so much that the sum does not hold. */
static bool joins_soundly(const struct customer *customer, const struct customer *moved,
                          const struct params *params)
{
    struct customer joined = *customer;

    joined.into_len = 0;
    merge_customer(&joined, moved, params);
    joined.due_ms = INT64_MAX;
    return customer_check(&joined) == NULL;
}

static enum fold_outcome step_state(struct customer *customer, struct ledger *ledger,
                                    const struct event *event, int64_t watermark_ms,
                                    const struct params *params, struct effects *effects,
                                    const char **ret_why)
{
    MUST(event->moved != NULL && event->moved_ledger != NULL);
    if (customer_is_redirect(customer) && !span_equal(event->previous, event->customer))
        return forward(customer, event, effects, ret_why);
    if (event->moved->stage == STAGE_NONE)
        return refuse("the state is of nobody", ret_why);
    if (is_ahead(event->moved, event))
        return refuse("the state is from the future", ret_why);
    if (ledger_has_event(ledger, event->id_fp))
        return FOLD_DUPLICATE;
    if (!joins_soundly(customer, event->moved, params))
        return refuse("the joined state would break the rules of one", ret_why);
    pass_time(customer, ledger, event, params, effects);
    customer->into_len = 0; /* its own state came back along a circle of aliases: it stays */
    if (customer_is_empty(customer))
        customer->episode_count = (uint32_t)(event->id_fp & EPISODE_MASK);
    merge_customer(customer, event->moved, params);
#ifdef LC_PLANT_STATE_TWICE
    merge_customer(customer, event->moved, params);
#endif
    ledger_merge(ledger, event->moved_ledger);
    ledger_add_event(ledger, event->id_fp);
    if (event->time_ms > customer->now_ms)
        customer->now_ms = event->time_ms;
    judge(customer, event, is_late(event->record_ms, event->time_ms, params), params, effects);
    fold_timers(customer, watermark_ms > customer->now_ms ? watermark_ms : customer->now_ms,
                event->record_ms, params, effects);
    return FOLD_APPLIED;
}

static enum fold_outcome step_errand(struct customer *customer, struct ledger *ledger,
                                     const struct event *event, int64_t watermark_ms,
                                     const struct params *params, struct effects *effects,
                                     const char **ret_why)
{
    switch (event->errand) {
    case EVENT_REQUEST:
        return step_request(customer, ledger, event, params, effects, ret_why);
    case EVENT_STATE:
        return step_state(customer, ledger, event, watermark_ms, params, effects, ret_why);
    case EVENT_UNLINK:
        if (!customer_is_redirect(customer) || !span_equal(customer_into(customer), event->into))
            return FOLD_IGNORED;
        return erase(customer, ledger, event, params, effects);
    case EVENT_NO_ERRAND:
        break;
    }
    MUST(false);
    return FOLD_IGNORED;
}

static const char *alias_refuses(const struct ledger *ledger, const struct event *event)
{
    if (event->previous.len == 0)
        return "a required field is missing";
    if (span_equal(event->previous, event->customer))
        return "the previous id is this customer's already";
    if (ledger->previous.count == PREVIOUS_MAX && !previous_has(&ledger->previous, event->previous))
        return "too many ids became this customer";
    return NULL;
}

/* Of a customer that is one; not an errand. */
static enum fold_outcome step_event(struct customer *customer, struct ledger *ledger,
                                    const struct event *event, int64_t watermark_ms,
                                    const struct params *params, struct effects *effects)
{
    bool order_seen =
        (event->has & EVENT_HAS_ORDER) && ledger_has_order(ledger, event->order_fp ^ SALT_ORDER);

    remember(ledger, event);
    if (customer_is_empty(customer))
        customer->episode_count = (uint32_t)(event->id_fp & EPISODE_MASK);
    tally_add(customer, event, order_seen, params);
    if (event->type == EVENT_ALIAS) {
        ledger_add_previous(ledger, event->previous);
        customer->previous = (uint8_t)ledger->previous.count;
        errands_request(effects->errands, event->previous);
    }
    if (goes_the_short_way(customer, event))
        go_the_short_way(customer, event);
    else
        judge_event(customer, event, params, effects);
    fold_timers(customer, watermark_ms > customer->now_ms ? watermark_ms : customer->now_ms,
                event->record_ms, params, effects);
#ifdef LC_FOLD_NEXT
    if (params->fold_level >= 2)
        customer->next_events++;
#endif
    return FOLD_APPLIED;
}

enum fold_outcome fold_event(struct customer *customer, struct ledger *ledger,
                             const struct event *event, int64_t watermark_ms,
                             const struct params *params, struct effects *effects,
                             const char **ret_why)
{
    const char *why = tally_refuses(event, params);

    errands_clear(effects->errands);
    if (why != NULL)
        return refuse(why, ret_why);
    if (event->time_ms <= customer->erased_ms)
        return FOLD_IGNORED;
    if (event->errand != EVENT_NO_ERRAND)
        return step_errand(customer, ledger, event, watermark_ms, params, effects, ret_why);
    if (customer_is_redirect(customer) &&
        (event->type != EVENT_DELETE || event->hops >= EVENT_HOPS_MAX))
        return forward(customer, event, effects, ret_why);
    if (is_known(ledger, event))
        return FOLD_DUPLICATE;
    why = event->type == EVENT_ALIAS ? alias_refuses(ledger, event) : NULL;
    if (why != NULL)
        return refuse(why, ret_why);

    pass_time(customer, ledger, event, params, effects);
    if (event->type == EVENT_DELETE)
        return erase(customer, ledger, event, params, effects);
    return step_event(customer, ledger, event, watermark_ms, params, effects);
}
