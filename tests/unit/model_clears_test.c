/* What every alert says of itself, held against random histories: `clears_when`, applied, ends the
 * episode; the contributions of its reasons sum to what they explain; its episode goes raised,
 * updated, resolved or retracted and no other way. */
#include "model_random.h"

#include <math.h>
#include <string.h>

#include "model/tally.h"

#define HISTORIES 90
#define EVENTS    60

/* A second customer in the same state. */
static struct kit *twin_of(const struct kit *kit)
{
    struct kit *twin = kit_new();

    twin->customer = kit->customer; /* not the collected effects: they are megabytes */
    twin->params = kit->params;
    twin->next_id = kit->next_id;
    memcpy(twin->orders, kit->orders, sizeof(twin->orders));
    memcpy(twin->events, kit->events, sizeof(twin->events));
    twin->ledger = kit->ledger;
    twin->ledger.orders = twin->orders;
    twin->ledger.events = twin->events;
    return twin;
}

/* A population, so that there are tiers, and what follows each category. */
static void learn(struct insight *insight)
{
    insight->version = 1;
    insight->buyers = 1000;
    for (int i = 0; i < INSIGHT_CUTS; i++)
        insight->value_cut_minor[i] = (int64_t)i * i * 3;
    for (int i = 0; i < INSIGHT_CATEGORIES; i++) {
        insight->category_next[i] = (uint8_t)((i + 1) % INSIGHT_CATEGORIES);
        insight->category_share[i] = 300;
    }
}

static bool is_open(const struct customer *customer, const struct effect *effect)
{
    for (uint8_t i = 0; i < customer->episodes; i++)
        if (customer->episode[i].kind == effect->kind &&
            customer->episode[i].number == effect->episode)
            return customer->episode[i].phase == EPISODE_OPEN;
    return false;
}

/* --- clears_when, applied --- */

static struct event event_now(struct kit *kit, enum event_type type)
{
    struct event event = kit_event(kit, type, 0);

    event.time_ms = event.record_ms = kit->customer.now_ms + 1;
    return event;
}

static void buy(struct kit *kit, int64_t minor, struct span category)
{
    struct event event = event_now(kit, EVENT_ORDER_COMPLETED);

    event.has = EVENT_HAS_AMOUNT;
    event.amount_minor = minor;
    event.currency = CURRENCY_EUR;
    event.category = category;
    kit_apply(kit, event);
}

static struct span another_category(const struct customer *customer)
{
    static const char *const names[] = {"soap", "lamps", "maps"};
    size_t i = 0;

    while (customer->categories >> customer_category_bit(span_of(names[i])) & 1)
        i++;
    return span_of(names[i]);
}

static void resolve(struct kit *kit)
{
    kit_apply(kit, event_now(kit, EVENT_COMPLAINT_RESOLVED));
    kit_apply(kit, event_now(kit, EVENT_TICKET_RESOLVED));
}

static void answer(struct kit *kit, int16_t score)
{
    struct event event = event_now(kit, EVENT_SURVEY_RESPONDED);

    event.has = EVENT_HAS_SCORE;
    event.metric = kit->customer.score_metric;
    event.score = score;
    kit_apply(kit, event);
}

static void renew(struct kit *kit)
{
    struct event event = event_now(kit, EVENT_SUBSCRIPTION_RENEWED);

    event.has = EVENT_HAS_ENDS;
    event.ends_ms = event.time_ms + 365 * TEXT_MS_PER_DAY;
    kit_apply(kit, event);
}

/* false: nothing that could be done. */
static bool apply(struct kit *kit, const struct effect *effect)
{
    static const struct {
        const char *what;
        enum event_type type;
    } plain[] = {{"progress", EVENT_DEMO_ATTENDED},
                 {"activity", EVENT_PAGE_VIEWED},
                 {"engagement", EVENT_PAGE_VIEWED},
                 {"contact", EVENT_MESSAGE_RECEIVED}};
    const char *what = effect->clears_when;

    for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
        if (strcmp(what, plain[i].what) == 0) {
            for (double n = 0; n < effect->clears_amount; n++)
                kit_apply(kit, event_now(kit, plain[i].type));
            return true;
        }
    if (effect->kind == KIND_CHURN_RISK) {
        if (strstr(what, "purchase") != NULL)
            buy(kit, 1000, SPAN_ABSENT);
        if (strstr(what, "resolution") != NULL)
            resolve(kit);
        if (strstr(what, "better_score") != NULL)
            answer(kit, (int16_t)(kit->customer.score_metric == SURVEY_CSAT ? 3 : 7));
    } else if (strcmp(what, "purchase") == 0)
        buy(kit, 1000, SPAN_ABSENT);
    else if (strcmp(what, "spend_minor") == 0)
        buy(kit, (int64_t)effect->clears_amount, SPAN_ABSENT);
    else if (strcmp(what, "category") == 0)
        buy(kit, 1000, another_category(&kit->customer));
    else if (strcmp(what, "resolution") == 0)
        resolve(kit);
    else if (strcmp(what, "better_score") == 0)
        answer(kit, (int16_t)effect->clears_amount);
    else if (strcmp(what, "renewal") == 0)
        renew(kit);
    else
        return false;
    return true;
}

