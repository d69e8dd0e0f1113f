/* event_fields: the names an event may use for its fields, and what they mean together.
 *
 * One table for JSON and MessagePack: a reader (event_json, event_msgpack) finds names with
 * event_fields_find() and puts what it saw into a struct event_fields; event_fields_finish() turns
 * that into a struct event, so both formats mean the same. Values are kept by name: where two names
 * are one field (`total` and `revenue`) the order of preference stands in event_fields.c and in
 * docs/FORMATS.md. */
#ifndef LC_PIPELINE_EVENT_FIELDS_H
#define LC_PIPELINE_EVENT_FIELDS_H

#include "pipeline/decode.h"

/* Where a name is read; anywhere else it is the publisher's own and skipped. */
enum event_scope {
    EVENT_SCOPE_TOP = 1,        /* Segment and flat form: the outermost object */
    EVENT_SCOPE_STRUCTURED = 2, /* structured CloudEvents: the attributes */
    EVENT_SCOPE_DATA = 4        /* inside data, properties, traits; payload of binary CloudEvents */
};

#define EVENT_ALL_SCOPES (EVENT_SCOPE_TOP | EVENT_SCOPE_DATA)
#define EVENT_OUTER      (EVENT_SCOPE_TOP | EVENT_SCOPE_STRUCTURED)

/* X(symbol, name in the payload, scopes) */
#define EVENT_FIELD_TABLE(X)                                                                       \
    X(ID, "id", EVENT_OUTER)                                                                       \
    X(MESSAGE_ID, "messageId", EVENT_SCOPE_TOP)                                                    \
    X(TYPE, "type", EVENT_OUTER)                                                                   \
    X(EVENT, "event", EVENT_SCOPE_TOP)                                                             \
    X(SUBJECT, "subject", EVENT_OUTER)                                                             \
    X(CUSTOMER_ID, "customer_id", EVENT_SCOPE_TOP)                                                 \
    X(USER_ID, "userId", EVENT_SCOPE_TOP)                                                          \
    X(ANONYMOUS_ID, "anonymousId", EVENT_SCOPE_TOP)                                                \
    X(TIME, "time", EVENT_OUTER)                                                                   \
    X(TIMESTAMP, "timestamp", EVENT_SCOPE_TOP)                                                     \
    X(SOURCE, "source", EVENT_OUTER)                                                               \
    X(SPECVERSION, "specversion", EVENT_SCOPE_STRUCTURED)                                          \
    X(DATACONTENTTYPE, "datacontenttype", EVENT_SCOPE_STRUCTURED)                                  \
    X(DATA_BASE64, "data_base64", EVENT_SCOPE_STRUCTURED)                                          \
    X(DATA, "data", EVENT_OUTER)                                                                   \
    X(PROPERTIES, "properties", EVENT_SCOPE_TOP)                                                   \
    X(TRAITS, "traits", EVENT_SCOPE_TOP)                                                           \
    X(PREVIOUS_ID, "previous_id", EVENT_ALL_SCOPES)                                                \
    X(PREVIOUS_ID_SEGMENT, "previousId", EVENT_ALL_SCOPES)                                         \
    X(CHANNEL, "channel", EVENT_ALL_SCOPES)                                                        \
    X(AMOUNT_MINOR, "amount_minor", EVENT_ALL_SCOPES)                                              \
    X(AMOUNT, "amount", EVENT_ALL_SCOPES)                                                          \
    X(TOTAL, "total", EVENT_ALL_SCOPES)                                                            \
    X(REVENUE, "revenue", EVENT_ALL_SCOPES)                                                        \
    X(COST_MINOR, "cost_minor", EVENT_ALL_SCOPES)                                                  \
    X(COST, "cost", EVENT_ALL_SCOPES)                                                              \
    X(CURRENCY, "currency", EVENT_ALL_SCOPES)                                                      \
    X(ORDER_ID, "order_id", EVENT_ALL_SCOPES)                                                      \
    X(REFUND_ID, "refund_id", EVENT_ALL_SCOPES)                                                    \
    X(TICKET_ID, "ticket_id", EVENT_ALL_SCOPES)                                                    \
    X(SUBSCRIPTION_ID, "subscription_id", EVENT_ALL_SCOPES)                                        \
    X(PLAN, "plan", EVENT_ALL_SCOPES)                                                              \
    X(CATEGORY, "category", EVENT_ALL_SCOPES)                                                      \
    X(REASON, "reason", EVENT_ALL_SCOPES)                                                          \
    X(SCORE, "score", EVENT_ALL_SCOPES)                                                            \
    X(METRIC, "metric", EVENT_ALL_SCOPES)                                                          \
    X(PURPOSE, "purpose", EVENT_ALL_SCOPES)                                                        \
    X(GRANTED, "granted", EVENT_ALL_SCOPES)                                                        \
    X(TRIAL_ENDS_AT, "trial_ends_at", EVENT_ALL_SCOPES)                                            \
    X(RENEWS_AT, "renews_at", EVENT_ALL_SCOPES)                                                    \
    X(ENDS_AT, "ends_at", EVENT_ALL_SCOPES)

