/* redis_script: commands one after the other in a buffer: argc, then length and bytes of each
 * argument. */
#ifndef LC_STATE_REDIS_MEMORY_SCRIPT_H
#define LC_STATE_REDIS_MEMORY_SCRIPT_H

#include <stdint.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/span.h"

struct redis_script {
    char *at;
    size_t len, cap, count;
};

static inline void redis_script_number(struct redis_script *script, size_t number)
{
    uint32_t value = (uint32_t)number;

    memcpy(script->at + script->len, &value, sizeof value);
    script->len += sizeof value;
}

static inline void redis_script_add(struct redis_script *script, size_t argc,
                                    const struct span *argv)
{
    size_t need = sizeof(uint32_t) * (argc + 1);

    for (size_t i = 0; i < argc; i++)
        need += argv[i].len;
    if (script->len + need > script->cap) {
        script->cap = (script->len + need) * 2;
        script->at = realloc(script->at, script->cap);
        MUST(script->at);
    }
    redis_script_number(script, argc);
    for (size_t i = 0; i < argc; i++) {
        redis_script_number(script, argv[i].len);
        if (argv[i].len)
            memcpy(script->at + script->len, argv[i].at, argv[i].len);
        script->len += argv[i].len;
    }
    script->count++;
}

static inline uint32_t redis_script_number_at(const char *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

/* The command at `at` into argv, which grows; the place after it. */
static inline const char *redis_script_next(const char *at, struct span **argv, size_t *argv_cap,
                                            size_t *ret_argc)
{
    size_t argc = redis_script_number_at(at);

    at += sizeof(uint32_t);
    if (argc > *argv_cap) {
        *argv_cap = argc * 2;
        *argv = realloc(*argv, *argv_cap * sizeof **argv);
        MUST(*argv);
    }
    for (size_t i = 0; i < argc; i++) {
        (*argv)[i] = (struct span){at + sizeof(uint32_t), redis_script_number_at(at)};
        at += sizeof(uint32_t) + (*argv)[i].len;
    }
    *ret_argc = argc;
    return at;
}

static inline void redis_script_clear(struct redis_script *script)
{
    script->len = script->count = 0;
}

#endif
