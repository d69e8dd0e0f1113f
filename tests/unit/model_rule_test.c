/* Each alert kind: when it is raised, to the millisecond, when it ends, and how its cool-down
 * counts. */
#include "model_kit.h"

#include <math.h>

#include "model/rule.h"

/* Raised exactly at `days` while nothing happens. */
static void assert_raised_at(struct kit *kit, enum kind kind, double days)
{
    kit_wait_until_ms(kit, kit_at(days) - 1);
    if (kit_count(kit, kind, PHASE_RAISED) != 0)
        fail_msg("%s raised too soon, at %f", kind_label(kind),
                 kit_days(kit_last(kit, kind, PHASE_RAISED)->at_ms));
    kit_wait(kit, days);
    if (kit_count(kit, kind, PHASE_RAISED) != 1)
        fail_msg("%s raised %u times", kind_label(kind), kit_count(kit, kind, PHASE_RAISED));
    assert_int_equal(kit_last(kit, kind, PHASE_RAISED)->at_ms, kit_at(days));
}

static void assert_open(const struct kit *kit, enum kind kind, uint64_t key, bool open)
{
    const struct episode *episode = customer_episode(&kit->customer, (uint8_t)kind, key);

    if ((episode != NULL && episode->phase == EPISODE_OPEN) != open)
        fail_msg("%s is %s", kind_label(kind), open ? "not open" : "open");
}

/* --- stage_changed --- */

static void every_move_is_told_but_to_become_known(void **state)
{
    struct kit *kit = kit_new();
    const struct effect *effect;

    (void)state;
    kit_apply(kit, kit_event(kit, EVENT_PAGE_VIEWED, 0));
    assert_int_equal(kit->effects.count, 0);
    kit_apply(kit, kit_event(kit, EVENT_DEMO_ATTENDED, 1));
    effect = kit_last(kit, KIND_STAGE_CHANGED, PHASE_RAISED);
    assert_non_null(effect);
    assert_int_equal(effect->from, STAGE_LEAD);
    assert_int_equal(effect->to, STAGE_DEMO);
    assert_int_equal(effect->cause, 2);
    assert_int_equal(effect->sequence, 1);
    assert_int_equal(effect->at_ms, kit_at(1));
    assert_int_equal(effect->expires_ms, kit_at(15));
    assert_string_equal(effect->action, "demo_follow_up");
    kit_apply(kit, kit_event(kit, EVENT_DEMO_ATTENDED, 2));
    assert_int_equal(kit->effects.count, 1);
    assert_int_equal(kit->customer.episodes, 0);
    free(kit);

    kit = kit_new();
    kit_apply(kit, kit_order(kit, 0, 1, 100));
    effect = kit_last(kit, KIND_STAGE_CHANGED, PHASE_RAISED);
    assert_int_equal(effect->from, STAGE_NONE);
    assert_int_equal(effect->to, STAGE_NEW);
    free(kit);
}

/* --- churn_risk --- */

static void the_reasons_of_a_churn_risk_sum_to_it_exactly(void **state)
{
    struct kit *kit = kit_new();
    struct event survey = kit_event(kit, EVENT_SURVEY_RESPONDED, 1);
    const struct effect *effect;
    double logit = 0;

    (void)state;
    survey.has = EVENT_HAS_SCORE;
    survey.metric = SURVEY_CSAT;
    survey.score = 1;
    kit_apply(kit, kit_order(kit, 0, 1, 100));
    kit_apply(kit, survey);
    kit_apply(kit, kit_event(kit, EVENT_COMPLAINT_FILED, 2));
    effect = kit_last(kit, KIND_CHURN_RISK, PHASE_RAISED);
    assert_non_null(effect);
    assert_int_equal(effect->reasons, 3);
    assert_string_equal(effect->reason[0].feature, "p_buy_model");
    for (uint8_t i = 0; i < effect->reasons; i++)
        logit += effect->reason[i].contribution;
    assert_true(fabs(effect->churn.risk - 1 / (1 + exp(logit))) == 0);
    free(kit);
}

