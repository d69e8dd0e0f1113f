/* survey: a new insight from two walks over all customers. The first one collects what the models
 * are fitted on; the second one assesses everybody with the models that will then be in force, so
 * that the cuts are those of the values they will be compared with. */
#ifndef LC_INSIGHT_SURVEY_H
#define LC_INSIGHT_SURVEY_H

#include "base/arena.h"
#include "insight/census.h"
#include "insight/learn.h"
#include "insight/notes.h"
#include "insight/walk.h"

struct survey_options {
    struct redis redis; /* a connection of its own */
    const char *app;
    int32_t partitions;
    const struct params *params;    /* configured */
    const struct insight *in_force; /* version 0: none */
    int64_t at_ms;                  /* the time everybody is judged at */
    int64_t buyers_min;             /* fewer make no population */
    bool insist; /* go on although there are far fewer buyers than behind the one in force */
    struct notes *notes;              /* of the learned layer; NULL: it stays as it is */
    enum status (*pause)(void *self); /* see walk.h; NULL: at full speed */
    void *self;
};

/* What came of it. Large: not for the stack. */
struct survey {
    struct insight insight; /* the next version */
    struct learn_lesson lessons[LEARN_SUBJECTS];
    struct params params; /* configured ones with the new insight over them: census.params */
    struct census census;
    int64_t left_out; /* customers for whom the cells had no room */
    bool noted;       /* with notes: */
    struct belief belief;
    size_t notes; /* waiting for their horizon */
};

/* OK: survey->insight may be offered. RETRY: Redis does not answer, or no population yet or not all
 * of it (words). REJECT: stopped by `pause`, or a damaged record. FATAL: no memory. */
enum status survey_make(const struct survey_options *options, struct survey *survey,
                        struct report *report) LC_CHECKED;
/* What there is to tell, as one JSON object, into the arena. FULL. */
enum status survey_story(const struct survey *survey, struct arena *arena,
                         struct span *ret_story) LC_CHECKED;

#endif
