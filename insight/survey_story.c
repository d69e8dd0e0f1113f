/* survey_story: what a survey found, as one JSON object: for `lifecyclectl insight` and whoever
 * asks why a model was not taken. */
#include <string.h>

#include "base/json.h"
#include "insight/survey.h"

#define STORY_BYTES 8192

static void put_theta(struct json_writer *w, const struct fit_result *fit)
{
    json_put_key(w, "parameters");
    json_put_object(w);
    for (int i = 0; i < fit_params(fit->model); i++) {
        json_put_key(w, fit_param(fit->model, i));
        json_put_double(w, fit->theta[i]);
    }
    json_put_object_end(w);
    json_put_key(w, "errors");
    json_put_object(w);
    for (int i = 0; i < fit_params(fit->model); i++) {
        json_put_key(w, fit_param(fit->model, i));
        json_put_double(w, fit->error[i]);
    }
    json_put_object_end(w);
}

static void put_lesson(struct json_writer *w, const struct learn_lesson *lesson)
{
    const struct fit_result *fit = &lesson->fit;

    json_put_key(w, fit_name(fit->model));
    json_put_object(w);
    json_put_key(w, "outcome");
    json_put_text(w, learn_outcome_name(lesson->outcome));
    json_put_key(w, "verdict");
    json_put_text(w, fit_verdict_name(fit->verdict));
    json_put_key(w, "reason");
    json_put_text(w, lesson->outcome == LEARN_WORSE
                         ? "worse than the parameters in force on the last matured window"
                         : fit_verdict_reason(fit->verdict));
    json_put_key(w, "help");
    json_put_text(w, lesson->outcome == LEARN_WORSE ? "" : fit_verdict_help(fit->verdict));
    json_put_key(w, "customers");
    json_put_double(w, fit->customers);
    json_put_key(w, "repeaters");
    json_put_double(w, fit->repeaters);
    json_put_key(w, "loglik");
    json_put_double(w, fit->loglik);
    put_theta(w, fit);
    if (lesson->window_customers > 0) {
        json_put_key(w, "window_customers");
        json_put_double(w, lesson->window_customers);
        json_put_key(w, "log_loss");
        json_put_double(w, lesson->loss);
        json_put_key(w, "log_loss_in_force");
        json_put_double(w, lesson->loss_in_force);
    }
    json_put_object_end(w);
}

static void put_spread(struct json_writer *w, const char *name, const struct spread *spread)
{
    json_put_key(w, name);
    json_put_object(w);
    json_put_key(w, "sum_minor");
    json_put_i64(w, spread->sum);
    json_put_key(w, "top20_share");
    json_put_double(w, spread_top_share(spread, 0.2));
    json_put_key(w, "gini");
    json_put_double(w, spread_gini(spread));
    json_put_object_end(w);
}

/* The weights that would be in force if they were worth it. */
static void put_weights(struct json_writer *w, const struct belief *belief)
{
    struct belief_weights weights;

    belief_weights(belief, &weights);
    json_put_key(w, "weights");
    json_put_object(w);
    for (int i = 0; i < FEATURE_COUNT; i++) {
        json_put_key(w, feature_label((enum feature)i));
        json_put_double(w, weights.feature[i]);
    }
    for (int i = 0; i < WARNING_COUNT; i++) {
        json_put_key(w, warning_label((enum warning)i));
        json_put_double(w, weights.warning[i]);
    }
    json_put_object_end(w);
}

static void put_learned(struct json_writer *w, const struct survey *survey)
{
    const struct belief *belief = &survey->belief;

    json_put_key(w, "learned");
    json_put_object(w);
    json_put_key(w, "in_force");
    json_put_bool(w, survey->insight.learned);
    json_put_key(w, "lessons");
    json_put_double(w, belief->lessons);
    json_put_key(w, "notes");
    json_put_i64(w, (int64_t)survey->notes);
    if (belief->test.weight > 0) {
        json_put_key(w, "log_loss");
        json_put_double(w, belief->test.learned / belief->test.weight);
        json_put_key(w, "log_loss_plain");
        json_put_double(w, belief->test.plain / belief->test.weight);
    }
    put_weights(w, belief);
    json_put_object_end(w);
}

enum status survey_story(const struct survey *survey, struct arena *arena, struct span *ret_story)
{
    char text[STORY_BYTES], *copy;
    struct json_writer w;

    json_writer_init(&w, text, sizeof text);
    json_put_object(&w);
    json_put_key(&w, "version");
    json_put_i64(&w, survey->insight.version);
    json_put_key(&w, "made");
    json_put_time(&w, survey->insight.made_ms);
    json_put_key(&w, "customers");
    json_put_i64(&w, survey->census.all.customers);
    json_put_key(&w, "buyers");
    json_put_i64(&w, survey->insight.buyers);
    json_put_key(&w, "left_out");
    json_put_i64(&w, survey->left_out);
    put_spread(&w, "value", &survey->census.value);
    put_spread(&w, "revenue", &survey->census.revenue);
    json_put_key(&w, "models");
    json_put_object(&w);
    for (int i = 0; i < LEARN_SUBJECTS; i++)
        put_lesson(&w, &survey->lessons[i]);
    json_put_object_end(&w);
    if (survey->noted)
        put_learned(&w, survey);
    json_put_object_end(&w);
    copy = w.full ? NULL : arena_copy(arena, text, w.len);
    if (!copy)
        return STATUS_FULL;
    *ret_story = (struct span){copy, w.len};
    return STATUS_OK;
}