static void churn_risk_is_raised_at_its_crossing_and_resolved_by_a_purchase(void **state)
{
    struct kit *kit = kit_new();
    double crossing;

    (void)state;
    kit->params.population_gap_ms = 180 * TEXT_MS_PER_DAY;
    kit_apply(kit, kit_order(kit, 0, 1, 100));
    crossing = kit_days(churn_risk_crossing(&kit->customer, kit_at(0) + 1,
                                            stage_risk_threshold(&kit->customer, &kit->params),
                                            &kit->params));
    assert_raised_at(kit, KIND_CHURN_RISK, crossing);
    assert_int_equal(kit_last(kit, KIND_CHURN_RISK, PHASE_RAISED)->band, 1);
    kit_apply(kit, kit_order(kit, crossing + 2, 2, 100));
    assert_int_equal(kit_count(kit, KIND_CHURN_RISK, PHASE_RESOLVED), 1);
    assert_int_equal(kit_last(kit, KIND_CHURN_RISK, PHASE_RESOLVED)->revision, 1);
    assert_string_equal(kit_last(kit, KIND_CHURN_RISK, PHASE_RESOLVED)->action, "none");
    free(kit);
}

static void a_higher_band_updates_the_episode_and_churn_ends_it_quietly(void **state)
{
    struct kit *kit = kit_new();

    (void)state;
    kit_apply(kit, kit_order(kit, 0, 1, 100));
    kit_wait(kit, 134);
    assert_int_equal(kit_count(kit, KIND_CHURN_RISK, PHASE_RAISED), 1);
    assert_int_equal(kit_count(kit, KIND_CHURN_RISK, PHASE_UPDATED), 1);
    assert_int_equal(kit_last(kit, KIND_CHURN_RISK, PHASE_UPDATED)->band, 2);
    assert_true(kit_last(kit, KIND_CHURN_RISK, PHASE_UPDATED)->churn.risk >= 0.9);
    kit_wait(kit, 135);
    kit_assert_stage(kit, STAGE_CHURNED);
    assert_open(kit, KIND_CHURN_RISK, 0, false);
    assert_int_equal(kit_count(kit, KIND_CHURN_RISK, PHASE_RESOLVED), 0);
    free(kit);
}

static void a_cool_down_holds_the_next_churn_risk_back_to_its_end(void **state)
{
    struct kit *kit = kit_new();

    (void)state;
    kit->params.complaint_open = -5;
    kit->params.complaint_resolved = 0;
    kit_apply(kit, kit_order(kit, 0, 1, 100));
    kit_apply(kit, kit_event(kit, EVENT_COMPLAINT_FILED, 1));
    assert_int_equal(kit_count(kit, KIND_CHURN_RISK, PHASE_RAISED), 1);
    kit_apply(kit, kit_event(kit, EVENT_COMPLAINT_RESOLVED, 2));
    assert_int_equal(kit_count(kit, KIND_CHURN_RISK, PHASE_RESOLVED), 1);
    kit_apply(kit, kit_event(kit, EVENT_COMPLAINT_FILED, 3));
    assert_int_equal(kit_count(kit, KIND_CHURN_RISK, PHASE_RAISED), 1);
    kit_wait_until_ms(kit, kit_at(2 + 21) - 1);
    assert_int_equal(kit_count(kit, KIND_CHURN_RISK, PHASE_RAISED), 1);
    kit_wait(kit, 2 + 21);
    assert_int_equal(kit_count(kit, KIND_CHURN_RISK, PHASE_RAISED), 2);
    free(kit);
}

/* --- win_back --- */

static void two_offers_follow_a_churn_and_a_purchase_resolves_them(void **state)
{
    struct kit *kit = kit_new();

    (void)state;
    kit_apply(kit, kit_order(kit, 0, 1, 100));
    assert_raised_at(kit, KIND_WIN_BACK, 135 + 7);
    kit_wait_until_ms(kit, kit_at(135 + 45) - 1);
    assert_int_equal(kit_count(kit, KIND_WIN_BACK, PHASE_UPDATED), 0);
    kit_wait(kit, 135 + 45);
    assert_int_equal(kit_count(kit, KIND_WIN_BACK, PHASE_UPDATED), 1);
    kit_wait(kit, 2000);
    assert_int_equal(kit_count(kit, KIND_WIN_BACK, PHASE_UPDATED), 1);
    assert_int_equal(kit->customer.due_ms, INT64_MAX);
    kit_apply(kit, kit_order(kit, 2001, 2, 100));
    assert_int_equal(kit_count(kit, KIND_WIN_BACK, PHASE_RESOLVED), 1);
    assert_int_equal(kit->customer.episodes, 0);
    free(kit);
}

