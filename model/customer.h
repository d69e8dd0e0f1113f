/* customer: the state of one customer: sufficient statistics of its log, its stage and its open
 * episodes.
 *
 * A plain value: no pointers, copied by assignment, compared field by field by its codec. Sums,
 * days and counts do not depend on the order of events within the kept window (integers only, no
 * running averages); stage history and episodes follow the log. Everything that can be derived from
 * these (risk, value, rhythm, due time) is derived, not stored, with the exception of due_ms, which
 * a bucket sweep must see without deriving it.
 *
 * Recent activity is kept as counts and spend in 10-day bins of event time instead of exponentially
 * decayed sums: integers give the same bits in every order, windows ("last 30 days against the 90
 * before") mean what they say, and between events the warnings are piecewise constant, so each
 * crossing has a time that can be computed. */
#ifndef LC_MODEL_CUSTOMER_H
#define LC_MODEL_CUSTOMER_H

#include <stddef.h>
#include <stdint.h>

#include "model/event.h"
#include "model/params.h"

#define CUSTOMER_DAYS_MAX       32
#define CUSTOMER_BIN_DAYS       10
#define CUSTOMER_BINS_MAX       19 /* 180 days and the bin that is filling */
#define CUSTOMER_ORDERS_MAX     16 /* open orders, for refunds */
#define CUSTOMER_TICKETS_MAX    8
#define CUSTOMER_CURRENCIES_MAX 6
#define CUSTOMER_EPISODES_MAX   24
#define CUSTOMER_CAP_MAX        4 /* marketing alerts remembered for the caps */
#define CUSTOMER_TEXT_MAX       16

/* Where a buyer stands by value among all; a larger one is worth less. */
enum tier { TIER_NONE, TIER_A, TIER_B, TIER_C, TIER_D, TIER_COUNT };

enum stage {
#define STAGE(name, label, means) STAGE_##name,
#include "model/stage.def"
#undef STAGE
    STAGE_COUNT
};

/* Why the stage is what it is. */
enum stage_reason {
    STAGE_BY_FIRST_EVENT,
    STAGE_BY_FUNNEL,
    STAGE_BY_PURCHASE,
    STAGE_BY_REFUND,
    STAGE_BY_SILENCE,
    STAGE_BY_RISK,
    STAGE_BY_TENURE,
    STAGE_BY_SUBSCRIPTION,
    STAGE_BY_DELETE,
    STAGE_BY_ALIAS, /* it became another customer */
    STAGE_REASON_COUNT
};

struct purchase_day {
    int32_t day;         /* UTC day number */
    uint16_t orders;     /* on that day, not cancelled nor refunded whole; > 0 */
    int64_t spend_minor; /* gross of the day less refunds that name an order of the day */
};

struct activity_bin {
    uint32_t events;     /* of engagement; purchases are evidence of the models already */
    int64_t spend_minor; /* net */
    int64_t cost_minor;  /* of service */
};

/* An order that may still be refunded, or a refund whose order has not come yet. A waiting
 * cancellation (or refund without an amount) takes whatever the order is worth when it comes. */
enum order_state { ORDER_OPEN, ORDER_CLOSED, ORDER_REFUND_WAITS, ORDER_CANCEL_WAITS };

/* Ascending by (day, fp, currency); the lowest falls out, so that what is kept does not depend on
 * the order of arrival. */
struct open_order {
    uint64_t fp;
    enum order_state state;
    enum currency currency; /* of left_native; NONE in CANCEL_WAITS */
    int32_t day;         /* of the order; while it waits, of the refund (one entry a day) or newest
                            cancellation */
    int64_t left_native; /* OPEN: not refunded yet; REFUND_WAITS: to be refunded; else 0 */
    int64_t left_minor;  /* OPEN: what left_native added to the sums, reporting currency; else 0 */
};

/* Ascending by (fp, complaint). A filing without a ticket id is known by its event's id_fp; fp 0 is
 * no ticket but the newest resolution without a ticket id, which settles everything of its sort
 * filed up to then. */
struct ticket {
    uint64_t fp;
    bool complaint;      /* else a plain support ticket */
    int64_t opened_ms;   /* newest filing; INT64_MIN: the resolution came first */
    int64_t resolved_ms; /* newest resolution, >= opened_ms; INT64_MIN: open */
};

struct currency_spend {
    enum currency currency;
    int64_t minor; /* net, in that currency's minor units */
};

enum subscription_state {
    SUBSCRIPTION_NONE,
    SUBSCRIPTION_ACTIVE,
    SUBSCRIPTION_PAUSED,
    SUBSCRIPTION_ENDED /* at ends_ms, by cancellation */
};