enum event_field {
#define X(symbol, name, scopes) EVENT_FIELD_##symbol,
    EVENT_FIELD_TABLE(X)
#undef X
        EVENT_FIELD_COUNT
};
_Static_assert(EVENT_FIELD_COUNT <= 64, "a bit each in struct event_fields");

enum event_value_kind {
    EVENT_VALUE_TEXT,    /* text */
    EVENT_VALUE_NUMBER,  /* text, a number by JSON's grammar */
    EVENT_VALUE_INTEGER, /* integer */
    EVENT_VALUE_REAL,    /* real, finite */
    EVENT_VALUE_BOOL,    /* flag */
    EVENT_VALUE_OTHER    /* an array, an object, bytes: no field is one */
};

struct event_value {
    enum event_value_kind kind;
    struct span text;
    union {
        int64_t integer;
        double real;
        bool flag;
    };
};

#define EVENT_DETAIL_MAX 240

struct event_fields {
    uint64_t seen;           /* bit a field: the name occurred */
    uint64_t present;        /* and was not null: value[] is set */
    enum decode_error error; /* the first one stays */
    char detail[EVENT_DETAIL_MAX];
    struct event_value value[EVENT_FIELD_COUNT];
};

static inline void event_fields_init(struct event_fields *ret_fields)
{
    ret_fields->seen = ret_fields->present = 0;
    ret_fields->error = DECODE_NONE;
    ret_fields->detail[0] = '\0';
}

void event_fields_fail(struct event_fields *fields, enum decode_error error, const char *format,
                       ...) __attribute__((format(printf, 3, 4), cold));
const char *event_fields_name(enum event_field field);

/* The rows whose name has exactly `len` bytes; with a constant len the compiler keeps only those,
 * each a comparison of one or two machine words. */
static inline __attribute__((always_inline)) int event_fields_find_sized(const char *at, size_t len,
                                                                         enum event_scope scope)
{
#define X(symbol, name, scopes)                                                                    \
    if (len == sizeof(name) - 1 && memcmp(at, name, sizeof(name) - 1) == 0)                        \
        return ((scopes)&scope) != 0 ? EVENT_FIELD_##symbol : -1;
    EVENT_FIELD_TABLE(X)
#undef X
    return -1;
}

/* The field of a name in a scope; −1: not ours. */
static inline int event_fields_find(struct span key, enum event_scope scope)
{
#define L(len)                                                                                     \
    case len:                                                                                      \
        return event_fields_find_sized(key.at, len, scope);
    switch (key.len) {
        L(2) L(4) L(5) L(6) L(7) L(8) L(9) L(10) L(11) L(12) L(13) L(15) default : return -1;
    }
#undef L
}
/* The lengths listed above are all there are: a new name of another length does not compile. */
#define X(symbol, name, scopes)                                                                    \
    _Static_assert((sizeof(name) - 1 >= 4 && sizeof(name) - 1 <= 13) || sizeof(name) - 1 == 2 ||   \
                       sizeof(name) - 1 == 15,                                                     \
                   "add the length of " name " to event_fields_find");
EVENT_FIELD_TABLE(X)
#undef X

/* False (and the error is set) when the name was there before. */
static inline bool event_fields_mark(struct event_fields *fields, enum event_field field)
{
    uint64_t bit = UINT64_C(1) << field;

    if (fields->seen & bit) {
        event_fields_fail(fields, DECODE_DUPLICATE_KEY, "%s is there twice",
                          event_fields_name(field));
        return false;
    }
    fields->seen |= bit;
    return true;
}

static inline bool event_fields_has(const struct event_fields *fields, enum event_field field)
{
    return fields->present >> field & 1;
}

/* Fields whose objects hold further fields. */
static inline bool event_fields_is_container(enum event_field field)
{
    return field == EVENT_FIELD_DATA || field == EVENT_FIELD_PROPERTIES ||
           field == EVENT_FIELD_TRAITS;
}

/* The event that the fields describe. Integers used as identifiers become text in the arena. On an
 * error fields->error and detail are set and *ret_event is undefined. */
void event_fields_finish(struct event_fields *fields, const struct record *record,
                         const struct decode_options *options, struct arena *scratch,
                         struct event *ret_event);

/* Could these bytes be a customer's id? */
bool event_fields_is_customer(struct span id);

/* Readers: the payload's outermost object into the fields. Errors land in the fields. */
void event_json_read(struct span text, enum event_scope scope, struct arena *scratch,
                     struct event_fields *fields);
void event_msgpack_read(struct span bytes, enum event_scope scope, struct event_fields *fields);

#endif