struct counts {
    uint32_t by_change[KIND_COUNT], by_time[KIND_COUNT], hopeless;
};

static void assert_clears(const struct kit *kit, const struct effect *effect, uint64_t seed,
                          struct counts *counts)
{
    struct kit *twin;

    if (!is_open(&kit->customer, effect))
        return; /* an occurrence, or over by now */
    if (effect->clears_when == NULL && effect->kind == KIND_CHURN_RISK)
        counts->hopeless++; /* too many signs at once: nothing that can be done is enough */
    else if (effect->clears_when == NULL && effect->clears_at_ms == INT64_MAX)
        fail_msg("seed %llu: nothing is said to end %s", (unsigned long long)seed,
                 kind_label(effect->kind));
    if (effect->clears_when != NULL) {
        twin = twin_of(kit);
        if (!apply(twin, effect))
            fail_msg("%s: '%s' is no change", kind_label(effect->kind), effect->clears_when);
        if (is_open(&twin->customer, effect))
            fail_msg("seed %llu: %s (band %u, stage %s, risk %f) of day %f is not ended by %g %s",
                     (unsigned long long)seed, kind_label(effect->kind), effect->band,
                     stage_label(kit->customer.stage), effect->churn.risk,
                     kit_days(kit->customer.now_ms), effect->clears_amount, effect->clears_when);
        counts->by_change[effect->kind]++;
        free(twin);
    }
    if (effect->clears_at_ms != INT64_MAX) {
        twin = twin_of(kit);
        kit_wait_until_ms(twin, effect->clears_at_ms);
        if (is_open(&twin->customer, effect))
            fail_msg("seed %llu: %s (band %u) of day %f is not ended by silence until day %f",
                     (unsigned long long)seed, kind_label(effect->kind), effect->band,
                     kit_days(kit->customer.now_ms), kit_days(effect->clears_at_ms));
        counts->by_time[effect->kind]++;
        free(twin);
    }
}

/* --- contributions --- */

static void assert_sums(const struct effect *effect, uint64_t seed)
{
    double sum = 0, spend = 0;
    bool value = false;

    for (uint8_t i = 0; i < effect->reasons; i++) {
        sum += effect->reason[i].contribution;
        value = value || strcmp(effect->reason[i].feature, "expected_spend_12m") == 0;
        if (strcmp(effect->reason[i].feature, "spend_90d") == 0 ||
            strcmp(effect->reason[i].feature, "service_cost_90d") == 0)
            spend += effect->reason[i].contribution;
    }
    if (effect->kind == KIND_CHURN_RISK && effect->reasons > 0) {
        if (!(fabs(1 / (1 + exp(sum)) - effect->churn.risk) <= 1e-15))
            fail_msg("seed %llu: the terms of churn_risk sum to risk %.17g, it says %.17g",
                     (unsigned long long)seed, 1 / (1 + exp(sum)), effect->churn.risk);
    } else if (effect->kind == KIND_COST_TO_SERVE) {
        assert_true(fabs(sum - spend) == 0);
    } else if (value) {
        if (fabs(sum - (double)effect->value.clv_minor) > 0)
            fail_msg("seed %llu: %s explains %f, the value is %lld", (unsigned long long)seed,
                     kind_label(effect->kind), sum, (long long)effect->value.clv_minor);
    } else {
        assert_true(fabs(sum) == 0); /* they explain no sum, and do not pretend to */
    }
}

/* --- phases --- */

struct course {
    uint32_t number;
    uint16_t revision;
    uint8_t band;
    bool open;
};

static void assert_course(struct course courses[KIT_EFFECTS], uint32_t *count,
                          const struct effect *effect, uint64_t seed)
{
    struct course *course = NULL;
    bool ends = effect->phase == PHASE_RESOLVED || effect->phase == PHASE_RETRACTED;

    for (uint32_t i = 0; i < *count && course == NULL; i++)
        if (courses[i].number == effect->episode)
            course = &courses[i];
    if (effect->phase == PHASE_RAISED) {
        assert_null(course);
        assert_true(*count < KIT_EFFECTS);
        courses[(*count)++] = (struct course){effect->episode, 0, effect->band, true};
        assert_int_equal(effect->revision, 0);
        return;
    }
    if (course == NULL || !course->open || effect->revision != course->revision + 1 ||
        (effect->phase == PHASE_UPDATED && effect->band <= course->band))
        fail_msg("seed %llu: %s of %s has no place in its episode", (unsigned long long)seed,
                 phase_label(effect->phase), kind_label(effect->kind));
    course->revision = effect->revision;
    course->band = effect->band;
    course->open = !ends;
    if (ends) {
        assert_string_equal(effect->action, "none");
        assert_null(effect->clears_when);
    }
}

/* --- histories --- */

/* Everything that may happen to a customer; of a content one, who buys in a rhythm and is seldom in
 * touch, hardly anything. */
