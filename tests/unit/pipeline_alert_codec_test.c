/* Alerts are compared, headers and payload, with the readable files of tests/golden/alerts: one
 * "name: value" a line, an empty line, the payload. They are a promise to consumers: a change of
 * one is a change of the contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mp.h"
#include "base/text.h"
#include "pipeline/alert_codec.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define RAISED_MS   INT64_C(1735689600123)
#define RECORDED_MS INT64_C(1735689600999)

static const struct alert_options options = {
    .source = "lifecycled/demo",
    .reporting = CURRENCY_EUR,
    .horizon_ms = 90 * INT64_C(86400000),
    .params_version = 3,
};

static struct effect churn_risk(void)
{
    return (struct effect){
        .kind = KIND_CHURN_RISK,
        .phase = PHASE_RAISED,
        .band = 1,
        .episode = 2,
        .sequence = 7,
        .at_ms = RAISED_MS,
        .expires_ms = RAISED_MS + INT64_C(1209600000),
        .from = STAGE_DECLINING,
        .to = STAGE_DECLINING,
        .stage_reason = STAGE_BY_SILENCE,
        .churn = {.risk = 0.75, .p_alive = 0.5, .p_buy_model = 0.5},
        .value = {.clv_minor = 20001},
        .reasons = 2,
        .reason = {{"history", 0.5, 0.6, 0}, {"complaint_open", 1, 0, -1.0986122886681098}},
        .action = "human_call",
        .channel_hint = "email",
        .not_before_ms = RAISED_MS + INT64_C(28800000),
        .suppressed_count = 2,
        .clears_when = "purchase",
        .clears_amount = 1,
        .clears_at_ms = INT64_MAX,
        .tier_from = TIER_B,
        .tier_to = TIER_B,
        .class = CLASS_SLEEPING,
        .percentile = 71.5,
    };
}

static struct effect stage_changed(void)
{
    return (struct effect){
        .kind = KIND_STAGE_CHANGED,
        .phase = PHASE_RAISED,
        .band = 1,
        .episode = 1,
        .sequence = 1,
        .at_ms = RAISED_MS,
        .expires_ms = INT64_MAX,
        .cause = UINT64_C(0x0123456789abcdef),
        .from = STAGE_NONE,
        .to = STAGE_LEAD,
        .stage_reason = STAGE_BY_FIRST_EVENT,
        .value = {.clv_minor = 250},
        .not_before_ms = INT64_MIN,
        .clears_at_ms = INT64_MAX,
        .percentile = NAN,
    };
}

static struct effect churned(void)
{
    struct effect effect = churn_risk();

    effect.kind = KIND_WIN_BACK;
    effect.phase = PHASE_UPDATED;
    effect.band = 2;
    effect.revision = 1;
    effect.from = effect.to = STAGE_CHURNED;
    effect.churn_reason = CHURN_PRICE;
    effect.requires_approval = true;
    effect.reasons = 0;
    effect.action = "graded_offer";
    return effect;
}

static void alert_text(const struct alert *alert, char *text, size_t cap)
{
    FILE *out = fmemopen(text, cap, "w");

    assert_non_null(out);
    for (size_t i = 0; i < alert->header_count; i++)
        fprintf(out, "%.*s: %.*s\n", (int)alert->headers[i].name.len, alert->headers[i].name.at,
                (int)alert->headers[i].value.len, alert->headers[i].value.at);
    fprintf(out, "\n%.*s\n", (int)alert->value.len, alert->value.at);
    fclose(out);
}

static void golden_check(const char *name, const char *text)
{
    char path[512], want[8192];
    size_t len;
    FILE *file;

    snprintf(path, sizeof(path), "%s/tests/golden/alerts/%s.txt", LC_SOURCE_DIR, name);
    if (getenv("LC_GOLDEN_WRITE")) {
        file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
    }
    file = fopen(path, "r");
    if (!file)
        fail_msg("%s is missing; it would be:\n%s", path, text);
    len = fread(want, 1, sizeof(want) - 1, file);
    fclose(file);
    want[len] = '\0';
    if (strcmp(text, want) != 0)
        fail_msg("%s differs (LC_GOLDEN_WRITE=1 writes it anew); now:\n%s", path, text);
}

static void alerts_are_as_in_the_golden_files(void **state)
{
    const struct {
        const char *name;
        struct effect effect;
    } rows[] = {
        {"churn_risk", churn_risk()}, {"stage_changed", stage_changed()}, {"win_back", churned()}};
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct alert alert;
        char text[8192];

        assert_int_equal(alert_encode(&rows[i].effect, SPAN_LITERAL("c-\xc3\xa9\"1"), &options,
                                      RECORDED_MS, &arena, &alert),
                         STATUS_OK);
        alert_text(&alert, text, sizeof(text));
        golden_check(rows[i].name, text);
    }
    arena_fini(&arena);
}

static struct span header_of(const struct alert *alert, const char *name)
{
    for (size_t i = 0; i < alert->header_count; i++)
        if (span_is(alert->headers[i].name, name))
            return alert->headers[i].value;
    return SPAN_ABSENT;
}

static void every_kind_and_phase_has_its_type(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (int kind = 0; kind < KIND_COUNT; kind++)
        for (int phase = 0; phase < PHASE_COUNT; phase++) {
            struct effect effect = churn_risk();
            struct alert alert;
            char want[80];

            effect.kind = (enum kind)kind;
            effect.phase = (enum phase)phase;
            assert_int_equal(alert_encode(&effect, SPAN_LITERAL("c"), &options, 0, &arena, &alert),
                             STATUS_OK);
            snprintf(want, sizeof(want), "lifecycled.alert.%s.%s.v1", kind_label(effect.kind),
                     phase_label(effect.phase));
            assert_true(span_is(header_of(&alert, "ce_type"), want));
            assert_true(span_is(header_of(&alert, "ce_severitytext"), kind_severity(effect.kind)));
            arena_reset(&arena);
        }
    arena_fini(&arena);
}

/* One field of an effect, changed. */
enum change { KIND, EPISODE, PHASE, REVISION, AT, SEQUENCE, RISK, CHANGES };

