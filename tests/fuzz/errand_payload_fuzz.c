/* An errand of the fold as anybody may write one: the first byte chooses its type, the rest is its
 * payload. Refused with words, or the same twice; a state that it brings holds every invariant. */
#include "tests/fuzz/event_target.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct span types[] = {
        {"lifecycled.alias.requested.v1", 29},
        {"lifecycled.alias.moved.v1", 25},
        {"lifecycled.alias.erased.v1", 26},
    };
    struct header headers[] = {
        {SPAN_LITERAL("ce_specversion"), SPAN_LITERAL("1.0")},
        {SPAN_LITERAL("ce_id"), SPAN_LITERAL("e-1")},
        {SPAN_LITERAL("ce_source"), SPAN_LITERAL("fuzz")},
        {SPAN_LITERAL("ce_type"), types[len > 0 ? bytes[0] % 3 : 0]},
        {SPAN_LITERAL("ce_subject"), SPAN_LITERAL("c-1")},
        {SPAN_LITERAL("ce_time"), SPAN_LITERAL("2025-01-01T00:00:00Z")},
    };

    target_decode((struct span){(const char *)bytes + (len > 0), len - (len > 0)}, headers,
                  sizeof headers / sizeof *headers);
    return 0;
}
