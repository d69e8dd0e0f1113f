/* alert_codec: one walk over the effect writes the payload, in JSON or in MessagePack (by
 * msgpack-c); the members are the same, in the same order. Every text in it is a constant of the
 * program that needs no escape, so that JSON is memcpy: names come with their quotes and colon, a
 * comma follows every value and becomes the bracket that closes. Texts of headers that never change
 * are constants too; the rest of the headers is one small block in the arena. */
#include "pipeline/alert_codec.h"

#include <math.h>
#include <msgpack/pack.h>

#include "base/double.h"
#include "base/must.h"
#include "base/text.h"

_Static_assert(STAGE_COUNT <= 16 && EFFECT_REASONS_MAX <= 13,
               "ALERT_VALUE_MAX was counted with these: 1,400 bytes and 13 reasons of 250");

/* Where the payload goes; members of objects and items of arrays are counted beforehand, since
 * MessagePack wants to know. */
struct out {
    bool msgpack;
    msgpack_packer packer;
    size_t len;
    char bytes[ALERT_VALUE_MAX];
};

static inline void out_bytes(struct out *out, const char *bytes, size_t len)
{
    MUST(len <= sizeof(out->bytes) - out->len);
    memcpy(out->bytes + out->len, bytes, len);
    out->len += len;
}

static int packer_write(void *self, const char *bytes, size_t len)
{
    out_bytes(self, bytes, len);
    return 0;
}

static void out_init(struct out *out, bool msgpack)
{
    out->msgpack = msgpack;
    out->len = 0;
    msgpack_packer_init(&out->packer, out, packer_write);
}

#define KEY(name)  SPAN_LITERAL("\"" name "\":")
#define KEY_ABSENT SPAN_LITERAL("") /* of an item of an array, and of the whole */

static inline void out_key(struct out *out, struct span key)
{
    if (!out->msgpack)
        out_bytes(out, key.at, key.len);
    else if (key.len > 0)
        msgpack_pack_str_with_body(&out->packer, key.at + 1, key.len - 3);
}

static void out_open(struct out *out, struct span key, size_t count, char bracket)
{
    out_key(out, key);
    if (!out->msgpack)
        out_bytes(out, &bracket, 1);
    else if (bracket == '{')
        msgpack_pack_map(&out->packer, count);
    else
        msgpack_pack_array(&out->packer, count);
}

static void out_close(struct out *out, char bracket)
{
    const char end[2] = {bracket, ','};

    if (out->msgpack)
        return;
    if (out->bytes[out->len - 1] == ',')
        out->len--;
    out_bytes(out, end, sizeof(end));
}

static void out_null(struct out *out, struct span key)
{
    out_key(out, key);
    if (out->msgpack)
        msgpack_pack_nil(&out->packer);
    else
        out_bytes(out, "null,", 5);
}

/* `text` is a constant of the program: no quotes, no controls. NULL: null. */
static void out_text(struct out *out, struct span key, const char *text)
{
    size_t len;

    if (!text) {
        out_null(out, key);
        return;
    }
    len = strlen(text);
    out_key(out, key);
    if (out->msgpack) {
        msgpack_pack_str_with_body(&out->packer, text, len);
        return;
    }
    out_bytes(out, "\"", 1);
    out_bytes(out, text, len);
    out_bytes(out, "\",", 2);
}

static void out_i64(struct out *out, struct span key, int64_t value)
{
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    char text[24], *at = text + sizeof(text);

    out_key(out, key);
    if (out->msgpack) {
        msgpack_pack_int64(&out->packer, value);
        return;
    }
    *--at = ',';
    do
        *--at = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0)
        *--at = '-';
    out_bytes(out, at, (size_t)(text + sizeof(text) - at));
}

static void out_double(struct out *out, struct span key, double value)
{
    char text[DOUBLE_TEXT_BYTES + 1];
    size_t len;

    out_key(out, key);
    if (out->msgpack) {
        msgpack_pack_double(&out->packer, value);
        return;
    }
    len = double_format(value, text);
    text[len] = ',';
    out_bytes(out, text, len + 1);
}

static void out_bool(struct out *out, struct span key, bool value)
{
    out_key(out, key);
    if (!out->msgpack)
        out_bytes(out, value ? "true," : "false,", value ? 5 : 6);
    else if (value)
        msgpack_pack_true(&out->packer);
    else
        msgpack_pack_false(&out->packer);
}

/* Somebody who has neither bought nor subscribed has no churn risk; the fold leaves it all zero. */
static bool has_churn(const struct churn_risk *churn)
{
    return churn->subscribed || churn->p_alive > 0 || churn->risk > 0;
}

