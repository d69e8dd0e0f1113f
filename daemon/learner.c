/* learner: see the header. The survey is slow on purpose: it works a few milliseconds and rests
 * three times as long, at a low priority, so that the workers beside it do not feel it. */
#include "daemon/learner.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/must.h"
#include "daemon/log.h"
#include "insight/survey.h"
#include "state/proposal.h"

#define WORK_MS     5
#define REST_MS     15
#define NICE        10
#define RETRY_MS    60000 /* after a survey that could not be made */
#define STORY_BYTES 16384

struct learner {
    struct learner_options options;
    pthread_t thread;
    atomic_bool stop;
    pthread_mutex_t lock; /* of wake and view */
    pthread_cond_t wake;
    struct learner_view view;
    /* of the thread alone */
    struct redis redis;
    bool connected;
    struct survey *survey; /* large */
    struct notes notes;    /* as of the survey under way */
    struct proposal there; /* in Redis, as of the last look */
    int64_t work_until_ms; /* mono: then rest */
    int64_t tried_ms;      /* mono: the last survey; INT64_MIN none */
    bool failed;           /* it could not be made */
    int64_t tried_customers;
    struct report told; /* the last problem said */
};

static int64_t mono_ms(const struct learner *learner)
{
    return clock_mono_ms(&learner->options.clock);
}

static void nap(struct learner *learner, int64_t ms)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_mutex_lock(&learner->lock);
    if (!atomic_load(&learner->stop))
        (void)pthread_cond_clockwait(&learner->wake, &learner->lock, CLOCK_MONOTONIC, &until);
    (void)pthread_mutex_unlock(&learner->lock);
}

/* Once for each new problem, not at every look. */
static void tell(struct learner *learner, const struct report *report)
{
    if (!strcmp(learner->told.code, report->code))
        return;
    learner->told = *report;
    log_report(LOG_LEVEL_NOTICE, report);
}

/* Between two buckets of the walk. */
static enum status on_pause(void *self)
{
    struct learner *learner = self;

    if (mono_ms(learner) >= learner->work_until_ms) {
        nap(learner, REST_MS);
        learner->work_until_ms = mono_ms(learner) + WORK_MS;
    }
    return atomic_load(&learner->stop) ? STATUS_REJECT : STATUS_OK;
}

static void publish_view(struct learner *learner, const struct insight *newest)
{
    (void)pthread_mutex_lock(&learner->lock);
    if (insight_newer(newest, &learner->view.insight))
        learner->view.insight = *newest;
    (void)pthread_mutex_unlock(&learner->lock);
}

static void count_survey(struct learner *learner, bool made, double seconds)
{
    (void)pthread_mutex_lock(&learner->lock);
    learner->view.surveys += made;
    learner->view.failures += !made;
    if (made) {
        learner->view.survey_s = seconds;
        learner->view.judged = true;
        memcpy(learner->view.lessons, learner->survey->lessons, sizeof learner->view.lessons);
        learner->view.belief = learner->survey->belief;
        learner->view.notes = learner->survey->notes;
    }
    (void)pthread_mutex_unlock(&learner->lock);
}

/* --- making one --- */

/* The story of a survey that could not be made. */
static struct span refusal_story(const struct report *report, char text[STORY_BYTES])
{
    struct json_writer w;

    json_writer_init(&w, text, STORY_BYTES);
    json_put_object(&w);
    json_put_key(&w, "refused");
    json_put_text(&w, report->code);
    json_put_key(&w, "text");
    json_put_text(&w, report->text);
    json_put_object_end(&w);
    MUST(!w.full);
    return (struct span){text, w.len};
}

static void log_made(const struct learner *learner, double seconds)
{
    const struct survey *survey = learner->survey;

    log_line(LOG_LEVEL_NOTICE, "insight-made", -1,
             "version %u of %lld buyers in %.1f s: Gini of value %.3f, top 20 %% hold %.0f %%; "
             "MBG/NBD %s (%s), Gamma-Gamma %s (%s), sBG %s (%s); learned layer %s after %.0f "
             "lessons, %zu noted",
             (unsigned)survey->insight.version, (long long)survey->insight.buyers, seconds,
             survey->insight.value_gini, 100 * survey->insight.value_top20,
             learn_outcome_name(survey->lessons[LEARN_BUYING].outcome),
             fit_verdict_name(survey->lessons[LEARN_BUYING].fit.verdict),
             learn_outcome_name(survey->lessons[LEARN_SPEND].outcome),
             fit_verdict_name(survey->lessons[LEARN_SPEND].fit.verdict),
             learn_outcome_name(survey->lessons[LEARN_RENEWALS].outcome),
             fit_verdict_name(survey->lessons[LEARN_RENEWALS].fit.verdict),
             survey->insight.learned ? "in force" : "not in force", survey->belief.lessons,
             survey->notes);
}