/* --- prospect_stalled --- */

static void a_prospect_stalls_after_14_days_without_progress_and_views_are_none(void **state)
{
    struct kit *kit = kit_new();

    (void)state;
    kit_apply(kit, kit_event(kit, EVENT_LEAD_CREATED, 0));
    kit_apply(kit, kit_event(kit, EVENT_SIGNED_UP, 3));
    kit_apply(kit, kit_event(kit, EVENT_PAGE_VIEWED, 5));
    assert_raised_at(kit, KIND_PROSPECT_STALLED, 3 + 14);
    assert_string_equal(kit_last(kit, KIND_PROSPECT_STALLED, PHASE_RAISED)->action, "demo_offer");
    kit_apply(kit, kit_event(kit, EVENT_TRIAL_STARTED, 20));
    assert_int_equal(kit_count(kit, KIND_PROSPECT_STALLED, PHASE_RESOLVED), 1);
    kit_forget_effects(kit);
    assert_raised_at(kit, KIND_PROSPECT_STALLED, 20 + 14);
    assert_string_equal(kit_last(kit, KIND_PROSPECT_STALLED, PHASE_RAISED)->action, "trial_nudge");
    free(kit);
}

/* --- onboarding_needed --- */

static void a_new_customer_quiet_for_14_days_needs_onboarding_and_activity_resolves_it(void **state)
{
    struct kit *kit = kit_new();

    (void)state;
    kit_apply(kit, kit_order(kit, 0, 1, 100));
    kit_apply(kit, kit_event(kit, EVENT_CONTENT_COMPLETED, 2));
    kit_apply(kit, kit_event(kit, EVENT_IDENTIFY, 4)); /* no sign of life */
    assert_raised_at(kit, KIND_ONBOARDING_NEEDED, 2 + 14);
    kit_apply(kit, kit_event(kit, EVENT_APPLICATION_OPENED, 17));
    assert_int_equal(kit_count(kit, KIND_ONBOARDING_NEEDED, PHASE_RESOLVED), 1);
    kit_forget_effects(kit);
    /* Quiet again from 17 + 14 = 31, but the cool-down lasts to 17 + 30. */
    assert_int_equal(customer_episode(&kit->customer, KIND_ONBOARDING_NEEDED, 0)->ended_ms,
                     kit_at(17));
    kit_wait_until_ms(kit, kit_at(47) - 1);
    assert_int_equal(kit_count(kit, KIND_ONBOARDING_NEEDED, PHASE_RAISED), 0);
    kit_wait(kit, 47);
    assert_int_equal(kit_count(kit, KIND_ONBOARDING_NEEDED, PHASE_RAISED), 1);
    assert_int_equal(kit_last(kit, KIND_ONBOARDING_NEEDED, PHASE_RAISED)->at_ms, kit_at(31));
    free(kit);
}

/* --- upsell --- */

