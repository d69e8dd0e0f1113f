/* effect: what a fold step wants told to the outside, as data. The edge turns it into an alert
 * (pipeline/alert_codec). */
#ifndef LC_MODEL_EFFECT_H
#define LC_MODEL_EFFECT_H

#include "model/churn.h"
#include "model/tier.h"
#include "model/value.h"

#define EFFECT_REASONS_MAX   13
#define EFFECTS_PER_STEP_MAX 256

enum kind {
#define KIND(name, label, rule, severity, marketing, cooldown) KIND_##name,
#include "model/kind.def"
#undef KIND
    KIND_COUNT
};

/* Whether an alert leads to a message the customer may refuse (consent, caps, quiet hours), and one
 * that sells (not while a complaint is open). */
enum marketing { MARKETING_NONE, MARKETING_OFFER, MARKETING_SALE };

enum phase { PHASE_RAISED, PHASE_UPDATED, PHASE_RESOLVED, PHASE_RETRACTED, PHASE_COUNT };

/* One term of an exact sum: logit P(buy) for churn_risk, else a figure beside its baseline. Names
 * are constants. */
struct reason {
    const char *feature; /* snake_case, documented in FORMATS */
    double value, baseline;
    double contribution; /* 0 when the kind's reasons explain no sum */
};

struct effect {
    enum kind kind;
    enum phase phase;
    uint8_t band;     /* 1.. ; meaning by kind (churn_risk: 1 high, 2 critical) */
    uint32_t episode; /* number */
    uint16_t revision;
    uint32_t sequence; /* ce_sequence */
    int64_t at_ms;     /* when the condition became true: ce_time */
    int64_t expires_ms;
    uint64_t cause;      /* id_fp of the event; 0: timer */
    enum stage from, to; /* stage_changed: the move; others: both the present stage */
    enum stage_reason stage_reason;
    enum churn_reason churn_reason;
    struct churn_risk churn;
    struct value value;
    uint8_t reasons;
    struct reason reason[EFFECT_REASONS_MAX];
    const char *action; /* code, constant */
    bool requires_approval;
    char category[INSIGHT_NAME_MAX + 1]; /* cross_sell: the one to offer; empty: not named */
    const char *channel_hint;            /* on which the customer last answered; NULL: not known */
    int64_t not_before_ms;     /* end of the quiet hours it fell into; INT64_MIN: act at once */
    uint32_t suppressed_count; /* other marketing conditions of this customer held back now */
    /* The smallest change that would end it; NULL: nothing to end. */
    const char *clears_when;      /* "purchase", "engagement", ...: docs/FORMATS.md */
    double clears_amount;         /* of it: a count, a score, money */
    int64_t clears_at_ms;         /* when silence alone ends it; INT64_MAX: never */
    enum tier tier_from, tier_to; /* tier_changed: the move; others: both the present tier */
    enum customer_class class;
    double percentile; /* of the value, among all buyers; NAN: no population */
};

struct errands; /* errands.h */

/* Collector of one fold step; memory is the caller's. */
struct effects {
    struct effect *at;
    uint32_t count, cap;     /* cap ≥ EFFECTS_PER_STEP_MAX at the start of every step */
    struct errands *errands; /* NULL: nobody carries them out (timers alone have none) */
};

const char *kind_label(enum kind kind);
const char *kind_severity(enum kind kind); /* "INFO", "WARN", "ERROR" */
enum marketing kind_marketing(enum kind kind);
const char *phase_label(enum phase phase);
/* Label of a band of a kind ("high", "first_offer", ...), never NULL. */
const char *kind_band_label(enum kind kind, uint8_t band);

#endif
