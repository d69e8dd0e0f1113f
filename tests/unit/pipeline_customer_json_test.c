/* States made by the fold itself, written and read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "pipeline/customer_json.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define START_MS    INT64_C(1735689600000) /* 2025-01-01 */
#define DAY         TEXT_MS_PER_DAY
#define STEPS_MAX   16

struct world {
    struct params params;
    struct customer customer;
    uint64_t orders[64], events[64];
    struct ledger ledger;
    struct effects effects;
    struct outlook_step steps[STEPS_MAX];
    uint32_t step_count;
    struct arena scratch;
    char text[65536];
    size_t len;
};

static int world_open(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    params_default(&world->params);
    customer_init(&world->customer);
    world->ledger = (struct ledger){
        .orders = world->orders, .order_cap = 64, .events = world->events, .event_cap = 64};
    world->effects.cap = 4 * EFFECTS_PER_STEP_MAX;
    world->effects.at = calloc(world->effects.cap, sizeof(*world->effects.at));
    assert_non_null(world->effects.at);
    arena_init(&world->scratch, 1 << 20);
    *state = world;
    return 0;
}

static int world_close(void **state)
{
    struct world *world = *state;

    arena_fini(&world->scratch);
    free(world->effects.at);
    free(world);
    return 0;
}

static void fold(struct world *world, int day, struct event event)
{
    const char *why = "";

    event.customer = SPAN_LITERAL("c-1");
    event.time_ms = event.record_ms = START_MS + day * DAY;
    event.id_fp = (uint64_t)day * 100 + (uint64_t)event.type + 1;
    world->effects.count = 0;
    if (fold_event(&world->customer, &world->ledger, &event, INT64_MIN, &world->params,
                   &world->effects, &why) != FOLD_APPLIED)
        fail_msg("%s", why);
}

static void order(struct world *world, int day, int64_t minor)
{
    fold(world, day,
         (struct event){.type = EVENT_ORDER_COMPLETED,
                        .has = EVENT_HAS_AMOUNT,
                        .amount_minor = minor,
                        .currency = CURRENCY_EUR,
                        .channel = SPAN_LITERAL("web")});
}

static void write_at(struct world *world, int day)
{
    struct json_writer writer;

    world->effects.count = 0;
    json_writer_init(&writer, world->text, sizeof(world->text));
    customer_json_write(&writer, SPAN_LITERAL("c-\"1"), &world->customer, START_MS + day * DAY,
                        &world->params, world->steps, world->step_count);
    assert_false(writer.full);
    world->len = writer.len;
}

/* The member at "stage.name", as JSON; absent when it is not there. */
static struct span member(struct world *world, const char *path)
{
    struct json_reader reader;
    struct span key, found = SPAN_ABSENT;
    const char *part = path;

    json_reader_init(&reader, (struct span){world->text, world->len}, &world->scratch);
    json_object_begin(&reader);
    while (json_object_next(&reader, &key)) {
        size_t len = strcspn(part, ".");
        const char *first;

        if (!span_equal(key, (struct span){part, len})) {
            json_skip(&reader);
            continue;
        }
        part += len + (part[len] == '.');
        if (*part && json_peek(&reader) == JSON_OBJECT) {
            json_object_begin(&reader);
            continue;
        }
        (void)json_peek(&reader);
        first = reader.at;
        json_skip(&reader);
        found = (struct span){first, (size_t)(reader.at - first)};
        break;
    }
    assert_null(reader.fault);
    return found;
}

static void check_member(struct world *world, const char *path, const char *want)
{
    struct span found = member(world, path);

    if (!span_is(found, want))
        fail_msg("%s is %.*s, not %s", path, (int)found.len, found.at ? found.at : "", want);
}

static double number(struct world *world, const char *path)
{
    double value = NAN;

    assert_int_equal(text_double_parse(member(world, path), &value), STATUS_OK);
    return value;
}

static void an_empty_state_says_null(void **state)
{
    static const char *const nulls[] = {"first_seen",
                                        "last_seen",
                                        "channel",
                                        "category",
                                        "erased_at",
                                        "purchases",
                                        "churn",
                                        "subscription",
                                        "next_timer_at",
                                        "stage.since",
                                        "stage.churned_at",
                                        "stage.churn_reason",
                                        "satisfaction.average",
                                        "satisfaction.last_score",
                                        "satisfaction.metric"};
    struct world *world = *state;

    write_at(world, 0);
    for (size_t i = 0; i < ROWS(nulls); i++)
        check_member(world, nulls[i], "null");
    check_member(world, "customer", "\"c-\\\"1\"");
    check_member(world, "at", "\"2025-01-01T00:00:00.000Z\"");
    check_member(world, "if_silent", "[]");
    check_member(world, "alerts.open", "[]");
    check_member(world, "consent.marketing", "true");
}

