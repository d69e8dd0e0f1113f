/* behaviour: a seeded population of customers with known parameters, as a stream of events in order
 * of event time.
 *
 * Purchases follow the models the daemon uses: rates Gamma(r, α), dropout Beta(a, b) after each
 * purchase (MBG/NBD), spend Gamma-Gamma(p, q, γ); around them the things real customers do: leads,
 * demos, trials, views, e-mails, surveys, complaints, refunds, subscriptions. Same seed, same
 * stream. */
#ifndef LC_CTL_BEHAVIOUR_H
#define LC_CTL_BEHAVIOUR_H

#include <stdint.h>

#include "model/event.h"

struct behaviour_options {
    uint64_t seed;
    uint32_t customers;
    int64_t start_ms, days;
    double r, alpha_days, a, b; /* MBG/NBD */
    double p, q, gamma;         /* Gamma-Gamma, major units */
};

/* One event about to be published. Texts are the behaviour's, valid until the next call. */
struct behaviour_event {
    enum event_type type;
    int64_t time_ms;
    char customer[32], id[40], channel[16], order_id[40], refund_id[40], ticket_id[40], plan[16],
        category[16];
    bool has_amount, has_score, has_ends;
    int64_t amount_minor; /* EUR */
    int score;            /* nps */
    int64_t ends_ms;
    enum churn_reason reason; /* CHURN_UNKNOWN: none */
};

struct behaviour;

/* Two years from 2024, a lively shop; seed 1, 1000 customers. */
struct behaviour_options behaviour_default(void);
/* NULL: out of memory. */
struct behaviour *behaviour_open(const struct behaviour_options *options);
/* False at the end of the time span. */
bool behaviour_next(struct behaviour *behaviour, struct behaviour_event *ret_event);
void behaviour_close(struct behaviour *behaviour);

#endif
