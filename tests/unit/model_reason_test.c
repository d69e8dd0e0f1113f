/* The property of reasons: whatever an alert explains, its contributions sum to exactly. Random
 * customers, with and without learned weights. */
#include <math.h>

#include "model_kit.h"

static uint64_t below(uint64_t *seed, uint64_t bound)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed % bound;
}

static struct event event_at_random(struct kit *kit, double days, uint64_t *seed)
{
    static const enum event_type types[] = {
        EVENT_ORDER_COMPLETED,    EVENT_ORDER_COMPLETED,      EVENT_ORDER_COMPLETED,
        EVENT_PAGE_VIEWED,        EVENT_PAGE_VIEWED,          EVENT_COMPLAINT_FILED,
        EVENT_COMPLAINT_RESOLVED, EVENT_SURVEY_RESPONDED,     EVENT_PAYMENT_FAILED,
        EVENT_UNSUBSCRIBED,       EVENT_SERVICE_COST_RECORDED};
    struct event event = kit_event(kit, types[below(seed, sizeof types / sizeof *types)], days);

    if (event.type == EVENT_ORDER_COMPLETED)
        return kit_order(kit, days, 1 + kit->next_id, 100 + (int64_t)below(seed, 20000));
    if (event.type == EVENT_SERVICE_COST_RECORDED) {
        event.has = EVENT_HAS_AMOUNT;
        event.currency = CURRENCY_EUR;
        event.amount_minor = (int64_t)below(seed, 30000);
    } else if (event.type == EVENT_SURVEY_RESPONDED) {
        event.has = EVENT_HAS_SCORE;
        event.metric = SURVEY_CSAT;
        event.score = (int16_t)(1 + below(seed, 5));
    } else {
        event.has = EVENT_HAS_TICKET;
        event.ticket_fp = 1 + below(seed, 2);
    }
    return event;
}

static void learn_at_random(struct params *params, uint64_t *seed)
{
    struct insight insight;

    insight_init(&insight);
    insight.version = 1;
    insight.buyers = 1000;
    for (int i = 0; i < INSIGHT_CUTS; i++)
        insight.value_cut_minor[i] = 200 * i;
    insight.learned = below(seed, 3) != 0;
    for (int i = 0; insight.learned && i < FEATURE_COUNT; i++)
        insight.feature_weight[i] = ((double)below(seed, 1001) - 500) / 700;
    insight.feature_weight[FEATURE_ENGAGEMENT] = fabs(insight.feature_weight[FEATURE_ENGAGEMENT]);
    for (int i = 0; insight.learned && i < WARNING_COUNT; i++)
        insight.warning_weight[i] = -(double)below(seed, 1001) / 700;
    assert_null(insight_check(&insight));
    params_learn(params, &insight);
}

struct seen {
    int sums[KIND_COUNT], learned;
};

static void check_reasons(const struct kit *kit, const struct effect *effect, struct seen *seen)
{
    double sum = 0;
    bool explains = false;

    for (uint8_t i = 0; i < effect->reasons; i++) {
        sum += effect->reason[i].contribution;
        explains = explains || effect->reason[i].contribution != 0;
    }
    if (!explains)
        return;
    seen->sums[effect->kind]++;
    if (effect->kind == KIND_CHURN_RISK) {
        assert_true(effect->churn.risk == 1 / (1 + exp(sum)));
        seen->learned += effect->churn.learned[FEATURE_LEVEL] != 0;
    } else if (effect->kind == KIND_COST_TO_SERVE) {
        assert_true(sum == -(effect->clears_amount + (double)kit->params.cost_to_serve_minor));
    } else {
        assert_true(sum == (double)effect->value.clv_minor);
    }
}

static void contributions_sum_to_what_they_explain(void **state)
{
    struct seen seen = {.learned = 0};

    (void)state;
    for (uint64_t number = 1; number <= 300; number++) {
        uint64_t seed = number * UINT64_C(0x9e3779b97f4a7c15);
        struct kit *kit = kit_new();
        double days = 0;

        learn_at_random(&kit->params, &seed);
        for (int i = 0; i < 30; i++) {
            kit_apply(kit, event_at_random(kit, days, &seed));
            days += (double)below(&seed, 40 * 24) / 24;
        }
        kit_wait(kit, days + 200);
        for (uint32_t i = 0; i < kit->effects.count; i++)
            check_reasons(kit, &kit->memory[i], &seen);
        free(kit);
    }
    assert_true(seen.learned > 20);
    assert_true(seen.sums[KIND_CHURN_RISK] > seen.learned);
    assert_true(seen.sums[KIND_TIER_CHANGED] > 20);
    assert_true(seen.sums[KIND_KEY_CUSTOMER_REVIEW] > 0);
    assert_true(seen.sums[KIND_COST_TO_SERVE] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contributions_sum_to_what_they_explain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
