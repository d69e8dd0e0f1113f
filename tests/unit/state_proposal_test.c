/* proposal: the newest insight in Redis: offered, found, refused, asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "state/proposal.h"
#include "state/redis_memory.h"

#define APP "test"

struct bed {
    struct redis_memory *server;
    struct redis_memory_conn *conn;
    struct redis redis;
    struct report report;
};

static void bed_open(struct bed *bed)
{
    *bed = (struct bed){.server = redis_memory_open()};
    bed->conn = redis_memory_connect(bed->server);
    bed->redis = redis_memory_port(bed->conn);
}

static void bed_close(struct bed *bed)
{
    redis_memory_disconnect(bed->conn);
    redis_memory_close(bed->server);
}

static struct insight insight_of(uint32_t version, int64_t made_ms, int64_t buyers)
{
    struct insight insight;

    insight_init(&insight);
    insight.version = version;
    insight.made_ms = made_ms;
    insight.buyers = buyers;
    for (int i = 0; i < INSIGHT_CUTS; i++)
        insight.value_cut_minor[i] = 10 * i;
    insight.value_gini = 0.6412345678901234;
    return insight;
}

static enum status offer(struct bed *bed, struct insight insight, const char *story)
{
    return proposal_offer(&bed->redis, APP, &insight, span_of(story), &bed->report);
}

static struct insight found(struct bed *bed, struct insight known)
{
    struct insight there;

    assert_int_equal(proposal_load(&bed->redis, APP, &known, &there, &bed->report), STATUS_OK);
    return there;
}

static void what_is_offered_is_found_to_the_bit(void **state)
{
    struct insight none, offered = insight_of(3, 1000, 50), there;
    struct bed bed;

    (void)state;
    bed_open(&bed);
    insight_init(&none);
    assert_int_equal(found(&bed, none).version, 0);
    assert_int_equal(offer(&bed, offered, "{}"), STATUS_OK);
    there = found(&bed, none);
    assert_memory_equal(&there, &offered, sizeof there);
    bed_close(&bed);
}

/* The order of offers does not matter: the newest stays. */
static void only_a_newer_one_takes_the_place(void **state)
{
    struct bed bed;
    struct insight none;

    (void)state;
    bed_open(&bed);
    insight_init(&none);
    assert_int_equal(offer(&bed, insight_of(3, 1000, 50), "{}"), STATUS_OK);
    assert_int_equal(offer(&bed, insight_of(3, 1000, 51), "{}"), STATUS_STALE); /* twice */
    assert_int_equal(offer(&bed, insight_of(2, 9000, 52), "{}"), STATUS_STALE);
    assert_int_equal(offer(&bed, insight_of(3, 999, 53), "{}"), STATUS_STALE);
    assert_int_equal(found(&bed, none).buyers, 50);
    assert_int_equal(offer(&bed, insight_of(3, 1001, 54), "{}"), STATUS_OK);
    assert_int_equal(offer(&bed, insight_of(4, 1, 55), "{}"), STATUS_OK);
    assert_int_equal(found(&bed, none).buyers, 55);
    bed_close(&bed);
}

static void what_is_known_is_not_given_up_for_an_older_one(void **state)
{
    struct bed bed;

    (void)state;
    bed_open(&bed);
    assert_int_equal(offer(&bed, insight_of(3, 1000, 50), "{}"), STATUS_OK);
    assert_int_equal(found(&bed, insight_of(3, 1000, 7)).buyers, 7);
    assert_int_equal(found(&bed, insight_of(5, 1, 7)).buyers, 7);
    assert_int_equal(found(&bed, insight_of(2, 5000, 7)).buyers, 50);
    bed_close(&bed);
}

static void somebody_in_between_makes_an_offer_stale(void **state)
{
    struct bed bed, other;

    (void)state;
    bed_open(&bed);
    other = bed;
    other.conn = redis_memory_connect(bed.server);
    other.redis = redis_memory_port(other.conn);
    /* A WATCH that stands on the key is broken by the other's offer. */
    assert_int_equal(offer(&other, insight_of(1, 1, 1), "{}"), STATUS_OK);
    assert_int_equal(offer(&bed, insight_of(1, 1, 2), "{}"), STATUS_STALE);
    assert_int_equal(offer(&bed, insight_of(2, 1, 3), "{}"), STATUS_OK); /* no WATCH was left */
    redis_memory_disconnect(other.conn);
    bed_close(&bed);
}

static void a_question_is_due_until_it_is_answered(void **state)
{
    struct proposal there;
    struct arena arena;
    struct span story;
    struct bed bed;

    (void)state;
    bed_open(&bed);
    arena_init(&arena, 4096);
    assert_int_equal(proposal_peek(&bed.redis, APP, &there, &bed.report), STATUS_OK);
    assert_int_equal(there.asked, there.answered);
    assert_int_equal(proposal_ask(&bed.redis, APP, 77, &bed.report), STATUS_OK);
    assert_int_equal(proposal_peek(&bed.redis, APP, &there, &bed.report), STATUS_OK);
    assert_int_equal(there.asked, 77);
    assert_int_equal(there.answered, 0);
    assert_int_equal(offer(&bed, insight_of(1, 1, 1), "\"told\""), STATUS_OK);
    assert_int_equal(proposal_answer(&bed.redis, APP, 77, SPAN_ABSENT, &bed.report), STATUS_OK);
    assert_int_equal(proposal_peek(&bed.redis, APP, &there, &bed.report), STATUS_OK);
    assert_int_equal(there.answered, 77);
    assert_int_equal(proposal_story(&bed.redis, APP, &arena, &story, &bed.report), STATUS_OK);
    assert_true(span_is(story, "\"told\""));
    arena_fini(&arena);
    bed_close(&bed);
}

static void set_field(struct bed *bed, const char *field, const char *value)
{
    struct span argv[] = {SPAN_LITERAL("HSET"), SPAN_LITERAL("{test:insight}"), span_of(field),
                          span_of(value)};
    const struct redis_value *answer;

    bed->redis.queue(bed->redis.self, 4, argv);
    assert_int_equal(bed->redis.send(bed->redis.self, &bed->report), STATUS_OK);
    assert_int_equal(bed->redis.reply(bed->redis.self, &answer, &bed->report), STATUS_OK);
    bed->redis.forget(bed->redis.self);
}

static void what_another_wrote_is_refused_with_words(void **state)
{
    struct insight none, there;
    struct proposal proposal;
    struct bed bed;

    (void)state;
    bed_open(&bed);
    insight_init(&none);
    set_field(&bed, "version", "many");
    assert_int_equal(proposal_peek(&bed.redis, APP, &proposal, &bed.report), STATUS_REJECT);
    assert_string_equal(bed.report.code, "insight-damaged");
    set_field(&bed, "version", "9");
    set_field(&bed, "text", "insight.version=9\ninsight.colour=blue\n"); /* of a newer program */
    assert_int_equal(proposal_load(&bed.redis, APP, &none, &there, &bed.report), STATUS_REJECT);
    assert_string_equal(bed.report.code, "params-text");
    bed_close(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_offered_is_found_to_the_bit),
        cmocka_unit_test(only_a_newer_one_takes_the_place),
        cmocka_unit_test(what_is_known_is_not_given_up_for_an_older_one),
        cmocka_unit_test(somebody_in_between_makes_an_offer_stale),
        cmocka_unit_test(a_question_is_due_until_it_is_answered),
        cmocka_unit_test(what_another_wrote_is_refused_with_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
