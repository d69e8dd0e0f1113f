/* behaviour: a heap of what each customer does next; popping one plans what follows from it. */
#include "ctl/behaviour.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/heap.h"
#include "base/must.h"
#include "base/text.h"

struct person {
    double daily_rate;          /* purchases a day while alive; 0: never converts */
    double dropout, spend_rate; /* spend of one order ~ Gamma(p, spend_rate) */
    double mood;                /* 0 unhappy – 1 happy: surveys and complaints */
    uint32_t orders, sent;
    bool alive, subscriber;
    uint8_t channel, category;
    int64_t order_minor; /* of the last order */
};

/* What is planned: one entry of the heap. */
struct plan {
    uint32_t person;
    enum event_type type;
    uint32_t serial; /* order or ticket it is about */
};

struct behaviour {
    struct behaviour_options options;
    uint64_t random[4];
    struct person *people;
    struct plan *plans;
    uint32_t *free_plans, free_count, plan_cap;
    struct heap heap;
    struct heap_item *items;
    uint64_t pushed;
};

enum { PLANS_PER_PERSON = 8 };
static const char *const channels[] = {"web", "app", "store", "partner", "email", "social"};
static const char *const categories[] = {"books", "music", "garden", "kitchen", "sport", "toys"};
static const char *const plans_sold[] = {"basic", "plus", "pro"};

static uint64_t random_u64(struct behaviour *b) /* xoshiro256** (Blackman, Vigna 2018) */
{
    uint64_t *s = b->random;
    uint64_t result = ((s[1] * 5) << 7 | (s[1] * 5) >> 57) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s[3] << 45 | s[3] >> 19;
    return result;
}

static double uniform(struct behaviour *b)
{
    return ((double)(random_u64(b) >> 11) + 0.5) * 0x1p-53;
}

static bool chance(struct behaviour *b, double p)
{
    return uniform(b) < p;
}

static double exponential(struct behaviour *b, double mean)
{
    return -mean * log(uniform(b));
}

static double gamma_draw(struct behaviour *b, double shape) /* Marsaglia, Tsang 2000 */
{
    if (shape < 1)
        return gamma_draw(b, shape + 1) * pow(uniform(b), 1 / shape);
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double normal = sqrt(-2 * log(uniform(b))) * cos(2 * M_PI * uniform(b));
        double v = 1 + c * normal;
        if (v <= 0)
            continue;
        v = v * v * v;
        if (log(uniform(b)) < 0.5 * normal * normal + d - d * v + d * log(v))
            return d * v;
    }
}

/* Plans `type` for `person` in `days` from `from_ms`; beyond the end, or with every slot taken,
 * nothing. */
static void plan(struct behaviour *b, uint32_t person, enum event_type type, uint32_t serial,
                 int64_t from_ms, double days)
{
    int64_t at = from_ms + 1 + (int64_t)(days * (double)TEXT_MS_PER_DAY);
    if (b->free_count == 0 || at >= b->options.start_ms + b->options.days * TEXT_MS_PER_DAY)
        return;
    uint32_t slot = b->free_plans[--b->free_count];
    b->plans[slot] = (struct plan){person, type, serial};
    MUST(heap_push(&b->heap, (struct heap_item){at, b->pushed++, slot}));
}

static void person_init(struct behaviour *b, uint32_t i)
{
    struct person *who = &b->people[i];
    const struct behaviour_options *o = &b->options;
    *who = (struct person){.channel = (uint8_t)(random_u64(b) % 6),
                           .category = (uint8_t)(random_u64(b) % 6)};
    double x = gamma_draw(b, o->a), y = gamma_draw(b, o->b);
    who->daily_rate = gamma_draw(b, o->r) / o->alpha_days;
    who->dropout = x / (x + y);
    who->spend_rate = gamma_draw(b, o->q) / o->gamma;
    who->mood = uniform(b);
    who->alive = chance(b, 0.6); /* the rest never buy */
    who->subscriber = chance(b, 0.08);
    double arrives = uniform(b) * (double)o->days * 0.8;
    plan(b, i, chance(b, 0.5) ? EVENT_LEAD_CREATED : EVENT_SIGNED_UP, 0, o->start_ms, arrives);
}

