/* Transition rows as a person reads them: seeded histories folded on an event clock, one line an
 * event or alert, compared with tests/golden/fold.trace. A change of any rule shows there as a
 * difference to read and agree to:
 *
 *     LC_GOLDEN_WRITE=1 model_golden_test     writes the file anew */
#include "model_kit.h"

#include <string.h>

#define GOLDEN      LC_SOURCE_DIR "/tests/golden/fold.trace"
#define TRACE_BYTES (1 << 20)
#define CUSTOMERS   16
#define EVENTS_EACH 14

struct trace {
    char *text;
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void print(struct trace *trace, const char *format,
                                                        ...)
{
    va_list args;
    int written;

    va_start(args, format);
    written = vsnprintf(trace->text + trace->len, TRACE_BYTES - trace->len, format, args);
    va_end(args);
    assert_true(written >= 0 && (size_t)written < TRACE_BYTES - trace->len);
    trace->len += (size_t)written;
}

static void print_effects(struct trace *trace, struct kit *kit)
{
    for (uint32_t i = 0; i < kit->effects.count; i++) {
        const struct effect *effect = &kit->memory[i];

        print(trace, "  %9.3f    ! %s %s", kit_days(effect->at_ms), kind_label(effect->kind),
              phase_label(effect->phase));
        if (effect->kind == KIND_STAGE_CHANGED)
            print(trace, " %s -> %s by %s", stage_label(effect->from), stage_label(effect->to),
                  stage_reason_label(effect->stage_reason));
        else
            print(trace, " %s", kind_band_label(effect->kind, effect->band));
        print(trace, ", risk %.3f, do %s\n", effect->churn.risk, effect->action);
    }
    kit_forget_effects(kit);
}

static void print_event(struct trace *trace, const struct kit *kit, const struct event *event)
{
    print(trace, "  %9.3f  %s", kit_days(event->time_ms), event_type_title(event->type));
    if (event->has & EVENT_HAS_AMOUNT)
        print(trace, " %lld", (long long)event->amount_minor);
    if (event->has & EVENT_HAS_ORDER)
        print(trace, " #%llu", (unsigned long long)event->order_fp);
    if (event->has & EVENT_HAS_SCORE)
        print(trace, " %s %d", event->metric == SURVEY_CSAT ? "csat" : "nps", event->score);
    print(trace, " : %s, %u days, spend %lld", stage_label(kit->customer.stage),
          kit->customer.purchase_days, (long long)kit->customer.spend_minor);
    if (kit->customer.due_ms != INT64_MAX)
        print(trace, ", next %.3f", kit_days(kit->customer.due_ms));
    print(trace, "\n");
}

static uint64_t below(uint64_t *seed, uint64_t bound)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*seed >> 33) % bound;
}

/* A plausible customer: a funnel, purchases at its own rhythm, now and then trouble or a
 * subscription. */
static struct event next_event(struct kit *kit, uint64_t *seed, double days, int number)
{
    static const enum event_type funnel[] = {EVENT_LEAD_CREATED, EVENT_SIGNED_UP,
                                             EVENT_DEMO_ATTENDED, EVENT_TRIAL_STARTED};
    static const enum event_type trouble[] = {EVENT_COMPLAINT_FILED, EVENT_COMPLAINT_RESOLVED,
                                              EVENT_PAYMENT_FAILED, EVENT_UNSUBSCRIBED};
    uint64_t what = below(seed, 20);
    struct event event;

    if (number < 3 && below(seed, 3) != 0)
        return kit_event(kit, funnel[below(seed, 4)], days);
    if (what < 10)
        return kit_order(kit, days, (uint64_t)number + 1, (int64_t)below(seed, 9000));
    if (what < 12)
        return kit_refund(kit, days, number > 0 ? (uint64_t)number : 1, below(seed, 2) ? -1 : 1000);
    if (what < 14)
        return kit_event(kit, trouble[below(seed, 4)], days);
    if (what < 15) {
        event = kit_event(kit, EVENT_SURVEY_RESPONDED, days);
        event.has = EVENT_HAS_SCORE;
        event.metric = SURVEY_CSAT;
        event.score = (int16_t)(1 + below(seed, 5));
        return event;
    }
    if (what < 16) {
        event = kit_event(kit, EVENT_SUBSCRIPTION_STARTED, days);
        event.has = EVENT_HAS_ENDS;
        event.ends_ms = kit_at(days + 90);
        return event;
    }
    return kit_event(kit, EVENT_APPLICATION_OPENED, days);
}

static void trace_customer(struct trace *trace, uint64_t number)
{
    struct kit *kit = kit_new();
    uint64_t seed = number * UINT64_C(0x9e3779b97f4a7c15);
    uint64_t rhythm = 4 + below(&seed, 60);
    double days = 0;

    print(trace, "customer %llu\n", (unsigned long long)number);
    kit->params.late_max_ms = INT64_C(3153600000000);
    for (int i = 0; i < EVENTS_EACH; i++) {
        struct event event;

        days += (double)below(&seed, 24 * rhythm) / 24;
        event = next_event(kit, &seed, days, i);
        if (below(&seed, 6) == 0) /* late */
            event.time_ms -= (int64_t)below(&seed, 20 * 24) * TEXT_MS_PER_HOUR;
        kit_wait(kit, days);
        print_effects(trace, kit);
        kit_apply(kit, event);
        print_event(trace, kit, &event);
        print_effects(trace, kit);
    }
    kit_wait(kit, days + 1000);
    print_effects(trace, kit);
    print(trace, "  silence : %s\n\n", stage_label(kit->customer.stage));
    free(kit);
}

/* Points at the first line that differs, which is what a person wants to see. */
static void assert_same_lines(const char *expected, const char *traced)
{
    for (int line = 1; *expected != '\0' || *traced != '\0'; line++) {
        int left = (int)strcspn(expected, "\n"), right = (int)strcspn(traced, "\n");

        if (left != right || memcmp(expected, traced, (size_t)left) != 0)
            fail_msg("fold.trace:%d\n  expected: %.*s\n  folded:   %.*s\n(LC_GOLDEN_WRITE=1 writes "
                     "it anew)",
                     line, left, expected, right, traced);
        expected += left + (expected[left] == '\n');
        traced += right + (traced[right] == '\n');
    }
}

static void histories_fold_to_the_stages_and_alerts_on_record(void **state)
{
    struct trace trace = {.text = malloc(TRACE_BYTES)};
    char *expected = calloc(1, TRACE_BYTES);
    FILE *file;

    (void)state;
    assert_non_null(trace.text);
    assert_non_null(expected);
    print(&trace, "days  event : stage, purchase days, spend, next timer\n"
                  "days    ! alert\n\n");
    for (uint64_t number = 1; number <= CUSTOMERS; number++)
        trace_customer(&trace, number);
    if (getenv("LC_GOLDEN_WRITE") != NULL) {
        file = fopen(GOLDEN, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(trace.text, 1, trace.len, file), trace.len);
        assert_int_equal(fclose(file), 0);
    }
    file = fopen(GOLDEN, "r");
    assert_non_null(file);
    assert_true(fread(expected, 1, TRACE_BYTES - 1, file) > 0);
    fclose(file);
    assert_same_lines(expected, trace.text);
    free(trace.text);
    free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histories_fold_to_the_stages_and_alerts_on_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
