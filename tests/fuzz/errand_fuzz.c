/* A state that was forged (or damaged): what the decoder takes joins a customer without breaking an
 * invariant, without end, and can be written and read. Input: the record; behind two zero bytes the
 * ledger. */
#include "base/must.h"
#include "base/text.h"
#include "model/errands.h"
#include "model/fold.h"
#include "state/customer_codec.h"
#include "tests/fuzz/fuzz.h"

#define NOW_MS INT64_C(1740000000000)

static struct errands errands;
static struct effect alerts[EFFECTS_PER_STEP_MAX];

static struct effects effects_new(void)
{
    return (struct effects){.at = alerts, .cap = EFFECTS_PER_STEP_MAX, .errands = &errands};
}

static void apply(struct customer *customer, struct ledger *ledger, const struct event *event,
                  const struct params *params)
{
    struct effects effects = effects_new();
    const char *why = NULL;
    enum fold_outcome outcome =
        fold_event(customer, ledger, event, event->time_ms, params, &effects, &why);

    MUST(outcome == FOLD_APPLIED || outcome == FOLD_REJECTED || outcome == FOLD_DUPLICATE);
    MUST(customer_check(customer) == NULL);
}

/* Silence from then on, some steps of it. */
static void wait(struct customer *customer, const struct params *params)
{
    for (int i = 0; i < 20 && customer->due_ms != INT64_MAX; i++) {
        struct effects effects = effects_new();
        int64_t due_ms = customer->due_ms;

        fold_timers(customer, due_ms, due_ms, params, &effects);
        MUST(customer->due_ms > due_ms);
        if (customer_is_empty(customer))
            return;
        MUST(customer_check(customer) == NULL);
    }
}

static void join(bool buyer, const struct customer *moved, const struct ledger *moved_ledger,
                 struct arena *arena)
{
    struct event order = {.customer = SPAN_LITERAL("n"),
                          .type = EVENT_ORDER_COMPLETED,
                          .has = EVENT_HAS_AMOUNT | EVENT_HAS_ORDER,
                          .id_fp = 1,
                          .order_fp = 7,
                          .amount_minor = 4990,
                          .currency = CURRENCY_EUR,
                          .time_ms = NOW_MS - TEXT_MS_PER_DAY,
                          .record_ms = NOW_MS - TEXT_MS_PER_DAY,
                          .sent_ms = NOW_MS - TEXT_MS_PER_DAY};
    struct event state = {.customer = SPAN_LITERAL("n"),
                          .previous = SPAN_LITERAL("p"),
                          .type = EVENT_ALIAS,
                          .errand = EVENT_STATE,
                          .id_fp = 2,
                          .time_ms = NOW_MS,
                          .record_ms = NOW_MS,
                          .sent_ms = NOW_MS,
                          .moved = moved,
                          .moved_ledger = moved_ledger};
    struct customer customer, again;
    struct ledger ledger;
    struct params params;
    struct span record;
    const char *why = NULL;

    params_default(&params);
    customer_init(&customer);
    MUST(ledger_decode(SPAN_ABSENT, LEDGER_ORDERS_MAX, arena, &ledger, &why) == STATUS_OK);
    if (buyer)
        apply(&customer, &ledger, &order, &params);
    apply(&customer, &ledger, &state, &params);
    if (customer_is_empty(&customer))
        return;
    MUST(customer_encode(&customer, arena, &record) == STATUS_OK);
    MUST(customer_decode(record, &again, &why) == STATUS_OK);
    MUST(ledger_encode(&ledger, arena, &record) == STATUS_OK);
    order.id_fp = 3;
    order.order_fp = 8;
    order.time_ms = order.record_ms = order.sent_ms = NOW_MS + 1;
    apply(&customer, &ledger, &order, &params);
    wait(&customer, &params);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct span record = {(const char *)bytes, len}, rest = SPAN_ABSENT;
    const char *gap = memmem(bytes, len, "\0\0", 2), *why = NULL;
    struct customer moved;
    struct ledger ledger;
    struct arena arena;

    if (gap) {
        record.len = (size_t)(gap - record.at);
        rest = (struct span){gap + 2, len - record.len - 2};
    }
    arena_init(&arena, 1 << 20);
    if (customer_decode(record, &moved, &why) == STATUS_OK && !customer_is_redirect(&moved) &&
        (ledger_decode(rest, 0, &arena, &ledger, &why) == STATUS_OK ||
         ledger_decode(SPAN_ABSENT, 0, &arena, &ledger, &why) == STATUS_OK)) {
        join(false, &moved, &ledger, &arena);
        join(true, &moved, &ledger, &arena);
    }
    arena_fini(&arena);
    return 0;
}
