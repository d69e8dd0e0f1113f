/* survey: two walks over a state in Redis become an insight; when there is none to be made; and
 * that a walk shows everybody once while buckets are split under it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "insight/survey.h"
#include "model/value.h"
#include "state/customer_codec.h"
#include "state/redis_memory.h"
#include "state/store.h"

#define APP        "test"
#define PARTITIONS 2
#define TODAY      20000
#define NOW_MS     (TODAY * TEXT_MS_PER_DAY + 43200000)

struct bed {
    struct redis_memory *server;
    struct redis_memory_conn *conn[PARTITIONS + 1];
    struct store *store[PARTITIONS];
    struct store_meta meta[PARTITIONS];
    bool present[PARTITIONS];
    struct params params;
    struct insight in_force;
    struct survey_options options;
    struct report report;
    int buckets_seen;
};

static struct survey survey; /* large */

static void bed_open(struct bed *bed)
{
    *bed = (struct bed){.server = redis_memory_open()};
    params_default(&bed->params);
    insight_init(&bed->in_force);
    for (int p = 0; p <= PARTITIONS; p++)
        bed->conn[p] = redis_memory_connect(bed->server);
    for (int p = 0; p < PARTITIONS; p++) {
        bed->store[p] = store_open(
            redis_memory_port(bed->conn[p]),
            &(struct store_options){.app = APP, .partition = p, .token = "w", .generation = 1});
        assert_int_equal(store_claim(bed->store[p], &bed->meta[p], &bed->present[p], &bed->report),
                         STATUS_OK);
        bed->meta[p] = (struct store_meta){
            .buckets = 1, .last_offset = -1, .watermark_ms = NOW_MS, .switched_ms = INT64_MIN};
    }
    bed->options = (struct survey_options){.redis = redis_memory_port(bed->conn[PARTITIONS]),
                                           .app = APP,
                                           .partitions = PARTITIONS,
                                           .params = &bed->params,
                                           .in_force = &bed->in_force,
                                           .at_ms = NOW_MS,
                                           .buyers_min = 100};
}

static void bed_close(struct bed *bed)
{
    for (int p = 0; p < PARTITIONS; p++)
        store_close(bed->store[p]);
    for (int p = 0; p <= PARTITIONS; p++)
        redis_memory_disconnect(bed->conn[p]);
    redis_memory_close(bed->server);
}

/* Customer i: one to four purchases, spend that grows with i; every tenth has not bought. */
static void draw_customer(int i, struct customer *ret_customer)
{
    customer_init(ret_customer);
    ret_customer->now_ms = ret_customer->first_ms = ret_customer->touch_ms = NOW_MS - 1000;
    ret_customer->stage = ret_customer->funnel = STAGE_LEAD;
    ret_customer->stage_since_ms = NOW_MS - 1000;
    ret_customer->params_version = 1;
    memcpy(ret_customer->channel, i % 3 ? "web" : "app", 3);
    ret_customer->channel_ms = ret_customer->first_ms;
    if (i % 10 == 0)
        return;
    ret_customer->stage = STAGE_NEW;
    for (int k = 0; k <= i % 4; k++) {
        const int64_t spend = 100 + 10 * i;

        ret_customer->days[k] = (struct purchase_day){
            .day = TODAY - 300 + 60 * k + i % 7, .orders = 1, .spend_minor = spend};
        ret_customer->spend_minor += spend;
        ret_customer->repeat_spend_minor += k > 0 ? spend : 0;
    }
    ret_customer->days_kept = (uint8_t)(1 + i % 4);
    ret_customer->purchase_days = ret_customer->orders = (uint32_t)(1 + i % 4);
    ret_customer->repeat_days_paid = (uint32_t)(i % 4);
    ret_customer->first_day = ret_customer->days[0].day;
    ret_customer->last_day = ret_customer->days[i % 4].day;
    ret_customer->first_day_spend_minor = ret_customer->days[0].spend_minor;
    ret_customer->last_purchase_ms = (int64_t)ret_customer->last_day * TEXT_MS_PER_DAY;
}

/* Customers from..to−1 into the partition, in one step. */
static void put(struct bed *bed, int p, int from, int to)
{
    struct store_put *puts = calloc((size_t)(to - from), sizeof *puts);
    struct store_meta next = bed->meta[p];
    bool unknown = false;
    struct arena arena;

    assert_non_null(puts);
    arena_init(&arena, 64 << 20);
    for (int i = from; i < to; i++) {
        struct store_put *one = &puts[i - from];
        struct customer customer;
        char id[24];

        draw_customer(i, &customer);
        assert_null(customer_check(&customer));
        (void)snprintf(id, sizeof id, "c%05d", i);
        one->customer = (struct span){arena_copy(&arena, id, strlen(id)), strlen(id)};
        one->hash = store_customer_hash(one->customer);
        assert_int_equal(customer_encode(&customer, &arena, &one->record), STATUS_OK);
        one->due_ms = INT64_MAX;
        one->created = true;
    }
    next.at.offset += to - from;
    struct store_step step = {
        .base = &bed->meta[p], .next = &next, .puts = puts, .put_count = (size_t)(to - from)};
    assert_int_equal(store_commit_begin(bed->store[p], &step, &arena, &bed->report), STATUS_OK);
    assert_int_equal(store_commit_end(bed->store[p], &unknown, &bed->report), STATUS_OK);
    bed->meta[p] = next;
    arena_fini(&arena);
    free(puts);
}

static int ascending(const void *left, const void *right)
{
    int64_t l = *(const int64_t *)left, r = *(const int64_t *)right;

    return l < r ? -1 : l > r;
}

