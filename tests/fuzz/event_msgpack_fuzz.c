/* A record's value, read as MessagePack in the Segment or flat form. */
#include "tests/fuzz/event_target.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct header msgpack[] = {
        {SPAN_LITERAL("content-type"), SPAN_LITERAL("application/msgpack")}};

    target_decode((struct span){(const char *)bytes, len}, msgpack, 1);
    return 0;
}
