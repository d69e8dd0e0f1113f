#include "model/event.h"

#include <string.h>

#include "base/must.h"

struct type_row {
    const char *title;
    char initial; /* of the title, lower case */
    enum event_group group;
    uint32_t required;
};

static const struct type_row rows[EVENT_TYPE_COUNT] = {
#define EVENT_TYPE(name, title, group, required) {title, title[0] | 0x20, EVENT_##group, required},
#include "model/event_type.def"
#undef EVENT_TYPE
};

const char *event_type_title(enum event_type type)
{
    MUST(type < EVENT_TYPE_COUNT);
    return rows[type].title;
}

enum event_group event_type_group(enum event_type type)
{
    MUST(type < EVENT_TYPE_COUNT);
    return rows[type].group;
}

uint32_t event_type_required(enum event_type type)
{
    MUST(type < EVENT_TYPE_COUNT);
    return rows[type].required;
}

/* ASCII only: titles are ASCII, and locale must not change what a log means. Other bytes count as
 * themselves. */
static int fold_byte(char byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A' + 'a';
    if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || (unsigned char)byte >= 0x80)
        return (unsigned char)byte;
    return -1; /* separator */
}

/* From the end: titles that begin alike ("Subscription ...") differ there. */
static bool same_name(struct span name, const char *title)
{
    size_t left = name.len;

    for (size_t i = strlen(title); i-- > 0;) {
        int want = fold_byte(title[i]);

        if (want < 0)
            continue;
        while (left > 0 && fold_byte(name.at[left - 1]) < 0)
            left--;
        if (left == 0 || fold_byte(name.at[--left]) != want)
            return false;
    }
    while (left > 0 && fold_byte(name.at[left - 1]) < 0)
        left--;
    return left == 0;
}

enum event_type event_type_find(struct span name)
{
    size_t first = 0;
    int initial;

    while (first < name.len && fold_byte(name.at[first]) < 0)
        first++;
    if (first == name.len)
        return EVENT_UNKNOWN;
    initial = fold_byte(name.at[first]);
    for (int type = EVENT_UNKNOWN + 1; type < EVENT_TYPE_COUNT; type++)
        if (rows[type].initial == initial && same_name(name, rows[type].title))
            return (enum event_type)type;
    return EVENT_UNKNOWN;
}
