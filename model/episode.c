#include "model/episode.h"

#include <math.h>
#include <string.h>

#include "base/must.h"
#include "base/text.h"

/* Open and cooling episodes fit: kinds with a cool-down have one instance and reuse its slot, kinds
 * without one drop an episode as it closes, and complaint_open has one a ticket; one more while the
 * next instance opens before the last one closes. */
_Static_assert(
    (KIND_COUNT - 3) + CUSTOMER_TICKETS_MAX + 1 <= CUSTOMER_EPISODES_MAX,
    "every episode has room: the two instant kinds keep none, complaint_open one a ticket");

/* --- caps, consent, quiet hours --- */

static bool complains(const struct customer *customer)
{
    for (uint8_t i = 0; i < customer->tickets; i++)
        if (customer->ticket[i].complaint && customer->ticket[i].opened_ms != INT64_MIN &&
            customer->ticket[i].resolved_ms == INT64_MIN)
            return true;
    return false;
}

/* Since when the caps let another marketing alert go: INT64_MIN if none was told lately. */
static int64_t cap_ends(const struct customer *customer, const struct params *params)
{
    int64_t nth_ms = customer->marketing_ms[params->cap_long_count - 1];
    int64_t short_ms = customer->marketing_ms[0] == INT64_MIN
                           ? INT64_MIN
                           : customer->marketing_ms[0] + params->cap_short_ms;
    int64_t long_ms = nth_ms == INT64_MIN ? INT64_MIN : nth_ms + params->cap_long_ms;

    return short_ms > long_ms ? short_ms : long_ms;
}

/* May an alert of the kind be raised now? Whoever refused messages gets none, a complaint is
 * answered before anything is sold, and nobody is pressed. *ret_again_ms: when silence alone brings
 * the answer yes. */
static bool may_raise(const struct view *view, const struct customer *customer, enum kind kind,
                      int64_t *ret_again_ms)
{
    enum marketing marketing = kind_marketing(kind);

    *ret_again_ms = INT64_MAX;
    if (marketing == MARKETING_NONE)
        return true;
    if (customer->consent_denied[CONSENT_MARKETING] ||
        (marketing == MARKETING_SALE && complains(customer)))
        return false;
    if (cap_ends(customer, view->params) <= view->at_ms)
        return true;
    *ret_again_ms = cap_ends(customer, view->params);
    return false;
}

static void remember_marketing(struct customer *customer, int64_t at_ms)
{
    memmove(&customer->marketing_ms[1], &customer->marketing_ms[0],
            (CUSTOMER_CAP_MAX - 1) * sizeof customer->marketing_ms[0]);
    customer->marketing_ms[0] = at_ms;
}

/* The end of the quiet hours that `at_ms` falls into; INT64_MIN: it falls into none. */
static int64_t quiet_ends(int64_t at_ms, const struct params *params)
{
    int64_t from_ms = params->quiet_from_ms, until_ms = params->quiet_until_ms;
    int64_t offset_ms = params->utc_offset_min * TEXT_MS_PER_MINUTE;
    int64_t of_day_ms = (at_ms + offset_ms) % TEXT_MS_PER_DAY;
    bool quiet;

    if (of_day_ms < 0)
        of_day_ms += TEXT_MS_PER_DAY;
    quiet = from_ms <= until_ms ? of_day_ms >= from_ms && of_day_ms < until_ms
                                : of_day_ms >= from_ms || of_day_ms < until_ms;
    if (!quiet)
        return INT64_MIN;
    return at_ms - of_day_ms + until_ms + (of_day_ms >= until_ms ? TEXT_MS_PER_DAY : 0);
}

/* --- what every alert says --- */

/* How the customer last answered. */
static const char *channel_hint(const struct customer *customer)
{
    static const struct {
        enum event_type type;
        const char *channel;
    } rows[] = {
        {EVENT_EMAIL_LINK_CLICKED, "email"}, {EVENT_EMAIL_OPENED, "email"},
        {EVENT_APPLICATION_OPENED, "app"},   {EVENT_PAGE_VIEWED, "web"},
        {EVENT_PRODUCT_VIEWED, "web"},       {EVENT_MESSAGE_RECEIVED, "message"},
        {EVENT_DEMO_ATTENDED, "personal"},
    };
    const char *hint = NULL;
    int64_t newest_ms = INT64_MIN;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (customer->last_ms[rows[i].type] > newest_ms) {
            newest_ms = customer->last_ms[rows[i].type];
            hint = rows[i].channel;
        }
    return hint;
}