static void churn_put(struct out *out, const struct effect *effect,
                      const struct alert_options *options)
{
    const char *band =
        effect->kind == KIND_CHURN_RISK ? kind_band_label(effect->kind, effect->band) : NULL;
    const char *reason = effect->to == STAGE_CHURNED || effect->from == STAGE_CHURNED
                             ? churn_reason_label(effect->churn_reason)
                             : NULL;

    if (!has_churn(&effect->churn)) {
        out_null(out, KEY("churn"));
        return;
    }
    out_open(out, KEY("churn"), 5, '{');
    out_double(out, KEY("risk"), effect->churn.risk);
    out_text(out, KEY("band"), band);
    out_double(out, KEY("p_alive"), effect->churn.p_alive);
    out_i64(out, KEY("horizon_days"), options->horizon_ms / TEXT_MS_PER_DAY);
    out_text(out, KEY("reason"), reason);
    out_close(out, '}');
}

static int64_t value_at_risk(const struct effect *effect)
{
    if (effect->value.clv_minor <= 0)
        return 0;
    return llround(effect->churn.risk * (double)effect->value.clv_minor);
}

static void reasons_put(struct out *out, const struct effect *effect)
{
    MUST(effect->reasons <= EFFECT_REASONS_MAX);
    out_open(out, KEY("reasons"), effect->reasons, '[');
    for (uint8_t i = 0; i < effect->reasons; i++) {
        const struct reason *reason = &effect->reason[i];

        out_open(out, KEY_ABSENT, 4, '{');
        out_text(out, KEY("feature"), reason->feature);
        out_double(out, KEY("value"), reason->value);
        out_double(out, KEY("baseline"), reason->baseline);
        out_double(out, KEY("contribution"), reason->contribution);
        out_close(out, '}');
    }
    out_close(out, ']');
}

/* "3-shipped", "4-fitted": which parameters, and whether they were fitted on own history. */
static void model_version_put(struct out *out, const struct alert_options *options)
{
    const char *suffix = options->calibrated ? "-fitted" : "-shipped";
    char text[32], *at = text + sizeof(text) - 1 - strlen(suffix);
    uint32_t rest = options->params_version;

    memcpy(at, suffix, strlen(suffix) + 1);
    do
        *--at = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    out_text(out, KEY("model_version"), at);
}

static void time_put(struct out *out, struct span key, int64_t ms, int64_t none)
{
    char text[TEXT_TIME_BYTES];

    if (ms == none)
        out_null(out, key);
    else {
        text_time_format(ms, text);
        out_text(out, key, text);
    }
}

static void tier_put(struct out *out, const struct effect *effect)
{
    if (effect->tier_to == TIER_NONE && effect->tier_from == TIER_NONE) {
        out_null(out, KEY("tier"));
        return;
    }
    out_open(out, KEY("tier"), 2, '{');
    out_text(out, KEY("from"), tier_label(effect->tier_from));
    out_text(out, KEY("to"), tier_label(effect->tier_to));
    out_close(out, '}');
}

/* The smallest change that would end it, or the time at which silence does. */
static void clears_put(struct out *out, const struct effect *effect)
{
    if (!effect->clears_when && effect->clears_at_ms == INT64_MAX) {
        out_null(out, KEY("clears_when"));
        return;
    }
    out_open(out, KEY("clears_when"), 3, '{');
    out_text(out, KEY("what"), effect->clears_when);
    if (effect->clears_when)
        out_double(out, KEY("amount"), effect->clears_amount);
    else
        out_null(out, KEY("amount"));
    time_put(out, KEY("at"), effect->clears_at_ms, INT64_MAX);
    out_close(out, '}');
}

static void payload_put(struct out *out, const struct effect *effect,
                        const struct alert_options *options)
{
    out_open(out, KEY_ABSENT, 15, '{');
    out_text(out, KEY("kind"), kind_label(effect->kind));
    out_text(out, KEY("phase"), phase_label(effect->phase));
    out_open(out, KEY("stage"), 3, '{');
    out_text(out, KEY("from"), stage_label(effect->from));
    out_text(out, KEY("to"), stage_label(effect->to));
    out_text(out, KEY("reason"), stage_reason_label(effect->stage_reason));
    out_close(out, '}');
    tier_put(out, effect);
    out_text(out, KEY("class"), tier_class_label(effect->class));
    out_open(out, KEY("value"), 4, '{');
    if (isnan(effect->percentile)) {
        out_null(out, KEY("score"));
        out_null(out, KEY("percentile"));
    } else {
        out_i64(out, KEY("score"), (int64_t)effect->percentile);
        out_double(out, KEY("percentile"), effect->percentile);
    }
    out_i64(out, KEY("clv_minor"), effect->value.clv_minor);
    out_text(out, KEY("currency"), currency_code(options->reporting));
    out_close(out, '}');
    churn_put(out, effect, options);
    out_i64(out, KEY("value_at_risk_minor"), value_at_risk(effect));
    reasons_put(out, effect);
    clears_put(out, effect);
    if (effect->action) {
        out_open(out, KEY("action"), effect->category[0] ? 4 : 3, '{');
        out_text(out, KEY("code"), effect->action);
        if (effect->category[0]) /* plain: insight_name_category() */
            out_text(out, KEY("category"), effect->category);
        out_text(out, KEY("channel_hint"), effect->channel_hint);
        out_bool(out, KEY("requires_approval"), effect->requires_approval);
        out_close(out, '}');
    } else {
        out_null(out, KEY("action"));
    }
    time_put(out, KEY("not_before"), effect->not_before_ms, INT64_MIN);
    out_i64(out, KEY("suppressed_count"), effect->suppressed_count);
    out_i64(out, KEY("rules_version"), options->params_version);
    model_version_put(out, options);
    out_close(out, '}');
}

