/* span: borrowed bytes. A span never outlives what it points into (usually one batch). */
#ifndef LC_BASE_SPAN_H
#define LC_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const char *at; /* NULL only in "absent"; then len is 0 */
    size_t len;
};

#define SPAN_LITERAL(text) ((struct span){"" text, sizeof(text) - 1})
#define SPAN_ABSENT        ((struct span){NULL, 0})

static inline struct span span_of(const char *text)
{
    return text ? (struct span){text, strlen(text)} : SPAN_ABSENT;
}

static inline bool span_equal(struct span left, struct span right)
{
    return left.len == right.len && (left.len == 0 || memcmp(left.at, right.at, left.len) == 0);
}

static inline bool span_is(struct span span, const char *text)
{
    return span_equal(span, span_of(text));
}

#endif