static struct effect changed(enum change change)
{
    struct effect effect = churn_risk();

    switch (change) {
    case KIND:
        effect.kind = KIND_UPSELL;
        break;
    case EPISODE:
        effect.episode++;
        break;
    case PHASE:
        effect.phase = PHASE_RESOLVED;
        break;
    case REVISION:
        effect.revision++;
        break;
    case AT:
        effect.at_ms++;
        break;
    case SEQUENCE:
        effect.sequence++;
        break;
    case RISK:
        effect.churn.risk = 0.1;
        break;
    case CHANGES:
        break;
    }
    return effect;
}

static void an_id_depends_on_what_it_names_and_on_nothing_else(void **state)
{
    static const struct {
        const char *name;
        enum change change;
        bool id, episode; /* is another one */
    } rows[] = {
        {"the kind", KIND, true, true},      {"the episode", EPISODE, true, true},
        {"the phase", PHASE, true, false},   {"the revision", REVISION, true, false},
        {"the time", AT, true, false},       {"the sequence number", SEQUENCE, false, false},
        {"the figures", RISK, false, false},
    };
    const struct effect base = churn_risk();
    char id[33], episode[33], other[33];

    (void)state;
    alert_id(&base, SPAN_LITERAL("c-1"), id);
    alert_id_episode(&base, SPAN_LITERAL("c-1"), episode);
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct effect effect = changed(rows[i].change);

        alert_id(&effect, SPAN_LITERAL("c-1"), other);
        if ((strcmp(id, other) != 0) != rows[i].id)
            fail_msg("%s in the id", rows[i].name);
        alert_id_episode(&effect, SPAN_LITERAL("c-1"), other);
        if ((strcmp(episode, other) != 0) != rows[i].episode)
            fail_msg("%s in the episode", rows[i].name);
    }
    alert_id(&base, SPAN_LITERAL("c-2"), other);
    assert_string_not_equal(id, other);
    assert_string_not_equal(id, episode);
    assert_int_equal(strlen(id), 32);
}

