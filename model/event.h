/* event: one customer interaction, as every envelope and payload format becomes it.
 *
 * A struct event borrows: its spans point into the Kafka record or the batch's arena and die with
 * the batch. Identifiers that only ever have to be compared (event, order, refund, ticket,
 * subscription) come as 64-bit fingerprints, made by the decoder with hash_pair(), 0 meaning absent
 * (a fingerprint that happens to be 0 becomes 1). */
#ifndef LC_MODEL_EVENT_H
#define LC_MODEL_EVENT_H

#include <stdint.h>

#include "base/span.h"
#include "model/currency.h"

#define EVENT_CUSTOMER_BYTES_MAX 128
#define EVENT_HOPS_MAX           16 /* redirects an event is sent along */

struct customer;
struct ledger;

enum event_group {
    EVENT_ACQUISITION,
    EVENT_PURCHASE,
    EVENT_SUBSCRIPTION,
    EVENT_ENGAGEMENT,
    EVENT_SATISFACTION,
    EVENT_ADVOCACY,
    EVENT_COST,
    EVENT_IDENTITY
};

enum event_type {
#define EVENT_TYPE(name, title, group, required) EVENT_##name,
#include "model/event_type.def"
#undef EVENT_TYPE
    EVENT_TYPE_COUNT
};

/* Which optional fields are present. */
enum {
    EVENT_HAS_AMOUNT = 1u << 0, /* amount_minor and currency */
    EVENT_HAS_ORDER = 1u << 1,
    EVENT_HAS_REFUND = 1u << 2,
    EVENT_HAS_TICKET = 1u << 3,
    EVENT_HAS_SUBSCRIPTION = 1u << 4,
    EVENT_HAS_SCORE = 1u << 5,
    EVENT_HAS_ENDS = 1u << 6, /* ends_ms: trial_ends_at, renews_at */
    EVENT_HAS_PURPOSE = 1u << 7,
};

enum survey_metric { SURVEY_NPS, SURVEY_CSAT };

/* Why a customer left, when an event says so. */
enum churn_reason {
    CHURN_UNKNOWN,
    CHURN_COMPETITION,
    CHURN_PRICE,
    CHURN_SERVICE,
    CHURN_NEED_GONE,
    CHURN_REASON_COUNT
};

enum consent_purpose { CONSENT_MARKETING, CONSENT_ANALYTICS, CONSENT_PURPOSE_COUNT };

/* What the fold of one customer sends to another's through the input topic (alias.h). Such an event
 * has the type Alias. */
enum event_errand {
    EVENT_NO_ERRAND,
    EVENT_REQUEST, /* to a previous id: become `into` */
    EVENT_STATE,   /* to the new id: `moved` of `previous` is yours */
    EVENT_UNLINK   /* to a previous id: `into` was erased, and you with it */
};

struct event {
    struct span customer; /* 1–128 bytes of UTF-8; equals the record key */
    enum event_type type;
    uint32_t has;         /* EVENT_HAS_* */
    uint64_t id_fp;       /* fingerprint of (source, id); never 0 */
    int64_t time_ms;      /* event time */
    int64_t record_ms;    /* Kafka's timestamp of the record */
    int64_t amount_minor; /* ≥ 0 for orders and refunds, in `currency`'s minor units */
    enum currency currency;
    uint64_t order_fp, refund_fp, ticket_fp, subscription_fp;
    int64_t ends_ms; /* end of the trial or of the paid term */
    int16_t score;   /* nps 0–10, csat 1–5 */
    enum survey_metric metric;
    enum churn_reason reason;
    enum consent_purpose purpose;
    bool granted;
    struct span channel;   /* ≤ 16 bytes kept: web, app, store, phone, email, sms, wechat, ... */
    struct span plan;      /* ≤ 16 bytes kept */
    struct span category;  /* product category, of orders and views */
    struct span previous;  /* Alias: the id that becomes `customer`; STATE: whose it was */
    struct span type_name; /* as sent, for reporting unknown types once */
    int64_t offset;        /* of the record */
    int64_t sent_ms;       /* its timestamp: record_ms where no time was held */
    enum event_errand errand;
    uint8_t hops;                 /* redirects it has come along */
    struct span into;             /* REQUEST, UNLINK */
    const struct customer *moved; /* STATE */
    const struct ledger *moved_ledger;
};

const char *event_type_title(enum event_type type);
enum event_group event_type_group(enum event_type type);
/* Mask of EVENT_HAS_* a record of the type must carry. */
uint32_t event_type_required(enum event_type type);
/* By title, dropping case and everything that is not a letter or digit: "order.completed" finds
 * Order Completed. EVENT_UNKNOWN when there is none. */
enum event_type event_type_find(struct span name);

#endif