/* Marketing conditions that hold at this step and are held back. */
static uint32_t held_back(struct view *view, const struct customer *customer)
{
    uint32_t held = 0;

    for (int kind = 0; kind < KIND_COUNT; kind++) {
        struct rule_answer answer;
        const struct episode *episode;
        int64_t again_ms;

        if (kind_marketing((enum kind)kind) == MARKETING_NONE)
            continue;
        rule_of((enum kind)kind)(view, 0, &answer);
        if (answer.none || !answer.holds)
            continue;
        episode = customer_episode(customer, (uint8_t)kind, answer.key);
        held += episode == NULL && !may_raise(view, customer, (enum kind)kind, &again_ms);
    }
    return held;
}

/* --- telling --- */

static double percentile_of(struct view *view, const struct customer *customer)
{
    if (view->params->insight.buyers == 0 || customer->purchase_days == 0)
        return NAN;
    return insight_percentile(&view->params->insight, rule_value(view)->clv_minor);
}

/* explain NULL: the instance is no more, so there is nothing to say about it. */
static void tell(struct view *view, struct customer *customer, const struct episode *episode,
                 enum phase phase, int64_t at_ms, rule_explain_fn *explain, struct effects *effects)
{
    struct effect *effect;

    MUST(effects->count < effects->cap);
    effect = &effects->at[effects->count++];
    *effect = (struct effect){
        .kind = (enum kind)episode->kind,
        .phase = phase,
        .band = episode->band,
        .episode = episode->number,
        .revision = episode->revision,
        .sequence = ++customer->alert_count,
        .at_ms = at_ms,
        .expires_ms = at_ms + view->params->expiry_ms,
        .cause = view->event != NULL ? view->event->id_fp : 0,
        .from = episode->kind == KIND_STAGE_CHANGED ? view->from : customer->stage,
        .to = customer->stage,
        .stage_reason = customer->stage_reason,
        .churn_reason = customer->churn_reason,
        .churn = *rule_risk(view),
        .value = *rule_value(view),
        .not_before_ms = INT64_MIN,
        .clears_at_ms = INT64_MAX,
        .channel_hint = channel_hint(customer),
        .tier_from = episode->kind == KIND_TIER_CHANGED ? view->tier_from : customer->tier,
        .tier_to = customer->tier,
        .class = tier_class(customer, view->at_ms, view->params),
        .percentile = percentile_of(view, customer),
    };
    if (explain != NULL)
        explain(view, effect);
    if (phase == PHASE_RESOLVED || phase == PHASE_RETRACTED) {
        effect->action = "none";
        effect->clears_when = NULL;
        effect->clears_at_ms = INT64_MAX;
    } else if (kind_marketing(effect->kind) != MARKETING_NONE) {
        effect->not_before_ms = quiet_ends(view->at_ms, view->params);
        effect->suppressed_count = held_back(view, customer);
    }
    MUST(effect->action != NULL);
}

void episode_tell_gone(struct customer *customer, const struct event *event,
                       enum stage_reason reason, const struct params *params,
                       struct effects *effects)
{
    MUST(effects->count < effects->cap);
    effects->at[effects->count++] = (struct effect){
        .kind = KIND_STAGE_CHANGED,
        .phase = PHASE_RAISED,
        .band = 1,
        .episode = ++customer->episode_count,
        .sequence = ++customer->alert_count,
        .at_ms = event->time_ms,
        .expires_ms = event->time_ms + params->expiry_ms,
        .cause = event->id_fp,
        .from = customer->stage,
        .to = STAGE_NONE,
        .stage_reason = reason,
        .action = "stop_contact",
        .not_before_ms = INT64_MIN,
        .clears_at_ms = INT64_MAX,
        .tier_from = customer->tier,
        .percentile = NAN,
    };
}

/* --- the array --- */

static struct episode *find(struct customer *customer, enum kind kind, uint64_t key)
{
    for (uint8_t i = 0; i < customer->episodes; i++)
        if (customer->episode[i].kind == kind && customer->episode[i].key == key)
            return &customer->episode[i];
    return NULL;
}

static void drop(struct customer *customer, uint8_t i)
{
    memmove(&customer->episode[i], &customer->episode[i + 1],
            (size_t)(customer->episodes - i - 1) * sizeof(customer->episode[0]));
    customer->episodes--;
}

static int64_t cools_until(const struct episode *episode, const struct params *params)
{
    return episode->ended_ms + rule_cooldown_ms((enum kind)episode->kind, params);
}

static bool is_open(const struct episode *episode)
{
    return episode != NULL && episode->phase == EPISODE_OPEN;
}

static void drop_cooled(struct view *view, struct customer *customer)
{
    for (uint8_t i = customer->episodes; i-- > 0;)
        if (!is_open(&customer->episode[i]) &&
            cools_until(&customer->episode[i], view->params) <= view->at_ms)
            drop(customer, i);
}

/* --- one instance --- */