struct subscription {
    enum subscription_state state;
    uint64_t fp;
    int64_t changed_ms; /* event time of the newest event about it; INT64_MIN none */
    int64_t ends_ms;    /* end of the paid term; INT64_MAX unknown */
    int64_t
        term_ms; /* event time of the newest event that says when the term ends; INT64_MIN none */
    uint32_t renewals;
    char plan[CUSTOMER_TEXT_MAX]; /* zero padded */
    int64_t plan_ms; /* event time of the newest event that names the plan; INT64_MIN none */
};

enum episode_phase { EPISODE_CLOSED, EPISODE_OPEN };

/* The one or newest episode of (kind, key). Closed ones stay for their cool-down. */
struct episode {
    uint8_t kind;      /* enum kind */
    uint8_t phase;     /* enum episode_phase */
    uint8_t band;      /* highest band told so far, from 1 */
    bool told;         /* raised to the outside; false when it began as history (alerts.late_max) */
    uint16_t revision; /* of the newest alert of the episode, from 0 */
    uint32_t number;   /* of the episode, counted per customer: part of ce_id */
    uint64_t key;      /* what it is about (ticket, term, ...); 0 when the kind has one instance */
    int64_t since_ms;  /* when the condition became true */
    int64_t ended_ms;  /* when it ended; meaningful when closed */
};

struct customer {
#ifdef LC_FOLD_NEXT
    uint32_t next_events; /* since fold level 2 */
#endif
    /* time */
    int64_t
        now_ms; /* fold time: the newest event time or fired timer; INT64_MIN in an empty state */
    int64_t due_ms; /* when silence alone next changes something; INT64_MAX never. Early is allowed
                     * (the timer fires, tells nothing and arms itself again), late never: due_ms <=
                     * fold_due() */
    int64_t first_ms;        /* earliest event time */
    int64_t touch_ms;        /* newest event time */
    uint32_t params_version; /* of the params due_ms was computed with (worker's count) */

    /* stage */
    enum stage stage;
    enum stage_reason stage_reason;
    enum churn_reason churn_reason;
    int64_t stage_since_ms;
    uint64_t stage_cause;    /* id_fp of the event, 0 for a timer */
    enum stage funnel;       /* LEAD, DEMO or TRIAL: the furthest step seen */
    int64_t funnel_since_ms; /* event time of the newest progress in the funnel; INT64_MIN none */
    int64_t trial_ends_ms;   /* INT64_MAX unknown */
    int64_t churned_ms;      /* since when churned the last time; INT64_MIN never */
    bool returned;           /* bought since it last churned and not twice yet (won_back) */
    int64_t
        risk_since_ms; /* when risk became elevated (stage_risk_elevated); INT64_MAX: it is not */

    /* purchases */
    uint32_t purchase_days; /* distinct UTC days with a purchase */
    int32_t first_day, last_day;
    int64_t last_purchase_ms; /* event time of the newest purchase on last_day; midnight of it when
                               * only the day is still known, because newer purchases were
                               * cancelled; INT64_MIN none */
    uint8_t days_kept;
    uint32_t late_days;  /* days counted as new because older than the kept ones: may be double */
    uint32_t orders;     /* live ones: not cancelled nor refunded whole */
    int64_t spend_minor; /* net, reporting currency; may be negative */
    int64_t first_day_spend_minor;
    uint32_t repeat_days_paid; /* kept exactly while ≤ 32 days: repeat purchase days with positive
                                  spend */
    int64_t repeat_spend_minor; /* their positive spend: m̄ = this / repeat_days_paid */
    uint8_t currencies;
    uint8_t orders_open;

    /* activity */
    int32_t bin_newest; /* absolute number of bins[0]: floor(day / 10); INT32_MIN: nothing yet */
    struct activity_bin bins[CUSTOMER_BINS_MAX]; /* [i] is bin bin_newest − i */
    uint32_t count[EVENT_TYPE_COUNT];
    int64_t last_ms[EVENT_TYPE_COUNT]; /* INT64_MIN never */
    char channel[CUSTOMER_TEXT_MAX];   /* of first touch, zero padded */
    int64_t channel_ms;                /* event time of it; INT64_MAX none */
    uint64_t categories;               /* bit customer_category_bit() of the categories bought */
    char category[CUSTOMER_TEXT_MAX];  /* bought last, zero padded: a name for its bit */
    int64_t category_ms;               /* event time of it; INT64_MIN none */

    /* satisfaction, credit, advocacy, cost */
    int64_t score_sum_pct; /* Σ of scores on 0–100 */
    uint32_t scores;
    int16_t score_last; /* as sent; −1 none */
    enum survey_metric score_metric;
    int64_t score_last_ms; /* INT64_MIN none */
    uint8_t tickets;
    int64_t cost_minor; /* service cost, reporting currency */
    bool consent_denied[CONSENT_PURPOSE_COUNT];
    int64_t
        consent_ms[CONSENT_PURPOSE_COUNT]; /* event time of the newest word on it; INT64_MIN none */

    struct subscription subscription;

