/* A record's value, read as JSON in the Segment or flat form. */
#include "tests/fuzz/event_target.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct header json[] = {
        {SPAN_LITERAL("content-type"), SPAN_LITERAL("application/json")}};

    target_decode((struct span){(const char *)bytes, len}, json, 1);
    return 0;
}