/* The notes as they stand in Redis. What cannot be read is begun anew: nothing depends on it. */
static enum status read_notes(struct learner *learner, struct report *report)
{
    enum status status;

    notes_close(&learner->notes);
    status = notes_open(&learner->notes);
    if (status != STATUS_OK) {
        report_set(report, "memory", "no memory for the notes of the learned layer");
        return status;
    }
    status = notes_load(&learner->redis, learner->options.app, &learner->notes, report);
    if (status != STATUS_REJECT)
        return status;
    log_line(LOG_LEVEL_WARNING, report->code, -1, "%s; learning starts again", report->text);
    notes_close(&learner->notes);
    return notes_open(&learner->notes);
}

/* A survey, and its offer. */
static enum status make(struct learner *learner, const struct insight *newest, int64_t at_ms,
                        struct report *report)
{
    const struct learner_options *options = &learner->options;
    const struct survey_options how = {
        .redis = learner->redis,
        .app = options->app,
        .partitions = options->partitions(options->self),
        .params = options->params,
        .in_force = newest,
        .at_ms = at_ms,
        .buyers_min = options->buyers_min,
        .insist = learner->there.asked != learner->there.answered,
        .notes = &learner->notes,
        .pause = on_pause,
        .self = learner,
    };
    struct span story = SPAN_ABSENT;
    struct arena arena;
    enum status status = read_notes(learner, report);

    if (status == STATUS_OK)
        status = survey_make(&how, learner->survey, report);
    if (status != STATUS_OK)
        return status;
    arena_init(&arena, STORY_BYTES);
    status = survey_story(learner->survey, &arena, &story);
    MUST(status == STATUS_OK); /* bounded by its fields */
    status =
        proposal_offer(&learner->redis, options->app, &learner->survey->insight, story, report);
    arena_fini(&arena);
    if (status == STATUS_STALE)
        report_set(report, "insight-overtaken", "another process offered an insight meanwhile");
    if (status == STATUS_OK)
        status = notes_save(&learner->redis, options->app, &learner->notes, report);
    return status;
}

static void survey(struct learner *learner, const struct insight *newest, int64_t at_ms)
{
    char refusal[STORY_BYTES];
    struct report report = {0}, ignored;
    int64_t began_ms = mono_ms(learner), asked = learner->there.asked;
    enum status status;
    double seconds;

    learner->work_until_ms = began_ms + WORK_MS;
    status = make(learner, newest, at_ms, &report);
    seconds = (double)(mono_ms(learner) - began_ms) / 1000;
    learner->tried_ms = mono_ms(learner);
    learner->failed = status != STATUS_OK;
    count_survey(learner, status == STATUS_OK, seconds);
    if (status == STATUS_OK) {
        log_made(learner, seconds);
        publish_view(learner, &learner->survey->insight);
        learner->told.code[0] = '\0';
    } else if (!atomic_load(&learner->stop)) {
        tell(learner, &report);
    }
    if (asked != learner->there.answered && !atomic_load(&learner->stop))
        (void)!proposal_answer(&learner->redis, learner->options.app, asked,
                               status == STATUS_OK ? SPAN_ABSENT : refusal_story(&report, refusal),
                               &ignored);
}

/* --- when --- */

static bool due(const struct learner *learner, const struct insight *newest,
                const struct walk_sight *sight, int64_t at_ms)
{
    const struct learner_options *options = &learner->options;

    if (learner->there.asked != learner->there.answered)
        return true;
    if (options->every_ms == 0)
        return false;
    if (newest->version > 0) /* also one made by a clock that was far ahead */
        return llabs(at_ms - newest->made_ms) >= options->every_ms &&
               (!learner->failed || mono_ms(learner) - learner->tried_ms >= RETRY_MS);
    /* None yet: as soon as there may be enough, and after a vain try when there are a quarter more
     * of them. */
    return sight->customers >= options->buyers_min &&
           (learner->tried_ms == INT64_MIN ||
            sight->customers >= learner->tried_customers + learner->tried_customers / 4 ||
            mono_ms(learner) - learner->tried_ms >= RETRY_MS);
}

