/* model_kit: what the tests of the fold share: one customer with its ledger and collected effects,
 * and events in days. Times are written as days after kit_day0 (2024-10-04T00:00Z), so that a row
 * of a table reads as a history. */
#ifndef LC_TESTS_MODEL_KIT_H
#define LC_TESTS_MODEL_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/text.h"
#include "model/errands.h"
#include "model/fold.h"
#include "model/stage.h"

#define KIT_EFFECTS 4096

struct kit {
    struct customer customer;
    struct ledger ledger;
    uint64_t orders[LEDGER_ORDERS_MAX + 1], events[LEDGER_EVENTS_MAX + 1];
    char previous[PREVIOUS_BYTES_MAX];
    struct errands errands; /* of the last step */
    struct params params;
    struct effect memory[KIT_EFFECTS];
    struct effects effects; /* of everything since kit_new or kit_forget_effects */
    const char *why;
    uint64_t next_id;
};

static const int64_t kit_day0 = 20000 * TEXT_MS_PER_DAY;

static inline int64_t kit_at(double days)
{
    return kit_day0 + (int64_t)(days * (double)TEXT_MS_PER_DAY + (days < 0 ? -0.5 : 0.5));
}

static inline double kit_days(int64_t ms)
{
    return (double)(ms - kit_day0) / (double)TEXT_MS_PER_DAY;
}

static inline struct kit *kit_new(void)
{
    struct kit *kit = calloc(1, sizeof(*kit));

    assert_non_null(kit);
    customer_init(&kit->customer);
    kit->ledger = (struct ledger){.orders = kit->orders,
                                  .order_cap = LEDGER_ORDERS_MAX + 1,
                                  .events = kit->events,
                                  .event_cap = LEDGER_EVENTS_MAX + 1,
                                  .previous = {.bytes = kit->previous, .cap = PREVIOUS_BYTES_MAX}};
    params_default(&kit->params);
    kit->effects = (struct effects){kit->memory, 0, KIT_EFFECTS, &kit->errands};
    kit->next_id = 1;
    return kit;
}

/* An event of a type, recorded as it happens, with an id of its own. */
static inline struct event kit_event(struct kit *kit, enum event_type type, double days)
{
    return (struct event){
        .customer = SPAN_LITERAL("c"),
        .type = type,
        .id_fp = kit->next_id++,
        .time_ms = kit_at(days),
        .record_ms = kit_at(days),
        .sent_ms = kit_at(days),
    };
}

static inline struct event kit_order(struct kit *kit, double days, uint64_t order, int64_t minor)
{
    struct event event = kit_event(kit, EVENT_ORDER_COMPLETED, days);

    event.has = EVENT_HAS_AMOUNT | (order ? EVENT_HAS_ORDER : 0u);
    event.order_fp = order;
    event.amount_minor = minor;
    event.currency = CURRENCY_EUR;
    return event;
}

/* minor < 0: no amount, the remainder. */
static inline struct event kit_refund(struct kit *kit, double days, uint64_t order, int64_t minor)
{
    struct event event = kit_event(kit, EVENT_ORDER_REFUNDED, days);

    event.has = (minor >= 0 ? EVENT_HAS_AMOUNT : 0u) | (order ? EVENT_HAS_ORDER : 0u);
    event.order_fp = order;
    event.amount_minor = minor >= 0 ? minor : 0;
    event.currency = CURRENCY_EUR;
    return event;
}

static inline struct event kit_cancel(struct kit *kit, double days, uint64_t order)
{
    struct event event = kit_event(kit, EVENT_ORDER_CANCELLED, days);

    event.has = EVENT_HAS_ORDER;
    event.order_fp = order;
    return event;
}

/* Folds on an event clock: the watermark is the event's time. Invariants hold after every step. */
static inline enum fold_outcome kit_fold(struct kit *kit, struct event event)
{
    enum fold_outcome outcome = fold_event(&kit->customer, &kit->ledger, &event, event.time_ms,
                                           &kit->params, &kit->effects, &kit->why);
    const char *broken = customer_check(&kit->customer);

    if (broken != NULL)
        fail_msg("after %s: %s", event_type_title(event.type), broken);
    if (kit->customer.stage != STAGE_NONE)
        assert_true(kit->customer.due_ms <= fold_due(&kit->customer, &kit->params));
    return outcome;
}

static inline void kit_apply(struct kit *kit, struct event event)
{
    enum fold_outcome outcome = kit_fold(kit, event);

    if (outcome != FOLD_APPLIED)
        fail_msg("%s is %d (%s)", event_type_title(event.type), (int)outcome,
                 kit->why ? kit->why : "");
}

/* Time passes: timers due up to then fire, found when due. */
static inline void kit_wait_until_ms(struct kit *kit, int64_t until_ms)
{
    while (kit->customer.due_ms <= until_ms)
        fold_timers(&kit->customer, kit->customer.due_ms, kit->customer.due_ms, &kit->params,
                    &kit->effects);
    assert_null(customer_check(&kit->customer));
}

static inline void kit_wait(struct kit *kit, double days)
{
    kit_wait_until_ms(kit, kit_at(days));
}

static inline void kit_forget_effects(struct kit *kit)
{
    kit->effects.count = 0;
}

static inline uint32_t kit_count(const struct kit *kit, enum kind kind, enum phase phase)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < kit->effects.count; i++)
        count += kit->memory[i].kind == kind && kit->memory[i].phase == phase;
    return count;
}

/* The newest effect of a kind and phase; NULL none. */
static inline const struct effect *kit_last(const struct kit *kit, enum kind kind, enum phase phase)
{
    for (uint32_t i = kit->effects.count; i-- > 0;)
        if (kit->memory[i].kind == kind && kit->memory[i].phase == phase)
            return &kit->memory[i];
    return NULL;
}

static inline void kit_assert_stage(const struct kit *kit, enum stage stage)
{
    if (kit->customer.stage != stage)
        fail_msg("stage is %s, expected %s", stage_label(kit->customer.stage), stage_label(stage));
}

#endif