static void open_episode(struct view *view, struct customer *customer, enum kind kind,
                         const struct rule_answer *answer, bool late, struct effects *effects)
{
    struct episode episode = {
        .kind = (uint8_t)kind,
        .phase = EPISODE_OPEN,
        .band = answer->band,
        .told = !late,
        .number = customer->episode_count + 1,
        .key = answer->key,
        .since_ms = answer->since_ms,
        .ended_ms = answer->since_ms,
    };
    struct episode *closed = find(customer, kind, answer->key);
    int64_t again_ms;

    if (!late && !may_raise(view, customer, kind, &again_ms))
        return; /* asked again at the next step, or when the cap ends (instance_due) */
    if (!answer->instant && closed == NULL && customer->episodes == CUSTOMER_EPISODES_MAX)
        return; /* only a damaged record is so full (see above); the condition is asked again at the
                   next step */
    customer->episode_count++;
    if (episode.told && kind_marketing(kind) != MARKETING_NONE)
        remember_marketing(customer, view->at_ms);
    if (episode.told)
        tell(view, customer, &episode, PHASE_RAISED, answer->since_ms, answer->explain, effects);
    if (answer->instant)
        return;
    if (closed != NULL)
        *closed = episode;
    else
        customer->episode[customer->episodes++] = episode;
}

static void raise_band(struct view *view, struct customer *customer, struct episode *episode,
                       const struct rule_answer *answer, bool late, struct effects *effects)
{
    episode->band = answer->band;
    if (!episode->told || late)
        return;
    episode->revision++;
    tell(view, customer, episode, PHASE_UPDATED, view->at_ms, answer->explain, effects);
}

/* answer NULL: the instance is no more. */
static void close_episode(struct view *view, struct customer *customer, struct episode *episode,
                          const struct rule_answer *answer, struct effects *effects)
{
    bool never_held = view->event != NULL && view->event->time_ms <= episode->since_ms;

    episode->phase = EPISODE_CLOSED;
    episode->ended_ms = view->at_ms;
    if (!episode->told || (answer != NULL && answer->quiet))
        return;
    episode->revision++;
    tell(view, customer, episode, never_held ? PHASE_RETRACTED : PHASE_RESOLVED, view->at_ms,
         answer != NULL ? answer->explain : NULL, effects);
}

/* true: an episode moved. */
static bool step_instance(struct view *view, struct customer *customer, enum kind kind,
                          const struct rule_answer *answer, bool late, struct effects *effects)
{
    struct episode *episode = find(customer, kind, answer->key);

    if (answer->holds && !is_open(episode)) {
        if (episode != NULL && cools_until(episode, view->params) > view->at_ms)
            return false;
        open_episode(view, customer, kind, answer, late, effects);
    } else if (answer->holds && answer->band > episode->band) {
        raise_band(view, customer, episode, answer, late, effects);
    } else if (!answer->holds && is_open(episode)) {
        close_episode(view, customer, episode, answer, effects);
    } else {
        return false;
    }
    return true;
}

/* Open episodes of a kind whose instance is no more (another term, a ticket that fell out). true:
 * there was one. */
static bool close_unasked(struct view *view, struct customer *customer, enum kind kind,
                          uint32_t asked, struct effects *effects)
{
    bool closed = false;

    for (uint8_t i = 0; i < customer->episodes; i++)
        if (customer->episode[i].kind == kind && is_open(&customer->episode[i]) &&
            !(asked & UINT32_C(1) << i)) {
            close_episode(view, customer, &customer->episode[i], NULL, effects);
            closed = true;
        }
    return closed;
}

/* Bit a kind that has an episode, open or cooling. */
static uint32_t kinds_of(const struct customer *customer)
{
    uint32_t kinds = 0;

    _Static_assert(KIND_COUNT <= 32, "a bit each");
    for (uint8_t i = 0; i < customer->episodes; i++)
        kinds |= UINT32_C(1) << customer->episode[i].kind;
    return kinds;
}

/* Every instance from the first on, which was asked already. true: an episode moved, or there are
 * several instances. */
static bool step_kind(struct view *view, struct customer *customer, enum kind kind,
                      struct rule_answer answer, bool late, struct effects *effects)
{
    bool moved = !answer.only && !answer.none;
    uint32_t asked = 0;

    for (uint32_t instance = 1; !answer.none; instance++) {
        const struct episode *episode;

        moved = step_instance(view, customer, kind, &answer, late, effects) || moved;
        episode = find(customer, kind, answer.key);
        if (episode != NULL)
            asked |= UINT32_C(1) << (episode - customer->episode);
        if (answer.only || instance > CUSTOMER_TICKETS_MAX)
            break;
        rule_of(kind)(view, instance, &answer);
    }
    return close_unasked(view, customer, kind, asked, effects) || moved;
}

