/* A customer's record or ledger as Redis gave it: refused, or a state that holds every invariant
 * and that is written and read back as itself. */
#include "base/must.h"
#include "state/customer_codec.h"
#include "tests/fuzz/fuzz.h"

static void customer_target(struct span record, struct arena *arena)
{
    struct customer customer, again;
    struct span first, second;
    const char *why = NULL;

    (void)customer_peek_due(record);
    if (customer_decode(record, &customer, &why) != STATUS_OK) {
        MUST(why);
        return;
    }
    MUST(!customer_check(&customer));
    MUST(customer_encode(&customer, arena, &first) == STATUS_OK);
    MUST(first.len <= CUSTOMER_RECORD_MAX);
    MUST(customer_decode(first, &again, &why) == STATUS_OK);
    MUST(customer_encode(&again, arena, &second) == STATUS_OK);
    MUST(span_equal(first, second));
    MUST(customer_peek_due(first) == customer.due_ms);
}

static void ledger_target(struct span record, struct arena *arena)
{
    struct span first, second;
    struct ledger ledger, again;
    const char *why = NULL;

    if (ledger_decode(record, 1, arena, &ledger, &why) != STATUS_OK) {
        MUST(why);
        return;
    }
    MUST(ledger.order_count <= LEDGER_ORDERS_MAX);
    MUST(ledger.event_count <= LEDGER_EVENTS_MAX);
    MUST(ledger_encode(&ledger, arena, &first) == STATUS_OK);
    MUST(first.len <= LEDGER_RECORD_MAX);
    MUST(ledger_decode(first, 1, arena, &again, &why) == STATUS_OK);
    MUST(ledger_encode(&again, arena, &second) == STATUS_OK);
    MUST(span_equal(first, second));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct span record = {(const char *)bytes, len};
    struct arena arena;

    arena_init(&arena, 1 << 20);
    customer_target(record, &arena);
    ledger_target(record, &arena);
    arena_fini(&arena);
    return 0;
}
