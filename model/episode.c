#include "model/episode.h"

#include <string.h>

#include "base/must.h"

/* Open and cooling episodes fit: kinds with a cool-down have one instance and reuse its slot, kinds
 * without one drop an episode as it closes, and complaint_open has one a ticket; one more while the
 * next instance opens before the last one closes. */
_Static_assert((KIND_COUNT - 2) + CUSTOMER_TICKETS_MAX + 1 <= CUSTOMER_EPISODES_MAX,
               "every episode has room: stage_changed keeps none, complaint_open one a ticket");

/* --- telling --- */

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
    };
    if (explain != NULL)
        explain(view, effect);
    if (phase == PHASE_RESOLVED || phase == PHASE_RETRACTED)
        effect->action = "none";
    MUST(effect->action != NULL);
}

void episode_tell_erased(struct customer *customer, const struct event *event,
                         const struct params *params, struct effects *effects)
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
        .stage_reason = STAGE_BY_DELETE,
        .action = "stop_contact",
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

    if (!answer->instant && closed == NULL && customer->episodes == CUSTOMER_EPISODES_MAX)
        return; /* only a damaged record is so full (see above); the condition is asked again at the
                   next step */
    customer->episode_count++;
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

static void step_instance(struct view *view, struct customer *customer, enum kind kind,
                          const struct rule_answer *answer, bool late, struct effects *effects)
{
    struct episode *episode = find(customer, kind, answer->key);

    if (answer->holds && !is_open(episode)) {
        if (episode == NULL || cools_until(episode, view->params) <= view->at_ms)
            open_episode(view, customer, kind, answer, late, effects);
    } else if (answer->holds && answer->band > episode->band) {
        raise_band(view, customer, episode, answer, late, effects);
    } else if (!answer->holds && is_open(episode)) {
        close_episode(view, customer, episode, answer, effects);
    }
}

/* Open episodes of a kind whose instance is no more (another term, a ticket that fell out). */
static void close_unasked(struct view *view, struct customer *customer, enum kind kind,
                          uint32_t asked, struct effects *effects)
{
    for (uint8_t i = 0; i < customer->episodes; i++)
        if (customer->episode[i].kind == kind && is_open(&customer->episode[i]) &&
            !(asked & UINT32_C(1) << i))
            close_episode(view, customer, &customer->episode[i], NULL, effects);
}

void episode_step(struct view *view, struct customer *customer, bool late, struct effects *effects)
{
    drop_cooled(view, customer);
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        uint32_t asked = 0;

        for (uint32_t instance = 0; instance <= CUSTOMER_TICKETS_MAX; instance++) {
            struct rule_answer answer;
            const struct episode *episode;

            rule_of((enum kind)kind)(view, instance, &answer);
            if (answer.none)
                break;
            step_instance(view, customer, (enum kind)kind, &answer, late, effects);
            episode = find(customer, (enum kind)kind, answer.key);
            if (episode != NULL)
                asked |= UINT32_C(1) << (episode - customer->episode);
        }
        close_unasked(view, customer, (enum kind)kind, asked, effects);
    }
    drop_cooled(view, customer);
}

/* When the engine next has to look at an instance: while its closed episode cools down, not before
 * that is over. */
static int64_t instance_due(const struct view *view, enum kind kind,
                            const struct rule_answer *answer)
{
    const struct episode *episode = customer_episode(view->customer, (uint8_t)kind, answer->key);
    int64_t cools_ms;

    if (episode == NULL || is_open(episode))
        return answer->next_ms;
    cools_ms = cools_until(episode, view->params);
    if (cools_ms <= view->at_ms)
        return answer->next_ms;
    return !answer->holds && answer->next_ms > cools_ms ? answer->next_ms : cools_ms;
}

int64_t episode_due(struct view *view)
{
    int64_t due_ms = INT64_MAX;

    for (int kind = 0; kind < KIND_COUNT; kind++) {
        for (uint32_t instance = 0; instance <= CUSTOMER_TICKETS_MAX; instance++) {
            struct rule_answer answer;
            int64_t next_ms;

            rule_of((enum kind)kind)(view, instance, &answer);
            if (answer.none)
                break;
            if (!answer.holds && answer.next_ms == INT64_MAX)
                continue;
            next_ms = instance_due(view, (enum kind)kind, &answer);
            if (next_ms > view->at_ms && next_ms < due_ms)
                due_ms = next_ms;
        }
    }
    return due_ms;
}
