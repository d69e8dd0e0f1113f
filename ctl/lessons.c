/* lessons: populations of past weeks, one part of the customers each. */
#include "ctl/lessons.h"

#include <math.h>
#include <stdlib.h>

#include "base/hash.h"

#define EVERY_DAYS 7
#define LOGIT_MAX  35
#define TESTS_MAX  4000000 /* lessons beyond are taken, but not in the figures */

static uint64_t place_of(const struct buyer *buyer)
{
    return hash_bytes(buyer->customer, 0);
}

static struct lesson lesson_of(const struct predictor *predictor, const struct buyer *b,
                               int32_t horizon)
{
    const double p = predict_buy(predictor, b->h, horizon);
    return (struct lesson){
        .figure = {[FEATURE_SCALE] = fmax(-LOGIT_MAX, fmin(LOGIT_MAX, log(p / (1 - p)))),
                   [FEATURE_LEVEL] = 1,
                   [FEATURE_FREQUENCY] = b->h.x,
                   [FEATURE_SILENCE] = b->h.T - b->h.t_x,
                   [FEATURE_SPEND] = b->spend / (b->h.x + 1)}};
}

static double p_of(double logit)
{
    return 1 / (1 + exp(-logit));
}

/* --- the past --- */

/* Tests of the lessons, as forecasts. */
struct tests {
    struct forecast *plain, *learned;
    struct outcome *outcomes;
    size_t count, cap;
};

static void tests_close(struct tests *tests)
{
    free(tests->plain);
    free(tests->learned);
    free(tests->outcomes);
}

static enum status tests_open(size_t cap, struct tests *ret_tests)
{
    *ret_tests = (struct tests){.plain = calloc(cap, sizeof *ret_tests->plain),
                                .learned = calloc(cap, sizeof *ret_tests->learned),
                                .outcomes = calloc(cap, sizeof *ret_tests->outcomes),
                                .cap = cap};
    return ret_tests->plain && ret_tests->learned && ret_tests->outcomes ? STATUS_OK : STATUS_FATAL;
}

static void take(struct lessons *lessons, const struct lesson *lesson, const struct buyer *buyer,
                 struct tests *tests)
{
    struct belief_weights weights;
    belief_weights(&lessons->belief, &weights);
    if (tests->count < tests->cap) {
        tests->plain[tests->count].p = p_of(belief_plain_logit(&lessons->belief, lesson));
        tests->learned[tests->count].p = p_of(belief_logit(&weights, lesson));
        tests->outcomes[tests->count++].days = buyer->later_days;
    }
    belief_take(&lessons->belief, lesson, buyer->later_days > 0);
    lessons->taken++;
}

static int32_t weeks_of(int32_t horizon)
{
    return (horizon + EVERY_DAYS - 1) / EVERY_DAYS;
}

/* Customers come back after a horizon: at most so many lessons of each. */
static size_t tests_most(const struct transactions *in, int32_t until, int32_t horizon)
{
    const size_t most = in->count * (size_t)((until - in->first_day) / horizon + 1) + 1;
    return most < TESTS_MAX ? most : TESTS_MAX;
}

static enum status take_week(const struct transactions *in, const struct predictor *predictor,
                             int32_t week, int32_t horizon, struct lessons *lessons,
                             struct tests *tests)
{
    size_t count = 0;
    struct buyer *buyers =
        transactions_buyers(in, in->first_day + week * EVERY_DAYS, horizon, &count);
    if (!buyers)
        return STATUS_FATAL;
    const uint64_t weeks = (uint64_t)weeks_of(horizon);
    for (size_t i = 0; i < count; i++) {
        if (place_of(&buyers[i]) % weeks != (uint64_t)week % weeks)
            continue;
        const struct lesson lesson = lesson_of(predictor, &buyers[i], horizon);
        take(lessons, &lesson, &buyers[i], tests);
    }
    free(buyers);
    return STATUS_OK;
}

static enum status measure(const struct tests *tests, struct lessons *lessons)
{
    enum status status = accuracy_of(tests->plain, tests->outcomes, tests->count, &lessons->plain);
    if (status == STATUS_OK)
        status = accuracy_of(tests->learned, tests->outcomes, tests->count, &lessons->learned);
    lessons->measured = status == STATUS_OK;
    return status == STATUS_REJECT ? STATUS_OK : status;
}

enum status lessons_learn(const struct transactions *transactions,
                          const struct predictor *predictor, int32_t until, int32_t horizon,
                          struct lessons *ret_lessons)
{
    static const double no_signs[WARNING_COUNT] = {0};
    struct lessons lessons = {.taken = 0};
    struct tests tests;
    enum status status = tests_open(tests_most(transactions, until, horizon), &tests);
    belief_init(&lessons.belief, no_signs);
    const int32_t weeks = (until - horizon - transactions->first_day) / EVERY_DAYS;
    for (int32_t week = 1; week <= weeks && status == STATUS_OK; week++)
        status = take_week(transactions, predictor, week, horizon, &lessons, &tests);
    if (status == STATUS_OK)
        status = measure(&tests, &lessons);
    tests_close(&tests);
    if (status == STATUS_OK)
        *ret_lessons = lessons;
    return status;
}

/* --- forecasts --- */

static struct forecast forecast_of(const struct belief *belief, const struct lesson *lesson,
                                   struct forecast model)
{
    struct belief_weights weights;
    if (belief->better) {
        belief_weights(belief, &weights);
        model.p = p_of(belief_logit(&weights, lesson));
    }
    return model;
}

void lessons_forecast(const struct lessons *lessons, const struct predictor *predictor,
                      const struct buyer buyers[], size_t count, int32_t horizon,
                      const struct forecast model[], struct forecast ret_forecasts[])
{
    for (size_t i = 0; i < count; i++) {
        const struct lesson lesson = lesson_of(predictor, &buyers[i], horizon);
        ret_forecasts[i] = forecast_of(&lessons->belief, &lesson, model[i]);
    }
}

struct turn {
    uint64_t place;
    size_t at;
};

static int by_place(const void *left, const void *right)
{
    const struct turn *l = left, *r = right;
    return l->place < r->place ? -1 : l->place > r->place;
}

enum status lessons_forecast_going_on(const struct lessons *lessons,
                                      const struct predictor *predictor,
                                      const struct buyer buyers[], size_t count, int32_t horizon,
                                      const struct forecast model[],
                                      struct forecast ret_forecasts[])
{
    struct belief belief = lessons->belief;
    struct turn *turns = malloc((count + 1) * sizeof *turns);
    if (!turns)
        return STATUS_FATAL;
    for (size_t i = 0; i < count; i++)
        turns[i] = (struct turn){place_of(&buyers[i]), i};
    qsort(turns, count, sizeof *turns, by_place);
    for (size_t i = 0; i < count; i++) {
        const size_t at = turns[i].at;
        const struct lesson lesson = lesson_of(predictor, &buyers[at], horizon);
        ret_forecasts[at] = forecast_of(&belief, &lesson, model[at]);
        belief_take(&belief, &lesson, buyers[at].later_days > 0);
    }
    free(turns);
    return STATUS_OK;
}