/* What the headers of one alert need besides constants. */
struct header_block {
    char id[33], episode[33];
    char time[TEXT_TIME_BYTES], recorded[TEXT_TIME_BYTES], expiry[TEXT_TIME_BYTES];
    char cause[6 + TEXT_TIME_BYTES];
    char sequence[10];
};

static struct span type_of(const struct effect *effect)
{
#define TYPE(label, phase)                                                                         \
    {                                                                                              \
        "lifecycled.alert." label "." phase ".v1",                                                 \
            sizeof("lifecycled.alert." label "." phase ".v1") - 1                                  \
    }
    static const struct span types[KIND_COUNT][PHASE_COUNT] = {
#define KIND(name, label, rule, severity, marketing, cooldown)                                     \
    [KIND_##name] = {[PHASE_RAISED] = TYPE(label, "raised"),                                       \
                     [PHASE_UPDATED] = TYPE(label, "updated"),                                     \
                     [PHASE_RESOLVED] = TYPE(label, "resolved"),                                   \
                     [PHASE_RETRACTED] = TYPE(label, "retracted")},
#include "model/kind.def"
#undef KIND
    };
#undef TYPE

    MUST((unsigned)effect->kind < KIND_COUNT);
    MUST((unsigned)effect->phase < PHASE_COUNT);
    return types[effect->kind][effect->phase];
}

/* "event:" and the event's fingerprint in hex, or "timer:" and when it was due. */
static struct span cause_put(const struct effect *effect, char *cause)
{
    if (effect->cause == 0) {
        memcpy(cause, "timer:", 6);
        return (struct span){cause, 6 + text_time_format(effect->at_ms, cause + 6)};
    }
    memcpy(cause, "event:", 6);
    for (int i = 0; i < 16; i++)
        cause[6 + i] = "0123456789abcdef"[effect->cause >> (60 - 4 * i) & 15];
    return (struct span){cause, 22};
}

static void header_put(struct alert *alert, struct span name, struct span value)
{
    MUST(alert->header_count < ALERT_HEADERS_MAX);
    alert->headers[alert->header_count++] = (struct header){.name = name, .value = value};
}

#define PUT(name, value) header_put(alert, SPAN_LITERAL(name), value)

static void headers_put(const struct effect *effect, struct span customer,
                        const struct alert_options *options, int64_t recorded_ms,
                        struct header_block *block, struct alert *alert)
{
    uint32_t rest = effect->sequence;

    alert_id(effect, customer, block->id);
    alert_id_episode(effect, customer, block->episode);
    /* The sequence extension wants text that sorts as the numbers do. */
    for (size_t i = sizeof(block->sequence); i-- > 0; rest /= 10)
        block->sequence[i] = (char)('0' + rest % 10);
    alert->header_count = 0;
    PUT("content-type",
        options->msgpack ? SPAN_LITERAL("application/msgpack") : SPAN_LITERAL("application/json"));
    PUT("ce_specversion", SPAN_LITERAL("1.0"));
    PUT("ce_id", ((struct span){block->id, 32}));
    PUT("ce_source", span_of(options->source));
    PUT("ce_type", type_of(effect));
    PUT("ce_subject", customer);
    PUT("ce_time", ((struct span){block->time, text_time_format(effect->at_ms, block->time)}));
    PUT("ce_recordedtime",
        ((struct span){block->recorded, text_time_format(recorded_ms, block->recorded)}));
    PUT("ce_correlationid", ((struct span){block->episode, 32}));
    PUT("ce_causationid", cause_put(effect, block->cause));
    PUT("ce_severitytext", span_of(kind_severity(effect->kind)));
    PUT("ce_sequence", ((struct span){block->sequence, sizeof(block->sequence)}));
    if (effect->expires_ms != INT64_MAX)
        PUT("ce_expirytime",
            ((struct span){block->expiry, text_time_format(effect->expires_ms, block->expiry)}));
}

enum status alert_encode(const struct effect *effect, struct span customer,
                         const struct alert_options *options, int64_t recorded_ms,
                         struct arena *arena, struct alert *ret_alert)
{
    struct header_block *block = arena_alloc(arena, sizeof(*block));
    struct out out;
    char *value;

    if (!block)
        return STATUS_FULL;
    out_init(&out, options->msgpack);
    payload_put(&out, effect, options);
    if (!out.msgpack)
        out.len--; /* the comma behind the whole */
    value = arena_copy(arena, out.bytes, out.len);
    if (!value)
        return STATUS_FULL;
    headers_put(effect, customer, options, recorded_ms, block, ret_alert);
    ret_alert->value = (struct span){value, out.len};
    return STATUS_OK;
}
