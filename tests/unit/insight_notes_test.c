/* Notes over the life of a made-up population: who is noted, what becomes of it, and the same
 * through bytes and Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "insight/notes.h"
#include "model/churn.h"
#include "state/redis_memory.h"

#define DAY       TEXT_MS_PER_DAY
#define START     (20000 * DAY + 5000)
#define CUSTOMERS 3000

static struct params params;
static struct insight none;

static int defaults(void **state)
{
    (void)state;
    params_default(&params);
    insight_init(&none);
    return 0;
}

/* Bought once, `ago` days before START. */
static struct customer buyer(int ago)
{
    struct customer customer;

    customer_init(&customer);
    customer.purchase_days = 1;
    customer.days_kept = 1;
    customer.first_day = customer.last_day = (int32_t)(START / DAY) - ago;
    customer.days[0] =
        (struct purchase_day){.day = customer.last_day, .orders = 1, .spend_minor = 2000};
    customer.last_purchase_ms = customer.last_day * DAY;
    customer.spend_minor = customer.first_day_spend_minor = 2000;
    customer.stage = STAGE_NEW;
    return customer;
}

static void buys_on(struct customer *customer, int64_t day)
{
    customer->days[customer->days_kept++] =
        (struct purchase_day){.day = (int32_t)day, .orders = 1, .spend_minor = 2000};
    customer->last_day = (int32_t)day;
    customer->purchase_days++;
}

static struct span id_of(int number, char text[16])
{
    return (struct span){text, (size_t)snprintf(text, 16, "c%06d", number)};
}

static void walk(struct notes *notes, int64_t at_ms, const struct customer customers[], int count,
                 struct insight *insight)
{
    char text[16];

    notes_begin(notes, at_ms, &params, &none, count);
    for (int i = 0; i < count; i++)
        notes_meet(notes, id_of(i, text), &customers[i]);
    notes_end(notes, insight);
}

static void a_part_is_noted_at_once_and_then_as_time_goes_by(void **state)
{
    static struct customer customers[CUSTOMERS];
    struct notes notes;
    struct insight insight = none;

    (void)state;
    assert_int_equal(notes_open(&notes), STATUS_OK);
    for (int i = 0; i < CUSTOMERS; i++)
        customers[i] = buyer(i % 90);
    walk(&notes, START, customers, CUSTOMERS, &insight);
    assert_in_range(notes.count, 1100, 1400); /* a sixteenth of 20,000 */
    size_t before = notes.count;
    walk(&notes, START, customers, CUSTOMERS, &insight);
    assert_int_equal(notes.count, before); /* no time has passed */
    walk(&notes, START + DAY, customers, CUSTOMERS, &insight);
    assert_in_range(notes.count, before + 80, before + 200); /* of those not noted yet */
    assert_false(insight.learned);
    for (size_t i = 1; i < notes.count; i++)
        assert_true(notes.note[i - 1].who < notes.note[i].who);
    /* At most once a customer, however long it goes on. */
    for (int day = 2; day < 90; day++)
        walk(&notes, START + day * DAY, customers, CUSTOMERS, &insight);
    assert_true(notes.count <= CUSTOMERS);
    assert_true(notes.belief.lessons == 0);
    notes_close(&notes);
}