static void a_buyer_is_told_with_its_figures(void **state)
{
    struct world *world = *state;

    order(world, 0, 1000);
    order(world, 10, 2500);
    write_at(world, 40);
    check_member(world, "stage.name", "\"growing\"");
    check_member(world, "stage.since", "\"2025-01-11T00:00:00.000Z\"");
    check_member(world, "stage.reason", "\"purchase\"");
    check_member(world, "stage.cause", "\"event:00000000000003ef\""); /* 10·100 + type 6 + 1 */
    check_member(world, "channel", "\"web\"");
    check_member(world, "purchases.days", "2");
    check_member(world, "purchases.first", "\"2025-01-01\"");
    check_member(world, "purchases.last", "\"2025-01-11\"");
    check_member(world, "purchases.spend_minor", "3500");
    check_member(world, "purchases.by_currency", "[{\"currency\":\"EUR\",\"spend_minor\":3500}]");
    check_member(world, "purchases.x", "1");
    check_member(world, "purchases.t_x", "10");
    check_member(world, "purchases.T", "40");
    check_member(world, "purchases.silence_ms", "2592000000");
    check_member(world, "churn.horizon_days", "90");
    check_member(world, "churn.calibrated", "false");
    check_member(world, "activity.counts", "{\"Order Completed\":2}");
    assert_true(number(world, "value.clv_minor") > 0);
}

static void risk_is_explained_exactly(void **state)
{
    struct world *world = *state;
    double logit, risk;
    struct json_reader reader;
    struct span key, warnings;
    int count = 0;

    order(world, 0, 1000);
    fold(world, 1, (struct event){.type = EVENT_COMPLAINT_FILED});
    fold(world, 2, (struct event){.type = EVENT_PAYMENT_FAILED});
    write_at(world, 20);
    logit = number(world, "churn.base_logit");
    risk = number(world, "churn.risk");
    warnings = member(world, "churn.warnings");
    json_reader_init(&reader, warnings, &world->scratch);
    for (json_array_begin(&reader); json_array_next(&reader); count++)
        for (json_object_begin(&reader); json_object_next(&reader, &key);) {
            double value;

            if (!span_is(key, "contribution")) {
                json_skip(&reader);
                continue;
            }
            assert_int_equal(text_double_parse(json_read_number(&reader), &value), STATUS_OK);
            logit += value;
        }
    assert_null(reader.fault);
    assert_int_equal(count, 2);
    assert_true(fabs(1 / (1 + exp(logit)) - risk) < 1e-12);
    check_member(world, "satisfaction.open_tickets", "1");
}

static void what_comes_in_silence_is_listed(void **state)
{
    struct world *world = *state;
    char last[256];

    order(world, 0, 1000);
    world->effects.count = 0;
    world->step_count = outlook_of(&world->customer, START_MS + 700 * DAY, &world->params,
                                   &world->effects, world->steps, STEPS_MAX);
    assert_true(world->step_count >= 2);
    world->steps[0].forgotten = false;
    write_at(world, 1);
    snprintf(last, sizeof(last), "\"kind\":\"%s\"", kind_label(world->steps[0].kind));
    assert_non_null(strstr(member(world, "if_silent").at, last));
    world->steps[0] = (struct outlook_step){.at_ms = START_MS, .forgotten = true};
    world->step_count = 1;
    write_at(world, 1);
    check_member(world, "if_silent",
                 "[{\"at\":\"2025-01-01T00:00:00.000Z\",\"kind\":\"forgotten\"}]");
}

static void subscription_survey_and_consent_are_told(void **state)
{
    struct world *world = *state;

    fold(world, 0,
         (struct event){.type = EVENT_SUBSCRIPTION_STARTED,
                        .has = EVENT_HAS_ENDS,
                        .ends_ms = START_MS + 90 * DAY,
                        .plan = SPAN_LITERAL("pro")});
    fold(world, 1,
         (struct event){.type = EVENT_SURVEY_RESPONDED,
                        .has = EVENT_HAS_SCORE,
                        .score = 4,
                        .metric = SURVEY_CSAT});
    fold(world, 2,
         (struct event){.type = EVENT_CONSENT_CHANGED,
                        .has = EVENT_HAS_PURPOSE,
                        .purpose = CONSENT_MARKETING,
                        .granted = false});
    write_at(world, 3);
    check_member(world, "subscription.state", "\"active\"");
    check_member(world, "subscription.plan", "\"pro\"");
    check_member(world, "subscription.ends_at", "\"2025-04-01T00:00:00.000Z\"");
    check_member(world, "satisfaction.metric", "\"csat\"");
    check_member(world, "satisfaction.last_score", "4");
    check_member(world, "satisfaction.average", "75");
    check_member(world, "consent.marketing", "false");
    check_member(world, "consent.analytics", "true");
    check_member(world, "churn.subscribed", "true");
}

static void a_small_buffer_is_never_overrun(void **state)
{
    struct world *world = *state;

    order(world, 0, 1000);
    write_at(world, 3);
    for (size_t cap = 0; cap < world->len; cap += 7) {
        struct json_writer writer;
        char *buffer = malloc(cap ? cap : 1);

        assert_non_null(buffer);
        json_writer_init(&writer, buffer, cap);
        customer_json_write(&writer, SPAN_LITERAL("c-\"1"), &world->customer, START_MS + 3 * DAY,
                            &world->params, NULL, 0);
        assert_true(writer.full);
        assert_true(writer.len <= cap);
        free(buffer);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_state_says_null),
        TEST(a_buyer_is_told_with_its_figures),
        TEST(risk_is_explained_exactly),
        TEST(what_comes_in_silence_is_listed),
        TEST(subscription_survey_and_consent_are_told),
        TEST(a_small_buffer_is_never_overrun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