static void after_lead(struct behaviour *b, uint32_t i, int64_t at)
{
    struct person *who = &b->people[i];
    plan(b, i, EVENT_PRODUCT_VIEWED, 0, at, exponential(b, 3));
    if (chance(b, 0.3))
        plan(b, i, EVENT_DEMO_ATTENDED, 0, at, 1 + exponential(b, 5));
    else if (chance(b, 0.3))
        plan(b, i, EVENT_TRIAL_STARTED, 0, at, exponential(b, 4));
    if (who->alive)
        plan(b, i, who->subscriber ? EVENT_SUBSCRIPTION_STARTED : EVENT_ORDER_COMPLETED, 0, at,
             1 + exponential(b, 12));
}

static void after_order(struct behaviour *b, uint32_t i, uint32_t serial, int64_t at)
{
    struct person *who = &b->people[i];
    if (chance(b, 0.12))
        plan(b, i, EVENT_SURVEY_RESPONDED, serial, at, 2 + exponential(b, 3));
    if (chance(b, 0.08 * (1 - who->mood)))
        plan(b, i, EVENT_COMPLAINT_FILED, serial, at, 1 + exponential(b, 2));
    if (chance(b, 0.03))
        plan(b, i, EVENT_ORDER_REFUNDED, serial, at, 3 + exponential(b, 5));
    if (chance(b, 0.02))
        plan(b, i, EVENT_REFERRAL_MADE, serial, at, exponential(b, 10));
    if (chance(b, who->dropout)) {
        who->alive = false;
        if (chance(b, 0.2))
            plan(b, i, EVENT_UNSUBSCRIBED, serial, at, exponential(b, 20));
    } else {
        plan(b, i, EVENT_ORDER_COMPLETED, 0, at, exponential(b, 1 / who->daily_rate));
    }
}

/* What else this customer will do because it did `what`. */
static void follow(struct behaviour *b, const struct plan *what, int64_t at)
{
    uint32_t i = what->person;
    struct person *who = &b->people[i];
    switch (what->type) {
    case EVENT_LEAD_CREATED:
    case EVENT_SIGNED_UP:
        after_lead(b, i, at);
        break;
    case EVENT_DEMO_ATTENDED:
        if (chance(b, 0.5))
            plan(b, i, EVENT_TRIAL_STARTED, 0, at, 1 + exponential(b, 3));
        break;
    case EVENT_TRIAL_STARTED:
        plan(b, i, EVENT_TRIAL_ENDED, 0, at, 14);
        break;
    case EVENT_ORDER_COMPLETED:
        after_order(b, i, what->serial, at);
        break;
    case EVENT_PRODUCT_VIEWED:
    case EVENT_EMAIL_OPENED: {
        /* Interest goes on while the customer is alive, and fades slowly after. */
        double mean = who->alive ? 12 : 60;
        if (who->alive || chance(b, 0.6))
            plan(b, i, chance(b, 0.6) ? EVENT_PRODUCT_VIEWED : EVENT_EMAIL_OPENED, 0, at,
                 exponential(b, mean));
        break;
    }
    case EVENT_COMPLAINT_FILED:
        if (chance(b, 0.75))
            plan(b, i, EVENT_COMPLAINT_RESOLVED, what->serial, at, exponential(b, 2.5));
        break;
    case EVENT_SUBSCRIPTION_STARTED:
    case EVENT_SUBSCRIPTION_RENEWED:
        if (chance(b, 0.85))
            plan(b, i, EVENT_SUBSCRIPTION_RENEWED, 0, at, 90);
        else
            plan(b, i, EVENT_SUBSCRIPTION_CANCELLED, 0, at, 20 + 60 * uniform(b));
        break;
    default:
        break;
    }
}

static void fill_amount(struct behaviour *b, struct person *who, struct behaviour_event *e)
{
    e->has_amount = true;
    e->amount_minor = (int64_t)(100 * gamma_draw(b, b->options.p) / who->spend_rate) + 1;
    who->order_minor = e->amount_minor;
}

