/* The text of parameters in the control topic, or of an insight that was proposed: refused with
 * words, or written and read back as itself, to the bit. */
#include "base/must.h"
#include "state/params_codec.h"
#include "tests/fuzz/fuzz.h"

static void params_target(struct span text, struct arena *arena)
{
    struct params params, again;
    struct report report = {0};
    struct span first, second;
    char cfg[2][STORE_CFG_BYTES];

    if (params_decode(text, &params, &report) != STATUS_OK) {
        MUST(report.text[0] != '\0');
        return;
    }
    MUST(params_encode(&params, arena, &first) == STATUS_OK);
    MUST(first.len <= PARAMS_TEXT_MAX);
    MUST(params_decode(first, &again, &report) == STATUS_OK);
    MUST(params_encode(&again, arena, &second) == STATUS_OK);
    MUST(span_equal(first, second));
    params_fingerprint(&params, cfg[0]);
    params_fingerprint(&again, cfg[1]);
    MUST(strcmp(cfg[0], cfg[1]) == 0);
}

static void insight_target(struct span text, struct arena *arena)
{
    struct insight insight, again;
    struct report report = {0};
    struct span first, second;

    if (params_decode_insight(text, &insight, &report) != STATUS_OK) {
        MUST(report.text[0] != '\0');
        return;
    }
    MUST(!insight_check(&insight));
    MUST(params_encode_insight(&insight, arena, &first) == STATUS_OK);
    MUST(params_decode_insight(first, &again, &report) == STATUS_OK);
    MUST(params_encode_insight(&again, arena, &second) == STATUS_OK);
    MUST(span_equal(first, second));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct span text = {(const char *)bytes, len};
    struct arena arena;

    arena_init(&arena, 1 << 20);
    params_target(text, &arena);
    insight_target(text, &arena);
    arena_fini(&arena);
    return 0;
}