/* JSON and MessagePack side by side: the same names, the same values, in the same order. */
static void compare(struct json_reader *json, struct mp_reader *mp)
{
    struct span key, text;
    double number = 0;
    uint32_t items;

    switch (json_peek(json)) {
    case JSON_OBJECT:
        items = mp_read_map(mp);
        json_object_begin(json);
        while (json_object_next(json, &key)) {
            assert_true(items-- > 0);
            assert_true(span_equal(key, mp_read_str(mp)));
            compare(json, mp);
        }
        assert_int_equal(items, 0);
        break;
    case JSON_ARRAY:
        items = mp_read_array(mp);
        json_array_begin(json);
        while (json_array_next(json)) {
            assert_true(items-- > 0);
            compare(json, mp);
        }
        assert_int_equal(items, 0);
        break;
    case JSON_STRING:
        text = json_read_string(json);
        assert_true(span_equal(text, mp_read_str(mp)));
        break;
    case JSON_NUMBER:
        assert_int_equal(text_double_parse(json_read_number(json), &number), STATUS_OK);
        assert_true(mp_read_double(mp) == number);
        break;
    case JSON_BOOL:
        assert_int_equal(json_read_bool(json), mp_read_bool(mp));
        break;
    case JSON_NULL:
        json_read_null(json);
        assert_true(mp_read_nil(mp));
        break;
    case JSON_END:
        fail_msg("%s", json->fault ? json->fault : "the end");
    }
}

static void messagepack_says_the_same(void **state)
{
    const struct effect effects[] = {churn_risk(), stage_changed(), churned()};
    struct alert_options packed = options;
    struct arena arena;

    (void)state;
    packed.msgpack = true;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < ROWS(effects); i++) {
        struct alert text, bytes;
        struct json_reader json;
        struct mp_reader mp;

        assert_int_equal(alert_encode(&effects[i], SPAN_LITERAL("c"), &options, 0, &arena, &text),
                         STATUS_OK);
        assert_int_equal(alert_encode(&effects[i], SPAN_LITERAL("c"), &packed, 0, &arena, &bytes),
                         STATUS_OK);
        assert_true(span_is(header_of(&bytes, "content-type"), "application/msgpack"));
        assert_true(span_equal(header_of(&bytes, "ce_id"), header_of(&text, "ce_id")));
        json_reader_init(&json, text.value, &arena);
        mp_reader_init(&mp, bytes.value);
        compare(&json, &mp);
        json_finish(&json);
        assert_null(json.fault);
        assert_null(mp.fault);
        assert_true(mp.at == mp.end);
    }
    arena_fini(&arena);
}

static void the_largest_alert_fits(void **state)
{
    struct effect effect = churn_risk();
    struct alert_options longest = options;
    char customer[EVENT_CUSTOMER_BYTES_MAX];
    struct arena arena;
    struct alert alert;

    (void)state;
    memset(customer, 'c', sizeof(customer));
    longest.params_version = UINT32_MAX;
    effect.reasons = EFFECT_REASONS_MAX;
    for (int i = 0; i < EFFECT_REASONS_MAX; i++)
        effect.reason[i] =
            (struct reason){"a_feature_with_the_longest_name_of_all_features",
                            -1.7976931348623157e308, -4.94065645841247e-324, -0.12345678901234567};
    effect.value.clv_minor = INT64_MIN;
    effect.sequence = UINT32_MAX;
    arena_init(&arena, 1 << 20);
    assert_int_equal(alert_encode(&effect, (struct span){customer, sizeof(customer)}, &longest,
                                  INT64_MAX, &arena, &alert),
                     STATUS_OK);
    assert_true(alert.value.len < ALERT_VALUE_MAX);
    assert_true(alert.header_count <= ALERT_HEADERS_MAX);
    assert_true(span_is(header_of(&alert, "ce_sequence"), "4294967295"));
    arena_fini(&arena);
}

static void a_full_arena_is_said(void **state)
{
    const struct effect effect = churn_risk();
    struct arena arena;
    struct alert alert;

    (void)state;
    arena_init(&arena, 600); /* the headers' block, not the payload */
    assert_int_equal(alert_encode(&effect, SPAN_LITERAL("c"), &options, 0, &arena, &alert),
                     STATUS_FULL);
    arena_fini(&arena);
    arena_init(&arena, 16);
    assert_int_equal(alert_encode(&effect, SPAN_LITERAL("c"), &options, 0, &arena, &alert),
                     STATUS_FULL);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alerts_are_as_in_the_golden_files),
        cmocka_unit_test(every_kind_and_phase_has_its_type),
        cmocka_unit_test(an_id_depends_on_what_it_names_and_on_nothing_else),
        cmocka_unit_test(messagepack_says_the_same),
        cmocka_unit_test(the_largest_alert_fits),
        cmocka_unit_test(a_full_arena_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