static void fill(struct behaviour *b, struct plan *what, int64_t at, struct behaviour_event *e)
{
    struct person *who = &b->people[what->person];
    *e = (struct behaviour_event){.type = what->type, .time_ms = at};
    snprintf(e->customer, sizeof e->customer, "c%06u", what->person + 1);
    snprintf(e->id, sizeof e->id, "%s-%llx-%u", e->customer, (unsigned long long)b->options.seed,
             ++who->sent);
    snprintf(e->channel, sizeof e->channel, "%s", channels[who->channel]);
    switch (what->type) {
    case EVENT_ORDER_COMPLETED:
        what->serial = ++who->orders;
        fill_amount(b, who, e);
        snprintf(e->order_id, sizeof e->order_id, "%s-o%u", e->customer, what->serial);
        snprintf(e->category, sizeof e->category, "%s",
                 categories[(who->category + (chance(b, 0.2) ? 1 : 0)) % 6]);
        break;
    case EVENT_ORDER_REFUNDED:
        e->has_amount = chance(b, 0.5);
        e->amount_minor = 1 + who->order_minor / 3;
        snprintf(e->order_id, sizeof e->order_id, "%s-o%u", e->customer, what->serial);
        snprintf(e->refund_id, sizeof e->refund_id, "%s-r%u", e->customer, what->serial);
        break;
    case EVENT_SURVEY_RESPONDED:
        e->has_score = true;
        e->score = (int)(who->mood * 8 + 3 * uniform(b));
        e->score = e->score > 10 ? 10 : e->score;
        break;
    case EVENT_COMPLAINT_FILED:
    case EVENT_COMPLAINT_RESOLVED:
        snprintf(e->ticket_id, sizeof e->ticket_id, "%s-t%u", e->customer, what->serial);
        break;
    case EVENT_TRIAL_STARTED:
        e->has_ends = true;
        e->ends_ms = at + 14 * TEXT_MS_PER_DAY;
        break;
    case EVENT_SUBSCRIPTION_STARTED:
    case EVENT_SUBSCRIPTION_RENEWED:
        e->has_ends = true;
        e->ends_ms = at + 90 * TEXT_MS_PER_DAY;
        snprintf(e->plan, sizeof e->plan, "%s", plans_sold[who->category % 3]);
        e->has_amount = true;
        e->amount_minor = 2990 + 3000 * (who->category % 3);
        break;
    case EVENT_SUBSCRIPTION_CANCELLED:
        e->reason = (enum churn_reason)(CHURN_COMPETITION + random_u64(b) % 4);
        break;
    default:
        break;
    }
}

struct behaviour_options behaviour_default(void)
{
    return (struct behaviour_options){.seed = 1,
                                      .customers = 1000,
                                      .start_ms = 1704067200000,
                                      .days = 730,
                                      .r = 1.1,
                                      .alpha_days = 40,
                                      .a = 0.7,
                                      .b = 3.5,
                                      .p = 6.25,
                                      .q = 3.74,
                                      .gamma = 15.44};
}

struct behaviour *behaviour_open(const struct behaviour_options *options)
{
    struct behaviour *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->options = *options;
    b->plan_cap = options->customers * PLANS_PER_PERSON;
    b->people = calloc(options->customers, sizeof *b->people);
    b->plans = calloc(b->plan_cap, sizeof *b->plans);
    b->free_plans = calloc(b->plan_cap, sizeof *b->free_plans);
    b->items = calloc(b->plan_cap, sizeof *b->items);
    if (!b->people || !b->plans || !b->free_plans || !b->items) {
        behaviour_close(b);
        return NULL;
    }
    uint64_t seed = options->seed;
    for (int i = 0; i < 4; i++) { /* splitmix64 */
        uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        b->random[i] = z ^ (z >> 31);
    }
    for (uint32_t i = b->plan_cap; i-- > 0;)
        b->free_plans[b->free_count++] = i;
    heap_init(&b->heap, b->items, b->plan_cap);
    for (uint32_t i = 0; i < options->customers; i++)
        person_init(b, i);
    return b;
}

bool behaviour_next(struct behaviour *b, struct behaviour_event *ret_event)
{
    if (!heap_top(&b->heap))
        return false;
    struct heap_item top = heap_pop(&b->heap);
    struct plan what = b->plans[top.index];
    b->free_plans[b->free_count++] = top.index;
    fill(b, &what, top.at_ms, ret_event);
    follow(b, &what, top.at_ms);
    return true;
}

void behaviour_close(struct behaviour *b)
{
    if (!b)
        return;
    free(b->people);
    free(b->plans);
    free(b->free_plans);
    free(b->items);
    free(b);
}