void episode_step(struct view *view, struct customer *customer, bool late, struct effects *effects,
                  struct episode_answers *ret_answers)
{
    uint32_t kinds;

    drop_cooled(view, customer);
    kinds = kinds_of(customer);
    ret_answers->kept = 0;
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        struct rule_answer *answer = &ret_answers->of[kind];
        uint32_t bit = UINT32_C(1) << kind;

        rule_of((enum kind)kind)(view, 0, answer);
        /* Neither there nor to come: most kinds of most customers. */
        if (answer->only && !answer->holds && !(kinds & bit))
            ret_answers->kept |= bit;
        else if (!step_kind(view, customer, (enum kind)kind, *answer, late, effects))
            ret_answers->kept |= bit;
    }
    drop_cooled(view, customer);
}

void episode_end_all(struct view *view, struct customer *customer, struct effects *effects)
{
    for (int kind = 0; kind < KIND_COUNT; kind++)
        close_unasked(view, customer, (enum kind)kind, 0, effects);
}

static void merge_caps(struct customer *into, const struct customer *from)
{
    int64_t all[CUSTOMER_CAP_MAX];
    int i = 0, j = 0;

    for (int k = 0; k < CUSTOMER_CAP_MAX; k++)
        all[k] = into->marketing_ms[i] >= from->marketing_ms[j] ? into->marketing_ms[i++]
                                                                : from->marketing_ms[j++];
    memcpy(into->marketing_ms, all, sizeof all);
}

void episode_merge(struct customer *into, const struct customer *from)
{
    for (uint8_t i = 0; i < from->episodes; i++) {
        struct episode episode = from->episode[i];
        struct episode *ours = find(into, (enum kind)episode.kind, episode.key);

        if (ours != NULL && !is_open(ours) && episode.ended_ms > ours->ended_ms)
            ours->ended_ms = episode.ended_ms;
        for (uint8_t j = 0; ours == NULL && j < into->episodes; j++)
            if (into->episode[j].kind == episode.kind)
                ours = &into->episode[j]; /* about something else; there is room for one a kind */
        if (ours != NULL || into->episodes == CUSTOMER_EPISODES_MAX)
            continue;
        episode.phase = EPISODE_CLOSED;
        episode.number = ++into->episode_count;
        into->episode[into->episodes++] = episode;
    }
    merge_caps(into, from);
}

/* When the engine next has to look at an instance. One that is not open cannot be raised before its
 * cool-down is over and the caps allow it; what consent or a complaint forbids only an event allows
 * again. */
static int64_t instance_due(const struct view *view, enum kind kind,
                            const struct rule_answer *answer)
{
    const struct episode *episode = customer_episode(view->customer, (uint8_t)kind, answer->key);
    int64_t soonest_ms = INT64_MIN, cools_ms;

    if (is_open(episode))
        return answer->next_ms;
    if (may_raise(view, view->customer, kind, &soonest_ms))
        soonest_ms = INT64_MIN;
    else if (soonest_ms == INT64_MAX)
        return INT64_MAX;
    cools_ms = episode == NULL ? INT64_MIN : cools_until(episode, view->params);
    if (cools_ms > soonest_ms)
        soonest_ms = cools_ms;
    if (soonest_ms <= view->at_ms)
        return answer->next_ms;
    return !answer->holds && answer->next_ms > soonest_ms ? answer->next_ms : soonest_ms;
}

/* The earliest of a kind, > at_ms. */
static int64_t kind_due(struct view *view, enum kind kind, struct rule_answer answer)
{
    int64_t due_ms = INT64_MAX;

    for (uint32_t instance = 1; !answer.none; instance++) {
        int64_t next_ms = INT64_MAX;

        if (answer.holds || answer.next_ms != INT64_MAX)
            next_ms = instance_due(view, kind, &answer);
        if (next_ms > view->at_ms && next_ms < due_ms)
            due_ms = next_ms;
        if (answer.only || instance > CUSTOMER_TICKETS_MAX)
            break;
        rule_of(kind)(view, instance, &answer);
    }
    return due_ms;
}

int64_t episode_due(struct view *view, const struct episode_answers *answers)
{
    int64_t due_ms = INT64_MAX;

    for (int kind = 0; kind < KIND_COUNT; kind++) {
        struct rule_answer answer;
        const struct rule_answer *first = &answer;
        int64_t next_ms;

        if (answers != NULL && answers->kept >> kind & 1)
            first = &answers->of[kind];
        else
            rule_of((enum kind)kind)(view, 0, &answer);
        if (first->only && !first->holds && first->next_ms == INT64_MAX)
            continue;
        next_ms = kind_due(view, (enum kind)kind, *first);
        if (next_ms < due_ms)
            due_ms = next_ms;
    }
    return due_ms;
}
