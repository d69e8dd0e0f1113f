#include "pipeline/ports.h"

#include <stdarg.h>
#include <stdio.h>

void ports_log(const struct ports *ports, enum worker_severity severity, int32_t partition,
               const char *code, const char *format, ...)
{
    if (ports->log.line == NULL)
        return;
    char text[REPORT_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    ports->log.line(ports->log.self, severity, partition, code, text);
}