static void one_who_bought_in_the_window(void **state)
{
    static const struct {
        const char *name;
        int64_t bought_day; /* after START's; 0: did not */
        double lessons, gone_up;
    } rows[] = {
        {"did not buy", 0, 1, -1},
        {"bought the next day", 1, 1, 1},
        {"bought on the last day", 90, 1, 1},
        {"bought after the window", 91, 1, -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct notes notes;
        struct insight insight = none;
        struct customer customer = buyer(10);

        assert_int_equal(notes_open(&notes), STATUS_OK);
        walk(&notes, START, &customer, 1, &insight);
        assert_int_equal(notes.count, 1);
        if (rows[i].bought_day > 0)
            buys_on(&customer, START / DAY + rows[i].bought_day);
        walk(&notes, START + (90 + NOTES_GRACE_DAYS) * DAY - 1, &customer, 1, &insight);
        assert_true(notes.belief.lessons == 0);
        assert_int_equal(notes.count, 1);
        walk(&notes, START + (90 + NOTES_GRACE_DAYS) * DAY, &customer, 1, &insight);
        if (notes.belief.lessons != rows[i].lessons ||
            notes.belief.mean[FEATURE_LEVEL] * rows[i].gone_up <= 0)
            fail_msg("%s: %g lessons, level %g", rows[i].name, notes.belief.lessons,
                     notes.belief.mean[FEATURE_LEVEL]);
        assert_int_equal(notes.count, 0);
        notes_close(&notes);
    }
}

static void who_is_erased_or_gone_is_dropped_without_a_lesson(void **state)
{
    struct notes notes;
    struct insight insight = none;
    struct customer customers[2] = {buyer(3), buyer(5)};

    (void)state;
    assert_int_equal(notes_open(&notes), STATUS_OK);
    walk(&notes, START, customers, 2, &insight);
    assert_int_equal(notes.count, 2);
    customer_init(&customers[0]);
    customers[0].erased_ms = START + 1;
    walk(&notes, START + DAY, customers, 2, &insight);
    assert_int_equal(notes.count, 1);
    walk(&notes, START + 2 * DAY, customers, 1, &insight); /* the other one is gone altogether */
    assert_int_equal(notes.count, 0);
    assert_true(notes.belief.lessons == 0);
    notes_close(&notes);
}

static void who_is_not_a_buyer_or_has_a_term_is_not_noted(void **state)
{
    struct notes notes;
    struct insight insight = none;
    struct customer customers[2] = {buyer(3), buyer(5)};

    (void)state;
    customer_init(&customers[0]);
    customers[1].subscription.state = SUBSCRIPTION_ACTIVE;
    customers[1].subscription.ends_ms = START + DAY;
    assert_int_equal(notes_open(&notes), STATUS_OK);
    walk(&notes, START, customers, 2, &insight);
    assert_int_equal(notes.count, 0);
    notes_close(&notes);
}

static void more_purchase_days_than_are_kept_say_nothing_of_the_window(void **state)
{
    struct notes notes;
    struct insight insight = none;
    struct customer customer = buyer(3);

    (void)state;
    assert_int_equal(notes_open(&notes), STATUS_OK);
    walk(&notes, START, &customer, 1, &insight);
    customer.days_kept = 0;
    for (int i = 0; i < CUSTOMER_DAYS_MAX; i++)
        buys_on(&customer, START / DAY + 91 + i);
    walk(&notes, START + 200 * DAY, &customer, 1, &insight);
    assert_true(notes.belief.lessons == 0);
    notes_close(&notes);
}

static void signs_and_figures_are_those_of_the_time_though_weights_are_none(void **state)
{
    struct notes notes;
    struct insight insight = none;
    struct customer customer = buyer(10);
    struct churn_risk risk;

    (void)state;
    params.unsubscribed = 0;
    customer.last_ms[EVENT_UNSUBSCRIBED] = START - DAY;
    assert_int_equal(notes_open(&notes), STATUS_OK);
    walk(&notes, START, &customer, 1, &insight);
    churn_risk_at(&customer, START, &params, &risk);
    assert_true(notes.note[0].lesson.figure[FEATURE_SCALE] == risk.base_logit);
    assert_true(notes.note[0].lesson.figure[FEATURE_SPEND] == 20);
    for (int i = 0; i < WARNING_COUNT; i++)
        assert_int_equal(notes.note[0].lesson.sign[i], i == WARNING_UNSUBSCRIBED);
    assert_true(notes.belief.plain_warning[WARNING_UNSUBSCRIBED] == 0);
    params_default(&params);
    notes_close(&notes);
}

static void another_horizon_begins_anew_and_other_weights_learn_anew(void **state)
{
    struct notes notes;
    struct insight insight = none;
    struct customer customer = buyer(10);

    (void)state;
    assert_int_equal(notes_open(&notes), STATUS_OK);
    walk(&notes, START, &customer, 1, &insight);
    notes.belief.lessons = 7;
    params.complaint_open = -2;
    walk(&notes, START + DAY, &customer, 1, &insight);
    assert_int_equal(notes.count, 1);
    assert_true(notes.note[0].at_ms == START);
    assert_true(notes.belief.lessons == 0);
    assert_true(notes.belief.plain_warning[WARNING_COMPLAINT_OPEN] == -2);
    params.churn_horizon_ms += DAY;
    walk(&notes, START + 2 * DAY, &customer, 1, &insight);
    assert_true(notes.note[0].at_ms == START + 2 * DAY);
    params_default(&params);
    notes_close(&notes);
}

/* A population in which those who spend much buy twice as often as the model thinks: published once
 * enough has matured, and withdrawn from an insight when it is no longer better. */
static void what_is_worth_it_is_published(void **state)
{
    static struct customer customers[CUSTOMERS];
    struct notes notes;
    struct insight insight = none;

    (void)state;
    assert_int_equal(notes_open(&notes), STATUS_OK);
    for (int i = 0; i < CUSTOMERS; i++) {
        customers[i] = buyer(i % 90);
        customers[i].spend_minor = i % 2 ? 20000 : 500;
    }
    walk(&notes, START, customers, CUSTOMERS, &insight);
    for (int i = 0; i < CUSTOMERS; i++)
        if (i % 10 < (i % 2 ? 6 : 1))
            buys_on(&customers[i], START / DAY + 20);
    walk(&notes, START + 92 * DAY, customers, CUSTOMERS, &insight);
    assert_true(notes.belief.lessons >= BELIEF_LESSONS_MIN);
    assert_true(insight.learned);
    assert_true(insight.feature_weight[FEATURE_SPEND] > 0.5);
    notes.belief.better = false;
    notes.belief.test = (struct belief_test){0};
    walk(&notes, START + 93 * DAY, customers, CUSTOMERS, &insight);
    assert_false(insight.learned);
    assert_true(insight.feature_weight[FEATURE_SPEND] == 0);
    notes_close(&notes);
}

static void they_come_back_from_redis_to_the_bit(void **state)
{
    static struct customer customers[CUSTOMERS];
    struct redis_memory *server = redis_memory_open();
    struct redis_memory_conn *conn = redis_memory_connect(server);
    struct redis redis = redis_memory_port(conn);
    struct notes notes, read;
    struct insight insight = none;
    struct report report;

    (void)state;
    assert_int_equal(notes_open(&notes), STATUS_OK);
    assert_int_equal(notes_open(&read), STATUS_OK);
    assert_int_equal(notes_load(&redis, "app", &read, &report), STATUS_OK); /* nothing there */
    assert_int_equal(read.count, 0);
    for (int i = 0; i < CUSTOMERS; i++)
        customers[i] = buyer(i % 90);
    walk(&notes, START, customers, CUSTOMERS, &insight);
    assert_true(notes.count > NOTES_CHUNK);
    walk(&notes, START + 40 * DAY, customers, CUSTOMERS, &insight);
    walk(&notes, START + 92 * DAY, customers, CUSTOMERS, &insight);
    assert_true(notes.belief.lessons > 100);
    assert_int_equal(notes_save(&redis, "app", &notes, &report), STATUS_OK);
    assert_int_equal(notes_load(&redis, "app", &read, &report), STATUS_OK);
    assert_int_equal(read.count, notes.count);
    assert_memory_equal(&read.belief, &notes.belief, sizeof read.belief);
    assert_true(read.noted_ms == notes.noted_ms && read.horizon_ms == notes.horizon_ms);
    for (size_t i = 0; i < read.count; i++) {
        assert_true(read.note[i].who == notes.note[i].who);
        assert_true(read.note[i].at_ms == notes.note[i].at_ms);
        assert_int_equal(read.note[i].last_day, notes.note[i].last_day);
        assert_memory_equal(&read.note[i].lesson, &notes.note[i].lesson, sizeof(struct lesson));
    }
    /* Fewer than before leave nothing of the old ones. */
    notes.count = 3;
    assert_int_equal(notes_save(&redis, "app", &notes, &report), STATUS_OK);
    assert_int_equal(notes_load(&redis, "app", &read, &report), STATUS_OK);
    assert_int_equal(read.count, 3);
    notes_close(&notes);
    notes_close(&read);
    redis_memory_disconnect(conn);
    redis_memory_close(server);
}

/* Every prefix and every changed byte is refused or harmless. */
static void damaged_bytes_are_refused(void **state)
{
    struct customer customers[4] = {buyer(1), buyer(2), buyer(3), buyer(4)};
    struct notes notes, read;
    struct insight insight = none;
    struct arena arena;
    struct span head, chunk;
    const char *why = NULL;
    size_t count = 0;
    char bytes[8192];

    (void)state;
    arena_init(&arena, 1 << 20);
    assert_int_equal(notes_open(&notes), STATUS_OK);
    assert_int_equal(notes_open(&read), STATUS_OK);
    walk(&notes, START, customers, 4, &insight);
    assert_int_equal(notes_encode_head(&notes, &arena, &head), STATUS_OK);
    assert_int_equal(notes_encode_chunk(&notes, 0, &arena, &chunk), STATUS_OK);
    assert_true(head.len < sizeof bytes);
    for (size_t len = 0; len < head.len; len++)
        assert_int_equal(notes_decode_head((struct span){head.at, len}, &read, &count, &why),
                         STATUS_REJECT);
    for (size_t len = 0; len < chunk.len; len++) {
        read.count = 0;
        assert_int_equal(notes_decode_chunk((struct span){chunk.at, len}, &read, &why),
                         STATUS_REJECT);
    }
    for (size_t at = 0; at < head.len; at++) {
        memcpy(bytes, head.at, head.len);
        bytes[at] = (char)(bytes[at] ^ 0x80);
        if (notes_decode_head((struct span){bytes, head.len}, &read, &count, &why) == STATUS_OK) {
            assert_null(belief_check(&read.belief));
            assert_true(count <= NOTES_MAX);
        }
    }
    for (size_t at = 0; at < chunk.len; at++) {
        memcpy(bytes, chunk.at, chunk.len);
        bytes[at] = (char)(bytes[at] ^ 0x80);
        read.count = 0;
        if (notes_decode_chunk((struct span){bytes, chunk.len}, &read, &why) == STATUS_OK)
            assert_int_equal(read.count, 4);
    }
    notes_close(&notes);
    notes_close(&read);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_is_noted_at_once_and_then_as_time_goes_by),
        cmocka_unit_test(one_who_bought_in_the_window),
        cmocka_unit_test(who_is_erased_or_gone_is_dropped_without_a_lesson),
        cmocka_unit_test(who_is_not_a_buyer_or_has_a_term_is_not_noted),
        cmocka_unit_test(more_purchase_days_than_are_kept_say_nothing_of_the_window),
        cmocka_unit_test(signs_and_figures_are_those_of_the_time_though_weights_are_none),
        cmocka_unit_test(another_horizon_begins_anew_and_other_weights_learn_anew),
        cmocka_unit_test(what_is_worth_it_is_published),
        cmocka_unit_test(they_come_back_from_redis_to_the_bit),
        cmocka_unit_test(damaged_bytes_are_refused),
    };

    return cmocka_run_group_tests(tests, defaults, NULL);
}
