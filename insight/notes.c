/* notes: who is noted is drawn by a hash of the customer and the time of the walk, so that nobody
 * has to remember who was drawn before. */
#include "insight/notes.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/text.h"
#include "model/churn.h"

#define SEED_WHO  UINT64_C(0x6e6f746577686f01)
#define SEED_DRAW UINT64_C(0x6e6f746564726102)
/* Before anything was noted, this part of the room is filled at once: enough lessons to decide by
 * (BELIEF_LESSONS_MIN) when they mature. */
#define FIRST_PART 16

enum status notes_open(struct notes *ret_notes)
{
    static const double none[WARNING_COUNT] = {0};

    memset(ret_notes, 0, sizeof *ret_notes);
    belief_init(&ret_notes->belief, none);
    ret_notes->noted_ms = INT64_MIN;
    ret_notes->note = calloc(NOTES_MAX, sizeof *ret_notes->note);
    return ret_notes->note ? STATUS_OK : STATUS_FATAL;
}

void notes_close(struct notes *notes)
{
    free(notes->note);
    notes->note = NULL;
}

/* --- a walk begins --- */

/* As many as fall due for noting since the last time, of about `customers`. */
static uint64_t threshold_of(const struct notes *notes, int64_t customers)
{
    const double room = (double)(NOTES_MAX - notes->count), horizon = (double)notes->horizon_ms;
    double wanted = NOTES_MAX / (double)FIRST_PART;

    if (notes->noted_ms != INT64_MIN)
        wanted = NOTES_MAX * ((double)(notes->at_ms - notes->noted_ms) / horizon);
    wanted = wanted < room ? wanted : room;
    if (customers < 1 || wanted <= 0)
        return 0;
    if (wanted >= (double)customers)
        return UINT64_MAX;
    return (uint64_t)(wanted / (double)customers * 0x1p64);
}

static void begin_anew(struct notes *notes, const struct params *configured,
                       const double plain[WARNING_COUNT])
{
    notes->horizon_ms = configured->churn_horizon_ms;
    notes->reporting = configured->reporting;
    notes->noted_ms = INT64_MIN;
    notes->count = 0;
    belief_init(&notes->belief, plain);
}

/* The models in force, nothing learned, and every sign that shows contributes something. */
static void look_by(struct notes *notes, const struct params *configured,
                    const struct insight *in_force)
{
    struct insight plain = *in_force;

    plain.learned = false;
    notes->looking = *configured;
    params_learn(&notes->looking, &plain);
    notes->looking.activity_decline = -1;
    notes->looking.satisfaction_low = -1;
    notes->looking.complaint_open = -1;
    notes->looking.complaint_resolved = -1;
    notes->looking.payment_trouble = -1;
    notes->looking.unsubscribed = -1;
}

void notes_begin(struct notes *notes, int64_t at_ms, const struct params *configured,
                 const struct insight *in_force, int64_t customers)
{
    double plain[WARNING_COUNT];

    params_warning_weights(configured, plain);
    if (notes->horizon_ms != configured->churn_horizon_ms ||
        notes->reporting != configured->reporting)
        begin_anew(notes, configured, plain);
    else if (memcmp(plain, notes->belief.plain_warning, sizeof plain) != 0)
        belief_init(&notes->belief, plain);
    notes->at_ms = at_ms;
    notes->old = notes->count;
    for (size_t i = 0; i < notes->count; i++)
        notes->note[i].met = false;
    notes->threshold = threshold_of(notes, customers);
    look_by(notes, configured, in_force);
}

/* --- each customer --- */

static int by_who(const void *left, const void *right)
{
    const struct note *l = left, *r = right;

    return l->who < r->who ? -1 : l->who > r->who;
}

static bool is_drawn(const struct notes *notes, uint64_t who)
{
    const uint64_t pair[] = {who, (uint64_t)notes->at_ms};

    return notes->count < NOTES_MAX &&
           hash_bytes((struct span){(const char *)pair, sizeof pair}, SEED_DRAW) < notes->threshold;
}

static void take_note(struct notes *notes, uint64_t who, const struct customer *customer)
{
    struct note *note = &notes->note[notes->count];
    struct churn_risk risk;

    churn_risk_at(customer, notes->at_ms, &notes->looking, &risk);
    if (risk.subscribed)
        return; /* what was learned does not apply to a term */
    *note = (struct note){
        .who = who, .at_ms = notes->at_ms, .last_day = customer->last_day, .met = true};
    feature_figures(customer, notes->at_ms, &notes->looking, note->lesson.figure);
    note->lesson.figure[FEATURE_SCALE] = risk.base_logit;
    for (int i = 0; i < WARNING_COUNT; i++)
        note->lesson.sign[i] = risk.contribution[i] < 0;
    notes->count++;
}

/* What became of it. */
enum outcome { OUTCOME_BOUGHT, OUTCOME_NOT, OUTCOME_UNKNOWN };

static enum outcome outcome_of(const struct notes *notes, const struct note *note,
                               const struct customer *customer)
{
    const int64_t end_day = (note->at_ms + notes->horizon_ms) / TEXT_MS_PER_DAY;

    if (customer->purchase_days == 0)
        return OUTCOME_UNKNOWN; /* erased, or all of it taken back */
    for (uint8_t i = 0; i < customer->days_kept; i++)
        if (customer->days[i].day > note->last_day && customer->days[i].day <= end_day)
            return OUTCOME_BOUGHT;
    /* More purchase days since than are kept: those of the window are gone. */
    if (customer->days_kept == CUSTOMER_DAYS_MAX && customer->days[0].day > end_day)
        return OUTCOME_UNKNOWN;
    return OUTCOME_NOT;
}

static bool is_over(const struct notes *notes, const struct note *note)
{
    return notes->at_ms >= note->at_ms + notes->horizon_ms + NOTES_GRACE_DAYS * TEXT_MS_PER_DAY;
}

void notes_meet(struct notes *notes, struct span id, const struct customer *customer)
{
    const struct note key = {.who = hash_bytes(id, SEED_WHO)};
    struct note *note = bsearch(&key, notes->note, notes->old, sizeof key, by_who);

    if (note == NULL) {
        if (customer->purchase_days > 0 && is_drawn(notes, key.who))
            take_note(notes, key.who, customer);
        return;
    }
    if (!is_over(notes, note)) {
        note->met = customer->purchase_days > 0;
        return;
    }
    /* Not met: so it is dropped at the end. */
    enum outcome outcome = outcome_of(notes, note, customer);
    if (outcome != OUTCOME_UNKNOWN)
        belief_take(&notes->belief, &note->lesson, outcome == OUTCOME_BOUGHT);
}

/* --- the end --- */

void notes_end(struct notes *notes, struct insight *insight)
{
    struct belief_weights weights;
    size_t kept = 0;

    for (size_t i = 0; i < notes->count; i++)
        if (notes->note[i].met)
            notes->note[kept++] = notes->note[i];
    notes->count = kept;
    qsort(notes->note, notes->count, sizeof *notes->note, by_who);
    if (notes->noted_ms < notes->at_ms)
        notes->noted_ms = notes->at_ms;
    belief_weights(&notes->belief, &weights);
    insight->learned = notes->belief.better;
    for (int i = 0; i < FEATURE_COUNT; i++)
        insight->feature_weight[i] = insight->learned ? weights.feature[i] : 0;
    for (int i = 0; i < WARNING_COUNT; i++)
        insight->warning_weight[i] = insight->learned ? weights.warning[i] : 0;
    MUST(insight_check(insight) == NULL);
}
