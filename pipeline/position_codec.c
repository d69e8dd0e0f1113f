/* position_codec: the metadata is read back by other builds than wrote it. It grows by further
 * name=value pairs, which an older build skips; a change that an older build must not skip raises
 * the version instead. */
#include "pipeline/position_codec.h"

#include <stdio.h>

#include "base/must.h"
#include "base/text.h"

#define METADATA_VERSION 1

size_t position_metadata_encode(const struct delivered *delivered,
                                char ret_text[POSITION_METADATA_MAX])
{
    int len = snprintf(ret_text, POSITION_METADATA_MAX, "v=%d;C=%lld;CO=%lld;W=%lld;cfg=%.*s;pv=%u",
                       METADATA_VERSION, (long long)delivered->at.control,
                       (long long)delivered->control_offset, (long long)delivered->watermark_ms,
                       STORE_CFG_BYTES - 1, delivered->cfg, (unsigned)delivered->params_version);

    MUST(len > 0);
    MUST(len < POSITION_METADATA_MAX);
    if (delivered->last_known)
        len +=
            snprintf(ret_text + len, POSITION_METADATA_MAX - (size_t)len, ";lo=%lld;lh=%016llx",
                     (long long)delivered->last_offset, (unsigned long long)delivered->last_hash);
    MUST(len < POSITION_METADATA_MAX);
    return (size_t)len;
}

/* The next "name=value" of the text, which loses it; false at its end or when it has no '='. */
static bool pair_next(struct span *text, struct span *ret_name, struct span *ret_value)
{
    const char *end = text->len > 0 ? memchr(text->at, ';', text->len) : NULL;
    size_t len = end ? (size_t)(end - text->at) : text->len;
    const char *equals = len > 0 ? memchr(text->at, '=', len) : NULL;

    if (!equals)
        return false;
    *ret_name = (struct span){text->at, (size_t)(equals - text->at)};
    *ret_value = (struct span){equals + 1, len - ret_name->len - 1};
    len += end != NULL;
    *text = (struct span){text->at + len, text->len - len};
    return true;
}

static bool is_hex(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!(text.at[i] >= '0' && text.at[i] <= '9') && !(text.at[i] >= 'a' && text.at[i] <= 'f'))
            return false;
    return true;
}

enum {
    HAS_V = 1,
    HAS_C = 2,
    HAS_CO = 4,
    HAS_W = 8,
    HAS_CFG = 16,
    HAS_PV = 32,
    HAS_ALL = 63,
    HAS_LO = 64,
    HAS_LH = 128
};

/* One pair into its place; its bit, 0 for a name that is not known, −1 when the value is wrong. */
static int pair_take(struct span name, struct span value, struct delivered *delivered)
{
    int64_t number = 0;

    if (span_is(name, "cfg")) {
        if (value.len >= STORE_CFG_BYTES || !is_hex(value))
            return -1;
        memset(delivered->cfg, 0, sizeof(delivered->cfg));
        memcpy(delivered->cfg, value.at, value.len);
        return HAS_CFG;
    }
    if (span_is(name, "lh"))
        return text_u64_hex_parse(value, &delivered->last_hash) == STATUS_OK ? HAS_LH : -1;
    if (!span_is(name, "v") && !span_is(name, "C") && !span_is(name, "CO") && !span_is(name, "W") &&
        !span_is(name, "pv") && !span_is(name, "lo"))
        return 0;
    if (text_i64_parse(value, &number) != STATUS_OK)
        return -1;
    if (span_is(name, "v"))
        return number == METADATA_VERSION ? HAS_V : -1;
    if (span_is(name, "C")) {
        delivered->at.control = number;
        return number >= 0 ? HAS_C : -1;
    }
    if (span_is(name, "CO")) {
        delivered->control_offset = number;
        return number >= -1 ? HAS_CO : -1;
    }
    if (span_is(name, "lo")) {
        delivered->last_offset = number;
        return number >= 0 ? HAS_LO : -1;
    }
    if (span_is(name, "W")) {
        delivered->watermark_ms = number;
        return HAS_W;
    }
    delivered->params_version = (uint32_t)number;
    return number >= 0 && number <= UINT32_MAX ? HAS_PV : -1;
}

enum status position_metadata_decode(struct span text, struct delivered *ret_delivered)
{
    struct delivered delivered = *ret_delivered; /* at.offset stays */
    int seen = 0;

    if (text.len >= POSITION_METADATA_MAX)
        return STATUS_REJECT;
    while (text.len > 0) {
        struct span name, value;
        int bit;

        if (!pair_next(&text, &name, &value))
            return STATUS_REJECT;
        bit = pair_take(name, value, &delivered);
        if (bit < 0 || (seen & bit))
            return STATUS_REJECT;
        seen |= bit;
    }
    if ((seen & HAS_ALL) != HAS_ALL || !(seen & HAS_LO) != !(seen & HAS_LH))
        return STATUS_REJECT;
    delivered.last_known = (seen & HAS_LO) != 0;
    *ret_delivered = delivered;
    return STATUS_OK;
}
