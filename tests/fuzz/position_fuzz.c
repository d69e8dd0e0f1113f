/* The metadata of a committed offset, or a record of the control topic: refused, or written and
 * read back as itself. */
#include "base/must.h"
#include "pipeline/position_codec.h"
#include "tests/fuzz/fuzz.h"

static void metadata_target(struct span text)
{
    struct delivered delivered = {0}, again = {0};
    char written[POSITION_METADATA_MAX], twice[POSITION_METADATA_MAX];
    size_t len;

    if (position_metadata_decode(text, &delivered) != STATUS_OK)
        return;
    len = position_metadata_encode(&delivered, written);
    MUST(position_metadata_decode((struct span){written, len}, &again) == STATUS_OK);
    MUST(position_compare(delivered.at, again.at) == 0);
    MUST(delivered.control_offset == again.control_offset);
    MUST(delivered.watermark_ms == again.watermark_ms);
    MUST(strcmp(delivered.cfg, again.cfg) == 0);
    MUST(delivered.params_version == again.params_version);
    MUST(position_metadata_encode(&again, twice) == len);
    MUST(memcmp(written, twice, len) == 0);
}

static void control_target(struct span value)
{
    struct control_record control, again;
    struct arena arena;
    struct span written, twice;
    const char *why = NULL;

    if (control_decode(value, &control, &why) != STATUS_OK) {
        MUST(why);
        return;
    }
    arena_init(&arena, 1 << 20);
    MUST(control_encode(&control, &arena, &written) == STATUS_OK);
    MUST(control_decode(written, &again, &why) == STATUS_OK);
    MUST(control.kind == again.kind);
    MUST(control.number == again.number);
    MUST(control.label == again.label);
    MUST(control.watermark_ms == again.watermark_ms);
    MUST(span_equal(control.params, again.params));
    MUST(control_encode(&again, &arena, &twice) == STATUS_OK);
    MUST(span_equal(written, twice));
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct span input = {(const char *)bytes, len};

    metadata_target(input);
    control_target(input);
    return 0;
}