static void spend_that_rises_by_the_share_suggests_an_upsell(void **state)
{
    static const struct {
        const char *name;
        int64_t before, recent;
        int days; /* purchase days in the recent window */
        bool raised;
    } rows[] = {
        {"at the share", 1000, 1300, 2, true},
        {"below the share", 1000, 1299, 2, false},
        {"too few purchase days", 1000, 5000, 1, false},
        {"nothing before to compare with", 0, 5000, 2, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct kit *kit = kit_new();

        kit_apply(kit, kit_order(kit, 0, 1, rows[i].before));
        kit_apply(kit,
                  kit_order(kit, 120, 2, rows[i].days == 2 ? rows[i].recent - 1 : rows[i].recent));
        if (rows[i].days == 2)
            kit_apply(kit, kit_order(kit, 140, 3, 1));
        if (kit_count(kit, KIND_UPSELL, PHASE_RAISED) != rows[i].raised)
            fail_msg("%s", rows[i].name);
        free(kit);
    }
}

/* --- cross_sell --- */

/* Of those who bought books, `share` of 1000 bought music. */
static struct kit *kit_with_shares(uint16_t share)
{
    static const char music[INSIGHT_NAME_MAX] = "music";
    struct kit *kit = kit_new();
    struct insight *insight = &kit->params.insight;
    int from = customer_category_bit(SPAN_LITERAL("books"));
    int to = customer_category_bit(SPAN_LITERAL("music"));

    assert_int_not_equal(from, to);
    insight->version = 1;
    insight->category_next[from] = (uint8_t)to;
    insight->category_share[from] = share;
    assert_true(insight_name_category(insight, to, music));
    return kit;
}

static void buy(struct kit *kit, double days, uint64_t order, const char *category)
{
    struct event event = kit_order(kit, days, order, 2000);

    event.category = category ? span_of(category) : SPAN_ABSENT;
    kit_apply(kit, event);
}

static void a_second_category_that_enough_bought_is_offered_by_its_name(void **state)
{
    static const struct {
        const char *name, *first, *second;
        uint16_t share;
        bool raised;
    } rows[] = {
        {"at the share", "books", NULL, 200, true},
        {"below the share", "books", NULL, 199, false},
        {"no category known", NULL, NULL, 900, false},
        {"two categories already", "books", "music", 900, false},
        {"nothing learned of this one", "garden", NULL, 900, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct kit *kit = kit_with_shares(rows[i].share);
        const struct effect *effect;

        buy(kit, 0, 1, rows[i].first);
        assert_int_equal(kit_count(kit, KIND_CROSS_SELL, PHASE_RAISED), 0); /* new, not growing */
        buy(kit, 20, 2, rows[i].second);
        effect = kit_last(kit, KIND_CROSS_SELL, PHASE_RAISED);
        if ((effect != NULL) != rows[i].raised)
            fail_msg("%s", rows[i].name);
        if (effect != NULL) {
            assert_string_equal(effect->category, "music");
            assert_string_equal(effect->reason[0].feature, "category_share");
            assert_true(effect->reason[0].value >= 0.2 && effect->reason[0].baseline <= 0.2);
            assert_string_equal(effect->clears_when, "category");
        }
        free(kit);
    }
}

static void buying_the_second_category_ends_the_offer_and_so_does_silence(void **state)
{
    struct kit *kit = kit_with_shares(400);
    const struct effect *effect;
    int64_t ends_ms;

    (void)state;
    buy(kit, 0, 1, "books");
    buy(kit, 20, 2, "books");
    buy(kit, 22, 3, "garden"); /* another one than the offered */
    assert_int_equal(kit_count(kit, KIND_CROSS_SELL, PHASE_RESOLVED), 1);
    free(kit);

    kit = kit_with_shares(400);
    buy(kit, 0, 1, "books");
    buy(kit, 20, 2, "books");
    effect = kit_last(kit, KIND_CROSS_SELL, PHASE_RAISED);
    assert_non_null(effect);
    ends_ms = effect->clears_at_ms;
    kit_wait_until_ms(kit, ends_ms - 1);
    assert_int_equal(kit_count(kit, KIND_CROSS_SELL, PHASE_RESOLVED), 0);
    kit_wait_until_ms(kit, ends_ms);
    assert_int_equal(kit_count(kit, KIND_CROSS_SELL, PHASE_RESOLVED), 1);
    free(kit);
}

/* --- complaint_open --- */

static void a_ticket_unresolved_for_48_hours_is_told_and_its_resolution_too(void **state)
{
    struct kit *kit = kit_new();
    struct event filed = kit_event(kit, EVENT_COMPLAINT_FILED, 1);
    struct event resolved = kit_event(kit, EVENT_COMPLAINT_RESOLVED, 5);

    (void)state;
    filed.has = resolved.has = EVENT_HAS_TICKET;
    filed.ticket_fp = resolved.ticket_fp = 77;
    kit_apply(kit, kit_event(kit, EVENT_PAGE_VIEWED, 0));
    kit_apply(kit, filed);
    assert_raised_at(kit, KIND_COMPLAINT_OPEN, 3);
    kit_apply(kit, resolved);
    assert_int_equal(kit_count(kit, KIND_COMPLAINT_OPEN, PHASE_RESOLVED), 1);
    free(kit);
}

static void a_resolution_that_was_late_retracts(void **state)
{
    static const struct {
        const char *name;
        double resolved;
        enum phase phase;
    } rows[] = {
        {"resolved before the 48 hours were over", 2.5, PHASE_RETRACTED},
        {"resolved as they were over", 3, PHASE_RETRACTED},
        {"resolved a millisecond later", 3 + 1.0 / 86400000, PHASE_RESOLVED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct kit *kit = kit_new();

        kit_apply(kit, kit_event(kit, EVENT_COMPLAINT_FILED, 1));
        kit_wait(kit, 4);
        assert_int_equal(kit_count(kit, KIND_COMPLAINT_OPEN, PHASE_RAISED), 1);
        kit_apply(kit, kit_event(kit, EVENT_COMPLAINT_RESOLVED, rows[i].resolved));
        if (kit_count(kit, KIND_COMPLAINT_OPEN, rows[i].phase) != 1)
            fail_msg("%s", rows[i].name);
        free(kit);
    }
}

static void complaints_without_an_id_are_separate_and_settled_together(void **state)
{
    struct kit *kit = kit_new();

    (void)state;
    kit_apply(kit, kit_event(kit, EVENT_COMPLAINT_FILED, 0));
    kit_apply(kit, kit_event(kit, EVENT_COMPLAINT_FILED, 1));
    kit_apply(kit, kit_event(kit, EVENT_TICKET_OPENED, 1));
    kit_wait(kit, 4);
    assert_int_equal(kit_count(kit, KIND_COMPLAINT_OPEN, PHASE_RAISED), 3);
    kit_apply(kit, kit_event(kit, EVENT_COMPLAINT_RESOLVED, 5));
    assert_int_equal(kit_count(kit, KIND_COMPLAINT_OPEN, PHASE_RESOLVED), 2);
    kit_apply(kit, kit_event(kit, EVENT_TICKET_RESOLVED, 5));
    assert_int_equal(kit_count(kit, KIND_COMPLAINT_OPEN, PHASE_RESOLVED), 3);
    kit_apply(kit, kit_event(kit, EVENT_COMPLAINT_FILED, 4.5)); /* late, settled already */
    kit_wait(kit, 10);
    assert_int_equal(kit_count(kit, KIND_COMPLAINT_OPEN, PHASE_RAISED), 3);
    kit_apply(kit, kit_event(kit, EVENT_COMPLAINT_FILED, 11));
    kit_wait(kit, 13);
    assert_int_equal(kit_count(kit, KIND_COMPLAINT_OPEN, PHASE_RAISED), 4);
    free(kit);
}

static void more_tickets_than_are_kept_never_fill_the_episodes(void **state)
{
    struct kit *kit = kit_new();

    (void)state;
    kit_apply(kit, kit_order(kit, 0, 1, 100));
    for (int i = 0; i < 40; i++) {
        kit_apply(kit, kit_event(kit, EVENT_COMPLAINT_FILED, 1 + i));
        assert_true(kit->customer.episodes <= CUSTOMER_TICKETS_MAX + KIND_COUNT);
    }
    kit_wait(kit, 60);
    /* What fell out of the kept tickets is resolved, so that nobody chases it for ever. */
    assert_int_equal(kit_count(kit, KIND_COMPLAINT_OPEN, PHASE_RAISED), 40);
    assert_int_equal(kit_count(kit, KIND_COMPLAINT_OPEN, PHASE_RESOLVED), 32);
    free(kit);
}

/* --- satisfaction_drop --- */

static void a_poor_score_is_told_at_once_and_a_better_one_resolves_it(void **state)
{
    static const struct {
        enum survey_metric metric;
        int16_t score;
        bool poor;
    } rows[] = {{SURVEY_CSAT, 2, true},
                {SURVEY_CSAT, 3, false},
                {SURVEY_NPS, 6, true},
                {SURVEY_NPS, 7, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct kit *kit = kit_new();
        struct event survey = kit_event(kit, EVENT_SURVEY_RESPONDED, 0);
        struct event better = kit_event(kit, EVENT_SURVEY_RESPONDED, 1);

        survey.has = better.has = EVENT_HAS_SCORE;
        survey.metric = rows[i].metric;
        survey.score = rows[i].score;
        better.metric = SURVEY_NPS;
        better.score = 10;
        kit_apply(kit, survey);
        assert_int_equal(kit_count(kit, KIND_SATISFACTION_DROP, PHASE_RAISED), rows[i].poor);
        kit_apply(kit, better);
        assert_int_equal(kit_count(kit, KIND_SATISFACTION_DROP, PHASE_RESOLVED), rows[i].poor);
        free(kit);
    }
}

static void an_old_poor_score_is_let_go_after_the_memory(void **state)
{
    struct kit *kit = kit_new();
    struct event survey = kit_event(kit, EVENT_SURVEY_RESPONDED, 0);

    (void)state;
    survey.has = EVENT_HAS_SCORE;
    survey.score = 0;
    kit_apply(kit, survey);
    kit_wait_until_ms(kit, kit_at(90) - 1);
    assert_open(kit, KIND_SATISFACTION_DROP, 0, true);
    kit_wait(kit, 90);
    assert_open(kit, KIND_SATISFACTION_DROP, 0, false);
    free(kit);
}

/* --- renewal_due --- */

static struct kit *subscribed(double starts, double ends)
{
    struct kit *kit = kit_new();
    struct event start = kit_event(kit, EVENT_SUBSCRIPTION_STARTED, starts);

    start.has = EVENT_HAS_ENDS;
    start.ends_ms = kit_at(ends);
    kit_apply(kit, start);
    return kit;
}

static void a_year_is_noticed_30_and_7_days_before_its_end_and_a_renewal_resolves(void **state)
{
    struct kit *kit = subscribed(0, 365);
    struct event renewed = kit_event(kit, EVENT_SUBSCRIPTION_RENEWED, 364);

    (void)state;
    assert_raised_at(kit, KIND_RENEWAL_DUE, 335);
    kit_wait_until_ms(kit, kit_at(358) - 1);
    assert_int_equal(kit_count(kit, KIND_RENEWAL_DUE, PHASE_UPDATED), 0);
    kit_wait(kit, 358);
    assert_int_equal(kit_count(kit, KIND_RENEWAL_DUE, PHASE_UPDATED), 1);
    assert_int_equal(kit_last(kit, KIND_RENEWAL_DUE, PHASE_UPDATED)->band, 2);
    renewed.has = EVENT_HAS_ENDS;
    renewed.ends_ms = kit_at(730);
    kit_apply(kit, renewed);
    assert_int_equal(kit_count(kit, KIND_RENEWAL_DUE, PHASE_RESOLVED), 1);
    kit_forget_effects(kit);
    assert_raised_at(kit, KIND_RENEWAL_DUE, 700);
    free(kit);
}

static void a_month_is_not_noticed_as_it_begins(void **state)
{
    struct kit *kit = subscribed(0, 30);

    (void)state;
    assert_raised_at(kit, KIND_RENEWAL_DUE, 23);
    assert_int_equal(kit_last(kit, KIND_RENEWAL_DUE, PHASE_RAISED)->band, 2);
    kit_wait_until_ms(kit, kit_at(30) - 1);
    assert_open(kit, KIND_RENEWAL_DUE, (uint64_t)kit_at(30), true);
    kit_wait(kit, 30);
    assert_open(kit, KIND_RENEWAL_DUE, (uint64_t)kit_at(30), false);
    free(kit);
}

static void a_failed_payment_is_told_at_once(void **state)
{
    struct kit *kit = subscribed(0, 365);

    (void)state;
    kit_apply(kit, kit_event(kit, EVENT_PAYMENT_FAILED, 20));
    assert_int_equal(kit_count(kit, KIND_RENEWAL_DUE, PHASE_RAISED), 1);
    assert_int_equal(kit_last(kit, KIND_RENEWAL_DUE, PHASE_RAISED)->band, 3);
    assert_string_equal(kit_last(kit, KIND_RENEWAL_DUE, PHASE_RAISED)->action, "payment_retry");
    free(kit);
}

static void a_cancelled_term_is_not_due_for_renewal(void **state)
{
    struct kit *kit = subscribed(0, 365);
    struct event cancel = kit_event(kit, EVENT_SUBSCRIPTION_CANCELLED, 340);

    (void)state;
    cancel.has = EVENT_HAS_ENDS;
    cancel.ends_ms = kit_at(365);
    kit_wait(kit, 336);
    assert_int_equal(kit_count(kit, KIND_RENEWAL_DUE, PHASE_RAISED), 1);
    kit_apply(kit, cancel);
    assert_int_equal(kit_count(kit, KIND_RENEWAL_DUE, PHASE_RESOLVED), 1);
    kit_wait(kit, 400);
    assert_int_equal(kit_count(kit, KIND_RENEWAL_DUE, PHASE_UPDATED), 0);
    free(kit);
}

static void every_kind_has_a_rule_and_words(void **state)
{
    (void)state;
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        assert_non_null(rule_of((enum kind)kind));
        assert_non_null(kind_label((enum kind)kind));
        assert_non_null(kind_severity((enum kind)kind));
        for (uint8_t band = 0; band < 5; band++)
            assert_non_null(kind_band_label((enum kind)kind, band));
    }
    assert_string_equal(kind_band_label(KIND_CHURN_RISK, 2), "critical");
    assert_string_equal(kind_severity(KIND_COMPLAINT_OPEN), "ERROR");
    assert_int_equal(kind_marketing(KIND_UPSELL), MARKETING_SALE);
    assert_int_equal(kind_marketing(KIND_CHURN_RISK), MARKETING_NONE);
    assert_string_equal(phase_label(PHASE_RETRACTED), "retracted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_move_is_told_but_to_become_known),
        cmocka_unit_test(the_reasons_of_a_churn_risk_sum_to_it_exactly),
        cmocka_unit_test(churn_risk_is_raised_at_its_crossing_and_resolved_by_a_purchase),
        cmocka_unit_test(a_higher_band_updates_the_episode_and_churn_ends_it_quietly),
        cmocka_unit_test(a_cool_down_holds_the_next_churn_risk_back_to_its_end),
        cmocka_unit_test(two_offers_follow_a_churn_and_a_purchase_resolves_them),
        cmocka_unit_test(a_prospect_stalls_after_14_days_without_progress_and_views_are_none),
        cmocka_unit_test(
            a_new_customer_quiet_for_14_days_needs_onboarding_and_activity_resolves_it),
        cmocka_unit_test(spend_that_rises_by_the_share_suggests_an_upsell),
        cmocka_unit_test(a_second_category_that_enough_bought_is_offered_by_its_name),
        cmocka_unit_test(buying_the_second_category_ends_the_offer_and_so_does_silence),
        cmocka_unit_test(a_ticket_unresolved_for_48_hours_is_told_and_its_resolution_too),
        cmocka_unit_test(a_resolution_that_was_late_retracts),
        cmocka_unit_test(complaints_without_an_id_are_separate_and_settled_together),
        cmocka_unit_test(more_tickets_than_are_kept_never_fill_the_episodes),
        cmocka_unit_test(a_poor_score_is_told_at_once_and_a_better_one_resolves_it),
        cmocka_unit_test(an_old_poor_score_is_let_go_after_the_memory),
        cmocka_unit_test(a_year_is_noticed_30_and_7_days_before_its_end_and_a_renewal_resolves),
        cmocka_unit_test(a_month_is_not_noticed_as_it_begins),
        cmocka_unit_test(a_failed_payment_is_told_at_once),
        cmocka_unit_test(a_cancelled_term_is_not_due_for_renewal),
        cmocka_unit_test(every_kind_has_a_rule_and_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