    /* value, as of the last assessment (tier_assess) */
    int64_t value_minor;   /* expected 12-month value */
    int64_t assessed_ms;   /* INT64_MIN never */
    enum tier tier;        /* NONE: no purchase, or no population to compare with */
    int64_t tier_since_ms; /* INT64_MIN never in one */
    int64_t tier_below_ms; /* since when it is demote_points below its tier; INT64_MAX: it is not */

    /* alerts */
    uint8_t episodes;
    uint32_t episode_count; /* number of the newest episode; begins anywhere, so that a customer
                             * forgotten and come back does not tell an episode by an old number */
    int64_t marketing_ms[CUSTOMER_CAP_MAX]; /* fold times of the newest marketing alerts, newest
                                             * first; INT64_MIN none */
    uint32_t alert_count;                   /* ever told: ce_sequence */
    int64_t erased_ms;     /* Delete: everything before is gone and ignored; INT64_MIN never */
    int64_t erased_offset; /* of the Delete in the log; 0 never */

    /* identity */
    uint8_t previous; /* ids that became this customer: so many are in its ledger */
    uint8_t into_len; /* > 0: this id is but a redirect: its customer is `into` since an Alias */
    char into[EVENT_CUSTOMER_BYTES_MAX];

    /* lists: the first `days_kept`, `currencies`, `orders_open`, `tickets`, `episodes` of each;
     * what lies behind is undefined. They come last, so that an empty customer is made without
     * touching them: two thirds of the struct. */
    struct purchase_day days[CUSTOMER_DAYS_MAX]; /* newest distinct days, ascending */
    struct currency_spend currency[CUSTOMER_CURRENCIES_MAX];
    struct open_order order[CUSTOMER_ORDERS_MAX]; /* newest last */
    struct ticket ticket[CUSTOMER_TICKETS_MAX];
    struct episode episode[CUSTOMER_EPISODES_MAX];
};
#define CUSTOMER_LISTS_OFFSET offsetof(struct customer, days)

void customer_init(struct customer *ret_customer);
/* An initialised state that no event has touched yet, or one that was forgotten: not worth storing.
 */
bool customer_is_empty(const struct customer *customer);
/* What an erasure leaves: when it was, and counters. Not a redirect. */
bool customer_is_mark(const struct customer *customer);
static inline bool customer_is_redirect(const struct customer *customer)
{
    return customer->into_len > 0;
}
static inline struct span customer_into(const struct customer *customer)
{
    return (struct span){customer->into, customer->into_len};
}
/* NULL when every invariant holds, else the one that does not (constant string). For records read
 * back (which may be damaged) and, under MUST, after every step. */
const char *customer_check(const struct customer *customer);

const char *stage_label(enum stage stage);
const char *stage_reason_label(enum stage_reason reason);
const char *churn_reason_label(enum churn_reason reason);

/* --- derived figures that several modules need; all pure --- */

/* Repeat purchase days x, t_x and T in days from the first purchase day (docs/MODELS.md). T counts
 * to `at_ms`, not below t_x. purchase_days must be > 0. */
struct history {
    double x, t_x, T;
};
struct history customer_history(const struct customer *customer, int64_t at_ms);
/* Number of the activity bin a time falls into; at each multiple of CUSTOMER_BIN_DAYS days the
 * windows below step. */
int32_t customer_bin_of(int64_t at_ms);
/* Engagement events in [at − from_days, at − to_days), whole bins: with b the bin of at_ms, the
 * bins b − from/10 up to b itself (to_days = 0; the filling bin comes on top, so that no window is
 * shorter than it says) or up to b − to/10 − 1. */
uint32_t customer_events_between(const struct customer *customer, int64_t at_ms, int from_days,
                                 int to_days);
int64_t customer_spend_between(const struct customer *customer, int64_t at_ms, int from_days,
                               int to_days);
int64_t customer_cost_between(const struct customer *customer, int64_t at_ms, int from_days,
                              int to_days);
/* Purchase days whose midnight is at or after since_ms, of the kept ones. */
uint32_t customer_days_since(const struct customer *customer, int64_t since_ms);
/* A paid term covers at_ms: any subscription whose ends_ms lies after it (a cancelled one too,
 * until then). */
bool customer_subscribed(const struct customer *customer, int64_t at_ms);
/* Lead, demo or trial. */
bool customer_is_potential(const struct customer *customer);
/* The open or cooling episode of (kind, key); NULL when there is none. */
const struct episode *customer_episode(const struct customer *customer, uint8_t kind, uint64_t key);
/* The bit a category has in `categories`, 0–63. Two names may share one. */
int customer_category_bit(struct span category);
/* Adds to the bin of a day; what is older than the kept bins is dropped. */
void customer_activity_add(struct customer *customer, int32_t day, struct activity_bin more);
/* left + right, held at ±4e18: sums of hostile amounts must not overflow. */
int64_t customer_money_add(int64_t left, int64_t right);

#endif