static struct event next_event(struct kit *kit, uint64_t *random, double days, bool content)
{
    static const enum event_type often[] = {EVENT_ORDER_COMPLETED,       EVENT_PAGE_VIEWED,
                                            EVENT_SUBSCRIPTION_STARTED,  EVENT_PAYMENT_FAILED,
                                            EVENT_COMPLAINT_FILED,       EVENT_SURVEY_RESPONDED,
                                            EVENT_SERVICE_COST_RECORDED, EVENT_TRIAL_STARTED};
    struct event event = random_event(kit, random);

    if (content)
        event.type = below(random, 12) == 0  ? EVENT_SURVEY_RESPONDED
                     : below(random, 2) == 0 ? EVENT_ORDER_COMPLETED
                                             : EVENT_PRODUCT_VIEWED;
    else if (below(random, 2) == 0)
        event.type = often[below(random, sizeof(often) / sizeof(*often))];
    event.time_ms = event.record_ms = kit_at(days);
    if (below(random, 10) == 0)
        event.time_ms -= (int64_t)below(random, 20) * TEXT_MS_PER_DAY; /* late */
    if (event.has & EVENT_HAS_ENDS)
        event.ends_ms = event.time_ms + (int64_t)below(random, 60) * TEXT_MS_PER_DAY;
    if (event.type == EVENT_SERVICE_COST_RECORDED || event.type == EVENT_ORDER_COMPLETED)
        event.has |= EVENT_HAS_AMOUNT;
    if (content && event.type == EVENT_SURVEY_RESPONDED) {
        event.metric = SURVEY_NPS;
        event.score = 10;
    }
    if (event.type == EVENT_ORDER_COMPLETED) {
        event.amount_minor *= content ? 50 : 1;
        event.has |= EVENT_HAS_ORDER;
        event.order_fp = 1000 + event.id_fp;
    }
    return event;
}

struct record {
    struct counts counts;
    uint32_t phases[KIND_COUNT][PHASE_COUNT];
    struct course courses[KIT_EFFECTS];
    uint32_t course_count;
};

static void judge_step(struct kit *kit, uint64_t seed, struct record *record)
{
    for (uint32_t i = 0; i < kit->effects.count; i++) {
        const struct effect *effect = &kit->memory[i];

        record->phases[effect->kind][effect->phase]++;
        assert_sums(effect, seed);
        assert_course(record->courses, &record->course_count, effect, seed);
        if (effect->phase == PHASE_RAISED || effect->phase == PHASE_UPDATED)
            assert_clears(kit, effect, seed, &record->counts);
    }
    kit_forget_effects(kit);
}

/* One timer at a time, so that an alert is looked at in the state it was told in. */
static void wait_in_steps(struct kit *kit, int64_t until_ms, uint64_t seed, struct record *record)
{
    while (kit->customer.due_ms <= until_ms) {
        fold_timers(&kit->customer, kit->customer.due_ms, kit->customer.due_ms, &kit->params,
                    &kit->effects);
        judge_step(kit, seed, record);
    }
}

static void live(uint64_t seed, struct record *record)
{
    uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15);
    struct kit *kit = kit_new();
    double days = 0, pace = (double)(1 + below(&random, 20));

    kit->params.rates[CURRENCY_USD] = (struct currency_rate){923, 3};
    learn(&kit->params.insight);
    record->course_count = 0;
    for (int i = 0; i < EVENTS; i++) {
        struct event event;

        days += (double)below(&random, (uint64_t)(pace * 24)) / 24;
        event = next_event(kit, &random, days, seed % 3 == 0);
        wait_in_steps(kit, event.time_ms, seed, record);
        assert_int_not_equal(kit_fold(kit, event), FOLD_REJECTED);
        judge_step(kit, seed, record);
    }
    wait_in_steps(kit, kit_at(days + 500), seed, record);
    free(kit);
}

static void alerts_are_true_to_what_they_say(void **state)
{
    static struct record record;

    (void)state;
    memset(&record, 0, sizeof(record));
    for (uint64_t seed = 1; seed <= HISTORIES; seed++)
        live(seed, &record);
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        const uint32_t *phases = record.phases[kind];

        print_message("  %-20s raised %5u, updated %4u, resolved %5u, retracted %4u; cleared by a "
                      "change %5u, by time %5u\n",
                      kind_label((enum kind)kind), phases[PHASE_RAISED], phases[PHASE_UPDATED],
                      phases[PHASE_RESOLVED], phases[PHASE_RETRACTED],
                      record.counts.by_change[kind], record.counts.by_time[kind]);
        if (phases[PHASE_RAISED] == 0)
            fail_msg("%s was never raised: the histories show nothing of it",
                     kind_label((enum kind)kind));
        if (kind != KIND_STAGE_CHANGED && kind != KIND_TIER_CHANGED)
            assert_true(record.counts.by_change[kind] + record.counts.by_time[kind] > 0);
    }
    print_message("  churn_risk that nothing would end at once: %u\n", record.counts.hopeless);
    assert_true(record.counts.hopeless * 10 < record.counts.by_change[KIND_CHURN_RISK]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(alerts_are_true_to_what_they_say)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