/* Offers what the workers found in force when Redis does not have it; the newest of all. */
static enum status level(struct learner *learner, struct insight *ret_newest, struct report *report)
{
    const struct learner_options *options = &learner->options;
    struct insight known;
    enum status status;

    options->known(options->self, &known);
    status = proposal_peek(&learner->redis, options->app, &learner->there, report);
    if (status == STATUS_OK)
        status = proposal_load(&learner->redis, options->app, &known, ret_newest, report);
    if (status != STATUS_OK || ret_newest->version == 0)
        return status;
    publish_view(learner, ret_newest);
    if (learner->there.version == ret_newest->version &&
        learner->there.made_ms == ret_newest->made_ms)
        return STATUS_OK;
    status = proposal_offer(&learner->redis, options->app, ret_newest, SPAN_ABSENT, report);
    return status == STATUS_STALE ? STATUS_OK : status;
}

static enum status look(struct learner *learner, struct report *report)
{
    const struct learner_options *options = &learner->options;
    const int32_t partitions = options->partitions(options->self);
    struct insight newest;
    struct walk_sight sight;
    int64_t at_ms;
    enum status status = STATUS_OK;

    if (partitions == 0)
        return STATUS_OK;
    if (!learner->connected)
        status = options->connect(options->self, &learner->redis, report);
    if (status != STATUS_OK)
        return status;
    learner->connected = true;
    status = level(learner, &newest, report);
    if (status != STATUS_OK || !options->owns(options->self))
        return status;
    status = walk_sight(&learner->redis, options->app, partitions, &sight, report);
    if (status != STATUS_OK)
        return status;
    at_ms = options->params->clock == FOLD_CLOCK_EVENT ? sight.watermark_ms
                                                       : clock_wall_ms(&options->clock);
    if (at_ms != INT64_MIN && due(learner, &newest, &sight, at_ms)) {
        learner->tried_customers = sight.customers;
        survey(learner, &newest, at_ms);
    }
    return STATUS_OK;
}

static void *thread_main(void *self)
{
    struct learner *learner = self;

    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    while (!atomic_load(&learner->stop)) {
        struct report report = {0};

        if (look(learner, &report) != STATUS_OK) {
            tell(learner, &report);
            if (learner->connected)
                learner->options.disconnect(learner->options.self);
            learner->connected = false;
        }
        nap(learner, learner->options.look_ms);
    }
    if (learner->connected)
        learner->options.disconnect(learner->options.self);
    return NULL;
}

/* --- life --- */

struct learner *learner_start(const struct learner_options *options)
{
    struct learner *learner = calloc(1, sizeof *learner);

    if (!learner)
        return NULL;
    learner->options = *options;
    learner->tried_ms = INT64_MIN;
    learner->survey = calloc(1, sizeof *learner->survey);
    (void)pthread_mutex_init(&learner->lock, NULL);
    (void)pthread_cond_init(&learner->wake, NULL);
    if (!learner->survey || pthread_create(&learner->thread, NULL, thread_main, learner) != 0) {
        free(learner->survey);
        free(learner);
        return NULL;
    }
    return learner;
}

void learner_view(struct learner *learner, struct learner_view *ret_view)
{
    (void)pthread_mutex_lock(&learner->lock);
    *ret_view = learner->view;
    (void)pthread_mutex_unlock(&learner->lock);
}

void learner_quit(struct learner *learner)
{
    (void)pthread_mutex_lock(&learner->lock);
    atomic_store(&learner->stop, true);
    (void)pthread_cond_broadcast(&learner->wake);
    (void)pthread_mutex_unlock(&learner->lock);
}

void learner_stop(struct learner *learner)
{
    if (!learner)
        return;
    learner_quit(learner);
    (void)pthread_join(learner->thread, NULL);
    (void)pthread_cond_destroy(&learner->wake);
    (void)pthread_mutex_destroy(&learner->lock);
    notes_close(&learner->notes);
    free(learner->survey);
    free(learner);
}
