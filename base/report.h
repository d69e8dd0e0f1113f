/* report: the words that go with a status: what is wrong, where, and what to do about it.
 * Filled by the layer that knows, printed once by daemon/ or ctl/. Plain bytes, no ownership. */
#ifndef LC_BASE_REPORT_H
#define LC_BASE_REPORT_H

#define REPORT_CODE_MAX 40
#define REPORT_TEXT_MAX 400

struct report {
    char code[REPORT_CODE_MAX]; /* stable, lower case with dashes: "redis-oom"; the runbook's key */
    char text[REPORT_TEXT_MAX]; /* one sentence for people: what, where, what to do */
};

/* Fill, truncating at the bounds; `report` may be NULL (nobody wants the words). */
void report_set(struct report *report, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
