/* survey: see the header. A walk instead of aggregates kept with every event: it costs the hot path
 * nothing, cannot drift from the state, and a population of yesterday is what tiers need. */
#include "insight/survey.h"

#include "base/must.h"

/* Fewer than this part of the buyers behind the insight in force: a state that is being rebuilt
 * rather than a population that shrank. */
#define SHRUNK 2

/* What the first walk fills. */
struct first {
    struct histories histories;
    struct notes *notes;
};

static enum status first_each(void *self, int32_t partition, struct span id,
                              const struct customer *customer)
{
    struct first *first = self;
    enum status status = histories_add(&first->histories, customer);

    (void)partition;
    if (first->notes)
        notes_meet(first->notes, id, customer);
    return status == STATUS_FULL ? STATUS_OK : status; /* counted; the rest is enough for a fit */
}

static enum status second_each(void *self, int32_t partition, struct span id,
                               const struct customer *customer)
{
    (void)partition;
    (void)id;
    census_add(self, customer);
    return STATUS_OK;
}

static enum status walk_all(const struct survey_options *options, walk_each_fn *each, void *self,
                            struct report *report)
{
    const struct walk walk = {.redis = options->redis,
                              .app = options->app,
                              .partitions = options->partitions,
                              .each = each,
                              .self = self,
                              .pause = options->pause,
                              .pause_self = options->self};

    return walk_customers(&walk, report);
}

/* Is everybody there? */
static enum status check_whole(const struct survey_options *options, int64_t *ret_customers,
                               struct report *report)
{
    struct redis redis = options->redis;
    struct walk_sight sight = {0};
    enum status status = walk_sight(&redis, options->app, options->partitions, &sight, report);

    if (status == STATUS_OK && sight.absent > 0) {
        report_set(report, "population-part",
                   "%d of %d partitions have no state in Redis: waiting until all of them have",
                   sight.absent, options->partitions);
        return STATUS_RETRY;
    }
    *ret_customers = sight.customers;
    return status;
}

static enum status check_size(const struct survey_options *options, int64_t buyers,
                              struct report *report)
{
    if (buyers < options->buyers_min) {
        report_set(report, "population-small",
                   "%lld buyers: tiers and models wait until there are %lld (insight.buyers_min)",
                   (long long)buyers, (long long)options->buyers_min);
        return STATUS_RETRY;
    }
    if (!options->insist && buyers < options->in_force->buyers / SHRUNK) {
        report_set(report, "population-shrunk",
                   "%lld buyers, less than half of the %lld behind the insight in force: is a "
                   "partition being rebuilt? Waiting; `lifecyclectl insight --now` makes it so",
                   (long long)buyers, (long long)options->in_force->buyers);
        return STATUS_RETRY;
    }
    return STATUS_OK;
}

/* The first walk and what is learned from it: the insight but for the spread of values. */
static enum status learn(const struct survey_options *options, int64_t customers,
                         struct survey *survey, struct report *report)
{
    struct first first = {.notes = options->notes};
    enum status status;

    histories_init(&first.histories, options->at_ms, options->params->churn_horizon_ms);
    if (first.notes)
        notes_begin(first.notes, options->at_ms, options->params, options->in_force, customers);
    status = walk_all(options, first_each, &first, report);
    if (status == STATUS_OK)
        status = check_size(options, first.histories.buyers, report);
    if (status == STATUS_OK) {
        status = learn_from(&first.histories, options->params, &survey->insight, survey->lessons);
        if (status != STATUS_OK)
            report_set(report, "memory", "no memory for fitting the models");
    }
    if (status == STATUS_OK && first.notes) {
        notes_end(first.notes, &survey->insight);
        survey->belief = first.notes->belief;
        survey->notes = first.notes->count;
    }
    survey->noted = first.notes != NULL;
    survey->left_out = first.histories.buying.left_out;
    histories_fini(&first.histories);
    return status;
}

enum status survey_make(const struct survey_options *options, struct survey *survey,
                        struct report *report)
{
    int64_t customers = 0;
    enum status status = check_whole(options, &customers, report);

    if (status != STATUS_OK)
        return status;
    survey->insight = *options->in_force;
    status = learn(options, customers, survey, report);
    if (status != STATUS_OK)
        return status;
    survey->params = *options->params;
    params_learn(&survey->params, &survey->insight);
    census_init(&survey->census, options->at_ms, &survey->params);
    status = walk_all(options, second_each, &survey->census, report);
    if (status != STATUS_OK)
        return status;
    census_tell(&survey->census, &survey->insight);
    survey->insight.version = options->in_force->version + 1;
    survey->insight.made_ms = options->at_ms;
    MUST(insight_check(&survey->insight) == NULL);
    return STATUS_OK;
}
