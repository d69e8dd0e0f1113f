/* Headers and value. The input is lines "name: value" up to an empty line, then the payload, so
 * that the corpus can be read. */
#include "tests/fuzz/event_target.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct header headers[RECORD_HEADERS_MAX + 1];
    const char *at = (const char *)bytes, *end = at + len;
    size_t count = 0;

    while (at < end && *at != '\n' && count < RECORD_HEADERS_MAX + 1) {
        const char *stop = memchr(at, '\n', (size_t)(end - at)), *colon;

        stop = stop ? stop : end;
        colon = memchr(at, ':', (size_t)(stop - at));
        headers[count] = (struct header){.name = {at, (size_t)((colon ? colon : stop) - at)}};
        if (colon) /* without a colon the value is null */
            headers[count].value = (struct span){colon + 1, (size_t)(stop - colon - 1)};
        if (headers[count].value.len > 0 && *headers[count].value.at == ' ') {
            headers[count].value.at++;
            headers[count].value.len--;
        }
        count++;
        at = stop < end ? stop + 1 : end;
    }
    if (at < end && *at == '\n')
        at++;
    target_decode((struct span){at, (size_t)(end - at)}, headers, count);
    return 0;
}
