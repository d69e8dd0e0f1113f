#include "pipeline/ports.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "state/params_codec.h"

#define TEXT_ARENA_MAX ((size_t)1 << 20)

bool ports_learn(struct ports *ports, const struct insight *insight)
{
    struct params wanted = ports->options.params;
    struct arena arena;
    struct span text;
    char *kept = NULL;
    if (ports->params_text != NULL && !insight_newer(insight, &ports->wanted.insight))
        return true;
    params_learn(&wanted, insight);
    arena_init(&arena, TEXT_ARENA_MAX);
    if (params_encode(&wanted, &arena, &text) == STATUS_OK)
        kept = malloc(text.len);
    if (kept != NULL) {
        memcpy(kept, text.at, text.len);
        free(ports->params_text);
        ports->params_text = kept;
        ports->params_text_len = text.len;
        ports->wanted = wanted;
        params_text_fingerprint(text, wanted.fold_level, ports->cfg);
    }
    arena_fini(&arena);
    return kept != NULL;
}

void ports_fini(struct ports *ports)
{
    free(ports->params_text);
    ports->params_text = NULL;
}

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