static void cuts_are_those_of_everybody_valued_by_what_will_be_in_force(void **state)
{
    static int64_t values[4000];
    size_t buyers = 0;
    struct bed bed;

    (void)state;
    bed_open(&bed);
    put(&bed, 0, 0, 2000);
    put(&bed, 1, 2000, 4000);
    bed.in_force.version = 6;
    assert_int_equal(survey_make(&bed.options, &survey, &bed.report), STATUS_OK);
    assert_int_equal(survey.insight.version, 7);
    assert_int_equal(survey.insight.made_ms, NOW_MS);
    for (int i = 0; i < 4000; i++) {
        struct customer customer;
        struct value value;

        draw_customer(i, &customer);
        value_at(&customer, NOW_MS, &survey.params, &value);
        if (customer.purchase_days > 0)
            values[buyers++] = value.clv_minor;
    }
    qsort(values, buyers, sizeof *values, ascending);
    assert_int_equal(survey.insight.buyers, buyers);
    assert_int_equal(survey.insight.value_cut_minor[0], values[0]);
    assert_int_equal(survey.insight.value_cut_minor[100], values[buyers - 1]);
    for (size_t p = 1; p < 100; p++) {
        double exact = (double)values[(p * buyers + 99) / 100 - 1];

        assert_true(fabs((double)survey.insight.value_cut_minor[p] - exact) <= 0.005 * exact + 1);
    }
    assert_int_equal(survey.census.all.customers, 4000);
    assert_int_equal(survey.census.all.buyers, buyers);
    assert_int_equal(survey.census.stage[STAGE_LEAD].customers, 400);
    assert_int_equal(survey.census.channels, 2);
    assert_int_equal(survey.insight.gap_ms / TEXT_MS_PER_DAY, 59); /* 60, by the bucket's middle */
    bed_close(&bed);
}

static void nobody_is_surveyed_before_all_partitions_have_a_state(void **state)
{
    struct bed bed;

    (void)state;
    bed_open(&bed);
    put(&bed, 0, 0, 2000);
    assert_int_equal(survey_make(&bed.options, &survey, &bed.report), STATUS_RETRY);
    assert_string_equal(bed.report.code, "population-part");
    bed_close(&bed);
}

static void too_few_and_far_fewer_than_before_make_none(void **state)
{
    struct bed bed;

    (void)state;
    bed_open(&bed);
    put(&bed, 0, 0, 60);
    put(&bed, 1, 60, 110);
    assert_int_equal(survey_make(&bed.options, &survey, &bed.report), STATUS_RETRY);
    assert_string_equal(bed.report.code, "population-small"); /* 99 of 110 have bought */
    put(&bed, 0, 110, 112);
    bed.in_force.version = 1;
    bed.in_force.buyers = 201;
    assert_int_equal(survey_make(&bed.options, &survey, &bed.report), STATUS_OK);
    bed.in_force.buyers = 202;
    assert_int_equal(survey_make(&bed.options, &survey, &bed.report), STATUS_RETRY);
    assert_string_equal(bed.report.code, "population-shrunk");
    bed.options.insist = true;
    assert_int_equal(survey_make(&bed.options, &survey, &bed.report), STATUS_OK);
    assert_int_equal(survey.insight.buyers, 100);
    bed_close(&bed);
}

static enum status stop_at_once(void *self)
{
    (void)self;
    return STATUS_REJECT;
}

static void it_can_be_stopped_between_two_buckets(void **state)
{
    struct bed bed;

    (void)state;
    bed_open(&bed);
    put(&bed, 0, 0, 500);
    put(&bed, 1, 500, 1000);
    bed.options.pause = stop_at_once;
    assert_int_equal(survey_make(&bed.options, &survey, &bed.report), STATUS_REJECT);
    assert_string_equal(bed.report.code, "interrupted");
    bed_close(&bed);
}

/* A daemon that writes between two buckets of a walk: the partition doubles under it. */
static enum status grow(void *self)
{
    struct bed *bed = self;

    if (bed->buckets_seen++ % 3 == 0 && bed->buckets_seen < 60)
        put(bed, 0, 10000 + 50 * bed->buckets_seen, 10050 + 50 * bed->buckets_seen);
    return STATUS_OK;
}

static int seen[20000];

static enum status see(void *self, int32_t partition, struct span id,
                       const struct customer *customer)
{
    (void)self;
    (void)partition;
    (void)customer;
    char text[16] = "";
    memcpy(text, id.at + 1, id.len - 1); /* "c00012" */
    seen[strtol(text, NULL, 10)]++;
    return STATUS_OK;
}

static void a_walk_shows_everybody_once_while_buckets_are_split(void **state)
{
    struct bed bed;

    (void)state;
    bed_open(&bed);
    put(&bed, 0, 0, 1000);
    put(&bed, 1, 1000, 1100);
    const struct walk walk = {.redis = bed.options.redis,
                              .app = APP,
                              .partitions = PARTITIONS,
                              .each = see,
                              .pause = grow,
                              .pause_self = &bed};
    uint32_t before = bed.meta[0].buckets;
    memset(seen, 0, sizeof seen);
    assert_int_equal(walk_customers(&walk, &bed.report), STATUS_OK);
    assert_true(bed.meta[0].buckets > before + 20);
    for (int i = 0; i < 1100; i++)
        assert_int_equal(seen[i], 1);
    for (int i = 1100; i < 20000; i++) /* those who came meanwhile: at most once */
        assert_true(seen[i] <= 1);
    bed_close(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_are_those_of_everybody_valued_by_what_will_be_in_force),
        cmocka_unit_test(nobody_is_surveyed_before_all_partitions_have_a_state),
        cmocka_unit_test(too_few_and_far_fewer_than_before_make_none),
        cmocka_unit_test(it_can_be_stopped_between_two_buckets),
        cmocka_unit_test(a_walk_shows_everybody_once_while_buckets_are_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
