#include "base/report.h"

#include <stdarg.h>
#include <stdio.h>

void report_set(struct report *report, const char *code, const char *format, ...)
{
    va_list args;

    if (!report)
        return;
    (void)snprintf(report->code, sizeof(report->code), "%s", code);
    va_start(args, format);
    (void)vsnprintf(report->text, sizeof(report->text), format, args);
    va_end(args);
}
